from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from burnish.methods.socialsim.graph import Graph

N = 12
PAIRS = st.lists(st.tuples(st.integers(0, N - 1), st.integers(0, N - 1)), max_size=60)


def ids(pairs):
    array = np.array(pairs, np.uint32).reshape(-1, 2)
    return array[:, 0].copy(), array[:, 1].copy()


def edges(graph):
    who, whom, _ = graph.edges()
    return list(zip(who.tolist(), whom.tolist(), strict=True))


@settings(max_examples=60, deadline=None)
@given(PAIRS, PAIRS, PAIRS)
def test_follows_and_unfollows_come_to_the_set_of_edges(start, more, fewer):
    graph = Graph.of(*ids(start), N)
    expected = {(a, b) for a, b in start if a != b}
    assert set(edges(graph)) == expected
    graph.follow(*ids(more), 3)
    graph = graph.compacted(4)
    expected |= {(a, b) for a, b in more if a != b}
    assert sorted(edges(graph)) == sorted(expected)
    graph.unfollow(*ids(fewer))
    expected -= set(fewer)
    for each in (graph, graph.compacted(5)):
        assert sorted(edges(each)) == sorted(expected)
        degrees = np.bincount([b for _, b in expected], minlength=N)
        assert each.followers.tolist() == degrees.tolist()


def test_a_follow_without_a_place_waits_for_the_compaction():
    graph = Graph.of(*ids([(0, 1)]), 8)
    added = graph.follow(*ids([(0, v) for v in range(2, 8)]), 1)
    assert added == 6
    assert len(edges(graph)) == 3
    assert len(graph.waiting) == 4
    assert edges(graph.compacted(24)) == [(0, v) for v in range(1, 8)]


def test_births_are_kept():
    graph = Graph.of(*ids([(0, 1), (2, 3)]), 4)
    graph.follow(*ids([(0, 3)]), 9)
    who, whom, birth = graph.compacted(24).edges()
    assert list(zip(who, whom, birth, strict=True)) == [(0, 1, 0), (0, 3, 9), (2, 3, 0)]


def test_followers_are_the_reverse():
    graph = Graph.of(*ids([(0, 1), (2, 1), (3, 0)]), 4)
    start, followers = graph.reversed()
    rows = [sorted(followers[start[v] : start[v + 1]].tolist()) for v in range(4)]
    assert rows == [[3], [0, 2], [], []]
