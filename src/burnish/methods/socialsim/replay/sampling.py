"""Which accounts of a run the page shows one by one; the others are told of by community."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from burnish.methods.socialsim.columns import column
from burnish.methods.socialsim.personas import RED
from burnish.methods.socialsim.schema import Flag

_SHARES = {"cascades": 0.4, "red": 0.1, "hubs": 0.1}  # of the nodes; the rest is drawn by community
_CASCADES = 40
_MOST_EDGES = 12_000


def biggest_roots(posts: pa.Table, n: int) -> NDArray[np.uint32]:
    """The roots of the n biggest cascades, by posts, biggest first; ties by id."""
    roots, sizes = np.unique(column(posts, "root"), return_counts=True)
    order = np.lexsort((roots, -sizes))[:n]
    found: NDArray[np.uint32] = roots[order]
    return found


def nodes(
    tables: Mapping[str, pa.Table], most: int, rng: np.random.Generator
) -> NDArray[np.uint32]:
    """Accounts to show, ascending.

    All where they fit. Otherwise core agents, who took part in the biggest cascades, coordinated
    accounts, hubs, and a draw that keeps the sizes of communities in proportion.

    Args:
        tables: of a run; agents, posts and edges are read.
        most: how many.
        rng: of the draws.
    """
    agents = tables["agents"]
    ids = column(agents, "agent")
    if len(ids) <= most:
        return np.sort(ids)
    chosen = np.zeros(len(ids), bool)
    role, flags = column(agents, "role"), column(agents, "flags")
    chosen[np.flatnonzero(flags & Flag.CORE)[:most]] = True
    posts = tables["posts"]
    big = biggest_roots(posts, _CASCADES)
    authors = np.unique(column(posts, "author")[np.isin(column(posts, "root"), big)])
    followers = np.bincount(column(tables["edges"], "followee"), minlength=len(ids))
    red = np.flatnonzero(np.isin(role, [int(own) for own in RED]))
    for name, candidates in (
        ("cascades", rng.permutation(authors)),
        ("red", rng.permutation(red)),
        ("hubs", np.argsort(-followers, kind="stable")),
    ):
        room = min(int(_SHARES[name] * most), most - int(chosen.sum()))
        chosen[candidates[~chosen[candidates]][:room]] = True
    _fill(chosen, column(agents, "community"), most, rng)
    return ids[chosen]


def edges(
    tables: Mapping[str, pa.Table], shown: NDArray[np.uint32], rng: np.random.Generator
) -> NDArray[np.uint16]:
    """Follows among the shown accounts, (m, 2) rows of `shown`; a draw where there are many."""
    follower, followee = (column(tables["edges"], name) for name in ("follower", "followee"))
    row = rows(shown, tables["agents"].num_rows)
    among = np.flatnonzero((row[follower] >= 0) & (row[followee] >= 0))
    if len(among) > _MOST_EDGES:
        among = np.sort(rng.choice(among, _MOST_EDGES, replace=False))
    pairs: NDArray[np.uint16] = np.stack([row[follower[among]], row[followee[among]]], 1).astype(
        np.uint16
    )
    return pairs


def rows(shown: NDArray[np.uint32], agents: int) -> NDArray[np.int64]:
    """(agents,) place of each account among the shown ones, -1 for the others."""
    row = np.full(agents, -1, np.int64)
    row[shown] = np.arange(len(shown))
    return row


def _fill(
    chosen: NDArray[np.bool_],
    community: NDArray[np.integer],
    most: int,
    rng: np.random.Generator,
) -> None:
    """Draw the rest; every community gets its share of what is left, by largest remainders."""
    left = np.flatnonzero(~chosen)
    room = most - int(chosen.sum())
    present, sizes = np.unique(community[left], return_counts=True)
    exact = room * sizes / max(1, sizes.sum())
    counts = np.floor(exact).astype(int)
    counts[np.argsort(counts - exact, kind="stable")[: room - counts.sum()]] += 1
    for own, count in zip(present, counts, strict=True):
        members = left[community[left] == own]
        chosen[rng.permutation(members)[:count]] = True
