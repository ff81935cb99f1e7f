"""Whether a binary score ranks texts that hold protected words as well as the others.

Sources: Borkan et al. 2019, arXiv 1903.04561 (areas under the curve by subgroup and their power
mean); AIF360 (statistical parity and equal-opportunity difference).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import roc_auc_score

from burnish.errors import UsageError
from burnish.methods.nlpguard.annotation import CATEGORIES

POWER = -5.0


@dataclass(frozen=True)
class Subgroup:
    """One category's texts against those without its words; None where it is undefined.

    Attributes:
        category: of the words.
        texts: how many hold one.
        subgroup_auc: among those texts alone.
        bpsn_auc: their negatives against the others' positives; low if the words push scores up.
        bnsp_auc: their positives against the others' negatives; low if the words push scores down.
        parity_difference: share called positive, minus the others' share.
        opportunity_difference: recall, minus the others' recall.
    """

    category: str
    texts: int
    subgroup_auc: float | None
    bpsn_auc: float | None
    bnsp_auc: float | None
    parity_difference: float | None
    opportunity_difference: float | None


@dataclass(frozen=True)
class Subgroups:
    """All categories, and their power means.

    Attributes:
        overall_auc: of all texts; None where one class is missing.
        rows: one a category.
        power_means: of "subgroup_auc", "bpsn_auc" and "bnsp_auc" over the categories that have
            them, None where none has; bad values weigh most.
    """

    overall_auc: float | None
    rows: tuple[Subgroup, ...]
    power_means: dict[str, float | None]


def subgroups(
    positive: ArrayLike,
    scores: ArrayLike,
    presence: ArrayLike,
    *,
    categories: Sequence[str] = CATEGORIES,
    threshold: float = 0.5,
) -> Subgroups:
    """Areas and differences by category.

    Args:
        positive: (n,) whether a text is of the class that is scored; of several classes take one
            against the rest.
        scores: (n,) its probability.
        presence: (n, K) whether a text holds a word of each category.
        categories: K names.
        threshold: a score of at least this is called positive.

    Raises:
        UsageError: the columns do not pair up, or a score is not finite.
    """
    true, given = np.asarray(positive, bool), np.asarray(scores, np.float64)
    held = np.asarray(presence, bool)
    if true.ndim != 1 or given.shape != true.shape or held.shape != (len(true), len(categories)):
        raise UsageError(
            f"positive (n,), scores (n,) and presence (n, {len(categories)}) pair up, got "
            f"{true.shape}, {given.shape}, {held.shape}"
        )
    if not np.isfinite(given).all():
        raise UsageError("a score is not finite; leave its text out and count it")
    rows = tuple(
        _subgroup(name, true, given, held[:, place], given >= threshold)
        for place, name in enumerate(categories)
    )
    names = ("subgroup_auc", "bpsn_auc", "bnsp_auc")
    values = {
        name: [value for row in rows if (value := getattr(row, name)) is not None] for name in names
    }
    means = {name: power_mean(found) if found else None for name, found in values.items()}
    return Subgroups(_area(true, given, np.ones_like(true)), rows, means)


def power_mean(values: Sequence[float], power: float = POWER) -> float:
    """(mean of m^p)^(1/p); for a negative p, 0 if a value is 0.

    Raises:
        UsageError: no values, a negative one, or a power of 0.
    """
    found = np.asarray(values, np.float64)
    if not len(found) or (found < 0).any() or power == 0:
        raise UsageError(f"a power mean needs values of at least 0 and a power, got {[*values]}")
    if power < 0 and (found == 0).any():
        return 0.0
    return float(np.mean(found**power) ** (1 / power))


def _subgroup(
    name: str,
    true: NDArray[np.bool_],
    scores: NDArray[np.float64],
    held: NDArray[np.bool_],
    called: NDArray[np.bool_],
) -> Subgroup:
    return Subgroup(
        category=name,
        texts=int(held.sum()),
        subgroup_auc=_area(true, scores, held),
        bpsn_auc=_area(true, scores, held & ~true | ~held & true),
        bnsp_auc=_area(true, scores, held & true | ~held & ~true),
        parity_difference=_difference(called, held, ~held),
        opportunity_difference=_difference(called, held & true, ~held & true),
    )


def _area(
    true: NDArray[np.bool_], scores: NDArray[np.float64], rows: NDArray[np.bool_]
) -> float | None:
    if len(np.unique(true[rows])) < 2:
        return None
    return float(roc_auc_score(true[rows], scores[rows]))


def _difference(
    called: NDArray[np.bool_], one: NDArray[np.bool_], other: NDArray[np.bool_]
) -> float | None:
    if not one.any() or not other.any():
        return None
    return float(called[one].mean() - called[other].mean())
