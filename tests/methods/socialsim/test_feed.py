from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from burnish.methods.socialsim.feed import feeds, refresh_pool
from burnish.methods.socialsim.graph import Graph
from burnish.methods.socialsim.population import populate
from burnish.methods.socialsim.rule_policy import RuleCoefficients, RulePolicy
from burnish.methods.socialsim.schema import NONE, Flag, PostKind, Source, Veracity
from burnish.methods.socialsim.state import POST, State
from burnish.methods.socialsim.world import Claim, FeedSettings, PopulationSettings, RankerKind

READER = 0
CHRONO = FeedSettings(ranker=RankerKind.CHRONO, k_out=0)


def world(posts, *, follows=None, tick=10, n=40):
    """Account 0 follows all others unless told; posts are (author, tick, changes)."""
    agents = populate(PopulationSettings(bots=0, trolls=0, operators=0), n, 0, seed=1)
    whom = np.arange(1, n, dtype=np.uint32) if follows is None else np.array(follows, np.uint32)
    graph = Graph.of(np.zeros(len(whom), np.uint32), whom, n)
    state = State.new(agents, graph, (Claim(code="C1"),), 4, seed=1)
    rows = np.zeros(len(posts), POST)
    for p, (author, when, changes) in enumerate(posts):
        row = {"content": p, "root": p, "parent": NONE, "visibility": 1, "claim": -1, "text": -1}
        for name, value in (row | {"author": author, "tick": when} | changes).items():
            rows[name][p] = value
        state.ring[author, 1:] = state.ring[author, :-1]
        state.ring[author, 0] = p
    state.posts.add(rows)
    state.tick = tick
    state.posts.first += [len(posts)] * tick
    return state


def shown(state, settings, workers=1, agents=(READER,), believed=None):
    with ThreadPoolExecutor(2) as pool:
        return feeds(
            state,
            settings,
            believed or RuleCoefficients(),
            np.array(agents, np.uint32),
            pool=pool,
            workers=workers,
        )


def order(posts, ranker, **settings):
    state = world(posts)
    return shown(state, replace(CHRONO, ranker=ranker, **settings)).post.tolist()


def test_chronological_feeds_show_the_newest_first():
    posts = [(1, 3, {}), (2, 9, {}), (3, 6, {}), (2, 9, {})]
    assert order(posts, RankerKind.CHRONO) == [3, 1, 2, 0]


def test_popular_feeds_show_what_is_liked_and_shared():
    posts = [(1, 3, {"likes": 5}), (2, 9, {}), (3, 6, {"cascade": 9})]
    assert order(posts, RankerKind.POPULARITY) == [2, 0, 1]


def test_hot_weighs_votes_by_their_logarithm_against_age():
    # ten times the votes are worth 12.5 hours
    posts = [(1, 0, {"likes": 100}), (2, 9, {"likes": 10}), (3, 9, {"likes": 30, "reports": 100})]
    assert order(posts, RankerKind.HOT) == [0, 1, 2]
    state = world([(1, 0, {"likes": 100}), (2, 20, {"likes": 10})], tick=22)
    assert shown(state, replace(CHRONO, ranker=RankerKind.HOT)).post.tolist() == [1, 0]


def test_bridging_prefers_what_both_sides_like():
    posts = [(1, 9, {"likes": 10, "left_likes": 0}), (2, 9, {"likes": 8, "left_likes": 4})]
    assert order(posts, RankerKind.BRIDGING) == [1, 0]


def test_similarity_prefers_authors_who_think_alike():
    state = world([(1, 9, {}), (2, 9, {})])
    state.agents.ideology[[0, 1, 2]] = 0.5, -0.5, 0.4
    assert shown(state, replace(CHRONO, ranker=RankerKind.SIMILARITY_RECENCY)).post.tolist() == [
        1,
        0,
    ]


def test_random_feeds_differ_between_readers_but_not_between_runs():
    posts = [(a, 9, {}) for a in range(1, 12)]
    first, again = order(posts, RankerKind.RANDOM), order(posts, RankerKind.RANDOM)
    assert first == again != sorted(first)


def test_engagement_ranks_by_the_rules_own_odds():
    state = world([(1, 9, {"stance": -1.0}), (2, 9, {"stance": 0.6})])
    state.agents.ideology[0] = 0.6
    settings = replace(CHRONO, ranker=RankerKind.ENGAGEMENT)
    likes_agreement = RuleCoefficients(intercept=(-4.1, -5.65, -7.1, -60.0, -60.0))
    assert shown(state, settings, believed=likes_agreement).post.tolist() == [1, 0]
    state = world([(1, 9, {"stance": -1.0}), (2, 9, {"stance": 0.6})])
    state.agents.ideology[0] = 0.6
    contrary = replace(likes_agreement, agree=(-3.0, -3.0, 0.0, 0.0, 0.0))
    assert shown(state, settings, believed=contrary).post.tolist() == [0, 1]


