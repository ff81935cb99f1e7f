"""Independent cascade and linear threshold against enumeration."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from burnish.errors import UsageError
from burnish.methods.socialsim.spreading import independent_cascade, linear_threshold

SOURCES = np.array([0, 0, 0, 1, 1, 2, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9, 10, 2])
TARGETS = np.array([1, 2, 3, 4, 5, 5, 6, 7, 8, 0, 9, 9, 10, 2, 11, 10, 11, 1])
CHANCES = np.linspace(0.15, 0.8, 18)
INDPTR = np.searchsorted(np.sort(SOURCES), np.arange(13))
ORDER = np.argsort(SOURCES, kind="stable")


def exact_reach(seeds):
    """Mean number reached over all 2^18 sets of open edges, each with its probability."""
    worlds = np.arange(1 << 18)
    is_open = [(worlds >> edge) & 1 == 1 for edge in range(18)]
    weight = np.ones(1 << 18)
    for edge, chance in enumerate(CHANCES):
        weight *= np.where(is_open[edge], chance, 1 - chance)
    reached = np.full(1 << 18, sum(1 << seed for seed in seeds), np.int32)
    while True:
        before = reached.copy()
        for edge in range(18):
            passes = is_open[edge] & ((reached >> SOURCES[edge]) & 1 == 1)
            reached[passes] |= 1 << TARGETS[edge]
        if np.array_equal(before, reached):
            return float(weight @ np.bitwise_count(reached))


def test_expected_reach_is_within_a_percent_of_enumeration():
    found = independent_cascade(
        INDPTR,
        TARGETS[ORDER],
        CHANCES[ORDER],
        np.array([0]),
        runs=40_000,
        generator=np.random.default_rng(0),
    )
    assert found.mean() == pytest.approx(exact_reach([0]), rel=0.01)


def test_certain_edges_reach_what_is_connected_and_impossible_ones_nothing():
    def reach(probability):
        return independent_cascade(
            INDPTR,
            TARGETS[ORDER],
            probability,
            np.array([8]),
            runs=3,
            generator=np.random.default_rng(0),
        )

    assert reach(1.0).tolist() == [2, 2, 2]
    assert reach(0.0).tolist() == [1, 1, 1]


def test_batches_do_not_change_the_number_of_runs(monkeypatch):
    monkeypatch.setattr("burnish.methods.socialsim.spreading._CELLS", 24)
    found = independent_cascade(
        INDPTR, TARGETS[ORDER], 0.5, np.array([0]), runs=7, generator=np.random.default_rng(0)
    )
    assert found.shape == (7,)


def test_a_threshold_passes_with_the_active_share_of_its_sources():
    # 0 and 1 both reach 2, and 2 reaches 3: 2 joins with probability 1/2 from 0 alone, then 3 does
    indptr, targets = np.array([0, 1, 2, 3, 3]), np.array([2, 2, 3])
    generator = np.random.default_rng(1)
    one = linear_threshold(indptr, targets, np.array([0]), runs=20_000, generator=generator)
    assert set(one.tolist()) == {1, 3}
    assert one.mean() == pytest.approx(2.0, abs=0.03)
    both = linear_threshold(indptr, targets, np.array([0, 1]), runs=50, generator=generator)
    assert set(both.tolist()) == {4}


def test_linear_threshold_is_the_live_edge_model():
    """Kempe's theorem 2.5: each node picks one of its sources, all alike."""
    sources, targets = np.array([0, 0, 1, 2, 1]), np.array([1, 2, 2, 3, 3])
    indptr = np.searchsorted(sources[np.argsort(sources)], np.arange(5))
    picks = [np.flatnonzero(targets == node) for node in (1, 2, 3)]
    sizes = []
    for chosen in itertools.product(*picks):
        reached = {0}
        for edge in sorted(chosen, key=lambda edge: targets[edge]):  # targets come after sources
            if sources[edge] in reached:
                reached.add(int(targets[edge]))
        sizes.append(len(reached))
    order = np.argsort(sources, kind="stable")
    found = linear_threshold(
        indptr, targets[order], np.array([0]), runs=20_000, generator=np.random.default_rng(2)
    )
    assert found.mean() == pytest.approx(np.mean(sizes), abs=0.03)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"probability": 1.2}, "probability of an edge is from 0 to 1"),
        ({"probability": float("nan")}, "probability of an edge is from 0 to 1"),
        ({"seeds": np.array([12])}, "a node from 0 to 11"),
        ({"seeds": np.zeros(0, np.int64)}, "at least one seed"),
        ({"runs": 0}, "at least one run, got 0"),
    ],
)
def test_wrong_calls_are_refused(changes, message):
    given = {"probability": 0.5, "seeds": np.array([0]), "runs": 1} | changes
    with pytest.raises(UsageError, match=message):
        independent_cascade(INDPTR, TARGETS[ORDER], generator=np.random.default_rng(0), **given)
