"""Movement, soft movement and SMP: criteria that rank a learnt score."""

import math

import pytest
import torch

from burnish.errors import BurnishError, ConfigError
from burnish.methods.cap.weights import Movement, Smp, SoftMovement

SCORES = [[-3.0, 0.0], [1.5, 40.0]]


@pytest.mark.parametrize("criterion", [Movement(), Smp()])
def test_movement_and_smp_rank_the_score_itself(criterion, state_of):
    state = state_of(torch.ones(2, 2), scores=torch.tensor(SCORES))
    assert criterion.score(state).tolist() == SCORES


def test_soft_movement_ranks_its_sigmoid(state_of):
    state = state_of(torch.ones(2, 2), scores=torch.tensor(SCORES))
    found = SoftMovement(final_penalty=1.0).score(state)
    wanted = [[1 / (1 + math.exp(-each)) for each in row] for row in SCORES]
    assert torch.allclose(found, torch.tensor(wanted))


def test_the_penalty_of_soft_movement_is_the_mean_sigmoid_and_has_its_slope():
    scores = torch.tensor(SCORES, requires_grad=True)
    penalty = SoftMovement(final_penalty=1.0).penalty(scores)
    penalty.backward()
    each = [1 / (1 + math.exp(-value)) for row in SCORES for value in row]
    assert penalty.item() == pytest.approx(sum(each) / 4)
    slopes = [value * (1 - value) / 4 for value in each]
    assert scores.grad.flatten().tolist() == pytest.approx(slopes, abs=1e-7)


@pytest.mark.parametrize(("threshold", "weight"), [(0.0, 0.0), (0.05, 95.0), (0.1, 190.0)])
def test_the_weight_of_the_penalty_follows_the_threshold(threshold, weight):
    assert SoftMovement(final_penalty=190).penalty_weight(threshold) == pytest.approx(weight)


@pytest.mark.parametrize("criterion", [Movement(), Smp(), SoftMovement(final_penalty=1.0)])
def test_a_matrix_without_scores_raises(criterion, state_of):
    with pytest.raises(BurnishError, match=f"{criterion.name} ranks learnt scores"):
        criterion.score(state_of(torch.ones(2, 2)))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"final_threshold": 0.0}, "final_threshold .* above 0 and below 1, got 0.0"),
        ({"final_penalty": -1.0}, "final_penalty weighs a loss and must be >= 0, got -1.0"),
        ({"final_penalty": float("nan")}, "final_penalty"),
        ({"least_kept": 1.5}, "least_kept is a share from 0 to 1, got 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(change, complaint):
    with pytest.raises(ConfigError, match=complaint):
        SoftMovement(**{"final_penalty": 1.0, **change})
