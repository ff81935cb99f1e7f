"""Polarisation against hand values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from burnish.errors import UsageError
from burnish.methods.socialsim.polarisation import (
    assortativity,
    bimodality,
    e_i_index,
    esteban_ray,
    polarisation,
)


def test_esteban_ray_of_two_camps_by_hand():
    # twice 0.5^2.3 * 0.5 * 2
    assert esteban_ray(np.array([-1, 1]), np.array([0.5, 0.5])) == pytest.approx(2 * 0.5**2.3)
    assert esteban_ray(np.array([0.0]), np.array([1.0])) == 0


@pytest.mark.parametrize("alpha", [0.0, 1.3])
def test_esteban_ray_is_the_double_sum(alpha):
    generator = np.random.default_rng(1)
    y, p = generator.normal(size=40), generator.dirichlet(np.ones(40))
    slow = sum(p[i] ** (1 + alpha) * p[j] * abs(y[i] - y[j]) for i in range(40) for j in range(40))
    assert esteban_ray(y, p, alpha=alpha) == pytest.approx(slow, rel=1e-12)


def test_esteban_ray_refuses_what_does_not_pair_up():
    with pytest.raises(UsageError, match="2 positions and 1 masses"):
        esteban_ray(np.array([0, 1]), np.array([1]))
    with pytest.raises(UsageError, match=r"alpha is 0 to 1\.6, got 2"):
        esteban_ray(np.array([0]), np.array([1]), alpha=2)


def test_bimodality_uses_unbiased_moments():
    values = np.random.default_rng(2).gamma(2, size=50)
    skew = stats.skew(values, bias=False)
    kurtosis = stats.kurtosis(values, bias=False)
    expected = (skew**2 + 1) / (kurtosis + 3 * 49**2 / (48 * 47))
    assert bimodality(values) == pytest.approx(expected)


def test_bimodality_parts_two_camps_from_a_bell():
    generator = np.random.default_rng(3)
    bell = bimodality(generator.normal(size=5000))
    flat = bimodality(generator.uniform(size=5000))
    camps = bimodality(np.repeat([-1.0, 1.0], 2500) + generator.normal(0, 0.1, 5000))
    assert bell == pytest.approx(1 / 3, abs=0.02)
    assert flat == pytest.approx(5 / 9, abs=0.02)
    assert camps > 0.9
    assert math.isnan(bimodality(np.ones(10)))
    assert math.isnan(bimodality(np.array([1.0, 2.0, 3.0])))


def test_all_measures_grow_from_consensus_to_two_camps():
    consensus = polarisation(np.full(100, 0.2))
    camps = polarisation(np.repeat([-0.85, 0.85], 50))
    assert consensus.variance == pytest.approx(0)
    assert camps.variance == pytest.approx(0.85**2)
    assert consensus.esteban_ray == pytest.approx(0)
    assert camps.esteban_ray == pytest.approx(2 * 0.5**3.3 * 1.7)


def test_opinions_outside_their_range_are_refused():
    with pytest.raises(UsageError, match="got 3 of them, 2 outside"):
        polarisation(np.array([0.0, 1.5, np.nan]))


def test_the_e_i_index_counts_edges_between_groups():
    group = np.array([0, 0, 1, 1])
    assert e_i_index(np.array([0, 2, 0, 1]), np.array([1, 3, 2, 0]), group) == -0.5
    assert math.isnan(e_i_index(np.zeros(0, int), np.zeros(0, int), group))


def test_assortativity_is_the_correlation_over_edges():
    source, target = np.array([0, 1, 2, 3, 0]), np.array([1, 0, 3, 2, 3])
    value = np.array([0.0, 0.1, 0.9, 1.0], np.float32)
    expected = np.corrcoef(value[source], value[target])[0, 1]
    assert assortativity(source, target, value) == pytest.approx(expected)
    assert math.isnan(assortativity(source, target, np.ones(4)))
