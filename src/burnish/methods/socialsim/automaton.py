"""Accounts as finite-state automata: offline, browsing, reacting, posting.

The follow-up system (arXiv 2512.22082) uses such automata; its states could not be recovered, so
these are ours. A session walks down the feed: browsing goes on, reacts, or goes offline; after a
reaction it may post. What is done in the state *reacting* follows the odds of the rule.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from burnish.methods.socialsim.acting import Actions, Bytes, Feeds, Floats, Ids
from burnish.methods.socialsim.compiled import lean
from burnish.methods.socialsim.randomness import Stage, stage_key, uniform
from burnish.methods.socialsim.rule_policy import (
    FEATURES,
    KINDS,
    Readers,
    RuleCoefficients,
    fill_features,
    fill_odds,
)
from burnish.methods.socialsim.schema import NONE, ActionKind, PolicyId
from burnish.methods.socialsim.state import State

_WRITE = int(ActionKind.POST)


@dataclass(frozen=True, kw_only=True)
class AutomatonPolicy:
    """An ordinary account's session.

    Attributes:
        coefficients: of the rule that chooses among reactions.
        leave: chance to go offline after each post.
        post_after: chance to write after a reaction.
        post_first: chance to write before reading.
    """

    coefficients: RuleCoefficients = field(default_factory=RuleCoefficients)
    leave: float = 0.08
    post_after: float = 0.2
    post_first: float = 0.25

    def act(self, tick: int, agents: Ids, feeds: Feeds, state: State) -> Actions:
        """See `acting.Policy`."""
        n, m = len(feeds.post), len(agents)
        kind, probability = np.zeros(n, np.uint8), np.zeros(n, np.float32)
        writes = np.zeros(m, np.float32)
        _sessions(
            stage_key(state.seed, tick, Stage.DECIDE),
            tick,
            agents,
            feeds.start,
            feeds.post,
            feeds.shares,
            feeds.seen,
            state.posts.rows,
            Readers.of(state),
            self.coefficients.table(state.friction),
            self.coefficients.by_role(),
            (self.leave, self.post_after, self.post_first),
            kind,
            probability,
            writes,
            np.empty(1 + len(FEATURES)),
            np.empty(KINDS),
        )
        does, writer = kind > 0, writes > 0
        owner = np.repeat(agents, np.diff(feeds.start))[does]
        nothing = np.full(int(writer.sum()), NONE, np.uint32)
        kinds = np.full(len(nothing), _WRITE, np.uint8)
        by = PolicyId.AUTOMATON
        return Actions.joined(
            [
                Actions.of(owner, kind[does], feeds.post[does], probability[does], by),
                Actions.of(agents[writer], kinds, nothing, writes[writer], by),
            ]
        )


@lean
def _sessions(
    key: np.uint64,
    tick: int,
    agents: Ids,
    start: NDArray[np.int64],
    post: Ids,
    shares: Bytes,
    seen: Bytes,
    rows: NDArray[np.void],
    readers: Readers,
    table: NDArray[np.float64],
    by_role: NDArray[np.float64],
    chances: tuple[float, float, float],
    kind: Bytes,
    probability: Floats,
    writes: Floats,
    features: NDArray[np.float64],
    odds: NDArray[np.float64],
) -> None:
    leave, post_after, post_first = chances
    for a in range(len(agents)):
        u = agents[a]
        if uniform(key, u, 0) < post_first:
            writes[a] = post_first
        for e in range(start[a], start[a + 1]):
            draw = 4 * (1 + e - start[a])
            fill_features(features, u, post[e], shares[e], seen[e], tick, rows, readers)
            total = fill_odds(odds, features, readers.role[u], table, by_role)
            left = uniform(key, u, draw) * total
            for k in range(KINDS):
                if left < odds[k]:
                    kind[e], probability[e] = k + 1, odds[k] / total
                    if writes[a] == 0.0 and uniform(key, u, draw + 1) < post_after:
                        writes[a] = post_after
                    break
                left -= odds[k]
            if uniform(key, u, draw + 2) < leave:
                break
