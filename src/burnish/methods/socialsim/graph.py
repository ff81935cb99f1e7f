"""Who follows whom, in compressed rows with room to grow.

Each account has a row of places. An unfollow leaves a hole (`NONE`), a follow takes a free place at
the row's end, and `compacted` clears holes and gives every row new room. A follow that finds no
place waits for the next compaction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from burnish.methods.socialsim.compiled import compiled
from burnish.methods.socialsim.schema import EDGES, NONE

_HOLE = np.uint32(NONE)


@dataclass
class Graph:
    """Followees of n accounts.

    Attributes:
        start: (n + 1,) i64, where each row of places begins.
        length: (n,) i32, places in use, holes included.
        followee: (start[n],) u32.
        birth: (start[n],) u16, tick of the follow.
        followers: (n,) u32, in-degrees.
        waiting: (k, 2) u32, follows that found no place.
    """

    start: NDArray[np.int64]
    length: NDArray[np.int32]
    followee: NDArray[np.uint32]
    birth: NDArray[np.uint16]
    followers: NDArray[np.uint32]
    waiting: NDArray[np.uint32]

    def __len__(self) -> int:
        return len(self.length)

    @classmethod
    def of(cls, follower: NDArray[np.uint32], followee: NDArray[np.uint32], n: int) -> Graph:
        """A graph of (m,) edges; loops and repeats are dropped."""
        start, packed = _packed(follower, followee, n)
        length = _unique_rows(start, packed)
        return _spread(start, length, packed, np.zeros(len(packed), np.uint16))

    def edges(self) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint16]]:
        """Follower, followee and birth of every edge, by row."""
        return _edges(self.start, self.length, self.followee, self.birth)

    def table(self) -> pa.Table:
        """As `schema.EDGES`."""
        return pa.table(list(self.edges()), EDGES)

    def follow(self, who: NDArray[np.uint32], whom: NDArray[np.uint32], tick: int) -> int:
        """Add edges in order; loops and what is there already are passed over.

        Returns:
            How many were added or wait.
        """
        late = np.zeros(len(who), np.bool_)
        added = _follow(
            self.start,
            self.length,
            self.followee,
            self.birth,
            self.followers,
            who,
            whom,
            tick,
            late,
        )
        if late.any():
            more = np.stack([who[late], whom[late]], axis=1)
            self.waiting = np.concatenate([self.waiting, more])
        return int(added)

    def unfollow(self, who: NDArray[np.uint32], whom: NDArray[np.uint32]) -> None:
        """Leave holes where these edges are."""
        _unfollow(self.start, self.length, self.followee, self.followers, who, whom)

    def compacted(self, tick: int) -> Graph:
        """The same graph without holes, with the waiting follows in it and room in every row."""
        self.length = _close_holes(self.start, self.length, self.followee, self.birth)
        extra = np.bincount(self.waiting[:, 0], minlength=len(self)).astype(np.int64)
        graph = _spread(self.start, self.length, self.followee, self.birth, extra)
        graph.follow(self.waiting[:, 0].copy(), self.waiting[:, 1].copy(), tick)
        return graph

    def reversed(self) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
        """Rows of followers: start (n + 1,) i64 and ids (m,) u32."""
        follower, followee, _ = self.edges()
        return _packed(followee, follower, len(self))


def _room(length: NDArray[np.int32]) -> NDArray[np.int64]:
    room: NDArray[np.int64] = length.astype(np.int64) + 2 + length // 8
    return room


def _spread(
    start: NDArray[np.int64],
    length: NDArray[np.int32],
    followee: NDArray[np.uint32],
    birth: NDArray[np.uint16],
    extra: NDArray[np.int64] | int = 0,
) -> Graph:
    n = len(length)
    new_start = np.zeros(n + 1, np.int64)
    np.cumsum(_room(length) + extra, out=new_start[1:])
    places = np.full(new_start[-1], _HOLE, np.uint32)
    births = np.zeros(new_start[-1], np.uint16)
    followers = np.zeros(n, np.uint32)
    _copy_rows(start, length, followee, birth, new_start, places, births, followers)
    return Graph(new_start, length.copy(), places, births, followers, np.zeros((0, 2), np.uint32))


@compiled
def _packed(
    row: NDArray[np.uint32], column: NDArray[np.uint32], n: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    start = np.zeros(n + 1, np.int64)
    for u in row:
        start[u + 1] += 1
    for u in range(n):
        start[u + 1] += start[u]
    place = start[:-1].copy()
    packed = np.empty(len(row), np.uint32)
    for e in range(len(row)):
        packed[place[row[e]]] = column[e]
        place[row[e]] += 1
    return start, packed


@compiled
def _unique_rows(start: NDArray[np.int64], packed: NDArray[np.uint32]) -> NDArray[np.int32]:
    length = np.zeros(len(start) - 1, np.int32)
    for u in range(len(length)):
        row = packed[start[u] : start[u + 1]]
        row.sort()
        kept = 0
        for v in row:
            if v != u and (kept == 0 or row[kept - 1] != v):
                row[kept] = v
                kept += 1
        length[u] = kept
    return length


@compiled
def _copy_rows(
    start: NDArray[np.int64],
    length: NDArray[np.int32],
    followee: NDArray[np.uint32],
    birth: NDArray[np.uint16],
    new_start: NDArray[np.int64],
    places: NDArray[np.uint32],
    births: NDArray[np.uint16],
    followers: NDArray[np.uint32],
) -> None:
    for u in range(len(length)):
        for i in range(length[u]):
            v = followee[start[u] + i]
            places[new_start[u] + i] = v
            births[new_start[u] + i] = birth[start[u] + i]
            followers[v] += np.uint32(1)


@compiled
def _close_holes(
    start: NDArray[np.int64],
    length: NDArray[np.int32],
    followee: NDArray[np.uint32],
    birth: NDArray[np.uint16],
) -> NDArray[np.int32]:
    kept = np.zeros(len(length), np.int32)
    for u in range(len(length)):
        here = start[u]
        for i in range(start[u], start[u] + length[u]):
            if followee[i] != _HOLE:
                followee[here] = followee[i]
                birth[here] = birth[i]
                here += 1
        kept[u] = here - start[u]
    return kept


@compiled
def _edges(
    start: NDArray[np.int64],
    length: NDArray[np.int32],
    followee: NDArray[np.uint32],
    birth: NDArray[np.uint16],
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint16]]:
    total = 0
    for u in range(len(length)):
        for i in range(start[u], start[u] + length[u]):
            total += followee[i] != _HOLE
    who, whom = np.empty(total, np.uint32), np.empty(total, np.uint32)
    when, e = np.empty(total, np.uint16), 0
    for u in range(len(length)):
        for i in range(start[u], start[u] + length[u]):
            if followee[i] != _HOLE:
                who[e], whom[e], when[e] = u, followee[i], birth[i]
                e += 1
    return who, whom, when


@compiled
def _follow(
    start: NDArray[np.int64],
    length: NDArray[np.int32],
    followee: NDArray[np.uint32],
    birth: NDArray[np.uint16],
    followers: NDArray[np.uint32],
    who: NDArray[np.uint32],
    whom: NDArray[np.uint32],
    tick: int,
    late: NDArray[np.bool_],
) -> int:
    added = 0
    for e in range(len(who)):
        u, v = who[e], whom[e]
        known = u == v
        for i in range(start[u], start[u] + length[u]):
            known |= followee[i] == v
        if known:
            continue
        added += 1
        place = start[u] + length[u]
        if place == start[u + 1]:
            late[e] = True
            continue
        followee[place] = v
        birth[place] = tick
        length[u] += 1
        followers[v] += np.uint32(1)
    return added


@compiled
def _unfollow(
    start: NDArray[np.int64],
    length: NDArray[np.int32],
    followee: NDArray[np.uint32],
    followers: NDArray[np.uint32],
    who: NDArray[np.uint32],
    whom: NDArray[np.uint32],
) -> None:
    for e in range(len(who)):
        u, v = who[e], whom[e]
        for i in range(start[u], start[u] + length[u]):
            if followee[i] == v:
                followee[i] = _HOLE
                followers[v] -= np.uint32(1)
