"""How a candidate for a feed is scored: one compiled function that runs a million times a tick.

Weights of `ENGAGEMENT` are those published with twitter/the-algorithm-ml (recap); an earlier
revision of that file says 13.5 for a reply. What our accounts cannot do (a click, a visit to a
profile, a reply by the author) has no weight here.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from burnish.methods.socialsim.compiled import inlined
from burnish.methods.socialsim.randomness import uniform
from burnish.methods.socialsim.rule_policy import (
    FEATURES,
    KINDS,
    Readers,
    RuleCoefficients,
    fill_features,
    fill_odds,
)
from burnish.methods.socialsim.schema import Source
from burnish.methods.socialsim.world import FeedSettings, RankerKind

WEIGHTS = (0.5, 1.0, 1.0, 27.0, -369.0)
"""Of like, repost, quote, reply and report."""

ORDER = tuple(RankerKind)
_RANDOM, _CHRONO, _POPULARITY, _MIX, _HOT, _SIMILARITY, _BRIDGING, ENGAGEMENT = range(8)
_OUT = int(Source.OUT_OF_NETWORK)
_HALF_LIFE = 12.0  # ticks after which freshness is a half
_FRESHNESS = 0.5 ** (np.arange(512) / _HALF_LIFE)  # by age; older posts are read as the last
_LEAST = 1e-6  # of a score, so that visibility still orders what nobody wants


class Ranker(NamedTuple):
    """A ranker's settings, for compiled code.

    Attributes:
        mode: place in `ORDER`.
        noise: in logits.
        weights: (KINDS,) of the actions.
        table: (KINDS, features) of the rule that predicts them.
        by_role: (roles, KINDS).
    """

    mode: int
    noise: float
    weights: NDArray[np.float64]
    table: NDArray[np.float64]
    by_role: NDArray[np.float64]

    @classmethod
    def of(cls, settings: FeedSettings, believed: RuleCoefficients) -> Ranker:
        """As a scenario says; `believed` is the rule the platform predicts actions by."""
        return cls(
            ORDER.index(settings.ranker),
            settings.noise,
            np.asarray(WEIGHTS),
            believed.table(),
            believed.by_role(),
        )


@inlined
def _expected(
    ranker: Ranker,
    key: np.uint64,
    u: int,
    post: int,
    role: int,
    features: NDArray[np.float64],
    odds: NDArray[np.float64],
) -> float:
    """Sum of weights times the chances of the actions, mis-specified by the ranker's noise."""
    total = fill_odds(odds, features, role, ranker.table, ranker.by_role)
    value = 0.0
    for k in range(KINDS):
        value += ranker.weights[k] * odds[k] / total
    if ranker.noise > 0.0:
        draw = 4 * (post % 4194304)  # of 2^24 draws, two for each post that may be a candidate
        radius = math.sqrt(-2.0 * math.log(1.0 - uniform(key, u, draw)))
        turn = math.cos(2.0 * math.pi * uniform(key, u, draw + 1))
        value *= math.exp(ranker.noise * radius * turn)
    return value


@inlined
def score(
    ranker: Ranker,
    key: np.uint64,
    u: int,
    post: int,
    source: int,
    shares: int,
    seen: int,
    tick: int,
    rows: NDArray[np.void],
    readers: Readers,
    features: NDArray[np.float64],
    odds: NDArray[np.float64],
) -> float:
    """How much a post is worth to an account, visibility included; higher is shown first.

    Args:
        ranker: which and how.
        key: of `Stage.RANK`, for what is random in it.
        u: the account.
        post: the candidate.
        source: `Source` of it.
        shares: followees who brought the same content.
        seen: earlier showings.
        tick: now.
        rows: all posts.
        readers: columns of accounts.
        features: room for 1 + len(FEATURES) numbers.
        odds: room for KINDS numbers.
    """
    shown = rows[post]
    content = rows[shown["content"]]
    root = rows[content["root"]]
    age = tick - shown["tick"]
    visibility = content["visibility"] * shown["visibility"]
    mode = ranker.mode
    value = 0.0
    if mode == _RANDOM:
        value = uniform(key, u, post % 16777216)
    elif mode == _CHRONO or (mode == _MIX and source != _OUT):
        value = 1.0 / (1.0 + age)
    elif mode in (_POPULARITY, _MIX):
        value = 1.0 + root["cascade"] + content["likes"]
    elif mode == _HOT:
        votes = float(content["likes"]) + root["cascade"] - content["reports"]
        size = math.log10(max(1.0, abs(votes)))
        newness = content["tick"] * 3600.0 / 45000.0
        # votes count logarithmically, so visibility does too
        hidden = math.log10(max(_LEAST, visibility))
        return float((size if votes >= 0 else -size) + newness + hidden)
    elif mode == _SIMILARITY:
        similar = 1.0 - abs(readers.ideology[u] - readers.ideology[content["author"]]) / 2.0
        value = similar * max(0.01, math.log(max(1.0, 271.8 - age) / 100.0))
    elif mode == _BRIDGING:
        left = content["left_likes"]
        right = content["likes"] - left
        value = math.sqrt((1.0 + left) * (1.0 + right)) * _FRESHNESS[min(511, age)]
    else:
        fill_features(features, u, post, shares, seen, tick, rows, readers)
        value = _expected(ranker, key, u, post, readers.role[u], features, odds)
        value *= _FRESHNESS[min(511, age)]
    return float(max(_LEAST, value) * visibility)


ROOM = 1 + len(FEATURES)
"""Numbers that `score` needs for features."""
