"""Names without meaning: counters written in base 26, least significant digit first."""

from __future__ import annotations

import string
from collections.abc import Sequence

LOWER = tuple(string.ascii_lowercase)
UPPER = tuple(string.ascii_uppercase)
WORDS = (
    "apple",
    "banana",
    "cafe",
    "dentist",
    "essence",
    "far",
    "groot",
    "halo",
    "idiot",
    "jargon",
    "kangaroo",
    "lamb",
    "monkey",
    "nob",
    "oops",
    "perish",
    "qualify",
    "ravish",
    "salvage",
    "transformer",
    "unique",
    "vigor",
    "wake",
    "X-ray",
    "yogurt",
    "zen",
)


def name(index: int, alphabet: Sequence[str], separator: str = "") -> str:
    """Write `index` >= 0 in base `len(alphabet)`, least significant digit first.

    With the lower-case letters: 0 is "a", 25 "z", 26 "ab", 27 "bb". Source: the release of
    StrucText-Eval (specification, section 2.1).
    """
    base = len(alphabet)
    digits = []
    while True:
        index, digit = divmod(index, base)
        digits.append(alphabet[digit])
        if not index:
            return separator.join(digits)


class Names:
    """The names of one alphabet, in order, written once and looked up ever after."""

    def __init__(self, alphabet: Sequence[str], separator: str = "") -> None:
        self._alphabet = alphabet
        self._separator = separator
        self._table: list[str] = []

    def take(self, start: int, count: int) -> list[str]:
        """Names `start` to `start + count - 1`."""
        stop = start + count
        table = self._table
        if len(table) < stop:
            table.extend(
                name(index, self._alphabet, self._separator)
                for index in range(len(table), 2 * stop)
            )
        return table[start:stop]

    def at(self, index: int) -> str:
        """Name `index`."""
        return self.take(index, 1)[0]


LETTERS = Names(LOWER)
"""Ids, and image files without their extension: a to z."""
KEYS = Names(UPPER[::-1])
"""Attribute names: Z to A."""
VALUES = Names(LOWER[::-1])
"""Attribute values: z to a."""
TAGS = Names(UPPER)
"""XML tags: A to Z."""
PHRASES = Names(WORDS, " ")
"""Bold strings and XML contents: words with spaces."""
_PAIRS = [f"{low} {high}" for high in WORDS for low in WORDS]


def paragraph(index: int) -> str:
    """`name(index, WORDS, " ")`, two digits at a time, for numbers of any size."""
    parts = []
    while index >= len(_PAIRS):
        index, pair = divmod(index, len(_PAIRS))
        parts.append(_PAIRS[pair])
    parts.append(PHRASES.at(index))
    return " ".join(parts)
