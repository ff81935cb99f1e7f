"""What active accounts are shown: gather candidates, score them, keep the best."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from burnish.methods.socialsim.acting import Bytes, Feeds, Ids
from burnish.methods.socialsim.compiled import compiled, inlined, lean
from burnish.methods.socialsim.randomness import Stage, bits, stage_key, uniform
from burnish.methods.socialsim.rankers import ENGAGEMENT, ROOM, Ranker, score
from burnish.methods.socialsim.rule_policy import KINDS, Readers, RuleCoefficients
from burnish.methods.socialsim.schema import NONE, Flag, PostKind, Source
from burnish.methods.socialsim.state import MEMORY, RING, State
from burnish.methods.socialsim.world import FeedSettings, RankerKind

_NONE = np.uint32(NONE)
_IN, _OUT = int(Source.IN_NETWORK), int(Source.OUT_OF_NETWORK)
_REPOST = int(PostKind.REPOST)
_SUSPENDED = int(Flag.SUSPENDED)
_SHOWN_ENOUGH = 2  # showings of one content among the last `MEMORY`
_SCAN = 4  # followees looked at, for each candidate wanted
_SAME_AUTHOR = 0.5  # what another post by an author already shown is worth
_POOL_MEMORY = 0.9  # of a trend, per tick


class Room(NamedTuple):
    """Where candidates of one account are worked on, one entry each; see `_gather`."""

    candidate: Ids
    content_of: Ids
    author_of: Ids
    packed: Bytes  # source, shares by followees, earlier showings
    scores: NDArray[np.float64]
    speaker: Ids  # followees who have a young post
    features: NDArray[np.float64]
    odds: NDArray[np.float64]


@dataclass(frozen=True)
class Wanted:
    """How many candidates and places, once the ranker has had its say.

    Attributes:
        k_in: from followees.
        k_out: from the pool.
        places_in: most places for followees' posts.
    """

    k_in: int
    k_out: int
    places_in: int

    @classmethod
    def by(cls, settings: FeedSettings, attention: int) -> Wanted:
        """`followers_mix` has a quota for each source, so it needs candidates to fill both."""
        if settings.ranker is not RankerKind.FOLLOWERS_MIX:
            return cls(settings.k_in, settings.k_out, attention)
        places = round(settings.in_share * attention)
        return cls(max(settings.k_in, places), max(settings.k_out, attention - places), places)


def feeds(
    state: State,
    settings: FeedSettings,
    believed: RuleCoefficients,
    agents: Ids,
    *,
    pool: Executor,
    workers: int,
) -> Feeds:
    """The feeds of active accounts; what is shown goes into their memory.

    Args:
        state: at the tick to run.
        settings: of the feed.
        believed: the rule the platform predicts actions by.
        agents: (m,) u32, ascending.
        pool: threads to share the work with this one.
        workers: how many there are in all; it changes nothing but the time.
    """
    width = int(state.agents.attention.max(initial=1))
    wanted, m = Wanted.by(settings, width), len(agents)
    count = np.zeros(m, np.int64)
    post = np.empty((m, width), np.uint32)
    packed = np.empty((m, width, 3), np.uint8)
    ranker, readers = Ranker.of(settings, believed), Readers.of(state)
    graph, tick = state.graph, state.tick
    cuts = np.linspace(0, m, workers + 1).astype(int)

    def part(number: int) -> None:
        low, high = cuts[number], cuts[number + 1]
        _fill(
            stage_key(state.seed, tick, Stage.FEED),
            stage_key(state.seed, tick, Stage.RANK),
            tick,
            agents[low:high],
            (graph.start, graph.length, graph.followee),
            state.ring,
            state.memory,
            state.memory_at,
            state.posts.rows,
            (state.pool, state.pool_weight),
            state.agents.flags,
            state.agents.attention,
            (wanted.k_in, wanted.k_out, wanted.places_in, settings.window),
            ranker,
            readers,
            count[low:high],
            post[low:high],
            packed[low:high],
            _room(wanted),
        )

    others = [pool.submit(part, number) for number in range(1, workers)]
    part(0)
    for other in others:
        other.result()
    start = np.concatenate([np.zeros(1, np.int64), np.cumsum(count)])
    return Feeds(start, *_closed_up(start, post, packed))


def _room(wanted: Wanted) -> Room:
    most = wanted.k_in + wanted.k_out + 1
    return Room(
        candidate=np.empty(most, np.uint32),
        content_of=np.empty(most, np.uint32),
        author_of=np.empty(most, np.uint32),
        packed=np.empty((3, most), np.uint8),
        scores=np.empty(most),
        speaker=np.empty(_SCAN * wanted.k_in, np.uint32),
        features=np.empty(ROOM),
        odds=np.empty(KINDS),
    )


def refresh_pool(state: State, settings: FeedSettings) -> None:
    """Trending roots of the window, weighted by engagement that fades tick by tick."""
    first = state.posts.first[max(0, len(state.posts.first) - settings.window)]
    ids, trend = _fade(state.posts.rows, first, _POOL_MEMORY)
    if len(ids) > settings.pool:
        best = np.argpartition(-trend, settings.pool - 1)[: settings.pool]
        ids, trend = ids[best], trend[best]
    order = np.lexsort((ids, -trend))
    state.pool = ids[order]
    weight = np.cumsum(trend[order].astype(np.float64))
    state.pool_weight = weight / weight[-1] if len(weight) else weight


@compiled
def _closed_up(
    start: NDArray[np.int64], post: Ids, packed: Bytes
) -> tuple[Ids, Bytes, Bytes, Bytes, Bytes]:
    """Rows of fixed width without what is unused: posts, ranks and the three of `packed`."""
    n = start[-1]
    posts, ranks = np.empty(n, np.uint32), np.empty(n, np.uint8)
    sources, shares, seen = np.empty(n, np.uint8), np.empty(n, np.uint8), np.empty(n, np.uint8)
    for a in range(len(start) - 1):
        for i in range(start[a + 1] - start[a]):
            e = start[a] + i
            posts[e], ranks[e] = post[a, i], i
            sources[e], shares[e], seen[e] = packed[a, i, 0], packed[a, i, 1], packed[a, i, 2]
    return posts, ranks, sources, shares, seen


@compiled
def _fade(
    rows: NDArray[np.void], first: int, memory: float
) -> tuple[NDArray[np.uint32], NDArray[np.float32]]:
    kept = 0
    ids = np.empty(len(rows) - first, np.uint32)
    trend = np.empty(len(rows) - first, np.float32)
    for p in range(first, len(rows)):
        if rows[p]["trend"] > 0.01:
            rows[p]["trend"] *= memory
            if rows[p]["visibility"] > 0.0:
                ids[kept], trend[kept] = p, rows[p]["trend"] * rows[p]["visibility"]
                kept += 1
    return ids[:kept], trend[:kept]


@inlined
def _showings(memory: Ids, u: int, content: int) -> int:
    count = 0
    for i in range(MEMORY):
        count += memory[u, i] == content
    return count


@inlined
def _consider(
    u: int,
    p: int,
    source: int,
    rows: NDArray[np.void],
    flags: Bytes,
    memory: Ids,
    found: int,
    candidate: Ids,
    content_of: Ids,
    author_of: Ids,
    packed: Bytes,
) -> int:
    """Add a candidate unless it is hidden, the reader's own, worn out, or there already."""
    shown = rows[p]
    content = shown["content"]
    written = rows[content]
    if shown["visibility"] <= 0 or written["visibility"] <= 0 or written["author"] == u:
        return found
    if flags[written["author"]] & _SUSPENDED:
        return found
    brought = source == _IN and shown["kind"] == _REPOST
    for i in range(found):
        if content_of[i] == content:
            packed[1, i] += brought
            return found
    seen = _showings(memory, u, content)
    if seen >= _SHOWN_ENOUGH:
        return found
    candidate[found], content_of[found], author_of[found] = p, content, written["author"]
    packed[0, found], packed[1, found], packed[2, found] = source, brought, seen
    return found + 1


