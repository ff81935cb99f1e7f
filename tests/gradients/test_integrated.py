import numpy as np
import pytest
import torch

from burnish.errors import UsageError
from burnish.gradients import gauss_legendre, integrated_gradients

B, T, H = 5, 4, 3


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


WEIGHTS = drawn(T, H, seed=7)


def curved(embeddings, which):
    """A score in which positions act on each other, and a different one for each input."""
    inner = (embeddings * WEIGHTS.to(embeddings)).sum((1, 2))
    return torch.tanh(inner) + embeddings[:, 0, 0] * embeddings[:, 1, 1] * (which + 1)


def by_hand(inputs, baselines, steps):
    """One input and one step at a time, in float64."""
    rule = gauss_legendre(steps)
    found = []
    for row in range(len(inputs)):
        start, end = baselines[row].double(), inputs[row].double()
        total = torch.zeros(T, H, dtype=torch.float64)
        for node, weight in zip(rule.nodes, rule.weights, strict=True):
            here = (start + node * (end - start))[None].requires_grad_()
            (gradient,) = torch.autograd.grad(curved(here, torch.tensor([row])).sum(), here)
            total += weight * gradient[0]
        found.append(((end - start) * total).sum(-1))
    return torch.stack(found)


@pytest.mark.parametrize("steps", [1, 3, 20])
@pytest.mark.parametrize("per_pass", [1, 9, 100_000])
def test_matches_one_input_and_one_step_at_a_time(steps, per_pass):
    inputs, baselines = drawn(B, T, H), drawn(B, T, H, seed=1)
    found = integrated_gradients(
        curved, inputs, baselines, steps=steps, positions_per_pass=per_pass
    )
    assert torch.allclose(found.attributions, by_hand(inputs, baselines, steps), atol=1e-5)
    assert found.steps.tolist() == [steps] * B


def test_a_linear_score_gives_weight_times_difference_in_one_step():
    inputs, baselines = drawn(B, T, H), drawn(B, T, H, seed=1)
    found = integrated_gradients(lambda e, _: (e * WEIGHTS).sum((1, 2)), inputs, baselines, steps=1)
    wanted = ((inputs - baselines) * WEIGHTS).sum(-1).double()
    assert torch.allclose(found.attributions, wanted, atol=1e-5)
    assert (found.completeness_errors < 1e-4).all()


@pytest.mark.parametrize("steps", ["auto", 40])
def test_attributions_sum_to_the_difference_of_the_scores(steps):
    inputs, baselines = drawn(B, T, H), drawn(B, T, H, seed=1)
    found = integrated_gradients(curved, inputs, baselines, steps=steps)
    which = torch.arange(B)
    wanted = (curved(inputs, which) - curved(baselines, which)).double()
    assert torch.allclose(found.differences, wanted, atol=1e-5)
    assert (found.completeness_errors < 0.02).all()


def test_auto_takes_more_steps_for_the_inputs_that_need_them_alone():
    scale = torch.tensor([0.1, 30.0, 0.1, 200.0])[:, None, None]
    inputs = scale * torch.ones(4, T, H)
    asked = []

    def score(embeddings, which):
        asked.extend(which.tolist())
        return torch.tanh(embeddings.sum((1, 2)))

    found = integrated_gradients(score, inputs, torch.zeros_like(inputs) - 0.01, steps="auto")
    steps = found.steps.tolist()
    assert steps[0] == steps[2] == 8
    assert 8 < steps[1] <= steps[3] == 64
    # every node once: 9 for 8 intervals, 65 for 64
    assert [asked.count(row) for row in range(4)] == [count + 1 for count in steps]


def test_a_loose_tolerance_stops_earlier():
    inputs, baselines = 20 * drawn(B, T, H), drawn(B, T, H, seed=1)
    loose, strict = (
        integrated_gradients(curved, inputs, baselines, steps="auto", tolerance=tolerance)
        for tolerance in (0.5, 1e-6)
    )
    assert loose.steps.sum() < strict.steps.sum()
    done = strict.steps < 64
    assert (strict.completeness_errors[done] < 1e-6).all()


def test_what_is_not_finite_stays_with_its_own_input():
    inputs, baselines = drawn(B, T, H), drawn(B, T, H, seed=1)
    clean = integrated_gradients(curved, inputs, baselines, steps="auto")
    inputs[2, 1, 1] = float("nan")
    found = integrated_gradients(curved, inputs, baselines, steps="auto")
    others = [0, 1, 3, 4]
    assert torch.equal(found.attributions[others], clean.attributions[others])
    assert not found.completeness_errors[2].isfinite()
    assert found.steps[2] == 8


def test_an_input_that_is_its_baseline_scores_nothing():
    inputs = drawn(B, T, H)
    found = integrated_gradients(curved, inputs, inputs, steps="auto")
    assert (found.attributions == 0).all()
    assert (found.completeness_errors == 0).all()


def test_weights_that_take_gradients_receive_none():
    weights = WEIGHTS.clone().requires_grad_()
    integrated_gradients(
        lambda e, _: (e * weights).sum((1, 2)), drawn(B, T, H), drawn(B, T, H, seed=1), steps=3
    )
    assert weights.grad is None


def test_shapes_that_do_not_pair_up_are_refused():
    with pytest.raises(UsageError, match=r"got \(5, 4, 3\) and \(5, 2, 3\)"):
        integrated_gradients(curved, drawn(B, T, H), drawn(B, 2, H), steps=3)
    with pytest.raises(UsageError, match="hold something"):
        integrated_gradients(curved, drawn(0, T, H), drawn(0, T, H), steps=3)
    with pytest.raises(UsageError, match="at least 1 step, got 0"):
        integrated_gradients(curved, drawn(B, T, H), drawn(B, T, H), steps=0)
    with pytest.raises(UsageError, match="whole number or \"auto\", got 'many'"):
        integrated_gradients(curved, drawn(B, T, H), drawn(B, T, H), steps="many")


@pytest.mark.parametrize("steps", [3, "auto"])
def test_a_score_that_is_not_one_number_a_row_is_refused(steps):
    with pytest.raises(UsageError, match=r"shape \(\d+,\), got \(\d+, 1\)"):
        integrated_gradients(
            lambda e, which: curved(e, which)[:, None],
            drawn(B, T, H),
            drawn(B, T, H, seed=1),
            steps=steps,
        )


def test_many_inputs_give_what_each_gives_alone():
    inputs, baselines = drawn(B, T, H).double(), drawn(B, T, H, seed=1).double()
    together = integrated_gradients(curved, inputs, baselines, steps="auto").attributions
    for row in range(B):

        def own(embeddings, which, row=row):
            return curved(embeddings, which + row)

        alone = integrated_gradients(
            own, inputs[row : row + 1], baselines[row : row + 1], steps="auto"
        )
        assert np.allclose(alone.attributions[0], together[row], atol=1e-12)
