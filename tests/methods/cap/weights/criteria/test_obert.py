import pytest
import torch

from burnish.errors import BurnishError, ConfigError
from burnish.methods.cap.weights import OBert


def inverse_by_rank_one_updates(gradients, damp):
    """The paper's own way: one Sherman-Morrison update a gradient, from (1/damp) I."""
    inverse = torch.eye(gradients.shape[1], dtype=torch.float64) / damp
    for gradient in gradients:
        moved = inverse @ gradient
        inverse = inverse - torch.outer(moved, moved) / (len(gradients) + gradient @ moved)
    return inverse


def shown(criterion, state_of, weight, gradients, kept=None):
    memory = {}
    for gradient in gradients:
        criterion.estimate(state_of(weight, gradient=gradient, memory=memory, kept=kept))
    return state_of(weight, memory=memory, kept=kept)


def problem(m, shape=(4, 5), seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator), torch.randn(m, *shape, generator=generator)


def blocks_of(flat, size):
    return [flat[..., start : start + size] for start in range(0, flat.shape[-1], size)]


@pytest.mark.parametrize("m", [1, 5, 16, 17, 40])
@pytest.mark.parametrize("block", [1, 6, 20, 50])
def test_scores_and_changes_match_rank_one_updates(m, block, state_of):
    weight, gradients = problem(m)
    criterion = OBert(gradients=m, block=block, damp=1e-3)
    state = shown(criterion, state_of, weight, gradients)
    found = criterion.score(state)
    removed = torch.zeros_like(weight, dtype=torch.bool)
    removed[0, 1] = removed[0, 3] = removed[3, 4] = True
    change = criterion.compensate(state, removed).flatten().double()

    wanted_scores, wanted_change = [], []
    for values, slopes, going in zip(
        blocks_of(weight.flatten().double(), block),
        blocks_of(gradients.flatten(1).double(), block),
        blocks_of(removed.flatten(), block),
        strict=True,
    ):
        inverse = inverse_by_rank_one_updates(slopes, 1e-3)
        wanted_scores += [float(w**2 / (2 * inverse[q, q])) for q, w in enumerate(values)]
        moved = torch.zeros(len(values), dtype=torch.float64)
        for q, w in enumerate(values):
            if going[q]:
                moved -= w / inverse[q, q] * inverse[:, q]
        wanted_change += moved.tolist()
    assert found.flatten().tolist() == pytest.approx(wanted_scores, rel=2e-3, abs=1e-9)
    assert change.tolist() == pytest.approx(wanted_change, rel=2e-3, abs=2e-3)


def test_one_weight_going_alone_ends_at_zero(state_of):
    weight, gradients = problem(30)
    criterion = OBert(gradients=30, block=10, damp=1e-3)
    state = shown(criterion, state_of, weight, gradients)
    criterion.score(state)
    removed = torch.zeros_like(weight, dtype=torch.bool)
    removed[1, 2] = True
    change = criterion.compensate(state, removed)
    assert float(weight[1, 2] + change[1, 2]) == pytest.approx(0.0, abs=1e-5)


def test_the_change_is_the_one_that_costs_least(state_of):
    """Of all changes that bring a weight to 0, that of the paper has the least d F d."""
    weight, gradients = problem(40, shape=(1, 6))
    criterion = OBert(gradients=40, block=6, damp=1e-3)
    state = shown(criterion, state_of, weight, gradients)
    cost = criterion.score(state)[0, 2].item()
    removed = torch.zeros_like(weight, dtype=torch.bool)
    removed[0, 2] = True
    change = criterion.compensate(state, removed)[0].double()
    flat = gradients.flatten(1).double()
    fisher = flat.T @ flat / 40 + 1e-3 * torch.eye(6, dtype=torch.float64)
    assert float(change @ fisher @ change / 2) == pytest.approx(cost, rel=1e-3)
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        other = change + 0.1 * torch.randn(6, generator=generator, dtype=torch.float64)
        other[2] = change[2]
        assert float(other @ fisher @ other) > float(change @ fisher @ change)


def test_what_is_out_scores_below_everything(state_of):
    weight, gradients = problem(4)
    kept = torch.ones_like(weight, dtype=torch.bool)
    kept[2, 2] = False
    weight[0, 0] = 0.0
    criterion = OBert(gradients=4, block=7)
    scores = criterion.score(shown(criterion, state_of, weight, gradients, kept))
    assert scores[2, 2] == -1
    assert scores[0, 0] == 0
    assert scores.min() == -1


def test_large_gradients_of_few_batches_can_be_inverted(state_of):
    weight, gradients = problem(2, shape=(20, 50))
    criterion = OBert(gradients=2)
    scores = criterion.score(shown(criterion, state_of, weight, gradients * 1000))
    assert torch.isfinite(scores).all()
    assert (scores >= 0).all()


def test_nothing_is_held_after_the_change(state_of):
    weight, gradients = problem(3)
    criterion = OBert(gradients=3)
    state = shown(criterion, state_of, weight, gradients)
    criterion.score(state)
    criterion.compensate(state, torch.zeros_like(weight, dtype=torch.bool))
    assert state.memory == {}


def test_scoring_without_gradients_raises(state_of):
    with pytest.raises(BurnishError, match="oBERT needs 9 gradients before masks are set"):
        OBert(gradients=9).score(state_of(torch.ones(2, 2)))


def test_estimating_from_nothing_raises(state_of):
    with pytest.raises(BurnishError, match="needs the gradient of a backward pass, got none"):
        OBert().estimate(state_of(torch.ones(2, 2)))


def test_gradients_after_the_scores_raise(state_of):
    weight, gradients = problem(2)
    criterion = OBert(gradients=2)
    state = shown(criterion, state_of, weight, gradients)
    criterion.score(state)
    with pytest.raises(BurnishError, match="set the masks first"):
        criterion.estimate(state_of(weight, gradient=gradients[0], memory=state.memory))


def test_gradients_that_are_not_finite_raise(state_of):
    weight, gradients = problem(2)
    gradients[1, 0, 0] = float("nan")
    criterion = OBert(gradients=2)
    with pytest.raises(BurnishError, match="cannot invert its Fisher matrix"):
        criterion.score(shown(criterion, state_of, weight, gradients))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"gradients": 0}, "gradients must be at least 1, got 0"),
        ({"block": 0}, "block must be at least 1, got 0"),
        ({"damp": 0.0}, "damp must be > 0, got 0.0"),
    ],
)
def test_settings_out_of_range_are_refused(change, complaint):
    with pytest.raises(ConfigError, match=complaint):
        OBert(**change)