@inlined
def _gather(
    key: np.uint64,
    u: int,
    tick: int,
    graph: tuple[NDArray[np.int64], NDArray[np.int32], Ids],
    ring: Ids,
    rows: NDArray[np.void],
    trending: tuple[Ids, NDArray[np.float64]],
    flags: Bytes,
    memory: Ids,
    wanted: tuple[int, int, int, int],
    speaker: Ids,
    candidate: Ids,
    content_of: Ids,
    author_of: Ids,
    packed: Bytes,
) -> int:
    start, length, followee = graph
    pool, pool_weight = trending
    k_in, k_out, _, window = wanted
    found, degree, first = 0, length[u], start[u]
    here = np.int64(bits(key, u, 0) % np.uint64(max(1, degree)))
    speaking = 0  # followees who have a young post in the slot before
    for _ in range(min(degree, len(speaker)) if k_in > 0 else 0):
        v = followee[first + here]
        here = np.int64(here + 1 if here + 1 < degree else 0)
        if v == _NONE or ring[v, 0] == _NONE or flags[v] & _SUSPENDED:
            continue
        p = ring[v, 0]
        if tick - rows[p]["tick"] <= window:
            speaker[speaking] = v
            speaking += 1
            found = _consider(
                u, p, _IN, rows, flags, memory, found, candidate, content_of, author_of, packed
            )
            if found == k_in:
                break
    for slot in range(1, RING):
        if found == k_in:
            break
        still = 0
        for i in range(speaking):
            v = speaker[i]
            p = ring[v, slot]
            if p == _NONE or tick - rows[p]["tick"] > window:
                continue  # what is below in the ring is older still
            speaker[still] = v
            still += 1
            found = _consider(
                u, p, _IN, rows, flags, memory, found, candidate, content_of, author_of, packed
            )
            if found == k_in:
                break
        speaking = still
    if len(pool) > 0:
        for i in range(k_out):
            p = pool[np.searchsorted(pool_weight, uniform(key, u, 1 + i), side="right")]
            if tick - rows[p]["tick"] <= window:
                found = _consider(
                    u, p, _OUT, rows, flags, memory, found, candidate, content_of, author_of, packed
                )
    return found


