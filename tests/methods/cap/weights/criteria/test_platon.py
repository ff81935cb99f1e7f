import pytest
import torch

from burnish.errors import BurnishError, ConfigError
from burnish.methods.cap.weights import Platon


def by_hand(weights, gradients, first=0.85, second=0.95):
    mean = spread = 0.0
    for weight, gradient in zip(weights, gradients, strict=True):
        sensitivity = abs(weight * gradient)
        mean = first * mean + (1 - first) * sensitivity
        spread = second * spread + (1 - second) * abs(sensitivity - mean)
    return mean * spread


def test_matches_a_loop_over_single_weights(state_of):
    generator = torch.Generator().manual_seed(0)
    weights, gradients = torch.randn(2, 5, 3, 4, generator=generator, dtype=torch.float64)
    criterion, memory = Platon(), {}
    for weight, gradient in zip(weights, gradients, strict=True):
        criterion.observe(state_of(weight, gradient=gradient, memory=memory))
    found = criterion.score(state_of(weights[-1], memory=memory))
    for place in range(12):
        wanted = by_hand(
            weights.flatten(1)[:, place].tolist(), gradients.flatten(1)[:, place].tolist()
        )
        assert found.flatten()[place].item() == pytest.approx(wanted, abs=1e-12)


def test_observing_leaves_weight_and_gradient_alone(state_of):
    weight, gradient = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.5, 0.25]])
    Platon().observe(state_of(weight, gradient=gradient))
    assert weight.tolist() == [[1.0, -2.0]]
    assert gradient.tolist() == [[0.5, 0.25]]


def test_before_the_first_gradient_all_weights_are_alike(state_of):
    assert Platon().score(state_of(torch.ones(2, 3))).tolist() == [[0.0] * 3] * 2


def test_observing_nothing_raises(state_of):
    with pytest.raises(BurnishError, match="needs the gradient of a backward pass, got none"):
        Platon().observe(state_of(torch.ones(2, 2)))


@pytest.mark.parametrize("name", ["sensitivity_decay", "uncertainty_decay"])
def test_a_decay_out_of_range_is_refused(name):
    with pytest.raises(ConfigError, match=f"{name} lies from 0 to below 1, got 1.0"):
        Platon(**{name: 1.0})
