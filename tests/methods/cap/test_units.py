import pytest
import torch
from transformers import BertConfig, BertForSequenceClassification

from burnish.errors import BurnishError, ConfigError
from burnish.methods.cap.units import (
    FirstOrder,
    UnitMagnitude,
    UnitState,
    keep_digest,
    surviving,
    unit_masks,
    unit_weights,
)
from burnish.models.anatomy import layer_parts
from burnish.training import seeded


@pytest.fixture
def model():
    config = BertConfig(
        vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
        intermediate_size=24, max_position_embeddings=32, num_labels=3,
        attn_implementation="eager",
    )  # fmt: skip
    with seeded(0):
        return BertForSequenceClassification(config).eval()


INPUTS = {
    "input_ids": torch.randint(1, 50, (5, 7), generator=torch.Generator().manual_seed(0)),
    "attention_mask": torch.tensor([[1] * 7, [1] * 5 + [0] * 2] * 2 + [[1] * 3 + [0] * 4]),
}


def test_a_head_mask_is_a_mask_on_attention_probabilities(model):
    """Masked by hand inside the attention of the first layer, gradients agree."""
    layers = layer_parts(model)
    with unit_masks(layers) as masks:
        loss = model(**INPUTS).logits.pow(2).sum()
        (found,) = torch.autograd.grad(loss, masks["heads"][0])
    probe = torch.ones(4, requires_grad=True)
    attention = layers[0].attention

    def on_probabilities(module, inputs, output):
        probabilities = output[1] * probe[None, :, None, None]
        values = layers[0].value(inputs[0]).view(5, 7, 4, 8).transpose(1, 2)
        return (probabilities @ values).transpose(1, 2).reshape(5, 7, 32), output[1]

    handle = attention.register_forward_hook(on_probabilities)
    loss = model(**INPUTS).logits.pow(2).sum()
    handle.remove()
    (by_hand,) = torch.autograd.grad(loss, probe)
    assert torch.allclose(found, by_hand, atol=1e-5)
    assert found.abs().min() > 0


def test_a_unit_mask_is_a_mask_on_its_activation(model):
    layers = layer_parts(model)
    with unit_masks(layers) as masks:
        loss = model(**INPUTS).logits.pow(2).sum()
        (found,) = torch.autograd.grad(loss, masks["ffn"][1])
    loss = model(**INPUTS).logits.pow(2).sum()
    weight = layers[1].ffn_out.weight
    (gradient,) = torch.autograd.grad(loss, weight)
    assert torch.allclose(found, (gradient * weight).sum(0), atol=1e-5)  # dL/dm = sum g·w


def test_masks_come_off_again_whatever_happens(model):
    before = model(**INPUTS).logits

    def stopped():
        with unit_masks(layer_parts(model)) as masks:
            masks["heads"][0].data.zero_()
            assert not torch.allclose(model(**INPUTS).logits, before)
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        stopped()
    assert torch.equal(model(**INPUTS).logits, before)


def test_scores_are_over_the_layers_norm():
    state = UnitState(torch.tensor([[3.0, 0.0], [0.0, 4.0]]), torch.tensor([3.0, 4.0]))
    for criterion in (FirstOrder(), UnitMagnitude()):
        assert torch.allclose(criterion.score(state), torch.tensor([0.6, 0.8]))
    nothing = UnitState(torch.zeros(2, 2), torch.zeros(2))
    assert torch.equal(FirstOrder().score(nothing), torch.zeros(2))
    with pytest.raises(BurnishError, match="needs gradients of the masks"):
        FirstOrder().score(UnitState(torch.ones(2, 2), None))


def test_the_weights_of_a_head_and_of_a_unit(model):
    parts = layer_parts(model)[0]
    heads, units = unit_weights(parts, "heads"), unit_weights(parts, "ffn")
    assert heads.shape == (4, 4 * 8 * 32)
    assert units.shape == (24, 2 * 32)
    with torch.no_grad():
        parts.value.weight[8:16] = 7.0  # the second head's
        parts.attention_out.weight[:, 8:16] = 7.0
    changed = (unit_weights(parts, "heads") == 7.0).sum(1)
    assert changed.tolist() == [0, 2 * 8 * 32, 0, 0]


def test_the_lowest_of_all_layers_go_and_every_layer_keeps_its_best():
    scores = [torch.tensor([0.1, 0.2, 0.15, 0.05]), torch.tensor([5.0, 4.0, 3.0, 6.0])]
    kept = surviving(scores, 4, 0.5, protect=True)
    assert [each.tolist() for each in kept] == [[1], [0, 1, 3]]
    kept = surviving(scores, 4, 0.5, protect=False)
    assert [each.tolist() for each in kept] == [[], [0, 1, 2, 3]]


def test_shares_count_what_was_there_originally_and_nothing_revives():
    scores = [torch.rand(10, generator=torch.Generator().manual_seed(i)) for i in range(3)]
    there = [torch.arange(10)] * 3
    for share in (0.2, 0.2, 0.45, 0.9):
        kept = surviving(scores, 10, share, protect=True)
        now = [each[part] for each, part in zip(there, kept, strict=True)]
        assert sum(map(len, now)) == 30 - int(share * 30)
        assert all(set(b.tolist()) <= set(a.tolist()) for a, b in zip(there, now, strict=True))
        there, scores = now, [s[k] for s, k in zip(scores, kept, strict=True)]
    assert all(len(each) >= 1 for each in there)


def test_equal_scores_go_from_the_front_every_time():
    kept = surviving([torch.ones(4), torch.ones(4)], 4, 0.5, protect=True)
    assert sum(map(len, kept)) == 4
    assert [each.tolist() for each in kept] == [[0], [0, 2, 3]]
    again = surviving([torch.ones(4), torch.ones(4)], 4, 0.5, protect=True)
    assert all(torch.equal(a, b) for a, b in zip(kept, again, strict=True))


def test_says_how_much_can_go_at_most():
    with pytest.raises(ConfigError, match=r"90\.0% of 2 x 4 units .* at most 75\.0% can"):
        surviving([torch.rand(4), torch.rand(4)], 4, 0.9, protect=True)
    with pytest.raises(BurnishError, match="not finite"):
        surviving([torch.tensor([1.0, float("nan")])], 2, 0.5, protect=False)


def test_units_of_a_criterion_are_heads_or_ffn():
    with pytest.raises(ConfigError, match="units takes heads, ffn or both, got layers"):
        FirstOrder(units=("layers",))


def test_the_digest_tells_masks_apart():
    one = [(torch.tensor([0, 1]), torch.tensor([2]))]
    assert keep_digest(one) == keep_digest([(torch.tensor([0, 1]), torch.tensor([2]))])
    assert keep_digest(one) != keep_digest([(torch.tensor([0]), torch.tensor([1, 2]))])
