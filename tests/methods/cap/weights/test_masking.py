import copy
import io

import pytest
import torch
from torch import nn
from torch.func import functional_call

from burnish.errors import BurnishError, UsageError
from burnish.methods.cap.weights import (
    Magnitude,
    MaskedWeights,
    Movement,
    OBert,
    Platon,
    Smp,
    SoftMovement,
    Wanda,
)


def dense_gradients(model, masks, batch):
    """dL/dW' by name, from a plain model whose weights are M * W."""
    weights = {f"{name}.weight": mask for name, mask in masks.items()}
    masked = {
        name: (value.detach() * weights[name] if name in weights else value.detach())
        for name, value in model.named_parameters()
        if not name.endswith("weight_scores")
    }
    leaves = {name: masked[name].requires_grad_() for name in weights}
    plain = copy.deepcopy(model)
    for module in plain.modules():
        if hasattr(module, "weight_mask"):
            del module.weight_mask, module.weight_scores
            module.__class__ = nn.Linear
    functional_call(plain, masked, kwargs=batch).loss.backward()
    return {name.removesuffix(".weight"): leaf.grad for name, leaf in leaves.items()}


@pytest.mark.parametrize("criterion", [Movement(), Magnitude(), Smp(), Platon()])
def test_gradients_are_masked_for_weights_and_straight_through_for_scores(
    criterion, tiny_bert, linears_of, batch_of
):
    model = tiny_bert()
    layers = linears_of(model)
    masked = MaskedWeights(layers, criterion)
    if criterion.learns_scores:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for scores in masked.score_parameters:
                scores.normal_(generator=generator)
    masked.update(0.4)
    wanted = dense_gradients(model, masked.masks, batch_of(0))
    model(**batch_of(0)).loss.backward()
    masked.after_backward()
    for name, layer in layers.items():
        if criterion.trains_weights:
            assert torch.allclose(layer.weight.grad, wanted[name] * masked.masks[name], atol=1e-7)
        else:
            assert layer.weight.grad is None
        if criterion.learns_scores:
            straight = wanted[name] * layer.weight.detach()
            assert torch.allclose(layer.weight_scores.grad, straight, atol=1e-7)


def test_platon_sees_the_gradient_of_weights_that_are_out(tiny_bert, linears_of, batch_of):
    model = tiny_bert()
    masked = MaskedWeights(linears_of(model), Platon())
    masked.update(0.3)
    wanted = dense_gradients(model, masked.masks, batch_of(0))
    model(**batch_of(0)).loss.backward()
    masked.after_backward()
    of_gone = 0.0
    for name, layer in linears_of(model).items():
        seen = masked.state_dict()[f"{name}/memory/mean"]
        assert torch.allclose(seen, 0.15 * (wanted[name] * layer.weight).abs(), atol=1e-8)
        of_gone += float(seen[~masked.masks[name]].sum())
    assert of_gone > 0


