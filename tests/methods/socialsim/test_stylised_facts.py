"""Tails and contrasts that are known, and the stamp on a run that has neither."""

from __future__ import annotations

import math

import numpy as np
import pytest

from burnish.errors import UsageError
from burnish.methods.socialsim.cascade_trees import Cascades
from burnish.methods.socialsim.stylised_facts import contrast, facts, stamp, tail

TRUE, FALSE = 1, 2


def discrete_power_law(n, exponent, start, generator):
    """By Clauset et al. 2009, eq. D.6: exact enough from a start of 6."""
    uniform = generator.random(n)
    return np.floor((start - 0.5) * (1 - uniform) ** (-1 / (exponent - 1)) + 0.5).astype(np.int64)


def made(size, depth, veracity, virality=None):
    """Cascades of new posts with given sizes and depths."""
    n = len(size)
    return Cascades(
        post=np.arange(n),
        author=np.arange(n),
        tick=np.zeros(n, np.int64),
        kind=np.zeros(n, np.uint8),
        claim=np.full(n, -1),
        veracity=np.broadcast_to(veracity, n),
        size=np.asarray(size),
        depth=np.asarray(depth),
        breadth=np.ones(n, np.int64),
        virality=np.full(n, 2.0) if virality is None else np.asarray(virality),
    )


def test_a_power_law_is_recovered_and_heavier_than_an_exponential():
    counts = discrete_power_law(20_000, 2.3, 10, np.random.default_rng(0))
    found = tail(counts, start=10)
    assert found.exponent == pytest.approx(2.3, abs=0.03)
    assert found.is_heavy
    assert (found.start, found.count) == (10, 20_000)


def test_a_steep_tail_is_not_cut_to_what_is_accepted():
    counts = discrete_power_law(20_000, 4.5, 10, np.random.default_rng(6))
    assert tail(counts, start=10).exponent == pytest.approx(4.5, abs=0.08)


def test_a_lognormal_is_heavy_and_a_geometric_is_not():
    generator = np.random.default_rng(1)
    assert tail(generator.lognormal(3, 1, 20_000).astype(np.int64), start=20).is_heavy
    assert not tail(generator.geometric(0.05, 20_000), start=10).is_heavy


def test_the_beginning_of_a_tail_is_found():
    generator = np.random.default_rng(2)
    body = generator.integers(1, 20, 3000)
    counts = np.concatenate([body, discrete_power_law(3000, 2.5, 20, generator)])
    found = tail(counts)
    assert 15 <= found.start <= 60
    assert found.exponent == pytest.approx(2.5, abs=0.15)


def test_too_short_a_tail_is_refused():
    with pytest.raises(UsageError, match="needs 50 different values, and 10 are at least 10"):
        tail(np.arange(1, 20), start=10)


def test_matching_by_size_removes_what_size_explains():
    """Depth is a function of size, and false stories are larger: only the unmatched ratio moves."""
    generator = np.random.default_rng(3)
    true, false = generator.geometric(0.5, 20_000), generator.geometric(0.35, 20_000)
    size = np.concatenate([true, false])
    found = contrast(made(size, size - 1, np.repeat([TRUE, FALSE], 20_000)))
    assert found.size_ratio == pytest.approx(2 / 1.4, rel=0.03)
    assert found.depth_ratio > 1.7
    assert found.matched_depth_ratio == pytest.approx(1.0)


def test_matching_keeps_what_size_does_not_explain():
    size = np.tile([1, 2, 3, 4], 50)
    veracity = np.repeat([TRUE, FALSE], 100)
    depth = np.where(veracity == FALSE, 2 * (size - 1), size - 1)
    found = contrast(made(size, depth, veracity))
    assert found.size_ratio == 1
    assert found.matched_depth_ratio == found.depth_ratio == 2


def test_matched_means_by_hand():
    # size 2: false depths 1, 1 and true 1; size 3: false 2 and true 1, 2; weights 1 and 1
    found = contrast(
        made([2, 2, 3, 2, 3, 3], [1, 1, 2, 1, 1, 2], [FALSE, FALSE, FALSE, TRUE, TRUE, TRUE])
    )
    assert found.matched_depth_ratio == pytest.approx((1 + 2) / (1 + 1.5))


def test_replies_are_no_stories():
    cascades = made([5, 1], [4, 0], [FALSE, TRUE])
    cascades.kind[0] = 1
    assert math.isnan(contrast(cascades).size_ratio)


def realistic(generator, factor):
    """Mostly unshared, heavy-tailed, depth from size; false stories are larger by a factor."""
    parts = []
    for veracity, share in ((TRUE, 0.1), (FALSE, 0.1 * factor)):
        n = 60_000
        tailed = np.minimum(discrete_power_law(n, 2.0, 2, generator), 2000)
        size = np.where(generator.random(n) < share, tailed, 1)
        depth = np.floor(np.log2(size)).astype(np.int64)
        parts.append(made(size, depth, veracity))
    return Cascades.joined(parts)


def test_a_realistic_world_passes_and_is_not_stamped():
    generator = np.random.default_rng(4)
    degrees = discrete_power_law(20_000, 2.4, 5, generator)
    found = facts(realistic(generator, 1.7), degrees)
    assert stamp(found) == "", found


def test_no_falsity_factor_asks_for_no_difference():
    generator = np.random.default_rng(5)
    degrees = discrete_power_law(20_000, 2.4, 5, generator)
    equal = {fact.name: fact for fact in facts(realistic(generator, 1.0), degrees)}
    assert not equal["false_true_size_ratio"].holds
    plain = facts(realistic(generator, 1.0), degrees, falsity_factor=1.0)
    bounds = {fact.name: (fact.low, fact.high) for fact in plain}
    assert bounds["false_true_size_ratio"] == (0.9, 1.1)


def test_a_world_with_nothing_to_measure_is_stamped():
    found = facts(made([1, 1], [0, 0], [TRUE, FALSE]), np.array([1, 2]))
    assert stamp(found).startswith("unvalidated: in_degree_heavy_tail_flag, cascade_size")
    assert math.isnan(found[0].value)
