from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from burnish.methods.socialsim.acting import Feeds
from burnish.methods.socialsim.graph import Graph
from burnish.methods.socialsim.population import populate
from burnish.methods.socialsim.rule_policy import (
    FEATURES,
    RuleCoefficients,
    RulePolicy,
    rule_features,
)
from burnish.methods.socialsim.schema import NONE, ActionKind, Label, PolicyId, Role, Veracity
from burnish.methods.socialsim.state import POST, State
from burnish.methods.socialsim.world import Claim, PopulationSettings

N = 6000
ALL = np.arange(N, dtype=np.uint32)
AUTHOR = 1


def told(**post):
    """Everybody is shown one post; its state and feeds."""
    agents = populate(PopulationSettings(bots=0, trolls=0, operators=0), N, 0, seed=1)
    empty = np.zeros(0, np.uint32)
    state = State.new(agents, Graph.of(empty, empty, N), (Claim(code="C1"),), 4, seed=1)
    row = np.zeros(1, POST)
    row["author"], row["claim"], row["parent"], row["visibility"] = AUTHOR, -1, NONE, 1
    for name, value in post.items():
        row[name] = value
    state.posts.add(row)
    state.tick = 3
    start, byte = np.arange(N + 1), np.zeros(N, np.uint8)
    return state, Feeds(start, np.zeros(N, np.uint32), byte, byte, byte, byte)


def rate(state, feed, kind=ActionKind.REPOST, policy=None):
    actions = (policy or RulePolicy()).act(3, ALL, feed, state)
    return (actions.kind == kind).mean() * len(actions.kind) / N


EAGER = RulePolicy(
    coefficients=replace(RuleCoefficients(), intercept=(-3.0, -2.5, -4.0, -4.0, -5.0))
)


def by_hand(state, feed, u, row=0):
    post = state.posts.rows[row]
    c = RuleCoefficients()
    agents = state.agents
    own = agents.ideology[u] if post["claim"] < 0 else state.beliefs[u, post["claim"]]
    false = post["veracity"] == Veracity.FALSE
    return [
        c.intercept[k]
        + c.agree[k] * (1 - abs(post["stance"] - own) / 2)
        + c.shares[k] * math.log1p(feed.shares[u])
        + c.trust[k] * agents.trust[post["author"]]
        + c.novelty[k] * math.exp(-3 / 12)
        + c.emotion[k] * abs(post["stance"]) * (int(agents.big_five[u, 4]) + 100) / 200
        + c.false[k] * agents.susceptibility[u] * false
        - c.label[k] * agents.literacy[u] * (post["labels"] > 0)
        - c.inoculated[k] * agents.inoculation[u] * (false and state.prebunked[0])
        - c.seen[k] * math.log1p(feed.seen[u])
        + c.role[agents.role[u]][k]
        for k in range(5)
    ]


@pytest.mark.parametrize("claim", [-1, 0])
def test_the_logit_is_the_rule_by_hand(claim):
    state, feed = told(
        claim=claim, stance=0.7, veracity=Veracity.FALSE, labels=Label.WARNING, tick=0
    )
    state.agents.inoculation[:] = 0.4
    state.prebunked[0] = 1
    feed = replace(feed, shares=np.full(N, 3, np.uint8), seen=np.full(N, 1, np.uint8))
    features = rule_features(3, ALL[:40], feed.part(0, 40), state)
    assert features.shape == (40, 1 + len(FEATURES))
    table, by_role = RuleCoefficients().table(), RuleCoefficients().by_role()
    got = features @ table.T + by_role[state.agents.role[:40]]
    expected = np.array([by_hand(state, feed, u) for u in range(40)])
    if claim < 0:  # nobody can be warned of no claim
        expected += np.array(RuleCoefficients().inoculated) * 0.4
    assert got == pytest.approx(expected, abs=1e-5)


