"""The moderator: one pass of one strategy over labelled rows, with a ledger of every edit.

Only rows that hold a protected word are looked at twice; in them, only the stretches that the
strategy names are changed. Everything else goes over byte by byte: no lower case, no re-spacing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from burnish.errors import BurnishError, UsageError
from burnish.methods.nlpguard.annotation import Protected
from burnish.methods.nlpguard.ledger import DROPPED, Edit, Ledger, applied
from burnish.methods.nlpguard.matching import Match, Matcher
from burnish.methods.nlpguard.rows import Rows

MOST_LOST = 0.3  # share of rows that a mitigation may remove unless asked for
_SAYS_SOMETHING = re.compile(r"[^\W_]")


class MitigationError(BurnishError):
    """A mitigation would take a whole class, or too many rows, out of the data."""


class Change(NamedTuple):
    """A stretch of a text, what is to stand there, and the protected term it is done for."""

    start: int
    end: int
    new: str
    word: str
    category: str


class Strategy(Protocol):
    """How a text that holds protected words is rewritten."""

    @property
    def name(self) -> str:
        """What it is called in ledgers and tables."""
        ...

    @property
    def caution(self) -> str:
        """What is known to go wrong with it, for the report; empty if nothing is."""
        ...

    def rewrite(
        self, text: str, matches: Sequence[Match], draw: np.random.Generator
    ) -> Sequence[Sequence[Change]]:
        """The texts that come in this one's place, each as its changes, disjoint and in order.

        No changes are the text itself. No texts mean that the row is dropped.

        Args:
            text: holds at least one protected word.
            matches: all of them, from left to right.
            draw: for whatever is drawn at random.
        """
        ...


@dataclass(frozen=True)
class MitigatedData:
    """Rows after a mitigation, of the kind that came in, which is as it was.

    Attributes:
        data: the rows.
        ledger: replays `data` from the rows before.
        rows_before, rows_after: how many there are.
        changed: rows of the data before that were edited, copied or dropped.
        lost: rows of the data before of which nothing is left.
        notes: what a reader of the results should know, a line each.
    """

    data: Any
    ledger: Ledger
    rows_before: int
    rows_after: int
    changed: int
    lost: int
    notes: tuple[str, ...]


def moderate(
    data: Any,
    protected: Protected | Mapping[Any, Protected],
    strategy: Strategy,
    *,
    text: str = "text",
    label: str = "label",
    seed: int = 0,
    allow_loss: bool = False,
) -> MitigatedData:
    """Rewrite the rows that hold protected words.

    Args:
        data: dicts in any iterable, a pandas DataFrame, a `datasets.Dataset`, or `Rows`, which
            have been told their columns; never mutated.
        protected: the words. Or words by label, and then a row is edited only for those of its
            own label, and rows of other labels not at all.
        strategy: what is done with them.
        text: the column of texts.
        label: the column of labels.
        seed: of everything drawn at random.
        allow_loss: whether a class may end empty, and more than 30 % of the rows be lost. A row
            that held letters and is left without any counts as lost.

    Returns:
        The rows and the ledger. A row made equal to another of the same row counts once; a row of
        which no letter is left stays, and is counted in the notes. No protected words leave
        everything as it is.

    Raises:
        UsageError: no rows, words by label that are not `Protected`, or a label no row has.
        DataError: a column is missing or a text is no string.
        MitigationError: too much would be lost.

    Source: NLPGuard, arXiv 2407.01697, moderator. Departures: the ledger, edits in place, and the
    guard on losses.
    """
    rows = Rows.of(data, text=text, label=label)
    ledger = Ledger(len(rows), rows.digest)
    draw = np.random.default_rng(seed)
    sources: list[int] = []
    texts: list[str] = []
    for row, matches in enumerate(_found(rows, protected)):
        old = rows.texts[row]
        if not matches:
            sources.append(row)
            texts.append(old)
            continue
        made = _variants(old, strategy.rewrite(old, matches, draw))
        sources += [row] * len(made)
        texts += made
        ledger.edits += _edits(row, old, matches, made, strategy.name)
    lost = len(rows) - len(set(sources))
    if not allow_loss:
        _check_loss(rows, sources, texts, strategy.name)
    return MitigatedData(
        data=rows.rebuild(sources, texts),
        ledger=ledger,
        rows_before=len(rows),
        rows_after=len(texts),
        changed=ledger.touched,
        lost=lost,
        notes=_notes(strategy, rows, lost, texts),
    )


def _found(rows: Rows, protected: Protected | Mapping[Any, Protected]) -> Iterator[list[Match]]:
    """The matches of each row, in order."""
    if isinstance(protected, Protected):
        return Matcher(protected).find_all(rows.texts)
    known = set(rows.labels)
    for label, words in protected.items():
        if not isinstance(words, Protected):
            # the words of a string would be its letters
            raise UsageError(
                f"words by label are Protected sets, got a {type(words).__name__} for {label!r}"
            )
        if label not in known:
            there = ", ".join(sorted(map(repr, known)))
            raise UsageError(f"no row has the label {label!r}; there are: {there}")
    matchers = {label: Matcher(words) for label, words in protected.items()}
    return (
        matchers[label].find(text) if label in matchers else []
        for text, label in zip(rows.texts, rows.labels, strict=True)
    )


def _variants(old: str, rewritten: Sequence[Sequence[Change]]) -> dict[str, list[Change]]:
    """Changes by the text they make, without repeated texts; an unchanged one first.

    A copy is told by its edits, so the one that has none must not come last.
    """
    made: dict[str, list[Change]] = {}
    for changes in rewritten:
        real = [each for each in changes if old[each.start : each.end] != each.new]
        new = applied(old, real)
        made.setdefault(new, [] if new == old else real)
    if old in made:
        return {old: made.pop(old), **made}
    return made


def _edits(
    row: int, old: str, matches: Sequence[Match], made: Mapping[str, list[Change]], name: str
) -> Iterator[Edit]:
    if made:
        for copy, changes in enumerate(made.values()):
            for start, end, new, word, category in changes:
                yield Edit(row, start, end, old[start:end], new, word, category, name, copy)
    else:
        for start, end, new, word, category in covering(0, len(old), matches):
            yield Edit(row, start, end, old[start:end], new, word, category, name, DROPPED)


def covering(start: int, end: int, matches: Sequence[Match]) -> list[Change]:
    """Changes that together remove text[start:end]: one for each match in it, in its order."""
    stops = [min(match.whole_end, end) for match in matches[:-1]] + [end]
    begins = [start, *stops[:-1]]
    return [
        Change(begin, stop, "", match.term, match.category)
        for begin, stop, match in zip(begins, stops, matches, strict=True)
    ]


def _check_loss(rows: Rows, sources: Sequence[int], texts: Sequence[str], name: str) -> None:
    spoke = {row for row, text in enumerate(rows.texts) if _SAYS_SOMETHING.search(text)}
    speak = {row for row, text in zip(sources, texts, strict=True) if _SAYS_SOMETHING.search(text)}
    kept = set(sources) - (spoke - speak)
    mute = {*rows.labels} - {rows.labels[row] for row in kept}
    # a class of some rows without letters is emptied too if it loses all its others
    mute |= {rows.labels[row] for row in spoke} - {rows.labels[row] for row in speak}
    if mute:
        raise MitigationError(
            f"{name} would leave no row of the class {', '.join(sorted(map(repr, mute)))} with a "
            "word in it; protect fewer words, take a strategy that keeps rows, or set "
            "allow_loss=True"
        )
    if (lost := len(rows) - len(kept)) > MOST_LOST * len(rows):
        raise MitigationError(
            f"{name} would remove or empty {lost} of {len(rows)} rows, and {MOST_LOST:.0%} are "
            "allowed; protect fewer words, take a strategy that keeps rows, or set allow_loss=True"
        )


def _notes(strategy: Strategy, rows: Rows, lost: int, texts: Sequence[str]) -> tuple[str, ...]:
    before, after = len(rows), len(texts)
    bare = [sum(not _SAYS_SOMETHING.search(text) for text in each) for each in (rows.texts, texts)]
    notes = [strategy.caution] if strategy.caution else []
    if lost:
        notes.append(f"{lost} of {before} rows ({100 * lost / before:.1f} %) are lost")
    if bare[1] > bare[0]:
        notes.append(f"{bare[1] - bare[0]} rows held nothing else and are left without a word")
    if after > before:
        notes.append(f"{before} rows became {after}; training takes so much longer")
    return tuple(notes)