def test_noise_changes_the_order_of_engagement():
    posts = [(a, 9, {"stance": 0.01 * a}) for a in range(1, 14)]
    plain = order(posts, RankerKind.ENGAGEMENT)
    assert order(posts, RankerKind.ENGAGEMENT, noise=0.0) == plain
    assert order(posts, RankerKind.ENGAGEMENT, noise=1.0) != plain


def test_a_second_post_by_one_author_counts_half_for_engagement():
    posts = [(1, 9, {"stance": 0.1}), (1, 9, {"stance": 0.1}), (2, 8, {"stance": 0.1})]
    state = world(posts)
    state.agents.trust[:] = 0.5
    settings = replace(CHRONO, ranker=RankerKind.ENGAGEMENT)
    assert shown(state, settings).post.tolist() == [1, 2, 0]


def test_followers_mix_keeps_places_for_both_sources():
    posts = [(a, 9, {"trend": 5.0 * (a > 15)}) for a in range(1, 30)]
    state = world(posts, follows=range(1, 16))
    mix = FeedSettings(ranker=RankerKind.FOLLOWERS_MIX, k_out=2)
    refresh_pool(state, mix)
    feed = shown(state, mix)
    assert (feed.source == Source.IN_NETWORK).sum() == 6
    assert (feed.source == Source.OUT_OF_NETWORK).sum() >= 2


def test_visibility_moves_a_post_down_and_zero_hides_it():
    posts = [(1, 9, {"visibility": 0.1}), (2, 7, {}), (3, 9, {"visibility": 0})]
    assert order(posts, RankerKind.CHRONO) == [1, 0]


def test_suspended_authors_own_posts_and_old_posts_are_left_out():
    state = world([(1, 9, {}), (0, 9, {}), (2, 9, {}), (3, 1, {})], tick=38)
    state.posts.rows["tick"][:3] = 37
    state.agents.flags[2] |= Flag.SUSPENDED
    assert shown(state, CHRONO).post.tolist() == [0]


def test_one_content_is_shown_once_and_its_sharers_are_counted():
    repost = {"kind": PostKind.REPOST, "content": 0, "root": 0, "parent": 0, "depth": 1}
    state = world([(30, 5, {}), (1, 6, repost), (2, 7, repost), (3, 8, repost)], follows=[1, 2, 3])
    feed = shown(state, CHRONO)
    assert feed.post.tolist() in ([1], [2], [3])
    assert feed.shares.tolist() == [3]


def test_what_was_shown_twice_is_shown_no_more():
    state = world([(1, 9, {})])
    seen = [shown(state, CHRONO).seen.tolist() for _ in range(3)]
    assert seen == [[0], [1], []]


def test_feeds_are_as_long_as_attention_allows():
    state = world([(a, 9, {}) for a in range(1, 30)])
    state.agents.attention[0] = 3
    feed = shown(state, CHRONO)
    assert feed.rank.tolist() == [0, 1, 2]


def test_workers_change_nothing():
    posts = [(a, 9, {"trend": float(a)}) for a in range(1, 30)]
    states = world(posts), world(posts)
    settings = FeedSettings()
    both = []
    for state, workers in zip(states, (1, 3), strict=True):
        refresh_pool(state, settings)
        both.append(shown(state, settings, workers, agents=range(40)))
    for name in ("start", "post", "rank", "source", "shares", "seen"):
        assert (getattr(both[0], name) == getattr(both[1], name)).all()


def test_the_pool_holds_the_most_talked_about_and_forgets():
    state = world([(a, 9, {"trend": float(a % 7)}) for a in range(1, 30)])
    settings = replace(CHRONO, pool=4)
    refresh_pool(state, settings)
    trend = state.posts.rows["trend"]
    assert trend[state.pool] == pytest.approx(6 * 0.9)
    assert state.pool_weight[-1] == 1
    assert (np.diff(state.pool_weight) > 0).all()


def test_rows_and_parts_of_feeds_agree():
    feed = shown(world([(a, 9, {}) for a in range(1, 30)]), CHRONO, agents=range(5))
    part, rows = feed.part(1, 4), feed.rows(np.array([1, 2, 3]))
    assert part.start.tolist() == rows.start.tolist()
    assert part.post.tolist() == rows.post.tolist()


@pytest.mark.parametrize("kind", list(RankerKind))
def test_every_ranker_shows_everyone_something(kind):
    state = world([(a, 9, {"trend": 1.0, "veracity": Veracity.FALSE}) for a in range(1, 30)])
    settings = FeedSettings(ranker=kind)
    refresh_pool(state, settings)
    feed = shown(state, settings, agents=range(40))
    assert (np.diff(feed.start) >= 1).all()
    policy = RulePolicy()
    assert policy.act(10, np.arange(40, dtype=np.uint32), feed, state).agent.max() < 40
