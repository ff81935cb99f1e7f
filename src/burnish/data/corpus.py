"""Plain texts that belong to groups, such as authors: the embedded corpora and a user's own."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from burnish import assets
from burnish.data.embedded import load_set
from burnish.data.tables import Table, read_table
from burnish.errors import DataError, UsageError, nearest

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Corpus:
    """Texts, each with the name of its group.

    Attributes:
        texts: not empty.
        groups: as many; who wrote a text, where it is from, what it is about.
        note: what they are, for reports.
    """

    texts: tuple[str, ...]
    groups: tuple[str, ...]
    note: str = ""

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int] | NDArray[np.int64]) -> Corpus:
        """The texts at these places, in this order."""
        return Corpus(
            tuple(self.texts[row] for row in rows),
            tuple(self.groups[row] for row in rows),
            self.note,
        )


@dataclass(frozen=True)
class CorpusRecord:
    """An embedded corpus, unread.

    Attributes:
        name: what `load_corpus` takes.
        asset: that it is read from.
        summary: one line.
        read: reads it from the asset's folder.
    """

    name: str
    asset: str
    summary: str
    read: Callable[[Path], Corpus]


def load_corpus(name: str) -> Corpus:
    """An embedded corpus, in a fixed order.

    Args:
        name: in `CORPORA`.

    Raises:
        UsageError: no such corpus.
        AssetMissing: its asset was not pulled; the message names the command.
    """
    if name not in CORPORA:
        raise UsageError(f"unknown corpus {name!r}; {nearest(name, CORPORA)}")
    record = CORPORA[name]
    return record.read(assets.path(record.asset))


def read_corpus(
    spec: str | Path, *, text: str = "text", group: str = "group", split: str | None = None
) -> Corpus:
    """A user's own texts with their groups.

    Args:
        spec: a .csv, .tsv, .jsonl, .json or .parquet file, a folder from `datasets.save_to_disk`,
            or "owner/name" or "owner/name:config" on the Hugging Face hub; only the last needs a
            network.
        text: column of the text.
        group: column of the group: a name or a whole number.
        split: which part of a folder or hub data set.

    Raises:
        DataError: the source or a value in it is not as described; one line, with its place.
    """
    if text == group:
        raise UsageError(f"text and group are two columns, got {text!r} for both")
    table = read_table(spec, [text, group], split=split)
    texts, groups = table.column(text), table.column(group)
    if not texts:
        raise DataError(f"{table.source} has no rows; give at least one text")
    for row in range(len(texts)):
        _check(table, row, text, texts[row], (str,), "a text")
        _check(table, row, group, groups[row], (str, int), "a name or whole number")
    classes = table.class_names.get(group)
    named = [classes[value] for value in groups] if classes else map(str, groups)
    return Corpus(tuple(texts), tuple(named), f"{len(texts):,} texts of {table.source}")


def _check(
    table: Table, row: int, column: str, value: object, kinds: tuple[type, ...], wanted: str
) -> None:
    empty = value is None or (isinstance(value, str) and not value.strip())
    if empty or not isinstance(value, kinds) or isinstance(value, bool):
        came = "is empty" if empty else f"is a {type(value).__name__}"
        raise DataError(
            f"{table.place(row, column)}, must be {wanted}, but {came}; fill it in or drop the row"
        )


def _messages(folder: Path) -> Corpus:
    lines = (folder / "messages.jsonl").read_text(encoding="utf-8").split("\n")
    messages = [json.loads(line) for line in lines if line]
    groups = tuple(message["name"] for message in messages)
    note = f"{len(messages)} annual messages of {len(set(groups))} presidents of the United States"
    return Corpus(tuple(message["text"] for message in messages), groups, note)


def _posts(_: Path) -> Corpus:
    parts = load_set("dreaddit")
    posts = (parts.train, parts.test)
    texts = tuple(text for part in posts for text in part.texts)
    groups = tuple(part.label_names[label] for part in posts for label in part.labels)
    note = (
        f"{len(texts):,} posts from forums on Reddit; their groups are stress and no stress, since "
        "the forum of a post is not told"
    )
    return Corpus(texts, groups, note)


_RECORDS = (
    CorpusRecord(
        "state-of-the-union",
        "state-of-the-union",
        "annual messages of 43 presidents of the United States, by president",
        _messages,
    ),
    CorpusRecord("dreaddit", "dreaddit", "posts from forums, by whether they show stress", _posts),
)

CORPORA: dict[str, CorpusRecord] = {record.name: record for record in _RECORDS}
