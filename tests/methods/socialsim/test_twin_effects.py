"""Twin differences and their intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest

from burnish.errors import UsageError
from burnish.methods.socialsim.twin_effects import effects, share_prevented


def runs(values, metric="reach_percent"):
    return [{metric: float(value)} for value in values]


def test_a_shift_of_every_twin_is_found_though_seeds_differ_more():
    base = np.random.default_rng(0).normal(100, 30, 12)
    (found,) = effects(runs(base - 5), runs(base), seed=1)
    assert found.difference.estimate == pytest.approx(-5)
    assert found.is_clear
    assert found.relative.estimate == pytest.approx(100 * (-5 / base.mean()))
    assert found.relative.low < found.relative.estimate < found.relative.high
    assert (found.seeds, found.missing) == (12, 0)


def test_noise_is_not_clear():
    generator = np.random.default_rng(2)
    base, noise = generator.normal(100, 1, 20), generator.normal(0, 5, 20)
    (found,) = effects(runs(base + noise - noise.mean()), runs(base), seed=1)
    assert found.difference.low < 0 < found.difference.high
    assert not found.is_clear


def test_few_seeds_are_never_clear():
    (found,) = effects(runs([1, 1, 1]), runs([5, 5, 5]), seed=1)
    assert found.difference.bounds == (-4, -4)
    assert not found.is_clear


def test_what_was_not_measured_is_counted_and_left_out():
    (found,) = effects(runs([1, math.nan, 3]), runs([2, 2, 4]), seed=1)
    assert (found.seeds, found.missing) == (2, 1)
    assert found.difference.estimate == -1
    assert effects(runs([math.nan]), runs([1]), seed=1) == ()


def test_nothing_to_divide_by_has_no_relative_effect():
    (found,) = effects(runs([1, 2]), runs([0, 0]), seed=1)
    assert found.relative is None


def test_only_common_metrics_are_compared():
    found = effects([{"a": 1.0, "b": 2.0}], [{"b": 1.0, "c": 2.0}], seed=1)
    assert [effect.metric for effect in found] == ["b"]


def test_equal_seeds_give_equal_intervals():
    one, two = runs([1, 4, 2, 8]), runs([2, 3, 3, 4])
    assert effects(one, two, seed=3) == effects(one, two, seed=3)


def test_runs_without_twins_are_refused():
    with pytest.raises(UsageError, match="pair up by seed, but there are 2 and 1"):
        effects(runs([1, 2]), runs([1]), seed=1)
    with pytest.raises(UsageError, match="there are 0 and 0"):
        effects([], [], seed=1)


def test_the_share_prevented_lies_between_the_campaign_and_its_absence():
    assert share_prevented([6], [10], [2]) == 0.5
    assert share_prevented([10, 10], [10, 10], [2, 2]) == 0
    assert math.isnan(share_prevented([1], [2], [2]))
