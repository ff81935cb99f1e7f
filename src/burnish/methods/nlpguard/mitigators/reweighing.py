"""Reweighing: rows count so that label and protected attributes are independent."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.errors import UsageError
from burnish.methods.nlpguard.annotation import CATEGORIES, Protected, check_category
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.mitigators.base import Mitigation, SampleWeights
from burnish.methods.nlpguard.rows import Rows


@dataclass(frozen=True)
class Reweighing:
    """Weights P(z) P(y) / P(z, y), where z says of which categories a text holds a word.

    Attributes:
        categories: which of the nine make up z.
        groups: of the rows, where group labels are known; they take the place of z.

    Raises:
        UsageError: no or an unknown category.

    Source: Kamiran and Calders 2012, as in AIF360. Departure: z is the pattern of categories found
    in the text, so nobody need annotate groups.
    """

    categories: tuple[str, ...] = CATEGORIES
    groups: Sequence[Hashable] | None = None
    name: str = "reweighing"

    def __post_init__(self) -> None:
        if not self.categories:
            raise UsageError("reweighing needs a category at least, got none")
        for category in self.categories:
            check_category(category)

    def fit(self, rows: Rows, protected: Protected, matcher: Matcher) -> Mitigation:
        """Weights of the rows.

        Raises:
            UsageError: the groups do not pair up with the rows.
        """
        groups: Sequence[Hashable]
        if self.groups is None:
            columns = [CATEGORIES.index(category) for category in self.categories]
            groups = [tuple(row) for row in matcher.presence(rows.texts)[:, columns].tolist()]
        else:
            groups = self.groups
        weights, missing = independent(groups, rows.labels)
        notes = (f"{missing} pairs of group and label have no row, so weights cannot make them",)
        return Mitigation(weights=SampleWeights(weights, notes if missing else ()))


def independent(
    groups: Sequence[Hashable], labels: Sequence[Any]
) -> tuple[NDArray[np.float64], int]:
    """Weights under which groups and labels are independent, and how many pairs have no row.

    With every pair there, each group and each label weighs in total what it has rows.

    Returns:
        (n,) and a count.

    Raises:
        UsageError: groups and labels do not pair up, or there are none.
    """
    if len(groups) != len(labels) or not len(labels):
        raise UsageError(
            f"groups and labels pair up row by row, got {len(groups)} and {len(labels)}; give one "
            "of each for every row, and at least one row"
        )
    z, y = _coded(groups), _coded(labels)
    table = np.zeros((z.max() + 1, y.max() + 1))
    np.add.at(table, (z, y), 1)
    expected = np.outer(table.sum(1), table.sum(0)) / len(labels)
    return expected[z, y] / table[z, y], int((table == 0).sum())


def _coded(values: Sequence[Hashable]) -> NDArray[np.int64]:
    codes = {value: code for code, value in enumerate(dict.fromkeys(values))}
    return np.array([codes[value] for value in values], dtype=np.int64)
