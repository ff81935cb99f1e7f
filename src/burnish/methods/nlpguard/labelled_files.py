"""A user's file of texts, read for an edit and written again in its own format.

What is not edited goes over as it stands: the same line of a CSV or JSON Lines file, the same row
and types of a Parquet file or saved data set.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from burnish.data.tables import hub_dataset, read_table, saved_dataset
from burnish.errors import DataError, UsageError
from burnish.methods.nlpguard.fresh_files import written

ROW = "row"
_Write = Callable[[Path, Sequence[int], Sequence[str]], None]


@dataclass(frozen=True)
class LabelledFile:
    """The rows of a file.

    Attributes:
        rows: dicts of text, label (None where no label was wanted) and row, the number from 0.
        kind: the ending that a file to write must have; "" for a folder.
    """

    rows: list[dict[str, Any]]
    kind: str
    _writer: Callable[[], _Write]

    def write(self, path: Path, edited: Sequence[dict[str, Any]]) -> None:
        """Write rows that came of these: their text, and all else of the row they came of.

        Raises:
            UsageError: the path has another ending, or cannot be written.
            DataError: a CSV file that was read cannot be taken apart line by line.
        """
        check_ending(path, self.kind)
        write = self._writer()  # the file is read again only if it is written
        with written(path) as half:
            write(half, [each[ROW] for each in edited], [each["text"] for each in edited])


def check_ending(path: Path, kind: str) -> None:
    """UsageError unless a path ends as the format it is written in."""
    if path.suffix.lower() != kind:
        wanted = f"a file that ends in {kind}" if kind else "a folder"
        raise UsageError(f"the edited data keep their format, {wanted}; got {path}")


def read_labelled(
    spec: str, *, text: str = "text", label: str | None = "label", split: str | None = None
) -> LabelledFile:
    """Read a file, a folder of `datasets.save_to_disk`, or a hub data set.

    Args:
        spec: as in `burnish.data.read_examples`.
        text: column of the text.
        label: column of the label; None where none is wanted.
        split: of a folder or hub data set.

    Raises:
        DataError: it cannot be read, lacks a column, or a text is none; names file, row, column.
    """
    wanted = [text] if label is None else [text, label]
    table = read_table(spec, list(dict.fromkeys(wanted)), split=split)
    if not table.numbers:
        raise DataError(f"{table.source} has no rows; give at least one")
    texts = table.column(text)
    labels = [None] * len(texts) if label is None else table.column(label)
    for row, value in enumerate(texts):
        if not isinstance(value, str):
            came = "is missing" if value is None else f"is a {type(value).__name__}"
            raise DataError(
                f"{table.place(row, text)}, must be a text, but {came}; fill it in or drop it"
            )
    rows = [
        {"text": value, "label": own, ROW: row}
        for row, (value, own) in enumerate(zip(texts, labels, strict=True))
    ]
    path = Path(spec)
    kind = path.suffix.lower() if path.is_file() else ""
    return LabelledFile(rows, kind, lambda: _writer(spec, kind, text, texts, split))


def _writer(spec: str, kind: str, text: str, texts: Sequence[str], split: str | None) -> _Write:
    if kind in (".csv", ".tsv"):
        return _delimited(Path(spec), "," if kind == ".csv" else "\t", text, texts)
    if kind == ".jsonl":
        return _json_lines(Path(spec), text, texts)
    if kind == ".json":
        return _json(Path(spec), text)
    if kind == ".parquet":
        return _parquet(Path(spec), text)
    return _saved(spec, text, split)


def _delimited(path: Path, delimiter: str, text: str, texts: Sequence[str]) -> _Write:
    """Unedited records keep their bytes; edited ones are quoted where they must be."""
    records = list(_records(path, delimiter))
    (names, head), own = records[0], records[1:]
    at = names.index(text)
    if [record[at] for record, _ in own] != list(texts):
        raise DataError(
            f"{path} can be read in two ways; write it anew, with quotes doubled inside quotes"
        )
    end = "\r\n" if head.endswith("\r\n") else "\n"

    def write(target: Path, sources: Sequence[int], new: Sequence[str]) -> None:
        with target.open("w", encoding="utf-8", newline="") as file:
            file.write(head if head.endswith(end) else head + end)
            edited = csv.writer(file, delimiter=delimiter, lineterminator=end)
            for row, value in zip(sources, new, strict=True):
                record, raw = own[row]
                if value == texts[row]:
                    file.write(raw if raw.endswith(("\n", "\r")) else raw + end)
                else:
                    edited.writerow([*record[:at], value, *record[at + 1 :]])

    return write


def _records(path: Path, delimiter: str) -> Iterator[tuple[list[str], str]]:
    """The fields of each record and its lines as they stand."""
    lines: list[str] = []
    for line in path.read_bytes().decode("utf-8-sig").splitlines(keepends=True):
        if lines and not lines[-1].endswith(("\n", "\r")):
            lines[-1] += line  # Python also parts texts at characters that end no line of a file
        else:
            lines.append(line)
    reader, done = csv.reader(lines, delimiter=delimiter), 0
    try:
        for record in reader:
            if record:
                yield record, "".join(lines[done : reader.line_num])
            done = reader.line_num
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: {error}; convert the file to Parquet or JSON Lines"
        ) from error


def _json_lines(path: Path, text: str, texts: Sequence[str]) -> _Write:
    lines = path.read_bytes().decode("utf-8-sig").split("\n")
    own = [line for line in lines if line.strip()]

    def write(target: Path, sources: Sequence[int], new: Sequence[str]) -> None:
        with target.open("w", encoding="utf-8", newline="") as file:
            for row, value in zip(sources, new, strict=True):
                line = own[row]
                if value != texts[row]:
                    line = json.dumps(json.loads(line) | {text: value}, ensure_ascii=False)
                file.write(f"{line}\n")

    return write


def _json(path: Path, text: str) -> _Write:
    own = json.loads(path.read_text(encoding="utf-8-sig"))

    def write(target: Path, sources: Sequence[int], new: Sequence[str]) -> None:
        rows = [own[row] | {text: value} for row, value in zip(sources, new, strict=True)]
        target.write_text(json.dumps(rows, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")

    return write


def _parquet(path: Path, text: str) -> _Write:
    table = parquet.read_table(path)
    at = table.column_names.index(text)

    def write(target: Path, sources: Sequence[int], new: Sequence[str]) -> None:
        taken = table.take(pa.array(sources, pa.int64()))
        field = table.schema.field(at)
        parquet.write_table(taken.set_column(at, field, pa.array(new, field.type)), target)

    return write


def _saved(spec: str, text: str, split: str | None) -> _Write:
    path = Path(spec)
    found = saved_dataset(path, split) if path.is_dir() else hub_dataset(spec, str(split))

    def write(target: Path, sources: Sequence[int], new: Sequence[str]) -> None:
        taken = found.select(list(sources))
        feature = taken.features[text]
        names = taken.column_names
        changed = taken.remove_columns(text).add_column(text, list(new), feature=feature)
        changed.select_columns(names).save_to_disk(str(target))

    return write
