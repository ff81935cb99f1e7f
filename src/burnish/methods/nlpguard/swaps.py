"""Counterfactual texts: protected words swapped for others of their kind, the rest left alone.

Gendered words have a counterpart each; the others are drawn from a group whose terms may stand for
each other, say nationality adjectives. So a swap never leaves its category.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from burnish.errors import UsageError
from burnish.methods.nlpguard.annotation import key
from burnish.methods.nlpguard.ledger import applied
from burnish.methods.nlpguard.matching import Match, Matcher
from burnish.methods.nlpguard.moderating import Change
from burnish.methods.nlpguard.strategies.replacement import cased

# the pronouns of one sex that do two jobs of the other: before a word "her" is "his", else "him"
_BEFORE_A_WORD = {"her": "his", "his": "her"}
_ELSE = {"her": "him", "his": "hers"}
_NO_NOUN = (
    "a an the this that these those and or but if because when while as than to in on at of for "
    "from with by about into over after before again there then so too very is was are were be "
    "has had have will would can could should must not yesterday today tomorrow tonight now here "
    "once twice often never always also soon who which how what where why"
)
_OF_NAMES = ("race", "religion and belief")  # categories whose words are mostly names
_NO_POSSESSION = re.compile(
    rf"(?!\s+[^\W_])|\s+(?:{'|'.join(_NO_NOUN.split())})(?!\w)", re.IGNORECASE
)


class Counterparts(Protocol):
    """A lexicon, as far as swapping goes."""

    @property
    def pairs(self) -> Mapping[str, str]:
        """Gendered words and their counterparts."""
        ...

    @property
    def groups(self) -> Mapping[str, Sequence[str]]:
        """Words that may be drawn for each other, by the name of the group."""
        ...

    @property
    def group_of(self) -> Mapping[str, str]:
        """The group of each word, those included that may not be drawn."""
        ...


class Swaps:
    """Which words may stand for which.

    Args:
        pairs: a gendered word and its counterpart; what is missing is taken to hold both ways.
        groups: by name, words that may be drawn; those in a pair never are.
        group_of: the group that a word outside all groups draws from, such as one of several
            meanings, which nothing should be swapped for.

    Raises:
        UsageError: a word is paired with itself.
    """

    def __init__(
        self,
        pairs: Mapping[str, str],
        groups: Mapping[str, Sequence[str]],
        group_of: Mapping[str, str] | None = None,
    ) -> None:
        self._pairs: dict[str, str] = {}
        for one, other in pairs.items():
            if key(one) == key(other):
                raise UsageError(f"a word and its counterpart differ, got {one!r} twice")
            self._pairs[key(one)] = other
        for one, other in pairs.items():
            self._pairs.setdefault(key(other), one)
        drawn = {
            name: tuple(dict.fromkeys(word for word in words if key(word) not in self._pairs))
            for name, words in groups.items()
        }
        members = {word: name for name, words in drawn.items() for word in words}
        self._groups: dict[str, tuple[str, ...]] = {}
        for word, name in {**(group_of or {}), **members}.items():
            others = tuple(each for each in drawn.get(name, ()) if key(each) != key(word))
            if others:
                self._groups[key(word)] = others

    @classmethod
    def of_lexicon(cls, lexicon: Counterparts) -> Swaps:
        """The pairs and groups of a lexicon."""
        return cls(lexicon.pairs, lexicon.groups, lexicon.group_of)

    def __contains__(self, word: str) -> bool:
        return key(word) in self._pairs or key(word) in self._groups

    def changes(
        self, text: str, matches: Sequence[Match], draw: np.random.Generator
    ) -> list[Change]:
        """Swap what can be swapped; a word that comes twice is swapped alike."""
        drawn: dict[str, str] = {}
        found: list[Change] = []
        for match in matches:
            old = text[match.start : match.end]
            new = self._counterpart(key(old), text, match.end) or self._drawn(key(old), drawn, draw)
            if new is not None:
                new = cased(old, new, name=match.category in _OF_NAMES)
                found.append(Change(match.start, match.end, new, match.term, match.category))
        return found

    def _counterpart(self, name: str, text: str, end: int) -> str | None:
        other = self._pairs.get(name)
        if other is not None and name in _ELSE and not text.startswith(("'", "\u2019"), end):
            stands_alone = _NO_POSSESSION.match(text, end)
            return (_ELSE if stands_alone else _BEFORE_A_WORD)[name]
        return other

    def _drawn(self, name: str, drawn: dict[str, str], draw: np.random.Generator) -> str | None:
        others = self._groups.get(name)
        if others is None:
            return None
        if name not in drawn:
            drawn[name] = others[int(draw.integers(len(others)))]
        return drawn[name]


def counterfactuals(
    texts: Sequence[str], matcher: Matcher, swaps: Swaps, *, seed: int = 0
) -> list[str]:
    """The texts with every protected word that has a swap swapped; the others as they are.

    Nothing else is brought in line: an article stays, so "an old man" may become "an young woman".

    Source: counterfactual token fairness, arXiv 1809.10610.
    """
    draw = np.random.default_rng(seed)
    found = zip(texts, matcher.find_all(texts), strict=True)
    return [applied(text, swaps.changes(text, matches, draw)) for text, matches in found]


@dataclass(frozen=True)
class CounterfactualCopies:
    """CDA: the row stays, and swapped copies of it are added.

    Attributes:
        swaps: which words for which.
        copies: at most so many; those that come out equal count once.

    Source: counterfactual data augmentation, as in arXiv 1807.11714, with groups beyond gender.
    """

    swaps: Swaps
    copies: int = 1
    name: str = "cda"
    caution: str = (
        "swapping with originals kept cuts label flips, but hardly the share of protected words "
        "among the most predictive; report both"
    )

    def __post_init__(self) -> None:
        if self.copies < 1:
            raise UsageError(f"copies are at least 1, got {self.copies}")

    def rewrite(
        self, text: str, matches: Sequence[Match], draw: np.random.Generator
    ) -> list[list[Change]]:
        """The text and its copies."""
        return [[], *(self.swaps.changes(text, matches, draw) for _ in range(self.copies))]


@dataclass(frozen=True)
class CounterfactualSubstitution:
    """CDS: the row is swapped with some probability, and nothing is added.

    Attributes:
        swaps: which words for which.
        probability: of a row's being swapped.

    Source: counterfactual data substitution, arXiv 1909.00871.
    """

    swaps: Swaps
    probability: float = 0.5
    name: str = "cds"
    caution: str = (
        "swapping cuts label flips, but hardly the share of protected words among the most "
        "predictive; report both"
    )

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise UsageError(f"probability is from 0 to 1, got {self.probability}")

    def rewrite(
        self, text: str, matches: Sequence[Match], draw: np.random.Generator
    ) -> list[list[Change]]:
        """The text, swapped or not."""
        if draw.random() >= self.probability:
            return [[]]
        return [self.swaps.changes(text, matches, draw)]