@lean
def _fill(
    key: np.uint64,
    rank_key: np.uint64,
    tick: int,
    agents: Ids,
    graph: tuple[NDArray[np.int64], NDArray[np.int32], Ids],
    ring: Ids,
    memory: Ids,
    memory_at: Bytes,
    rows: NDArray[np.void],
    trending: tuple[Ids, NDArray[np.float64]],
    flags: Bytes,
    attention: Bytes,
    wanted: tuple[int, int, int, int],
    ranker: Ranker,
    readers: Readers,
    count: NDArray[np.int64],
    post: Ids,
    packed_out: Bytes,
    room: Room,
) -> None:
    candidate, content_of, author_of, packed, scores, speaker, features, odds = room
    for a in range(len(agents)):
        u = agents[a]
        found = _gather(
            key, u, tick, graph, ring, rows, trending, flags, memory, wanted,
            speaker, candidate, content_of, author_of, packed,
        )  # fmt: skip
        for i in range(found):
            scores[i] = score(
                ranker, rank_key, u, candidate[i], packed[0, i], packed[1, i], packed[2, i],
                tick, rows, readers, features, odds,
            )  # fmt: skip
        places_in, taken, author = wanted[2], 0, _NONE
        while taken < attention[u]:
            best = _next(scores, candidate, author_of, found, author)
            if best < 0:
                break
            scores[best] = -np.inf
            if packed[0, best] == _IN:
                if places_in == 0:
                    continue
                places_in -= 1
            post[a, taken] = candidate[best]
            for i in range(3):
                packed_out[a, taken, i] = packed[i, best]
            memory[u, memory_at[u]] = content_of[best]
            memory_at[u] = (memory_at[u] + 1) % MEMORY
            if ranker.mode == ENGAGEMENT:
                author = author_of[best]
            taken += 1
        count[a] = taken


@inlined
def _next(
    scores: NDArray[np.float64], candidate: Ids, author_of: Ids, found: int, author: np.uint32
) -> int:
    """Highest score, the newer post among equals; -1 when none is left.

    What else is by `author`, who was shown last, is worth less from here on.
    """
    best, top = -1, -np.inf
    for i in range(found):
        value = scores[i]
        if value == -np.inf:
            continue
        if author_of[i] == author and value > 0:
            value *= _SAME_AUTHOR
            scores[i] = value
        if value > top or (value == top and candidate[i] > candidate[best]):
            best, top = i, value
    return best
