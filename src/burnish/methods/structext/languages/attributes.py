"""The attributes of JSON and YAML objects and of XML elements."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from burnish.methods.structext.draws import Draws
from burnish.methods.structext.names import KEYS, VALUES
from burnish.methods.structext.sample import Difficulty, Profile

_NOT_STRINGS = frozenset({"y", "n", "on", "no", "yes", "off", "true", "false", "null"})
"""Bare words that YAML reads as something else."""


class Attributes(NamedTuple):
    """The attributes of a whole document, in order.

    Attributes:
        bounds: (nodes + 1,) node i has attributes `bounds[i]` to `bounds[i + 1] - 1`.
        keys: one a pair.
        values: one a pair.
    """

    bounds: list[int]
    keys: list[str]
    values: list[str]

    def owner(self, pair: int) -> int:
        """The node that has attribute `pair`."""
        return bisect_right(self.bounds, pair) - 1


def draw_attributes(
    draws: Draws, size: Difficulty, nodes: int, ids: Sequence[str], profile: Profile
) -> Attributes:
    """U{1..int(depth * columns)} attributes a node; every key and every value is unique.

    In the corrected profile no value is also an id, or a word that YAML does not read as a string
    (D7).
    """
    counts = draws.many(int(size.depth * size.columns), nodes)
    bounds = [0, *accumulate([count + 1 for count in counts])]
    total = bounds[-1]
    start = draws.below(26)
    if profile == "official":
        return Attributes(bounds, KEYS.take(0, total), VALUES.take(start, total))
    avoided = _NOT_STRINGS.union(ids)
    spare = VALUES.take(start, total + len(avoided))
    values = [value for value in spare if value not in avoided][:total]
    return Attributes(bounds, KEYS.take(0, total), values)
