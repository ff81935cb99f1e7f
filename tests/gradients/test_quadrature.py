import numpy as np
import pytest

from burnish.errors import UsageError
from burnish.gradients import clenshaw_curtis, gauss_legendre


@pytest.mark.parametrize("steps", [1, 2, 5, 50])
def test_gauss_legendre_is_exact_up_to_twice_its_steps(steps):
    rule = gauss_legendre(steps)
    for degree in range(min(2 * steps, 40)):
        assert rule.weights @ rule.nodes**degree == pytest.approx(1 / (degree + 1), abs=1e-12)
    missed = rule.weights @ rule.nodes ** (2 * steps)
    assert steps > 5 or abs(missed - 1 / (2 * steps + 1)) > 1e-9


@pytest.mark.parametrize("intervals", [2, 4, 8, 64])
def test_clenshaw_curtis_is_exact_up_to_its_intervals(intervals):
    rule = clenshaw_curtis(intervals)
    assert len(rule.nodes) == intervals + 1
    assert (rule.nodes[0], rule.nodes[-1]) == (0, 1)
    assert (rule.weights > 0).all()
    for degree in range(intervals + 1):
        assert rule.weights @ rule.nodes**degree == pytest.approx(1 / (degree + 1), abs=1e-12)


@pytest.mark.parametrize("intervals", [2, 8, 32])
def test_the_nodes_of_clenshaw_curtis_are_every_second_of_its_doubling(intervals):
    fine = clenshaw_curtis(2 * intervals).nodes
    assert np.allclose(fine[::2], clenshaw_curtis(intervals).nodes, atol=1e-15)


def test_rules_of_no_nodes_are_refused():
    with pytest.raises(UsageError, match="at least 1 step, got 0"):
        gauss_legendre(0)
    with pytest.raises(UsageError, match="even and at least 2, got 7"):
        clenshaw_curtis(7)
    with pytest.raises(UsageError, match="even and at least 2, got 0"):
        clenshaw_curtis(0)
