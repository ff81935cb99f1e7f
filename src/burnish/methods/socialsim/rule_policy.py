"""The rule that ordinary accounts act by: a logit for each action, competing with none.

The same arithmetic serves the loop, which draws from it, and the `engagement` ranker, which ranks
by it. Coefficients are our literature defaults, or come from calibration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from burnish.methods.socialsim.acting import Actions, Bytes, Feeds, Floats, Ids
from burnish.methods.socialsim.compiled import inlined, lean
from burnish.methods.socialsim.randomness import Stage, stage_key, uniform
from burnish.methods.socialsim.schema import BIG_FIVE, NONE, ActionKind, Label, PolicyId, Veracity
from burnish.methods.socialsim.state import State

KINDS = 5  # like, repost, quote, reply, report: `ActionKind` 1 to 5
FEATURES = (
    "agree",
    "shares",
    "trust",
    "novelty",
    "emotion",
    "false",
    "label",
    "inoculated",
    "seen",
)
"""Columns of a coefficient table after the intercept, in the order of beta 1 to 9."""

_WIDTH = 1 + len(FEATURES)
_FALSE = int(Veracity.FALSE)
_MARKED = int(Label.WARNING | Label.NOTE | Label.DEBUNK)
_NEUROTICISM = BIG_FIVE.index("neuroticism")
_NOVELTY_TICKS = 12.0
_LONGEST = 512  # entries; ages and counts beyond are read as the last
_NOVELTY = np.exp(-np.arange(_LONGEST) / _NOVELTY_TICKS)
_LOG1P = np.log1p(np.arange(256))  # of what fits in a byte
_FOLLOW, _UNFOLLOW, _WRITE = (
    int(k) for k in (ActionKind.FOLLOW, ActionKind.UNFOLLOW, ActionKind.POST)
)
_MEAN_SUSCEPTIBILITY = 0.54
_MEAN_LITERACY = 0.48


@dataclass(frozen=True, kw_only=True)
class RuleCoefficients:
    """Logits of the rule, one for each of like, repost, quote, reply and report.

    Attributes:
        intercept: alpha.
        agree: beta 1, of 1 - |stance - belief| / 2.
        shares: beta 2, of log(1 + shares by followees).
        trust: beta 3, of the author's credibility.
        novelty: beta 4, of a post's freshness.
        emotion: beta 5, of |stance| times neuroticism, both from 0 to 1.
        false: beta 6, of susceptibility where a post is false.
        label: beta 7, taken off, of literacy where a post is labelled.
        inoculated: beta 8, taken off, of inoculation where the claim is pre-bunked.
        seen: beta 9, taken off, of log(1 + earlier showings).
        role: zeta, added by role, in the order of `Role`.
    """

    intercept: tuple[float, ...] = (-4.1, -5.65, -7.1, -6.0, -7.5)
    agree: tuple[float, ...] = (1.6, 1.6, -0.4, -0.6, -2.0)
    shares: tuple[float, ...] = (0.3, 0.9, 0.45, 0.2, 0.0)
    trust: tuple[float, ...] = (0.6, 0.6, 0.4, 0.2, -0.8)
    novelty: tuple[float, ...] = (0.4, 0.5, 0.4, 0.5, 0.0)
    emotion: tuple[float, ...] = (0.2, 0.4, 0.5, 0.6, 0.4)
    false: tuple[float, ...] = (math.log(1.7) / _MEAN_SUSCEPTIBILITY,) * 4 + (0.0,)
    label: tuple[float, ...] = (1.0,) + (0.61 / _MEAN_LITERACY,) * 2 + (0.5, -1.0)
    inoculated: tuple[float, ...] = (1.5, 2.0, 1.0, 0.5, -1.0)
    seen: tuple[float, ...] = (0.8, 0.8, 0.6, 0.6, 0.3)
    role: tuple[tuple[float, ...], ...] = (
        (0.0, 0.0, 0.0, 0.0, 0.0),
        (0.2, 0.2, 0.0, 0.0, -0.2),
        (0.0, 0.6, 0.8, 0.8, 0.3),
        (0.0, 0.8, 0.0, 0.2, 0.0),
        (0.0, 0.4, 0.4, 0.2, 0.0),
        (-1.0, -1.0, -0.5, -1.0, -1.0),
        (-0.5, -0.5, 0.8, 0.5, 1.0),
    )

    def table(self, friction: float = 1.0) -> NDArray[np.float64]:
        """(KINDS, 1 + len(FEATURES)): a logit is a row times features; `friction` scales labels.

        It is kept for the next tick, so it cannot be written to.
        """
        return _table(self, friction)

    def by_role(self) -> NDArray[np.float64]:
        """(roles, KINDS), not to be written to either."""
        return _by_role(self.role)

    def with_falsity(self, factor: float) -> RuleCoefficients:
        """The same with another factor by which falsity raises the odds of sharing, > 0."""
        logit = math.log(factor) / _MEAN_SUSCEPTIBILITY
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return RuleCoefficients(**(values | {"false": (logit,) * 4 + (0.0,)}))


@lru_cache(maxsize=64)
def _table(coefficients: RuleCoefficients, friction: float) -> NDArray[np.float64]:
    signs = {"label": -friction, "inoculated": -1.0, "seen": -1.0}
    columns = [np.asarray(coefficients.intercept, float)]
    columns += [signs.get(f, 1.0) * np.asarray(getattr(coefficients, f), float) for f in FEATURES]
    table = np.ascontiguousarray(np.stack(columns, axis=1))
    table.flags.writeable = False
    return table


@lru_cache(maxsize=64)
def _by_role(role: tuple[tuple[float, ...], ...]) -> NDArray[np.float64]:
    table = np.array(role, float)
    table.flags.writeable = False
    return table


class Readers(NamedTuple):
    """Columns of the state that the rule reads, for compiled code."""

    role: Bytes
    ideology: Floats
    susceptibility: Floats
    literacy: Floats
    trust: Floats
    big_five: NDArray[np.int8]
    inoculation: Floats
    beliefs: Floats
    prebunked: Bytes

    @classmethod
    def of(cls, state: State) -> Readers:
        """Views of the columns."""
        agents = state.agents
        return cls(
            agents.role,
            agents.ideology,
            agents.susceptibility,
            agents.literacy,
            agents.trust,
            agents.big_five,
            agents.inoculation,
            state.beliefs,
            state.prebunked,
        )


@inlined
def fill_features(
    out: NDArray[np.float64],
    u: int,
    post: int,
    shares: int,
    seen: int,
    tick: int,
    rows: NDArray[np.void],
    readers: Readers,
) -> None:
    """The 1 and then the `FEATURES` of one account and shown post, into `out`."""
    shown = rows[post]
    content = rows[shown["content"]]
    claim, stance = content["claim"], content["stance"]
    own = readers.ideology[u] if claim < 0 else readers.beliefs[u, claim]
    marked = (content["labels"] | rows[content["root"]]["labels"]) & _MARKED
    out[0] = 1.0
    out[1] = 1.0 - abs(stance - own) / 2.0
    out[2] = _LOG1P[shares]
    out[3] = readers.trust[content["author"]]
    out[4] = _NOVELTY[min(_LONGEST - 1, tick - content["tick"])]
    out[5] = abs(stance) * (readers.big_five[u, _NEUROTICISM] + 100.0) / 200.0
    out[6] = readers.susceptibility[u] if content["veracity"] == _FALSE else 0.0
    out[7] = readers.literacy[u] if marked else 0.0
    warned = claim >= 0 and content["veracity"] == _FALSE and readers.prebunked[claim]
    out[8] = readers.inoculation[u] if warned else 0.0
    out[9] = _LOG1P[seen]


@inlined
def fill_odds(
    odds: NDArray[np.float64],
    features: NDArray[np.float64],
    role: int,
    table: NDArray[np.float64],
    by_role: NDArray[np.float64],
) -> float:
    """exp(logit) of each kind against none, into `odds`; the sum of all, none included."""
    total = 1.0
    for k in range(KINDS):
        logit = by_role[role, k]
        for i in range(_WIDTH):  # a constant, which the compiler unrolls
            logit += table[k, i] * features[i]
        odds[k] = math.exp(logit)
        total += odds[k]
    return total


class _Rule(NamedTuple):
    """Numbers of a rule policy, for compiled code."""

    table: NDArray[np.float64]  # (KINDS, features)
    by_role: NDArray[np.float64]  # (roles, KINDS)
    ties: NDArray[np.float64]  # (2, 3), of a follow and of an unfollow
    most: NDArray[np.float64]  # (2,), bounds of their chances
    write: NDArray[np.float64]  # (roles,), chance of a new post


class _Done(NamedTuple):
    """Where `_decide` puts actions, and what it works in."""

    agent: Ids
    kind: Bytes
    post: Ids
    probability: Floats
    features: NDArray[np.float64]
    odds: NDArray[np.float64]


@inlined
def _put(done: _Done, count: int, u: int, kind: int, post: int, probability: float) -> int:
    done.agent[count], done.kind[count], done.post[count] = u, kind, post
    done.probability[count] = probability
    return count + 1


@lean
def _decide(
    key: np.uint64,
    write_key: np.uint64,
    tick: int,
    agents: Ids,
    start: NDArray[np.int64],
    shown: tuple[Ids, Bytes, Bytes, Bytes],
    rows: NDArray[np.void],
    readers: Readers,
    rule: _Rule,
    done: _Done,
) -> int:
    """Draw a reaction to each shown post, and for each agent a follow, an unfollow, a new post."""
    post, source, shares, seen = shown
    count = 0
    for a in range(len(agents)):
        u = agents[a]
        role, followed, dropped = readers.role[u], False, False
        for e in range(start[a], start[a + 1]):
            p, draw = post[e], 4 * (e - start[a])
            fill_features(done.features, u, p, shares[e], seen[e], tick, rows, readers)
            total = fill_odds(done.odds, done.features, role, rule.table, rule.by_role)
            left = uniform(key, u, draw) * total  # the odds of none, 1, come last
            for k in range(KINDS):
                if left < done.odds[k]:
                    count = _put(done, count, u, k + 1, p, done.odds[k] / total)
                    break
                left -= done.odds[k]
            from_pool = source[e] == 1
            if not followed and (from_pool or rows[p]["content"] != p):
                chance = _tie(rule, 0, done.features, uniform(key, u, draw + 1))
                if chance > 0.0:
                    followed = True
                    count = _put(done, count, u, _FOLLOW, p, chance)
            if not dropped and not from_pool:
                chance = _tie(rule, 1, done.features, uniform(key, u, draw + 2))
                if chance > 0.0:
                    dropped = True
                    count = _put(done, count, u, _UNFOLLOW, p, chance)
        if uniform(write_key, u, 0) < rule.write[role]:
            count = _put(done, count, u, _WRITE, NONE, rule.write[role])
    return count


@inlined
def _tie(rule: _Rule, which: int, features: NDArray[np.float64], luck: float) -> float:
    """The chance of a follow (0) or unfollow (1) when `luck` is below it, else 0."""
    chance = 0.0
    if luck < rule.most[which]:  # before the costly part; hardly any draw gets past
        ties = rule.ties
        logit = ties[which, 0] + ties[which, 1] * features[1] + ties[which, 2] * features[3]
        chance = 1.0 / (1.0 + math.exp(-logit))
        if luck >= chance:
            chance = 0.0
    return chance


@dataclass(frozen=True, kw_only=True)
class RulePolicy:
    """Ordinary accounts.

    Attributes:
        coefficients: of the rule.
        follow: intercept, agreement and credibility in the logit of following a stranger shown.
        unfollow: the same for dropping the followee who brought a post.
        write: rate of new posts per active tick, by role.
    """

    coefficients: RuleCoefficients = RuleCoefficients()
    follow: tuple[float, float, float] = (-8.5, 2.0, 1.0)
    unfollow: tuple[float, float, float] = (-6.0, -3.0, -1.0)
    write: tuple[float, ...] = (0.3, 0.24, 0.7, 0.7, 0.7, 1.2, 0.7)

    def without_roles(self) -> RulePolicy:
        """The same with every role acting as a benign account does.

        With `PopulationSettings.signatures` off and no campaign, nothing tells assets apart.
        """
        coefficients, roles = self.coefficients, len(self.write)
        same = replace(coefficients, role=(coefficients.role[0],) * roles)
        return replace(self, coefficients=same, write=(self.write[0],) * roles)

    def act(self, tick: int, agents: Ids, feeds: Feeds, state: State) -> Actions:
        """See `acting.Policy`: reactions, at most one follow and unfollow each, new posts."""
        room = len(feeds.post) + 3 * len(agents)
        done = _Done(
            np.empty(room, np.uint32),
            np.empty(room, np.uint8),
            np.empty(room, np.uint32),
            np.empty(room, np.float32),
            np.empty(1 + len(FEATURES)),
            np.empty(KINDS),
        )
        count = _decide(
            stage_key(state.seed, tick, Stage.DECIDE),
            stage_key(state.seed, tick, Stage.WRITE),
            tick,
            agents,
            feeds.start,
            (feeds.post, feeds.source, feeds.shares, feeds.seen),
            state.posts.rows,
            Readers.of(state),
            _rule(self, state.friction, float(state.salience.mean())),
            done,
        )
        return Actions.of(
            done.agent[:count],
            done.kind[:count],
            done.post[:count],
            done.probability[:count],
            PolicyId.RULE,
        )


@lru_cache(maxsize=64)
def _rule(policy: RulePolicy, friction: float, salience: float) -> _Rule:
    """The rule in numbers; of a Poisson number of new posts, at most one is made a tick."""
    ties = np.array([policy.follow, policy.unfollow])
    most = 1 / (1 + np.exp(-ties[:, 0] - np.maximum(ties[:, 1:], 0).sum(axis=1)))
    write = -np.expm1(-np.asarray(policy.write) * salience)
    coefficients = policy.coefficients
    return _Rule(coefficients.table(friction), coefficients.by_role(), ties, most, write)


def rule_features(tick: int, agents: Ids, feeds: Feeds, state: State) -> NDArray[np.float64]:
    """What the rule sees: (n, 1 + len(FEATURES)) for the n shown posts, the first column 1.

    Args:
        tick: when they are shown.
        agents: (m,) whom they are shown to, a row of `feeds` each.
        feeds: the posts.
        state: of that tick.
    """
    out = np.empty((len(feeds.post), 1 + len(FEATURES)))
    readers, rows = Readers.of(state), state.posts.rows
    owner = np.repeat(agents, np.diff(feeds.start))
    for e in range(len(out)):
        shares, seen = int(feeds.shares[e]), int(feeds.seen[e])
        fill_features(out[e], int(owner[e]), int(feeds.post[e]), shares, seen, tick, rows, readers)
    return out
