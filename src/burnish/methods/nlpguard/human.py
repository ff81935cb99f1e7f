"""Words out to people and their votes back, as tables that any spreadsheet opens.

A cell of somebody else's text may begin like a formula; it is written with an apostrophe before
it, which reading takes off again. Each row carries the hash of its word, so a spreadsheet that
turned a word into a date, or saved the file in another encoding, is noticed.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from burnish.errors import DataError, UsageError, nearest
from burnish.methods.nlpguard.annotation import (
    CATEGORIES,
    NONE,
    UNDECIDED,
    Annotation,
    hashed,
    key,
    undecided,
)
from burnish.methods.nlpguard.voting import Rule, decide

CONTEXTS = 3  # sentences that are shown for a word
LONGEST_CONTEXT = 300  # characters

_ID, _WORD, _CATEGORY, _COMMENT = "id", "word", "category", "comment"
_STARTS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_BOMS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def export_words(
    path: str | Path, words: Sequence[str], contexts: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Write a table for one rater to fill in: an empty `category` for each word.

    The category is one of the nine or "none"; "undecided" says that the rater cannot tell, and a
    cell left empty is no vote.

    Args:
        path: of the CSV file, UTF-8 with a byte order mark, as spreadsheets want it.
        words: distinct.
        contexts: by word, sentences that hold it; the first three are written.

    Raises:
        UsageError: no words, an empty one, or spellings of one word.
    """
    names = [key(word) for word in words]
    if not words or not all(names) or len(set(names)) < len(names):
        raise UsageError("raters are asked about distinct words, at least one and none empty")
    shown = [f"context {n}" for n in range(1, CONTEXTS + 1)]
    with Path(path).open("w", encoding="utf-8-sig", newline="") as file:
        table = csv.writer(file)
        table.writerow([_ID, _WORD, *shown, _CATEGORY, _COMMENT])
        for word in words:
            sentences = [" ".join(text.split()) for text in (contexts or {}).get(word, ())]
            cells = [text[:LONGEST_CONTEXT] for text in sentences[:CONTEXTS]]
            cells += [""] * (CONTEXTS - len(cells))
            shown_word = " ".join(word.split())
            table.writerow([_id(word), *map(_escaped, (shown_word, *cells)), "", ""])


@dataclass(frozen=True)
class Ballot:
    """What one rater said: the label by each word's `key`, and comments where there are any."""

    rater: str
    labels: Mapping[str, str]
    comments: Mapping[str, str]


def read_ballot(path: str | Path, *, rater: str | None = None) -> Ballot:
    """Read a table that was filled in.

    Commas, semicolons or tabs between the cells; UTF-8, UTF-16 with a byte order mark, or the
    encoding of Western spreadsheets, which the words' hashes confirm. Other columns are ignored.

    Args:
        path: of the file.
        rater: by default the file's name without its ending.

    Raises:
        DataError: the file is missing or no such table, a word was changed, a category is unknown,
            a word has two, or there is no vote at all; names file and line.
    """
    file = Path(path)
    labels: dict[str, str] = {}
    comments: dict[str, str] = {}
    for line, row in _rows(_text(file), file):
        where = f"{file.name}, line {line}"
        word = key(_unescaped(row[_WORD]))
        if row[_ID].strip() != _id(word):
            raise DataError(
                f"{where}: word {row[_WORD]!r} is not the one that was asked; restore it from the "
                "file that was sent out (a spreadsheet may have made a date of it)"
            )
        label = _label(row[_CATEGORY], where)
        if label and labels.setdefault(word, label) != label:
            raise DataError(f"{where}: {word!r} is {label!r} here and {labels[word]!r} before")
        if comment := _unescaped(row.get(_COMMENT) or "").strip():
            comments[word] = comment
    if not labels:
        raise DataError(f"{file.name} holds no vote: its column {_CATEGORY!r} is empty")
    return Ballot(rater or file.stem, labels, comments)


class HumanAnnotator:
    """People's votes as an annotator; a word that nobody voted on is undecided.

    Args:
        ballots: one a rater.
        rule: how votes count, see `decide`.

    Raises:
        UsageError: no ballots, or two of one rater.
    """

    def __init__(self, ballots: Iterable[Ballot], *, rule: Rule = "majority") -> None:
        self._ballots = tuple(ballots)
        self._rule: Rule = rule
        if not self._ballots or len(set(self.raters)) < len(self._ballots):
            raise UsageError(
                f"people's votes are one ballot a rater, at least one, got {list(self.raters)}"
            )

    @classmethod
    def read(cls, paths: Iterable[str | Path], *, rule: Rule = "majority") -> HumanAnnotator:
        """The votes in files, one a rater.

        Raises:
            DataError: see `read_ballot`.
            UsageError: no files, or two of one name.
        """
        return cls([read_ballot(path) for path in paths], rule=rule)

    @property
    def raters(self) -> tuple[str, ...]:
        """Their names, in the order of the votes of an annotation that all took part in."""
        return tuple(ballot.rater for ballot in self._ballots)

    def annotate(
        self, words: Sequence[str], contexts: Mapping[str, Sequence[str]] | None = None
    ) -> list[Annotation]:
        """See `Annotator.annotate`; contexts were shown when the words were exported."""
        return [self._annotate(word) for word in words]

    def _annotate(self, word: str) -> Annotation:
        name, source = key(word), f"people: {', '.join(self.raters)}"
        votes = tuple(each.labels[name] for each in self._ballots if name in each.labels)
        if not votes:
            return undecided(word, source=source, reason="nobody voted on it")
        label, score = decide(votes, self._rule)
        said = [each.comments[name] for each in self._ballots if name in each.comments]
        return Annotation(
            word=word,
            category=label,
            score=score,
            votes=votes,
            source=source,
            rationale="; ".join(said),
        )


def _id(word: str) -> str:
    # a letter first, or a spreadsheet reads 12e345678901 as a number
    return f"w{hashed(word)}"


def _escaped(cell: str) -> str:
    return f"'{cell}" if cell.startswith((*_STARTS_FORMULA, "'")) else cell


def _unescaped(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith((*_STARTS_FORMULA, "'")) else cell


def _label(cell: str, where: str) -> str:
    label = " ".join(cell.casefold().split())
    known = (*CATEGORIES, NONE, UNDECIDED)
    if label and label not in known:
        raise DataError(f"{where}: {cell!r} is no category; {nearest(label, known)}")
    return label


def _text(file: Path) -> str:
    try:
        content = file.read_bytes()
        for bom, encoding in _BOMS.items():
            if content.startswith(bom):
                return content.decode(encoding)
        try:
            return content.decode("utf-8")
        except UnicodeDecodeError:
            return content.decode("cp1252")
    except OSError as error:
        raise DataError(f"cannot read votes from {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{file.name} is in no known encoding; save it as UTF-8") from error


def _rows(text: str, file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(line, cells by column) of each row that is not empty."""
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    table = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [name.strip().casefold() for name in next(table, [])]
        missing = [name for name in (_ID, _WORD, _CATEGORY) if header.count(name) != 1]
        if missing:
            raise DataError(
                f"{file.name}: a table of votes has the columns {_ID}, {_WORD} and {_CATEGORY} "
                f"once each; {', '.join(missing)} is not there once"
            )
        for row in table:
            if any(cell.strip() for cell in row):
                cells = [*row, *[""] * (len(header) - len(row))]
                yield table.line_num, dict(zip(header, cells, strict=False))
    except csv.Error as error:
        raise DataError(f"{file.name}, line {table.line_num}: {error}") from error
