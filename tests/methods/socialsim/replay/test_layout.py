"""Accounts stand in their community's disc, and discs do not touch."""

from __future__ import annotations

import numpy as np
import pytest

from burnish.methods.socialsim.replay.layout import place


def layout(sizes, shown, seed=0):
    rng = np.random.default_rng(seed)
    community = np.repeat(np.arange(len(sizes)), shown)
    pairs = rng.integers(0, len(community), (5 * len(community), 2))
    return community, place(community, np.asarray(sizes), pairs)


@pytest.mark.parametrize("sizes", [[9], [5, 5], [1, 900, 3], [100] * 8, list(range(1, 40))])
def test_discs_are_apart_and_inside(sizes):
    _, found = layout(sizes, [min(size, 20) for size in sizes])
    assert (found.centres - found.radii[:, None] >= -1e-9).all()
    assert (found.centres + found.radii[:, None] <= 1 + 1e-9).all()
    for one in range(len(sizes)):
        for other in range(one):
            apart = np.hypot(*(found.centres[one] - found.centres[other]))
            assert apart > found.radii[one] + found.radii[other]


def test_accounts_stand_in_their_own_disc_and_nobody_on_another():
    community, found = layout([300, 500, 50], [300, 500, 50])
    away = np.hypot(*(found.nodes - found.centres[community]).T)
    assert (away < found.radii[community]).all()
    assert len(np.unique(found.nodes.round(9), axis=0)) == 850


def test_hubs_stand_in_the_middle():
    community = np.zeros(200, int)
    star = np.stack([np.full(150, 7), np.arange(20, 170)], 1)
    found = place(community, np.array([200]), star)
    away = np.hypot(*(found.nodes - found.centres[0]).T)
    assert away[7] < np.quantile(away, 0.15)


def test_equal_input_gives_equal_places():
    assert np.array_equal(layout([30, 40], [30, 40])[1].nodes, layout([30, 40], [30, 40])[1].nodes)
