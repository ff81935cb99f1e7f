"""MS1 and MS2: take out the sentences or documents that hold protected words, or the words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from burnish.errors import UsageError
from burnish.methods.nlpguard.matching import Match
from burnish.methods.nlpguard.moderating import Change, covering

# a rule and no trained splitter: those at hand took 300 microseconds a text, ten times the rest
_BREAK = re.compile(
    r"(?P<stop>(?<![.!?\u2026])[.!?\u2026]+[\"'\u201d\u2019)\]]*)\s+|\n\s*|(?<=[\u3002\uff01\uff1f])"
)
_SHORT = re.compile(
    r"(?:^|[^\w.])(?:[^\W\d_]|(?:[^\W\d_]\.)+[^\W\d_]|mr|mrs|ms|mx|dr|prof|rev|hon|sr|jr|st|lt|col"
    r"|gen|sgt|capt|gov|sen|rep|pres|no|vs|etc|e\.g|i\.e|cf|ca|approx|inc|ltd|co|jan|feb|mar|apr"
    r"|jun|jul|aug|sept?|oct|nov|dec)\Z",
    re.IGNORECASE,
)
_HYPHEN = "\u2010\u2011-"  # the last, as it goes into a character class
_JOINED = re.compile(rf"[\s\u2012\u2013{_HYPHEN}]*")


@dataclass(frozen=True)
class SentenceRemoval:
    """MS1: drop what holds a protected word.

    Attributes:
        unit: "sentence" drops the sentences that hold one, and the row if none is left;
            "document" the whole row, as the released code does.

    Source: NLPGuard, arXiv 2407.01697, mitigation by sentence removal.
    """

    unit: Literal["sentence", "document"] = "sentence"

    def __post_init__(self) -> None:
        if self.unit not in ("sentence", "document"):
            raise UsageError(f"unit is sentence or document, got {self.unit!r}")

    @property
    def name(self) -> str:
        """As in the ledger."""
        return f"{self.unit}_removal"

    @property
    def caution(self) -> str:
        """For the report."""
        return (
            f"{self.name} collapses where protected words are common: it takes everything else in "
            f"the {self.unit} with them"
        )

    def rewrite(
        self, text: str, matches: Sequence[Match], draw: np.random.Generator
    ) -> list[list[Change]]:
        """The text without the offending sentences; none if nothing is left."""
        if self.unit == "document":
            return []
        changes: list[Change] = []
        kept_to = 0
        for start, end, inside in _by_sentence(text, matches):
            if inside:
                changes += covering(start, end, inside)
            else:
                kept_to = end
        # no white space is left dangling
        kept = len(text[:kept_to].rstrip())
        changes = [each._replace(start=kept) if each.start == kept_to else each for each in changes]
        return [changes] if kept_to else []


def _by_sentence(text: str, matches: Sequence[Match]) -> Iterator[tuple[int, int, Sequence[Match]]]:
    """(start, end, matches in it) of each sentence; a match over two sentences is in both."""
    first = 0
    for start, end in sentences(text):
        while first < len(matches) and matches[first].whole_end <= start:
            first += 1
        last = first
        while last < len(matches) and matches[last].start < end:
            last += 1
        yield start, end, matches[first:last]


def _last_end(changes: Sequence[Change]) -> int:
    return changes[-1].end if changes else 0


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """(start, end) of the sentences of a text, each with the white space behind it.

    One ends at ". ", "! ", "? " or a line break, but not behind an initial or a usual abbreviation,
    nor where the next word has a small letter.
    """
    start = 0
    for found in _BREAK.finditer(text):
        end = found.end()
        if end >= len(text) or end == start:
            continue
        stop = found["stop"]
        if stop and (text[end].islower() or (stop[0] == "." and _shortened(text, found.start()))):
            continue
        yield start, end
        start = end
    if start < len(text):
        yield start, len(text)


def _shortened(text: str, stop: int) -> bool:
    return _SHORT.search(text[max(0, stop - 12) : stop]) is not None


@dataclass(frozen=True)
class WordRemoval:
    """MS2: delete every protected word, and one space or hyphen that joined it to its neighbours.

    The full stop of an abbreviation (Mr., U.S.) goes with it, unless it ends the text.

    Source: NLPGuard, arXiv 2407.01697, mitigation by word removal. Departure: whole words in the
    text as it stands; the released code deletes word pieces of a lower-cased text.
    """

    name: str = "word_removal"
    caution: str = ""

    def rewrite(
        self, text: str, matches: Sequence[Match], draw: np.random.Generator
    ) -> list[list[Change]]:
        """The text without the words."""
        return [removals(text, matches)]


def removals(text: str, matches: Sequence[Match]) -> list[Change]:
    """Changes that delete all the matches, so that what is left reads as if they never were.

    Matches that only spaces or hyphens part go as one stretch.
    """
    changes: list[Change] = []
    for run in _runs(text, matches):
        start, end = _with_joint(text, run[0].start, run[-1].whole_end, _last_end(changes))
        stops = [match.start for match in run[1:]] + [end]
        begins = [start, *stops[:-1]]
        changes += [
            Change(begin, stop, "", match.term, match.category)
            for begin, stop, match in zip(begins, stops, run, strict=True)
        ]
    return changes


def _runs(text: str, matches: Sequence[Match]) -> Iterator[list[Match]]:
    run: list[Match] = []
    for match in matches:
        if run and _JOINED.fullmatch(text, run[-1].whole_end, match.start) is None:
            yield run
            run = []
        run.append(match)
    if run:
        yield run


def _with_joint(text: str, start: int, end: int, floor: int) -> tuple[int, int]:
    """The stretch with what would be left over: a space or hyphen, and an abbreviation's stop.

    Nothing of it lies before `floor`.
    """
    if text[end : end + 1] == "." and text[end + 1 : end + 2].isspace() and _shortened(text, end):
        end += 1
    before, after = text[start - 1 : start] if start > floor else "", text[end : end + 1]
    if after and after in _HYPHEN and text[end + 1 : end + 2].isalnum():
        return start, end + 1
    if before and before in _HYPHEN and text[start - 2 : start - 1].isalnum():
        return start - 1, end
    if before in (" ", "\t", "\u00a0") and before and not after.isalnum():
        return start - 1, end
    if after in (" ", "\t", "\u00a0") and after and not before.isalnum():
        return start, end + 1
    return start, end