def test_actions_are_drawn_with_the_chances_that_are_recorded():
    state, feed = told(stance=0.4)
    actions = EAGER.act(3, ALL, feed, state)
    features = rule_features(3, ALL, feed, state)
    logits = features @ EAGER.coefficients.table().T
    odds = np.exp(logits + EAGER.coefficients.by_role()[state.agents.role])
    chances = odds / (1 + odds.sum(axis=1, keepdims=True))
    for kind in (ActionKind.LIKE, ActionKind.REPOST, ActionKind.QUOTE):
        drawn = actions.kind == kind
        expected = chances[:, kind - 1]
        sigma = math.sqrt((expected * (1 - expected)).sum())
        assert drawn.sum() == pytest.approx(expected.sum(), abs=4 * sigma)
        assert actions.probability[drawn] == pytest.approx(expected[actions.agent[drawn]], rel=1e-5)
    assert (actions.policy == PolicyId.RULE).all()


def test_falsity_raises_the_odds_by_its_factor():
    rates = []
    for veracity in (Veracity.TRUE, Veracity.FALSE):
        state, feed = told(stance=0.2, veracity=veracity)
        features = rule_features(3, ALL, feed, state)
        logits = features @ RuleCoefficients().table().T
        rates.append(np.exp(logits[:, 1] - 0).mean())
    assert rates[1] / rates[0] == pytest.approx(1.7, rel=0.1)
    state, feed = told(stance=0.2, veracity=Veracity.FALSE)
    flat = RuleCoefficients().with_falsity(1.0)
    assert flat.false == (0.0,) * 5


def test_labels_lower_sharing_and_friction_scales_them():
    rates = []
    for labels, friction in ((0, 1.0), (Label.WARNING, 1.0), (Label.WARNING, 3.0)):
        state, feed = told(stance=0.2, veracity=Veracity.FALSE, labels=labels)
        state.friction = friction
        rates.append(rate(state, feed, policy=EAGER))
    assert rates[0] > 1.3 * rates[1] > 1.3 * 1.3 * rates[2]


def test_inoculation_counts_only_for_claims_that_were_prebunked():
    rates = []
    for warned in (0, 1):
        state, feed = told(claim=0, stance=0.8, veracity=Veracity.FALSE)
        state.agents.inoculation[:] = 1
        state.prebunked[0] = warned
        rates.append(rate(state, feed, policy=EAGER))
    assert rates[0] > 2 * rates[1]


def test_roles_write_at_their_rates():
    state, feed = told()
    actions = RulePolicy().act(3, ALL, feed, state)
    writes = np.bincount(actions.agent[actions.kind == ActionKind.POST], minlength=N)
    assert writes.max() == 1
    benign = state.agents.role == Role.BENIGN
    assert writes[benign].mean() == pytest.approx(-math.expm1(-0.3), abs=0.03)
    state.salience[:] = 0
    quiet = RulePolicy().act(3, ALL, feed, state)
    assert not (quiet.kind == ActionKind.POST).any()


def test_strangers_are_followed_and_followees_dropped_at_most_once_a_tick():
    state, feed = told(stance=0.9)
    pool = replace(feed, source=np.ones(N, np.uint8))
    eager = RulePolicy(follow=(-1.0, 1.0, 1.0), unfollow=(2.0, -3.0, -1.0))
    from_pool = eager.act(3, ALL, pool, state)
    inside = eager.act(3, ALL, feed, state)
    assert (from_pool.kind == ActionKind.FOLLOW).sum() > N / 10
    assert not (from_pool.kind == ActionKind.UNFOLLOW).any()
    assert (inside.kind == ActionKind.UNFOLLOW).sum() > N / 10
    assert not (inside.kind == ActionKind.FOLLOW).any()
    twice = Feeds(2 * np.arange(N + 1), *(np.repeat(c, 2) for c in (
        pool.post, pool.rank, pool.source, pool.shares, pool.seen)))  # fmt: skip
    follows = eager.act(3, ALL, twice, state)
    agents = follows.agent[follows.kind == ActionKind.FOLLOW]
    assert len(set(agents.tolist())) == len(agents)


def test_without_roles_every_account_acts_like_a_benign_one():
    plain = RulePolicy().without_roles()
    by_role = plain.coefficients.by_role()
    assert (by_role == by_role[0]).all()
    assert set(plain.write) == {RulePolicy().write[0]}
    assert (plain.coefficients.table() == RuleCoefficients().table()).all()
