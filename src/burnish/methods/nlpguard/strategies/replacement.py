"""MS3, MS4 and MS5, and the mask: put something else where a protected word stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from burnish.errors import UsageError
from burnish.methods.nlpguard.annotation import key
from burnish.methods.nlpguard.matching import Match, Matcher
from burnish.methods.nlpguard.moderating import Change
from burnish.methods.nlpguard.strategies.removal import removals

Allowed = Callable[[str], bool]
_OPENING = re.compile(r"(?:\A|[.!?\u2026\n])[^\w]*\Z")  # where a capital says nothing
_WORD = re.compile(r"(?<![^\W_]['\u2019])[^\W_]+")  # the s of "woman's" is part of a word
_SMALL = frozenset({"of", "the", "and"})  # in names too
_NEIGHBOURS = (
    "neighbours bring in words that the text never had, some of them stereotypes of the word they "
    "replace; read them in the ledger"
)


class Neighbours(Protocol):
    """Where words near a word come from."""

    def near(self, word: str, k: int, allowed: Allowed) -> Sequence[str]:
        """The k nearest allowed words, nearest first.

        Fewer if there are no more, none if the word is not known.
        """
        ...


class Climber(Protocol):
    """Where more general words come from."""

    def climb(self, word: str, allowed: Allowed) -> str | None:
        """The nearest allowed word above a word; None if there is none."""
        ...


def anything(word: str) -> bool:
    """The filter that lets every candidate pass."""
    return True


def unprotected(*matchers: Matcher) -> Allowed:
    """The filter that lets a candidate pass in which none of the matchers finds a term."""

    def allowed(word: str) -> bool:
        return not any(matcher.find(word) for matcher in matchers)

    return allowed


class _Synonyms:
    """The k nearest allowed words of each word, looked up once."""

    def __init__(self, neighbours: Neighbours, k: int, allowed: Allowed) -> None:
        if k < 1:
            raise UsageError(f"k counts neighbours and is at least 1, got {k}")
        self._neighbours, self._k, self._allowed = neighbours, k, allowed
        self._known: dict[str, Sequence[str]] = {}

    def of(self, word: str) -> Sequence[str]:
        """Nearest first; none where the word is unknown or has no allowed neighbour."""
        name = key(word)
        if name not in self._known:
            self._known[name] = self._neighbours.near(name, self._k, self._allowed)
        return self._known[name]


@dataclass(frozen=True)
class WordReplacement:
    """MS3: each protected word becomes one of its k nearest neighbours, drawn at random.

    A word without an allowed neighbour is removed, as in `WordRemoval`.

    Attributes:
        neighbours: of words.
        k: how many of them to draw from.
        allowed: which neighbours may be taken; `unprotected(matcher)` keeps to those that are no
            protected words themselves, `anything` is what the released code does.

    Source: NLPGuard, arXiv 2407.01697, replacement by a synonym (k = 5). Departure: the filter.
    """

    neighbours: Neighbours
    k: int = 5
    allowed: Allowed = anything
    name: str = "word_replacement"
    caution: str = _NEIGHBOURS
    _synonyms: _Synonyms = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_synonyms", _Synonyms(self.neighbours, self.k, self.allowed))

    def rewrite(
        self, text: str, matches: Sequence[Match], draw: np.random.Generator
    ) -> list[list[Change]]:
        """One text."""

        def new(match: Match) -> str | None:
            old = text[match.start : match.end]
            near = self._synonyms.of(old)
            return cased(old, near[int(draw.integers(len(near)))]) if near else None

        return [replaced(text, matches, [new(match) for match in matches])]


@dataclass(frozen=True)
class WordVariants:
    """MS4: k texts, in the i-th of which each protected word is its i-th nearest neighbour.

    A word with fewer neighbours goes round among them; one without is removed.

    Attributes:
        neighbours: of words.
        k: how many texts, and how many neighbours are looked up.
        allowed: as in `WordReplacement`.
        keep_original: the row itself stays too, and with it all its protected words.

    Source: NLPGuard, arXiv 2407.01697, replacement by k synonyms (k = 5, original kept).
    Departures: the filter, and variants that differ by construction instead of by chance.
    """

    neighbours: Neighbours
    k: int = 5
    allowed: Allowed = anything
    keep_original: bool = False
    name: str = "word_variants"
    _synonyms: _Synonyms = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_synonyms", _Synonyms(self.neighbours, self.k, self.allowed))

    @property
    def caution(self) -> str:
        """For the report."""
        if self.keep_original:
            return (
                "the kept originals leave every protected word in the data: swapping cuts label "
                "flips, hardly the share of protected words; report both"
            )
        return _NEIGHBOURS

    def rewrite(
        self, text: str, matches: Sequence[Match], draw: np.random.Generator
    ) -> list[list[Change]]:
        """Up to k texts, after the original if it is kept."""
        olds = [text[match.start : match.end] for match in matches]
        near = [[cased(old, word) for word in self._synonyms.of(old)] for old in olds]
        count = min(self.k, max([1, *map(len, near)]))
        variants: list[list[Change]] = [[]] if self.keep_original else []
        gone = _unfilled(text, matches, near)  # the same every time
        for turn in range(count):
            words = [each[turn % len(each)] if each else None for each in near]
            variants.append(_filled(matches, words, gone))
        return variants


@dataclass(frozen=True)
class Hypernym:
    """MS5: each protected word becomes a more general one that is not protected.

    A word that has none is removed.

    Attributes:
        wordnet: says what is more general.
        allowed: which words may be taken.

    Source: NLPGuard, arXiv 2407.01697, in whose released code this strategy stands but cannot be
    called. Departure: climbs on while the hypernym is itself protected.
    """

    wordnet: Climber
    allowed: Allowed = anything
    name: str = "hypernym"
    caution: str = "hypernyms are singular and some are rare words; compare the top lists"
    _known: dict[str, str | None] = field(default_factory=dict, init=False, repr=False)

    def rewrite(
        self, text: str, matches: Sequence[Match], draw: np.random.Generator
    ) -> list[list[Change]]:
        """One text."""
        return [replaced(text, matches, [self._above(text, match) for match in matches])]

    def _above(self, text: str, match: Match) -> str | None:
        old = text[match.start : match.end]
        word = key(old)
        if word not in self._known:
            self._known[word] = self.wordnet.climb(word, self.allowed)
        above = self._known[word]
        # the capital of a name is not one of what the name stands for
        opens = _OPENING.search(text, max(0, match.start - 40), match.start) is not None
        return cased(old, above) if above and (opens or old.isupper()) else above


@dataclass(frozen=True)
class Masking:
    """Every protected word becomes one and the same token."""

    token: str = "[MASK]"  # noqa: S105
    name: str = "mask"
    caution: str = "the mask becomes a feature itself: it marks the texts that held such words"

    def __post_init__(self) -> None:
        if not self.token.strip():
            raise UsageError("the mask token is not empty; use word removal to delete words")

    def rewrite(
        self, text: str, matches: Sequence[Match], draw: np.random.Generator
    ) -> list[list[Change]]:
        """One text."""
        return [[Change(m.start, m.end, self.token, m.term, m.category) for m in matches]]


def replaced(text: str, matches: Sequence[Match], new: Sequence[str | None]) -> list[Change]:
    """Changes that put new words; a match without one is removed."""
    return _filled(matches, new, _unfilled(text, matches, new))


def _unfilled(
    text: str, matches: Sequence[Match], new: Sequence[str | Sequence[str] | None]
) -> list[Change]:
    """Removals of the matches for which there is nothing."""
    return removals(text, [match for match, word in zip(matches, new, strict=True) if not word])


def _filled(
    matches: Sequence[Match], new: Sequence[str | None], gone: Sequence[Change]
) -> list[Change]:
    changes = [
        Change(match.start, match.end, word, match.term, match.category)
        for match, word in zip(matches, new, strict=True)
        if word
    ]
    return sorted([*changes, *gone]) if gone else changes


def cased(old: str, new: str, *, name: bool = False) -> str:
    """The new word in capitals, or with a capital, if the old one was so.

    Of a phrase every word has a capital if all of the old phrase had one ("Sri Lankan"), or if the
    new one is a `name` ("south african" for "French").
    """
    if old.isupper() and len(old) > 1:
        return new.upper()
    words = _WORD.findall(old)
    if (name and old[:1].isupper()) or (len(words) > 1 and all(w[0].isupper() for w in words)):
        return _WORD.sub(_capital, new)
    return new[:1].upper() + new[1:] if old[:1].isupper() else new


def _capital(word: re.Match[str]) -> str:
    small = word[0] in _SMALL and word.start() > 0
    return word[0] if small else word[0][:1].upper() + word[0][1:]
