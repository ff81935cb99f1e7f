"""Cascades of a run by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from burnish.errors import DataError, UsageError
from burnish.methods.socialsim.cascade_trees import (
    Cascades,
    cascades,
    reach,
    reproduction,
    ticks_to,
)
from burnish.methods.socialsim.columns import column, rows_of


@pytest.fixture(scope="module")
def chain(by_hand):
    """0 <- 1 <- 3 <- 5, 0 <- 2, and 4 alone."""
    return by_hand.posts([None, 0, 0, 1, None, 3], tick=[0, 1, 1, 2, 2, 5])


def test_size_depth_and_breadth(chain):
    found = cascades(chain)
    assert found.post.tolist() == [0, 4]
    assert found.size.tolist() == [5, 1]
    assert found.depth.tolist() == [3, 0]
    assert found.breadth.tolist() == [2, 1]
    assert found.virality[0] == pytest.approx((6 + 4 + 6 + 4) / 10)
    assert math.isnan(found.virality[1])


def test_a_reply_begins_a_cascade_of_its_own(by_hand):
    found = cascades(by_hand.posts([None, 0, 1, 0], kind=[0, 1, 3, 2]))
    assert found.post.tolist() == [0, 1]
    assert found.size.tolist() == [2, 2]
    assert found.kind.tolist() == [0, 1]


def test_reproduction_is_the_mean_of_direct_reshares_by_tick(chain):
    found = reproduction(chain, ticks=6)
    assert found.count.tolist() == [0, 2, 1, 0, 0, 1]
    assert found.mean[[1, 2, 5]].tolist() == [0.5, 1.0, 0.0]
    assert np.isnan(found.mean[[0, 3, 4]]).all()
    with pytest.raises(UsageError, match="a post is from tick 5, and the run has 3 ticks"):
        reproduction(chain, ticks=3)


def test_ticks_to_a_size(chain):
    assert ticks_to(chain, 1).tolist() == [0, 0]
    assert ticks_to(chain, 4)[0] == 2
    assert ticks_to(chain, 5)[0] == 5
    assert np.isnan(ticks_to(chain, 6)).all()
    assert math.isnan(ticks_to(chain, 2)[1])


def test_ticks_to_counts_each_cascade_in_its_own_order(by_hand):
    both = by_hand.posts([None, None, 0, 1, 0, 1], tick=[0, 3, 4, 5, 9, 7])
    assert ticks_to(both, 3).tolist() == [9, 4]


def test_reach_counts_agents_once_and_by_claim(by_hand):
    told = by_hand.posts([None, None, 0], claim=[0, -1, 0])
    shown = by_hand.exposures([1, 1, 2, 3, 4], [0, 2, 1, 2, 1])
    assert reach(shown, told) == 4
    assert reach(shown, told, claim=0) == 2
    assert reach(shown, told, claim=1) == 0


def test_joined_cascades_keep_all(chain):
    found = Cascades.joined([cascades(chain), cascades(chain)])
    assert found.size.tolist() == [5, 1, 5, 1]
    assert len(found.where(found.size > 1)) == 2


def test_a_parent_outside_the_table_is_refused(chain):
    with pytest.raises(DataError, match=r"1 reshares have a parent outside .*, first post 5"):
        cascades(chain.take([0, 1, 2, 4, 5]))


def test_posts_out_of_order_are_refused(chain):
    with pytest.raises(DataError, match="not in order of its ids"):
        cascades(chain.take([1, 0, 2, 3, 4, 5]))


def test_no_posts_make_no_cascades(chain):
    assert len(cascades(chain.slice(0, 0))) == 0
    assert ticks_to(chain.slice(0, 0), 1).tolist() == []


def test_rows_are_found_with_and_without_holes():
    assert rows_of(np.array([4, 5, 6]), np.array([6, 3, 4])).tolist() == [2, -1, 0]
    assert rows_of(np.array([4, 7, 9]), np.array([9, 8, 4, 99])).tolist() == [2, -1, 0, -1]
    assert rows_of(np.zeros(0, np.int64), np.array([1])).tolist() == [-1]


def test_a_missing_column_names_those_there_are(by_hand):
    with pytest.raises(DataError, match="with a column 'posts', got agent, post"):
        column(by_hand.exposures([1], [0]).select(["agent", "post"]), "posts")
