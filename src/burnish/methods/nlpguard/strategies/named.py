"""The moderator's strategies by name, put together from what is at hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from burnish.errors import UsageError, nearest
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.moderating import Strategy
from burnish.methods.nlpguard.strategies.removal import SentenceRemoval, WordRemoval
from burnish.methods.nlpguard.strategies.replacement import (
    Allowed,
    Climber,
    Hypernym,
    Masking,
    Neighbours,
    WordReplacement,
    WordVariants,
    anything,
    unprotected,
)
from burnish.methods.nlpguard.swaps import (
    CounterfactualCopies,
    CounterfactualSubstitution,
    Swaps,
)

Part = TypeVar("Part")


@dataclass(frozen=True, kw_only=True)
class Means:
    """What strategies are made from; a part may be None if no strategy that needs it is named.

    Attributes:
        matcher: finds every word the identifier knows, and those protected beyond it:
            `Matcher({**lexicon.terms, **protected})`.
        neighbours: of words, for MS3 and MS4.
        wordnet: for MS5.
        swaps: for CDA and CDS.
        k: neighbours of MS3, and neighbours and variants of MS4.
        strict: take no candidate that is protected itself, and keep no original. Off, both are as
            in the released code.
    """

    matcher: Matcher
    neighbours: Neighbours | None = None
    wordnet: Climber | None = None
    swaps: Swaps | None = None
    k: int = 5
    strict: bool = True

    @property
    def allowed(self) -> Allowed:
        """The filter of candidates."""
        return unprotected(self.matcher) if self.strict else anything


def _neighbours(means: Means) -> Neighbours:
    return _there(means.neighbours, "neighbours, from a table of word vectors")


def _wordnet(means: Means) -> Climber:
    return _there(means.wordnet, "wordnet, a folder of WordNet's data files")


def _swaps(means: Means) -> Swaps:
    return _there(means.swaps, "swaps, from a lexicon")


def _there(part: Part | None, what: str) -> Part:
    if part is None:
        raise UsageError(f"this strategy needs {what}; give it, or name another strategy")
    return part


STRATEGIES: Mapping[str, Callable[[Means], Strategy]] = {
    "document_removal": lambda means: SentenceRemoval("document"),
    "sentence_removal": lambda means: SentenceRemoval("sentence"),
    "word_removal": lambda means: WordRemoval(),
    "word_replacement": lambda means: WordReplacement(_neighbours(means), means.k, means.allowed),
    "word_variants": lambda means: WordVariants(
        _neighbours(means), means.k, means.allowed, keep_original=not means.strict
    ),
    "hypernym": lambda means: Hypernym(_wordnet(means), unprotected(means.matcher)),
    "mask": lambda means: Masking(),
    "cda": lambda means: CounterfactualCopies(_swaps(means)),
    "cds": lambda means: CounterfactualSubstitution(_swaps(means)),
}


def strategy(name: str, means: Means) -> Strategy:
    """The strategy of that name; MS1 to MS5 are the first six, MS1 in its two units.

    Raises:
        UsageError: there is none, or it needs a part that is not there.
    """
    if name not in STRATEGIES:
        raise UsageError(f"{name!r} is no strategy; {nearest(name, STRATEGIES)}")
    return STRATEGIES[name](means)
