import pytest
import torch
from torch import nn

from burnish.errors import UsageError
from burnish.methods.cap.weights.calibration import input_norms


def recorded_by_hand(model, layers, batches):
    """Sums of squares token by token, one sequence at a time and without padding."""
    names = {id(layer): name for name, layer in layers.items()}
    sums = {name: [0.0] * layer.in_features for name, layer in layers.items()}

    def record(module, inputs):
        for vector in inputs[0].detach().reshape(-1, module.in_features).tolist():
            for place, value in enumerate(vector):
                sums[names[id(module)]][place] += value**2

    handles = [layer.register_forward_pre_hook(record) for layer in layers.values()]
    for batch in batches:
        for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True):
            model(input_ids=ids[mask.bool()][None])
    for handle in handles:
        handle.remove()
    return {name: torch.tensor(row).sqrt() for name, row in sums.items()}


def run(model):
    return lambda batch: model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])


def test_norms_match_a_loop_over_tokens_without_padding(tiny_bert, linears_of, batch_of):
    model = tiny_bert().eval()
    layers, batches = linears_of(model), [batch_of(0, rows=3), batch_of(1, rows=2)]
    with torch.no_grad():
        wanted = recorded_by_hand(model, layers, batches)
    found = input_norms(layers, run(model), batches)
    assert found.keys() == wanted.keys()
    for name, norm in found.items():
        assert torch.allclose(norm, wanted[name], rtol=1e-4, atol=1e-5), name


def test_padding_does_not_count(tiny_bert, linears_of, batch_of):
    model = tiny_bert().eval()
    layers, batch = linears_of(model), batch_of(0)
    other = {**batch, "input_ids": batch["input_ids"].clone()}
    other["input_ids"][0, 4:] = 7
    one, two = (input_norms(layers, run(model), [each]) for each in (batch, other))
    assert all(torch.allclose(one[name], two[name], rtol=1e-5) for name in one)


def test_hooks_are_gone_afterwards_even_after_an_error(tiny_bert, linears_of, batch_of):
    layers = linears_of(tiny_bert())

    def fail(batch):
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        input_norms(layers, fail, [batch_of(0)])
    assert all(not layer._forward_pre_hooks for layer in layers.values())


@pytest.mark.parametrize(
    ("batches", "complaint"),
    [
        ([], "held no tokens"),
        ([{"attention_mask": torch.zeros(2, 3)}], "held no tokens"),
        ([{"input_ids": torch.ones(2, 3)}], "has no attention_mask.*it holds input_ids"),
        ([{"attention_mask": torch.ones(2, 4)}], "6 vectors for an attention mask of 8 tokens"),
    ],
)
def test_batches_that_tell_no_tokens_are_refused(batches, complaint):
    layer = nn.Linear(5, 2)
    with pytest.raises(UsageError, match=complaint):
        input_norms({"one": layer}, lambda _: layer(torch.ones(2, 3, 5)), batches)


def test_a_layer_that_is_never_reached_is_named():
    layers = {"one": nn.Linear(5, 2), "two": nn.Linear(5, 2)}
    batches = [{"attention_mask": torch.ones(2, 3)}]
    with pytest.raises(UsageError, match="never reached two"):
        input_norms(layers, lambda _: layers["one"](torch.ones(2, 3, 5)), batches)
