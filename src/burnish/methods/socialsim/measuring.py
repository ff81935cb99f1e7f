"""What a run of a comparison leaves: numbers and short curves, as JSON has them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from burnish.methods.socialsim.cascade_trees import cascades
from burnish.methods.socialsim.columns import column, rows_of
from burnish.methods.socialsim.loop import Run
from burnish.methods.socialsim.outcome_metrics import NEEDED, PEOPLE, outcomes
from burnish.methods.socialsim.schema import NO_CLAIM, PostKind, Veracity
from burnish.methods.socialsim.stylised_facts import facts

LATE = 15
"""Hours after a post, after which reposts count as late."""
_FALSE = int(Veracity.FALSE)
_BINS = 24  # points of a distribution's curve

Counts = NDArray[np.integer]


def measured(run: Run, *, falsity: float) -> dict[str, Any]:
    """Outcomes, reposts by age, the growth of reach and the stylised facts of a run.

    Args:
        run: finished.
        falsity: factor by which falsity raised the odds of sharing in it.
    """
    world = run.simulation.world
    tables = {name: run.table(name) for name in NEEDED}
    every = cascades(tables["posts"])
    found = facts(every, run.state.graph.followers, falsity_factor=falsity)
    stories = every.where(every.kind == PostKind.POST)
    return {
        "outcomes": _plain(
            outcomes(
                tables,
                claims_true=[claim.true for claim in world.claims],
                sampling=world.feed.sampling,
            )
        ),
        "sharers": int(sharers_by_tick(run)[-1]),
        "late_reposts": int(np.count_nonzero(repost_ages(tables["posts"]) > LATE)),
        "reach": reach_by_tick(tables, run.ticks).tolist(),
        "facts": _plain({fact.name: fact.value for fact in found}),
        "holds": {fact.name: fact.holds for fact in found},
        "sizes": {
            kind: _survival(stories.size[stories.veracity == int(veracity)])
            for kind, veracity in (("true", Veracity.TRUE), ("false", Veracity.FALSE))
        },
        "exposures": run.exposures,
        "warnings": list(run.warnings),
    }


def repost_ages(posts: pa.Table) -> Counts:
    """Ticks from the first post to each repost of a tracked false claim: (n,)."""
    kind, root = column(posts, "kind"), column(posts, "root")
    tick = column(posts, "tick").astype(np.int64)
    shared = kind == PostKind.REPOST
    shared &= (column(posts, "claim") != NO_CLAIM) & (column(posts, "veracity") == _FALSE)
    first = rows_of(column(posts, "post"), root[shared])
    ages: Counts = tick[shared] - tick[first]
    return ages


def reach_by_tick(tables: Mapping[str, pa.Table], ticks: int) -> NDArray[np.float64]:
    """Share of people, in percent, that a tracked false claim has reached by the end of each tick.

    Args:
        tables: agents, posts and exposures.
        ticks: of the run; the result is (ticks,).
    """
    agents, posts, exposures = tables["agents"], tables["posts"], tables["exposures"]
    people = np.isin(column(agents, "role"), [int(role) for role in PEOPLE])
    row = rows_of(column(posts, "post"), column(exposures, "post"))
    false = (column(posts, "claim")[row] != NO_CLAIM) & (column(posts, "veracity")[row] == _FALSE)
    who, tick = column(exposures, "agent")[false], column(exposures, "tick")[false]
    first = np.full(len(people), ticks, np.int64)
    np.minimum.at(first, who, tick)
    reached = np.bincount(first[people], minlength=ticks + 1)[:ticks]
    return np.asarray(100 * np.cumsum(reached) / max(1, int(people.sum())))


def sharers_by_tick(run: Run) -> Counts:
    """Accounts that have posted or passed on a tracked false claim by the end of each tick."""
    posts = run.table("posts")
    false = (column(posts, "claim") != NO_CLAIM) & (column(posts, "veracity") == _FALSE)
    false &= column(posts, "kind") != PostKind.REPLY
    author, tick = column(posts, "author")[false], column(posts, "tick")[false]
    first = np.full(len(run.state.agents), run.ticks, np.int64)
    np.minimum.at(first, author, tick)
    shared: Counts = np.cumsum(np.bincount(first, minlength=run.ticks + 1)[: run.ticks])
    return shared


def _survival(sizes: Counts) -> list[list[float]]:
    """Sizes, and the share of cascades at least that large, at most 24 points."""
    if not len(sizes):
        return []
    ordered = np.sort(sizes)
    at = np.unique(np.geomspace(1, ordered[-1], _BINS).round().astype(np.int64))
    share = 1 - np.searchsorted(ordered, at, side="left") / len(ordered)
    return [[float(size), float(part)] for size, part in zip(at, share, strict=True)]


def _plain(values: Mapping[str, float]) -> dict[str, float | None]:
    """JSON has no NaN."""
    return {name: None if math.isnan(value) else float(value) for name, value in values.items()}
