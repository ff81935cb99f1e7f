"""What a run came to: one number for each metric, from its tables. Knows no other run.

Names end in their unit. Views of tracked claims are counted exactly; all other views are
multiplied by the inverse of the share that was logged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from burnish.errors import UsageError
from burnish.methods.socialsim.cascade_trees import Cascades, cascades
from burnish.methods.socialsim.columns import column, rows_of
from burnish.methods.socialsim.inequality import gini, top_share
from burnish.methods.socialsim.polarisation import polarisation
from burnish.methods.socialsim.schema import NO_CLAIM, Measure, PostKind, Role, Veracity

Floats = NDArray[np.float64]
NEEDED = ("agents", "posts", "exposures", "beliefs", "moderation")
"""Tables that `outcomes` reads."""
PEOPLE = (Role.BENIGN, Role.VULNERABLE)
_RESTRICTING = (Measure.RATE_LIMIT, Measure.DUPLICATE_LIMIT, Measure.DELAY)
_FALSE, _TRUE = int(Veracity.FALSE), int(Veracity.TRUE)


def outcomes(
    tables: Mapping[str, pa.Table], *, claims_true: Sequence[bool], sampling: float
) -> dict[str, float]:
    """Every metric of one run; NaN for what it has nothing to measure on.

    Args:
        tables: agents, posts, exposures, beliefs and moderation, with the schemas of `TABLES`.
        claims_true: of each tracked claim.
        sampling: share of untracked exposures that was logged, above 0.
    """
    if not 0 < sampling <= 1:
        raise UsageError(f"sampling is a share above 0 and up to 1, got {sampling}")
    agents, posts = tables["agents"], tables["posts"]
    people = np.isin(column(agents, "role"), [int(role) for role in PEOPLE])
    return {
        **_spread(posts),
        **_views(tables["exposures"], posts, agents, people, sampling),
        **_beliefs(tables["beliefs"], agents, people, claims_true),
        **_restricted(tables["moderation"], agents, people),
    }


def _spread(posts: pa.Table) -> dict[str, float]:
    """Cascades and reposts of tracked false claims, and of true stories."""
    kind, veracity = column(posts, "kind"), column(posts, "veracity")
    tracked = column(posts, "claim") != NO_CLAIM
    shared = (kind == PostKind.REPOST) | (kind == PostKind.QUOTE)
    all_of_them = cascades(posts)
    false = all_of_them.where((all_of_them.claim != NO_CLAIM) & (all_of_them.veracity == _FALSE))
    return {
        "false_claim_reposts": float(np.count_nonzero(shared & tracked & (veracity == _FALSE))),
        "true_reposts": float(np.count_nonzero(shared & (veracity == _TRUE))),
        "false_cascade_mean_posts": _mean(false.size),
        "false_cascade_largest_posts": float(np.max(false.size, initial=0)),
        "false_cascade_mean_depth_edges": _mean(false.depth),
        "false_cascade_mean_breadth_posts": _mean(false.breadth),
        "false_cascade_mean_virality_edges": _virality(false),
        "posts": float(posts.num_rows),
    }


def _views(
    exposures: pa.Table,
    posts: pa.Table,
    agents: pa.Table,
    people: NDArray[np.bool_],
    sampling: float,
) -> dict[str, float]:
    """Reach and views; people are benign and vulnerable accounts."""
    who = rows_of(column(agents, "agent"), column(exposures, "agent"))
    row = rows_of(column(posts, "post"), column(exposures, "post"))
    known = (who >= 0) & (row >= 0)
    who, row = who[known], row[known]
    is_person = people[who]
    tracked = column(posts, "claim")[row] != NO_CLAIM
    veracity = column(posts, "veracity")[row]
    weight = np.where(tracked, 1.0, 1.0 / sampling)
    reached = np.unique(who[is_person & tracked & (veracity == _FALSE)])
    count = max(int(people.sum()), 1)
    per_author = np.bincount(
        rows_of(column(agents, "agent"), column(posts, "author")[row]) + 1,
        weights=weight,
        minlength=len(people) + 1,
    )[1:]
    return {
        "false_claim_reach_percent": 100 * len(reached) / count,
        "false_claim_views": float(np.count_nonzero(tracked & (veracity == _FALSE) & is_person)),
        "true_views": float(weight[is_person & (veracity == _TRUE)].sum()),
        "views": float(weight[is_person].sum()),
        "exposure_gini": gini(per_author) if len(per_author) else float("nan"),
        "exposure_top_percent": 100 * top_share(per_author) if len(per_author) else float("nan"),
    }


def _beliefs(
    beliefs: pa.Table,
    agents: pa.Table,
    people: NDArray[np.bool_],
    claims_true: Sequence[bool],
) -> dict[str, float]:
    """Shift of belief in false claims from the first snapshot to the last, and polarisation."""
    role = column(agents, "role")
    first, last = _snapshots(beliefs, column(agents, "agent"), len(claims_true))
    false = ~np.asarray(claims_true, np.bool_)
    shift = _row_means((last - first)[:, false])
    groups = {"people": people, **{r.name.lower(): role == r for r in PEOPLE}}
    spread = [
        polarisation(values[np.isfinite(values)])
        for values in last[:, false].T
        if np.isfinite(values).any()
    ]
    return {
        **{f"belief_shift_{name}": _mean(shift[chosen]) for name, chosen in groups.items()},
        "belief_false": _mean(_row_means(last[:, false])[people]),
        "belief_variance": _mean(np.array([one.variance for one in spread])),
        "belief_bimodality": _mean(np.array([one.bimodality for one in spread])),
        "belief_esteban_ray": _mean(np.array([one.esteban_ray for one in spread])),
    }


def _snapshots(beliefs: pa.Table, ids: NDArray[np.integer], claims: int) -> tuple[Floats, Floats]:
    """First and last beliefs, (agents, claims) each; NaN where there is none."""
    tick, claim = column(beliefs, "tick"), column(beliefs, "claim")
    rows, value = rows_of(ids, column(beliefs, "agent")), column(beliefs, "belief")
    ends = []
    for end in (tick.min(), tick.max()) if len(tick) else (0, 0):
        dense = np.full((len(ids), claims), np.nan)
        chosen = (tick == end) & (rows >= 0) & (claim >= 0) & (claim < claims)
        dense[rows[chosen], claim[chosen]] = value[chosen]
        ends.append(dense)
    return ends[0], ends[1]


def _restricted(
    moderation: pa.Table, agents: pa.Table, people: NDArray[np.bool_]
) -> dict[str, float]:
    """Collateral among people, and assets that were stopped: accounts, each counted once."""
    measure = column(moderation, "measure")
    assets = np.isin(column(agents, "role"), [Role.TROLL, Role.BOT, Role.OPERATOR])

    def touched(*measures: Measure) -> NDArray[np.bool_]:
        rows = np.isin(measure, [int(one) for one in measures])
        who = rows_of(column(agents, "agent"), column(moderation, "agent")[rows])
        found = np.zeros(len(people), np.bool_)
        found[who[who >= 0]] = True
        return found

    suspended = touched(Measure.SUSPEND)
    restricted = suspended | touched(*_RESTRICTING)
    return {
        "people_restricted": float(np.count_nonzero(restricted & people)),
        "people_restricted_percent": 100 * _mean(restricted[people]),
        "people_suspended_percent": 100 * _mean(suspended[people]),
        "assets_restricted_percent": 100 * _mean(restricted[assets]),
    }


def _virality(chosen: Cascades) -> float:
    return _mean(chosen.virality[chosen.size > 1])


def _row_means(values: Floats) -> Floats:
    """Mean of each row over what is finite; NaN where nothing is."""
    finite = np.isfinite(values)
    count = finite.sum(axis=1)
    total = np.where(finite, values, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _mean(values: NDArray[np.number] | NDArray[np.bool_]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")
