"""Who is shown one by one."""

from __future__ import annotations

import numpy as np
import pytest

from burnish.methods.socialsim.personas import RED
from burnish.methods.socialsim.replay.sampling import biggest_roots, edges, nodes, rows


@pytest.fixture(scope="module")
def large(made_up):
    return made_up(n=3000, ticks=20, per_tick=60, seed=2)


def test_all_are_shown_where_they_fit(run):
    assert nodes(run, 400, np.random.default_rng(0)).tolist() == list(range(400))


def test_core_agents_the_campaign_and_all_communities_are_among_the_shown(large):
    shown = nodes(large, 300, np.random.default_rng(0))
    agents = large["agents"]
    role, community = agents["role"].to_numpy(), agents["community"].to_numpy()
    assert len(shown) == len(set(shown)) == 300
    assert (np.diff(shown.astype(int)) > 0).all()
    assert set(range(8)) <= set(shown.tolist())
    assert np.isin(role[shown], list(RED)).sum() >= 30
    assert set(community[shown]) == set(community)


def test_who_took_part_in_big_cascades_is_shown_first(large):
    posts = large["posts"]
    big = biggest_roots(posts, 40)
    authors = np.unique(posts["author"].to_numpy()[np.isin(posts["root"].to_numpy(), big)])
    shown = nodes(large, 2000, np.random.default_rng(0))
    assert np.isin(authors, shown).all()


def test_the_biggest_come_first_and_ties_by_id(large):
    roots = biggest_roots(large["posts"], 30)
    sizes = np.bincount(large["posts"]["root"].to_numpy())
    assert (np.diff(sizes[roots]) <= 0).all()
    assert sizes[roots[0]] == sizes.max()


def test_a_seed_gives_the_same_accounts(large):
    drawn = [nodes(large, 300, np.random.default_rng(seed)).tolist() for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_follows_are_among_the_shown_only(large):
    shown = nodes(large, 300, np.random.default_rng(0))
    pairs = edges(large, shown, np.random.default_rng(0))
    known = set(
        zip(
            large["edges"]["follower"].to_numpy().tolist(),
            large["edges"]["followee"].to_numpy().tolist(),
            strict=True,
        )
    )
    assert len(pairs) > 50
    assert {(int(a), int(b)) for a, b in shown[pairs]} <= known
    assert rows(shown, 3000)[shown].tolist() == list(range(300))