def test_movement_scores_are_minus_the_rate_times_the_summed_gradients_times_weights(
    tiny_bert, linears_of, batch_of
):
    model = tiny_bert()
    masked = MaskedWeights(linears_of(model), Movement())
    layers = linears_of(model)
    sums = {name: torch.zeros_like(layer.weight) for name, layer in layers.items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for step in range(6):
        masked.before_step(step, 1 - 0.1 * step)
        wanted = dense_gradients(model, masked.masks, batch_of(step))
        for name, layer in layers.items():
            sums[name] += wanted[name] * layer.weight.detach()
        model(**batch_of(step)).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    for name, layer in layers.items():
        assert torch.allclose(layer.weight_scores.detach(), -0.1 * sums[name], atol=1e-6)
        assert layer.weight_scores.abs().max() > 1e-5


def test_bfloat16_autocast_gives_the_gradients_of_float32_roughly(tiny_bert, linears_of, batch_of):
    found = []
    for enabled in (False, True):
        model = tiny_bert()
        masked = MaskedWeights(linears_of(model), Movement())
        masked.update(0.5)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            loss = model(**batch_of(0)).loss
        loss.backward()
        assert all(scores.grad.dtype == torch.float32 for scores in masked.score_parameters)
        found.append(torch.cat([each.grad.flatten() for each in masked.score_parameters]))
    assert torch.nn.functional.cosine_similarity(*found, dim=0) > 0.99


def test_a_bfloat16_model_has_float32_scores():
    layer = nn.Linear(6, 3).to(torch.bfloat16)
    masked = MaskedWeights({"one": layer}, Movement())
    layer(torch.ones(2, 6, dtype=torch.bfloat16)).sum().backward()
    (scores,) = masked.score_parameters
    assert scores.dtype == scores.grad.dtype == torch.float32
    assert layer.weight.grad.dtype == torch.bfloat16


def test_baking_leaves_a_plain_model_with_the_same_logits_bit_for_bit(
    tiny_bert, linears_of, batch_of
):
    model = tiny_bert().eval()
    keys = list(model.state_dict())
    layers = linears_of(model)
    masked = MaskedWeights(layers, Magnitude())
    masked.update(0.2)
    zeros = {name: ~mask for name, mask in masked.masks.items()}
    with torch.no_grad():
        before = model(**batch_of(0)).logits
        masked.bake()
        after = model(**batch_of(0)).logits
    assert torch.equal(before, after)
    assert list(model.state_dict()) == keys
    assert all(type(layer) is nn.Linear for layer in layers.values())
    assert all((layer.weight[zeros[name]] == 0).all() for name, layer in layers.items())
    assert not [name for name, _ in model.named_buffers() if "weight_mask" in name]
    assert not [name for name in vars(layers.popitem()[1]) if name == "dense_gradient"]


def test_detaching_leaves_the_dense_weights(tiny_bert, linears_of, batch_of):
    model = tiny_bert().eval()
    with torch.no_grad():
        before = model(**batch_of(0)).logits
        masked = MaskedWeights(linears_of(model), Movement())
        masked.update(0.1)
        assert not torch.equal(model(**batch_of(0)).logits, before)
        masked.detach()
        assert torch.equal(model(**batch_of(0)).logits, before)


def test_masks_of_ones_change_nothing(tiny_bert, linears_of, batch_of):
    model = tiny_bert().eval()
    with torch.no_grad():
        before = model(**batch_of(0)).logits
        MaskedWeights(linears_of(model), Movement())
        assert torch.equal(model(**batch_of(0)).logits, before)


def test_frozen_weights_train_again_after_baking(tiny_bert, linears_of):
    model = tiny_bert()
    layers = linears_of(model)
    last = list(layers)[-1]
    layers[last].weight.requires_grad_(False)
    masked = MaskedWeights(layers, Smp())
    assert not any(layer.weight.requires_grad for layer in layers.values())
    masked.bake()
    assert {name for name, layer in layers.items() if not layer.weight.requires_grad} == {last}


def test_a_copy_of_a_masked_model_is_its_own(tiny_bert, linears_of, batch_of):
    model = tiny_bert().eval()
    masked = MaskedWeights(linears_of(model), Movement())
    masked.update(0.3)
    twin = copy.deepcopy(model)
    with torch.no_grad():
        before = model(**batch_of(0)).logits
        assert torch.equal(twin(**batch_of(0)).logits, before)
        masked.update(0.05)
        assert torch.equal(twin(**batch_of(0)).logits, before)
        assert not torch.equal(model(**batch_of(0)).logits, before)


@pytest.mark.parametrize(
    "criterion", [Magnitude(), Magnitude(ranking="global"), Movement(), Platon(), Smp(), OBert()]
)
@pytest.mark.parametrize("level", [0.0, 0.03, 0.5, 1.0])
def test_sparsity_counts_exactly_what_was_asked(criterion, level, tiny_bert, linears_of, batch_of):
    model = tiny_bert()
    layers = linears_of(model)
    masked = MaskedWeights(layers, criterion)
    model(**batch_of(0)).loss.backward()
    if isinstance(criterion, OBert):
        masked.collect()
    masked.after_backward()
    masked.update(level)
    sizes = [layer.weight.numel() for layer in layers.values()]
    kept = int(level * sum(sizes))
    if criterion.ranking == "matrix":
        kept = sum(int(level * size) for size in sizes)
    assert masked.sparsity() == {"removed": sum(sizes) - kept, "total": sum(sizes)}


def test_wanda_keeps_a_share_of_every_row(tiny_bert, linears_of, batch_of):
    model = tiny_bert().eval()
    layers = linears_of(model)
    masked = MaskedWeights(layers, Wanda())
    masked.calibrate(lambda batch: model(**batch), [batch_of(0), batch_of(1)])
    masked.update(0.3)
    for name, layer in layers.items():
        assert (masked.masks[name].sum(1) == int(0.3 * layer.in_features)).all()


def test_soft_movement_keeps_everything_until_scores_fall(tiny_bert, linears_of):
    masked = MaskedWeights(linears_of(tiny_bert()), SoftMovement(final_penalty=1.0))
    masked.update(0.1)
    assert masked.sparsity()["removed"] == 0
    with torch.no_grad():
        for scores in masked.score_parameters:
            scores[:, 0] = -5.0
    masked.update(0.1)
    assert masked.sparsity()["removed"] == sum(len(each) for each in masked.score_parameters)


def test_soft_movement_leaves_half_a_percent_of_each_matrix(tiny_bert, linears_of):
    masked = MaskedWeights(linears_of(tiny_bert()), SoftMovement(final_penalty=1.0))
    with torch.no_grad():
        for scores in masked.score_parameters:
            scores.fill_(-5.0)
    masked.update(0.1)
    assert {int(mask.sum()) for mask in masked.masks.values()} == {2, 3}  # of 256 and of 512


def test_the_penalty_is_the_weighted_mean_over_matrices(tiny_bert, linears_of):
    masked = MaskedWeights(linears_of(tiny_bert()), SoftMovement(final_penalty=8.0))
    with torch.no_grad():
        masked.score_parameters[0].fill_(-40.0)
    count = len(masked.score_parameters)
    penalty = masked.penalty(0.05)
    assert penalty.item() == pytest.approx(8.0 * 0.5 * 0.5 * (count - 1) / count)
    penalty.backward()
    other = masked.score_parameters[1]
    assert other.grad[0, 0].item() == pytest.approx(4.0 * 0.25 / other.numel() / count)


def test_others_have_no_penalty():
    assert MaskedWeights({"one": nn.Linear(2, 2)}, Movement()).penalty(0.1) is None


def test_masks_are_set_when_due(tiny_bert, linears_of):
    masked = MaskedWeights(linears_of(tiny_bert()), Magnitude(), refresh=3)
    due = [masked.before_step(step, 1 - step / 10) for step in range(7)]
    assert due == [True, False, False, True, False, False, True]
    assert due == [masked.due(step) for step in range(7)]
    sparsity = masked.sparsity()
    assert sparsity["removed"] / sparsity["total"] == pytest.approx(0.6, abs=0.01)


@pytest.mark.parametrize("criterion", [OBert(), Wanda()])
def test_a_share_of_one_needs_nothing_measured(criterion):
    masked = MaskedWeights({"one": nn.Linear(4, 3)}, criterion)
    masked.update(1.0)
    assert masked.sparsity() == {"removed": 0, "total": 12}
    with pytest.raises(BurnishError, match="needs"):
        masked.update(0.9)


def test_refresh_is_the_criterions_own_unless_told():
    assert MaskedWeights({"one": nn.Linear(2, 2)}, Platon()).refresh == 10
    assert MaskedWeights({"one": nn.Linear(2, 2)}, Platon(), refresh=2).refresh == 2


def test_obert_moves_only_weights_that_stay(tiny_bert, linears_of, batch_of):
    model = tiny_bert()
    layers = linears_of(model)
    masked = MaskedWeights(layers, OBert(gradients=4, block=16))
    for step in range(4):
        model(**batch_of(step)).loss.backward()
        masked.collect()
    before = {name: layer.weight.detach().clone() for name, layer in layers.items()}
    masked.update(0.5)
    moved = {name: layer.weight.detach() != before[name] for name, layer in layers.items()}
    assert any(each.any() for each in moved.values())
    assert not any((moved[name] & ~mask).any() for name, mask in masked.masks.items())
    assert not [key for key in masked.state_dict() if "/memory/" in key]


def test_what_obert_removes_stays_out(tiny_bert, linears_of, batch_of):
    model = tiny_bert()
    masked = MaskedWeights(linears_of(model), OBert(gradients=2, block=16))
    gone = {}
    for level in (0.6, 0.3, 0.1):
        for step in range(2):
            model(**batch_of(step)).loss.backward()
            masked.collect()
        masked.update(level)
        assert not any((masked.masks[name] & out).any() for name, out in gone.items())
        gone = {name: ~mask for name, mask in masked.masks.items()}


def test_obert_does_worse_without_its_change_of_weights(tiny_bert, linears_of, batch_of):
    """On the loss it estimates, of a model near its minimum."""

    class Still(OBert):
        def compensate(self, state, removed):
            return super().compensate(state, removed) * 0

    model = tiny_bert()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for step in range(30):
        model(**batch_of(step % 4)).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    losses = {}
    for criterion in (OBert(gradients=32, block=32, damp=1e-6), Still(32, 32, 1e-6)):
        pruned = copy.deepcopy(model)
        masked = MaskedWeights(linears_of(pruned), criterion)
        for step in range(32):
            batch = {key: value[[step // 4]] for key, value in batch_of(step % 4).items()}
            pruned(**batch).loss.backward()
            masked.collect()
        masked.update(0.5)
        with torch.no_grad():
            losses[type(criterion)] = sum(pruned(**batch_of(step)).loss for step in range(4))
    assert losses[OBert] < losses[Still]


def through_a_file(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return torch.load(file, weights_only=True)


def test_the_digest_tells_masks_apart_and_survives_a_file(tiny_bert, linears_of):
    one, two = (MaskedWeights(linears_of(tiny_bert()), Magnitude()) for _ in range(2))
    dense = one.digest()
    one.update(0.5)
    assert one.digest() != dense == two.digest()
    two.load_state_dict(through_a_file(one.state_dict()))
    assert one.digest() == two.digest()
    with torch.no_grad():
        mask = next(iter(two.masks.values()))
        mask[0, 0] = ~mask[0, 0]
    assert one.digest() != two.digest()


def test_saved_masks_take_one_bit_a_weight(tiny_bert, linears_of):
    masked = MaskedWeights(linears_of(tiny_bert()), Magnitude())
    saved = sum(value.nbytes for value in masked.state_dict().values())
    assert saved * 8 == masked.sparsity()["total"]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda state: state.pop("one/mask"), "'one/mask' is on one side only"),
        (lambda state: state.pop("one/scores"), "'one/scores' is on one side only"),
        (lambda state: state.update({"two/mask": torch.zeros(1)}), "'two' is on one side only"),
        (
            lambda state: state.update({"one/scores": torch.zeros(2, 2)}),
            r"one/scores has shape \(2, 2\), and \(3, 4\) is wanted",
        ),
    ],
)
def test_the_state_of_other_masks_is_refused_and_nothing_changes(change, complaint):
    masked = MaskedWeights({"one": nn.Linear(4, 3)}, Movement())
    state = masked.state_dict()
    state["one/mask"] = torch.zeros_like(state["one/mask"])
    change(state)
    with pytest.raises(UsageError, match=complaint):
        masked.load_state_dict(state)
    assert masked.sparsity()["removed"] == 0


def test_calibration_is_saved_with_the_masks(tiny_bert, linears_of, batch_of):
    model = tiny_bert().eval()
    masked = MaskedWeights(linears_of(model), Wanda())
    masked.calibrate(lambda batch: model(**batch), [batch_of(0)])
    other = MaskedWeights(linears_of(tiny_bert()), Wanda())
    other.load_state_dict(through_a_file(masked.state_dict()))
    for each in (masked, other):
        each.update(0.4)
    assert masked.digest() == other.digest()


def shared_weight():
    one, two = nn.Linear(2, 2), nn.Linear(2, 2)
    two.weight = one.weight
    return {"one": one, "two": two}


@pytest.mark.parametrize(
    ("layers", "complaint"),
    [
        ({}, "at least one linear layer, got none"),
        ({"one": nn.Bilinear(2, 2, 2)}, "one must be a torch.nn.Linear, is Bilinear"),
        ({"a/b": nn.Linear(2, 2)}, "hold no slash, got 'a/b'"),
        (shared_weight(), "one and two share one weight"),
    ],
)
def test_layers_that_cannot_be_masked_are_refused(layers, complaint):
    with pytest.raises(UsageError, match=complaint):
        MaskedWeights(layers, Magnitude())


def test_masks_are_not_put_on_twice():
    layers = {"one": nn.Linear(2, 2), "two": nn.Linear(2, 2)}
    MaskedWeights({"two": layers["two"]}, Magnitude())
    with pytest.raises(UsageError, match="two has masks already; bake or detach those first"):
        MaskedWeights(layers, Magnitude())
    assert type(layers["one"]) is nn.Linear


def test_a_refresh_below_one_is_refused():
    with pytest.raises(UsageError, match=r"refresh is a number of steps.*got 0"):
        MaskedWeights({"one": nn.Linear(2, 2)}, Magnitude(), refresh=0)


def test_ranking_by_threshold_needs_a_threshold():
    layer = nn.Linear(2, 2)
    with pytest.raises(UsageError, match="movement ranks by threshold, so it needs least_kept"):
        MaskedWeights({"one": layer}, Movement(ranking="threshold"))
    assert type(layer) is nn.Linear


def test_gradients_shown_to_obert_for_nothing_are_dropped():
    layer = nn.Linear(2, 2)
    masked = MaskedWeights({"one": layer}, OBert())
    layer(torch.ones(1, 2)).sum().backward()
    masked.collect()
    masked.update(1.0)
    assert list(masked.state_dict()) == ["one/mask"]


def test_scores_that_are_not_finite_leave_the_masks_alone(tiny_bert, linears_of):
    masked = MaskedWeights(linears_of(tiny_bert()), Movement())
    masked.update(0.5)
    before = masked.digest()
    with torch.no_grad():
        masked.score_parameters[-1][0, 0] = float("nan")
    with pytest.raises(BurnishError, match="cannot be ranked"):
        masked.update(0.1)
    assert masked.digest() == before


def test_observing_before_a_backward_pass_raises():
    masked = MaskedWeights({"one": nn.Linear(2, 2)}, Platon())
    with pytest.raises(BurnishError, match="the weight of one has no gradient"):
        masked.after_backward()


def test_collecting_for_a_criterion_that_estimates_nothing_raises():
    with pytest.raises(UsageError, match="movement estimates nothing"):
        MaskedWeights({"one": nn.Linear(2, 2)}, Movement()).collect()
