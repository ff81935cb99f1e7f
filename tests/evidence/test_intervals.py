from __future__ import annotations

import math
import random

import pytest

from burnish.errors import UsageError
from burnish.evidence import Interval, bootstrap_mean, clopper_pearson, paired_bootstrap, wilson


@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (1, 1), (3, 7), (0, 50), (50, 50)])
def test_wilson_matches_the_closed_form(successes, trials):
    z, share = 1.959963984540054, successes / trials
    middle = (share + z * z / (2 * trials)) / (1 + z * z / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))
    half /= 1 + z * z / trials
    interval = wilson(successes, trials)
    assert interval.estimate == share
    assert interval.bounds == pytest.approx((max(0, middle - half), min(1, middle + half)))


@pytest.mark.parametrize(("successes", "trials"), [(0, 1), (3, 7), (12, 30), (30, 30)])
def test_clopper_pearson_leaves_a_fortieth_in_each_tail(successes, trials):
    def at_least(k, p):
        return sum(
            math.comb(trials, i) * p**i * (1 - p) ** (trials - i) for i in range(k, trials + 1)
        )

    interval = clopper_pearson(successes, trials)
    if successes:
        assert at_least(successes, interval.low) == pytest.approx(0.025)
    else:
        assert interval.low == 0
    if successes < trials:
        assert 1 - at_least(successes + 1, interval.high) == pytest.approx(0.025)
    else:
        assert interval.high == 1


@pytest.mark.parametrize(("successes", "trials"), [(0, 0), (-1, 4), (5, 4)])
@pytest.mark.parametrize("function", [wilson, clopper_pearson])
def test_impossible_shares_are_refused(function, successes, trials):
    with pytest.raises(UsageError, match=f"got {successes} of {trials}"):
        function(successes, trials)


def test_bootstrap_covers_the_mean_as_often_as_it_says():
    draws = random.Random(1)
    hits = 0
    for trial in range(80):
        values = [draws.gauss(3.0, 2.0) for _ in range(40)]
        interval = bootstrap_mean(values, seed=trial, confidence=0.9)
        hits += interval.low <= 3.0 <= interval.high
    assert 0.81 <= hits / 80 <= 0.97


def test_bootstrap_agrees_with_resampling_by_hand():
    values = [1.0, 2.0, 2.5, 4.0, 9.0, 1.5]
    draws = random.Random(0)
    means = sorted(sum(draws.choices(values, k=6)) / 6 for _ in range(20_000))
    interval = bootstrap_mean(values, seed=0)
    assert interval.estimate == pytest.approx(sum(values) / 6)
    assert interval.low == pytest.approx(means[500], abs=0.08)
    assert interval.high == pytest.approx(means[19_500], abs=0.15)


def test_same_seed_same_interval_another_seed_another():
    draws = random.Random(5)
    values = [draws.random() for _ in range(30)]
    assert bootstrap_mean(values, seed=4) == bootstrap_mean(values, seed=4)
    assert bootstrap_mean(values, seed=4) != bootstrap_mean(values, seed=5)


def test_clusters_widen_the_interval_and_keep_the_mean():
    draws = random.Random(2)
    values, labels = [], []
    for document in range(12):
        level = draws.gauss(0, 1)
        for _ in range(document + 1):
            values.append(level + draws.gauss(0, 0.1))
            labels.append(f"document {document}")
    apart = bootstrap_mean(values, seed=0)
    together = bootstrap_mean(values, seed=0, clusters=labels)
    assert together.estimate == pytest.approx(sum(values) / len(values)) == apart.estimate
    assert together.high - together.low > 1.5 * (apart.high - apart.low)


def test_singleton_clusters_change_nothing():
    values = [0.5, 2.0, 3.5, 1.0, 8.0]
    assert bootstrap_mean(values, seed=3, clusters=range(5)) == bootstrap_mean(values, seed=3)


@pytest.mark.parametrize("values", [[2.5], [2.0, 2.0, 2.0]])
def test_values_that_do_not_vary_give_a_point(values):
    assert bootstrap_mean(values, seed=0) == Interval(values[0], values[0], values[0])


def test_one_cluster_gives_a_point():
    assert bootstrap_mean([1.0, 3.0], seed=0, clusters=["a", "a"]) == Interval(2.0, 2.0, 2.0)


def test_pairing_removes_what_both_share():
    draws = random.Random(3)
    hard = [draws.gauss(0, 10) for _ in range(60)]
    ours = [level + 1 + draws.gauss(0, 0.5) for level in hard]
    interval = paired_bootstrap(ours, hard, seed=0)
    assert 0.5 < interval.low < 1 < interval.high < 1.5
    differences = [a - b for a, b in zip(ours, hard, strict=True)]
    assert interval == bootstrap_mean(differences, seed=0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bootstrap_mean([], seed=0), "values is empty"),
        (lambda: bootstrap_mean([1.0, float("nan")], seed=0), r"values\[1\] is nan"),
        (lambda: bootstrap_mean([1.0, None], seed=0), r"values\[1\] is None"),
        (lambda: bootstrap_mean([1.0], seed=0, clusters=[1, 2]), "1 values and 2 cluster labels"),
        (lambda: bootstrap_mean([1.0], seed=0, confidence=95), "got 95"),
        (lambda: paired_bootstrap([1.0], [1.0, 2.0], seed=0), "have 1 and 2 values"),
        (lambda: paired_bootstrap([], [], seed=0), "ours is empty"),
    ],
)
def test_what_cannot_have_an_interval_is_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()


def test_scaling_keeps_the_order_of_the_bounds():
    assert Interval(0.5, 0.25, 0.75).scaled(100) == Interval(50, 25, 75)
    assert Interval(0.5, 0.25, 0.75).scaled(-1) == Interval(-0.5, -0.75, -0.25)
