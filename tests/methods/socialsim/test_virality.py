"""Trees: depth, subtree sizes and structural virality against slow definitions."""

from __future__ import annotations

import numpy as np
import pytest

from burnish.errors import DataError
from burnish.methods.socialsim.virality import Forest, structural_virality


def random_tree(n, generator):
    """Parents that come before their children; node 0 is the root."""
    return np.array([-1, *(int(generator.integers(0, node)) for node in range(1, n))])


def mean_distance(parent):
    """All pairs, by walking up from both ends."""
    n = len(parent)
    above = []
    for node in range(n):
        path = [node]
        while parent[path[-1]] >= 0:
            path.append(int(parent[path[-1]]))
        above.append(path)
    total = 0
    for one in range(n):
        for other in range(one):
            common = len(set(above[one]) & set(above[other]))
            total += len(above[one]) + len(above[other]) - 2 * common
    return 2 * total / (n * (n - 1))


def test_virality_is_the_mean_distance_of_a_thousand_random_trees():
    generator = np.random.default_rng(3)
    trees = [random_tree(int(generator.integers(2, 25)), generator) for _ in range(1000)]
    offsets = np.cumsum([0, *(len(tree) for tree in trees)])
    forest = Forest.of(
        np.concatenate([np.where(t < 0, -1, t + o) for t, o in zip(trees, offsets, strict=False)])
    )
    fast = structural_virality(forest)[offsets[:-1]]
    np.testing.assert_allclose(fast, [mean_distance(tree) for tree in trees], atol=1e-9)


def test_a_star_tends_to_two_and_a_chain_to_a_third_of_its_length():
    star = structural_virality(Forest.of(np.array([-1] + [0] * 999)))[0]
    assert star == pytest.approx(2 * 999 * 999 / (1000 * 999))
    chain = structural_virality(Forest.of(np.arange(-1, 999)))[0]
    assert chain == pytest.approx(1001 / 3)


def test_single_nodes_and_inner_nodes_have_no_virality():
    found = structural_virality(Forest.of(np.array([-1, -1, 1])))
    assert np.isnan(found[[0, 2]]).all()
    assert found[1] == 1.0


def test_interleaved_trees_keep_apart():
    forest = Forest.of(np.array([-1, -1, 0, 1, 2, 2, 3]))
    assert forest.root.tolist() == [0, 1, 0, 1, 0, 0, 1]
    assert forest.depth.tolist() == [0, 0, 1, 1, 2, 2, 2]
    assert forest.subtree_sizes().tolist() == [4, 3, 3, 2, 1, 1, 1]
    assert forest.sizes.tolist() == [4, 3, 0, 0, 0, 0, 0]


def test_its_own_number_marks_a_root_as_well():
    assert Forest.of(np.array([0, 0, 1])).depth.tolist() == [0, 1, 2]


def test_a_parent_that_comes_later_is_refused():
    with pytest.raises(
        DataError, match="1 nodes have a parent that comes after them, first node 0"
    ):
        Forest.of(np.array([1, 0]))


def test_an_empty_forest_is_empty():
    assert len(structural_virality(Forest.of(np.zeros(0, np.int64)))) == 0
