"""What actions do to a world: posts appear, counters rise, edges change. Decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from burnish.methods.socialsim.acted import add
from burnish.methods.socialsim.acting import Actions, Bytes, Floats, Ids
from burnish.methods.socialsim.compiled import inlined, lean
from burnish.methods.socialsim.randomness import Stage, stage_key, uniform
from burnish.methods.socialsim.schema import (
    NO_TEXT,
    NONE,
    ActionKind,
    Flag,
    Label,
    Measure,
    PostKind,
    Veracity,
)
from burnish.methods.socialsim.state import POST, RING, State

_NONE = np.uint32(NONE)
_LIKE, _REPOST, _QUOTE, _REPLY, _REPORT, _FOLLOW, _UNFOLLOW, _WRITE = range(1, 9)
_EXPIRED = int(Label.EXPIRED)
_SUSPENDED = int(Flag.SUSPENDED)
_TRUE, _FALSE, _NEITHER = int(Veracity.TRUE), int(Veracity.FALSE), int(Veracity.NEITHER)
_AS_POST = np.array(
    [0, 0, PostKind.REPOST, PostKind.QUOTE, PostKind.REPLY, 0, 0, 0, PostKind.POST], np.uint8
)
_LIKE_TREND, _SHARE_TREND, _NEW_TREND = 0.2, 1.0, 0.05
_RATE_LIMIT, _EXPIRE = int(Measure.RATE_LIMIT), int(Measure.EXPIRE)
_KEPT = 255  # in place of the `Measure` that stopped an action


class Limits(NamedTuple):
    """What stops actions this tick; -1 for no limit.

    Attributes:
        per_day: posts of any kind by one account since midnight.
        per_root: reposts of one root in one tick.
    """

    per_day: int = -1
    per_root: int = -1


class Mix(NamedTuple):
    """What ordinary new posts are about.

    Attributes:
        topics: (topics,) running sum of shares, ending in 1.
        true_share: of those that tell a true story.
        false_share: of those that tell a false one.
    """

    topics: NDArray[np.float64]
    true_share: float
    false_share: float


@dataclass(frozen=True)
class Applied:
    """What came of a tick's actions.

    Attributes:
        actions: those that happened, in order; POST rows have the id of what was made.
        target: (n,) u32, author of the post, or who is followed.
        stopped: (k, 3) u32, measure, post and agent of actions that a limit stopped.
    """

    actions: Actions
    target: Ids
    stopped: NDArray[np.uint32]


def apply(state: State, actions: Actions, limits: Limits, mix: Mix) -> Applied:
    """Change `state` by a tick's actions, in the order of kind and agent.

    An account reposts a root once and likes a content once; what a suspended account does or a
    limit forbids is left out.
    """
    key = (actions.kind.astype(np.uint64) << np.uint64(32)) | actions.agent
    order = np.argsort(key, kind="stable")
    order = order[np.searchsorted(key[order], np.uint64(1) << np.uint64(32)) :]  # NONE comes first
    kind, agent, post = actions.kind[order], actions.agent[order], actions.post[order].copy()
    texts, tick, first = actions.text[order].copy(), state.tick, len(state.posts)
    texts[texts != NO_TEXT] += len(state.texts)
    made = np.zeros(int((_AS_POST[kind] != 0).sum() + (kind == ActionKind.POST).sum()), POST)
    state.posts.add(made)
    state.acted.reserve(len(kind))
    target, stopped = np.full(len(kind), NONE, np.uint32), np.full(len(kind), _KEPT, np.uint8)
    if limits.per_root >= 0:
        _stop_duplicates(state, kind, post, limits.per_root, stopped)
    kept = np.zeros(len(kind), np.bool_)
    count, keys = _apply(
        stage_key(state.seed, tick, Stage.WRITE),
        tick,
        first,
        (kind, agent, post, texts, actions.claim[order], actions.stance[order]),
        state.posts.rows,
        state.acted.places,
        state.ring,
        state.day_actions,
        (state.agents.flags, state.agents.ideology, state.beliefs),
        np.array([claim.true for claim in state.claims], np.bool_),
        np.array([claim.topic for claim in state.claims], np.uint8),
        limits.per_day,
        mix,
        target,
        stopped,
        kept,
    )
    state.posts.count = first + count
    state.acted.count += keys
    _ties(state, kind, agent, target, kept)
    state.texts += actions.texts
    state.text_origin += _origins(actions, tick)
    chosen = order[kept]
    done = Actions(
        agent[kept],
        kind[kept],
        post[kept],
        actions.probability[chosen],
        actions.policy[chosen],
        texts[kept],
        actions.claim[chosen],
        actions.stance[chosen],
    )
    halted = stopped != _KEPT
    rows = np.stack([stopped[halted].astype(np.uint32), post[halted], agent[halted]], axis=1)
    return Applied(done, target[kept], rows)


def _stop_duplicates(state: State, kind: Bytes, post: Ids, most: int, stopped: Bytes) -> None:
    """Mark the reposts of one root beyond the first `most` of the tick."""
    reposts = np.flatnonzero(kind == ActionKind.REPOST)
    root = state.posts.rows["root"][post[reposts]]
    order = np.argsort(root, kind="stable")
    ranked = root[order]
    place = np.arange(len(order)) - np.searchsorted(ranked, ranked)
    stopped[reposts[order[place >= most]]] = Measure.DUPLICATE_LIMIT


def _origins(actions: Actions, tick: int) -> list[tuple[int, int]]:
    if not actions.texts:
        return []
    writer = dict(zip(actions.text.tolist(), actions.agent.tolist(), strict=True))
    return [(tick, writer.get(number, NONE)) for number in range(len(actions.texts))]


def _ties(state: State, kind: Bytes, agent: Ids, target: Ids, kept: NDArray[np.bool_]) -> None:
    follow = kept & (kind == ActionKind.FOLLOW)
    if follow.any():
        state.graph.follow(agent[follow], target[follow], state.tick)
    unfollow = kept & (kind == ActionKind.UNFOLLOW)
    if unfollow.any():
        state.graph.unfollow(agent[unfollow], target[unfollow])


@inlined
def _push(ring: Ids, author: int, post: int) -> None:
    for slot in range(RING - 1, 0, -1):
        ring[author, slot] = ring[author, slot - 1]
    ring[author, 0] = post


@inlined
def _verdict(claim: int, stance: float, true_claims: NDArray[np.bool_], inherited: int) -> int:
    """Hidden truth of a post: of a tracked claim by its stance, else what it passes on."""
    if claim < 0:
        return inherited
    if stance == 0.0:
        return _NEITHER
    return _TRUE if true_claims[claim] == (stance > 0.0) else _FALSE


@inlined
def _new_root(
    key: np.uint64, u: int, row: np.void, ideology: float, mix: Mix, topics: Bytes
) -> None:
    if row["claim"] >= 0:
        row["topic"] = topics[row["claim"]]
        return
    row["topic"] = np.searchsorted(mix.topics, uniform(key, u, 1), side="right")
    draw = uniform(key, u, 2)
    row["veracity"] = _NEITHER
    if draw < mix.false_share:
        row["veracity"] = _FALSE
    elif draw < mix.false_share + mix.true_share:
        row["veracity"] = _TRUE
    if np.isnan(row["stance"]):
        row["stance"] = min(1.0, max(-1.0, ideology + 0.6 * (uniform(key, u, 3) - 0.5)))


@inlined
def _below(
    row: np.void, shown: np.void, content: np.void, kind: int, p: int, own: Floats, lean: float
) -> None:
    """Fill in what a repost, quote or reply has from the post it answers."""
    row["root"], row["parent"], row["depth"] = shown["root"], p, shown["depth"] + 1
    row["topic"] = content["topic"]
    if kind == _REPOST:
        row["content"] = shown["content"]
        row["claim"], row["stance"] = content["claim"], content["stance"]
        row["veracity"] = content["veracity"]
        return
    row["veracity"] = content["veracity"] if kind == _QUOTE else _NEITHER
    if row["claim"] < 0:
        row["claim"] = content["claim"]
    if np.isnan(row["stance"]):
        row["stance"] = lean if row["claim"] < 0 else own[row["claim"]]


@lean
def _apply(
    key: np.uint64,
    tick: int,
    first: int,
    columns: tuple[Bytes, Ids, Ids, NDArray[np.int32], NDArray[np.int16], Floats],
    rows: NDArray[np.void],
    places: NDArray[np.uint64],
    ring: Ids,
    day_actions: NDArray[np.uint16],
    accounts: tuple[Bytes, Floats, Floats],
    true_claims: NDArray[np.bool_],
    claim_topics: Bytes,
    per_day: int,
    mix: Mix,
    target: Ids,
    stopped: Bytes,
    kept: NDArray[np.bool_],
) -> tuple[int, int]:
    kinds, agents, posts, texts, claims, stances = columns
    flags, ideology, beliefs = accounts
    keys, here = 0, first
    for a in range(len(kinds)):
        kind, u, p = kinds[a], agents[a], posts[a]
        if flags[u] & _SUSPENDED or stopped[a] != _KEPT:
            continue
        if kind in (_FOLLOW, _UNFOLLOW):
            target[a] = rows[rows[p]["content"] if kind == _FOLLOW else p]["author"]
            kept[a] = True
            continue
        if kind != _WRITE:
            shown = rows[p]
            content, root = rows[shown["content"]], rows[shown["root"]]
            target[a] = shown["author"]
        if kind == _LIKE:
            if add(places, 2 * u, shown["content"]):
                keys += 1
                kept[a] = True
                content["likes"] += np.uint32(1)
                content["left_likes"] += np.uint32(ideology[u] < 0)
                root["trend"] += np.float32(_LIKE_TREND)
            continue
        if kind == _REPORT:
            kept[a] = True
            content["reports"] = min(65535, content["reports"] + 1)
            continue
        if 0 <= per_day <= day_actions[u]:
            stopped[a] = _RATE_LIMIT
            continue
        if kind in (_REPOST, _QUOTE) and (content["labels"] | root["labels"]) & _EXPIRED:
            stopped[a] = _EXPIRE
            continue
        if kind == _REPOST:
            if not add(places, 2 * u + 1, shown["root"]):
                continue
            keys += 1
        row = rows[here]
        row["author"], row["tick"], row["kind"] = u, tick, _AS_POST[kind]
        row["content"], row["root"], row["parent"] = here, here, _NONE
        row["claim"], row["stance"], row["text"] = claims[a], stances[a], texts[a]
        row["visibility"] = 1.0
        if kind == _WRITE:
            _new_root(key, u, row, ideology[u], mix, claim_topics)
            row["trend"] = np.float32(_NEW_TREND)
            target[a], posts[a] = u, here
        else:
            _below(row, shown, content, kind, p, beliefs[u], ideology[u])
            root["cascade"] += np.uint32(1)
            root["trend"] += np.float32(_SHARE_TREND)
            if kind == _REPLY:
                shown["replies"] += np.uint32(1)
            else:
                shown["shares"] += np.uint32(1)
        if kind != _REPOST:
            row["veracity"] = _verdict(row["claim"], row["stance"], true_claims, row["veracity"])
        day_actions[u] = min(65535, day_actions[u] + 1)
        _push(ring, u, here)
        kept[a] = True
        here += 1
    return here - first, keys
