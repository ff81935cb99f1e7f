"""Cascades of a run: what became of each post. Reads the table of posts, and no simulation.

A cascade is a post and the tree of reposts and quotes under it. A reply starts a cascade of its
own: answering is not passing on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from burnish.errors import DataError, UsageError
from burnish.methods.socialsim.columns import column, rows_of
from burnish.methods.socialsim.schema import PostKind
from burnish.methods.socialsim.virality import Forest, structural_virality

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cascades:
    """One entry a cascade, in order of its post.

    Attributes:
        post: (k,) id of the first post.
        author: (k,) who wrote it.
        tick: (k,) when.
        kind: (k,) `PostKind`: POST or REPLY.
        claim: (k,) index, or NO_CLAIM.
        veracity: (k,) `Veracity`.
        size: (k,) posts, the first included.
        depth: (k,) of the deepest reshare; 0 without one.
        breadth: (k,) most posts at one depth.
        virality: (k,) mean distance in the tree; NaN at size 1.
    """

    post: NDArray[Any]
    author: NDArray[Any]
    tick: NDArray[Any]
    kind: NDArray[Any]
    claim: NDArray[Any]
    veracity: NDArray[Any]
    size: Ints
    depth: Ints
    breadth: Ints
    virality: Floats

    def __len__(self) -> int:
        return len(self.post)

    def where(self, chosen: NDArray[np.bool_]) -> Cascades:
        """Some of them: `chosen` is (k,)."""
        return Cascades(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    @classmethod
    def joined(cls, parts: Sequence[Cascades]) -> Cascades:
        """Those of several runs; post ids are no longer unique."""
        return cls(
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in cls.__dataclass_fields__
            )
        )


@dataclass(frozen=True)
class Reproduction:
    """How many direct reshares a reshare gets, by the tick in which it is made.

    Attributes:
        mean: (ticks,), NaN where nobody reshared.
        count: (ticks,) reshares that the mean is over.
    """

    mean: Floats
    count: Ints


def reshare_forest(posts: pa.Table) -> Forest:
    """The trees of reposts and quotes over the rows of a table of posts, ordered by id.

    Raises:
        DataError: a reshare's parent is not in the table, or comes after it.
    """
    ids, kind = column(posts, "post"), column(posts, "kind")
    if len(ids) > 1 and not np.all(ids[1:] > ids[:-1]):
        raise DataError("the table of posts is not in order of its ids; sort it by `post`")
    shared = np.flatnonzero((kind == PostKind.REPOST) | (kind == PostKind.QUOTE))
    parent = np.full(len(ids), -1, np.int64)
    parent[shared] = rows_of(ids, column(posts, "parent")[shared])
    if np.any(orphans := parent[shared] < 0):
        first = ids[shared[int(np.argmax(orphans))]]
        raise DataError(
            f"{int(orphans.sum())} reshares have a parent outside the table, first post {first}; "
            "read the posts of the whole run"
        )
    return Forest.of(parent)


def cascades(posts: pa.Table) -> Cascades:
    """Every cascade of a run. O(n log n) of the reshares, O(n) of the posts.

    Args:
        posts: with schema `POSTS`, in order of their ids.

    Source: Goel et al. 2016 (size, depth, structural virality); Vosoughi et al. 2018, Science
    359:1146 (maximum breadth).
    """
    forest = reshare_forest(posts)
    roots = np.flatnonzero(forest.depth == 0)
    depth, breadth = _deepest_and_widest(forest)
    return Cascades(
        **{
            name: column(posts, name)[roots]
            for name in ("post", "author", "tick", "kind", "claim", "veracity")
        },
        size=forest.sizes[roots],
        depth=depth[roots],
        breadth=breadth[roots],
        virality=structural_virality(forest)[roots],
    )


def reproduction(posts: pa.Table, *, ticks: int) -> Reproduction:
    """R_t: mean direct reshares of the reshares made in each tick.

    Args:
        posts: with schema `POSTS`, in order of their ids.
        ticks: of the run; the last ones are cut off by its end and read low.
    """
    forest = reshare_forest(posts)
    shared = np.flatnonzero(forest.depth)
    children = np.bincount(forest.parent[shared], minlength=len(forest.parent))
    tick = column(posts, "tick")[shared].astype(np.int64)
    if len(tick) and tick.max() >= ticks:
        raise UsageError(f"a post is from tick {tick.max()}, and the run has {ticks} ticks")
    count = np.bincount(tick, minlength=ticks)
    total = np.bincount(tick, weights=children[shared], minlength=ticks)
    return Reproduction(np.divide(total, count, out=np.full(ticks, np.nan), where=count > 0), count)


def ticks_to(posts: pa.Table, size: int) -> Floats:
    """Ticks from each cascade's first post until it has `size` posts.

    Returns:
        (k,) in the order of `cascades`; NaN where it never grew so large.
    """
    if size < 1:
        raise UsageError(f"a cascade has at least 1 post, got a size of {size}")
    forest = reshare_forest(posts)
    tick = column(posts, "tick").astype(np.int64)
    grown = np.flatnonzero(forest.sizes[forest.root] >= size)
    grown = grown[np.argsort(forest.root[grown], kind="stable")]  # ids keep the order of time
    starts = np.flatnonzero(np.diff(forest.root[grown], prepend=-1))
    times = np.full(len(tick), np.nan)
    times[grown[starts]] = tick[grown[starts + size - 1]] - tick[grown[starts]]
    result: Floats = times[forest.depth == 0]
    return result


def reach(exposures: pa.Table, posts: pa.Table, *, claim: int | None = None) -> int:
    """Agents who were shown at least one post, or one about a claim.

    Exact for tracked claims, whose exposures are all logged; without `claim` a lower bound when
    the log is a sample.
    """
    agents = column(exposures, "agent")
    if claim is not None:
        rows = rows_of(column(posts, "post"), column(exposures, "post"))
        about = column(posts, "claim")[np.maximum(rows, 0)] == claim
        agents = agents[about & (rows >= 0)]
    return len(np.unique(agents))


def _deepest_and_widest(forest: Forest) -> tuple[Ints, Ints]:
    """Deepest level and most nodes at one level, at each root."""
    depth = np.zeros(len(forest.root), np.int64)
    breadth = np.ones(len(forest.root), np.int64)
    below = np.flatnonzero(forest.depth)
    if len(below) == 0:
        return depth, breadth
    span = int(forest.depth.max()) + 1
    levels, counts = np.unique(forest.root[below] * span + forest.depth[below], return_counts=True)
    np.maximum.at(depth, levels // span, levels % span)
    np.maximum.at(breadth, levels // span, counts)
    return depth, breadth
