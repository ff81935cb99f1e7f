"""A user's file, folder or hub data set as columns of Python values. Knows no task."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
from pyarrow import csv, parquet

from burnish.errors import DataError

_HUB = re.compile(r"[\w.-]+/[\w.-]+(:[\w.-]+)?")


@dataclass(frozen=True)
class Table:
    """The wanted columns of a source, and where each row of it stands.

    Attributes:
        source: what the user named, for messages.
        unit: "line" or "row", what `numbers` count.
        numbers: of each row, from 1.
        columns: values by column; a column that the source lacks is not there.
        present: every column of the source.
        class_names: of columns that the source itself says are classes.
    """

    source: str
    unit: str
    numbers: Sequence[int]
    columns: Mapping[str, list[Any]]
    present: Sequence[str]
    class_names: Mapping[str, tuple[str, ...]]

    def place(self, row: int, column: str) -> str:
        """What an error says of a cell: the source, the line or row, the column."""
        return f"{self.source}, {self.unit} {self.numbers[row]}, column {column!r}"

    def column(self, name: str) -> list[Any]:
        """The values of a column.

        Raises:
            DataError: there is none of that name.
        """
        if name not in self.columns:
            there = ", ".join(map(repr, self.present)) or "none"
            raise DataError(
                f"{self.source} has no column {name!r}; there are: {there}; name the one to take"
            )
        return self.columns[name]


def read_table(spec: str | Path, wanted: Sequence[str], *, split: str | None) -> Table:
    """The wanted columns of a file, of a folder that `datasets` saved, or of a hub data set.

    Args:
        spec: a path, or "owner/name" or "owner/name:config" on the hub.
        wanted: columns to read.
        split: part of a folder or hub data set; a hub data set needs one.

    Raises:
        DataError: it is not there, cannot be read, or is of no known kind.
    """
    path = Path(spec)
    if path.is_dir():
        return _of_dataset(str(path), saved_dataset(path, split), wanted)
    if path.is_file():
        if split is not None:
            raise DataError(f"{path} is one file and has no part {split!r}; leave split out")
        reader = _READERS.get(path.suffix.lower())
        if reader is None:
            raise DataError(
                f"{path} must end in one of {', '.join(_READERS)}; convert or rename it"
            )
        return reader(path, wanted)
    if isinstance(spec, str) and _HUB.fullmatch(spec) and split is not None:
        return _of_dataset(spec, hub_dataset(spec, split), wanted)
    raise DataError(
        f"{spec} is neither a file nor a folder; if it is a data set on the Hugging Face hub, "
        "write owner/name or owner/name:config, and name the split"
    )


def _from_csv(delimiter: str) -> Callable[[Path, Sequence[str]], Table]:
    def read(path: Path, wanted: Sequence[str]) -> Table:
        # one thread, since only then errors say the row; text alone, since guessed types would
        # differ between two files of one data set
        serial = csv.ReadOptions(use_threads=False)
        try:
            with csv.open_csv(path, serial, _options(delimiter)) as stream:
                names = _once(str(path), stream.schema.names, wanted)
            table = csv.read_csv(
                path,
                read_options=serial,
                parse_options=_options(delimiter),
                convert_options=csv.ConvertOptions(
                    include_columns=[name for name in names if name in wanted],
                    column_types=dict.fromkeys(wanted, pa.string()),
                ),
            )
        except pa.ArrowInvalid as error:
            _decoded(path, path.read_bytes())  # a wrong byte is told by its line
            raise DataError(_torn(path, error)) from error
        return _of_arrow(str(path), table, wanted, names)

    return read


def _options(delimiter: str) -> csv.ParseOptions:
    return csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)


def _torn(path: Path, error: pa.ArrowInvalid) -> str:
    """One line of what pyarrow says of a table it cannot read."""
    said = str(error).splitlines()[0]
    if found := re.search(r"Row #(\d+): Expected (\d+) columns, got (\d+)", said):
        row, columns, came = found.groups()
        return (
            f"{path}, line {row}, has {came} fields where the first line has {columns}; "
            "quote fields that contain the separator, and write every field"
        )
    return f"{path} cannot be read: {said}; write it anew, as UTF-8 with a line of column names"


def _once(source: str, names: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """The column names, after a check that no wanted one is there twice."""
    for name in wanted:
        if list(names).count(name) > 1:
            raise DataError(f"{source} has several columns {name!r}; rename all but one")
    return list(names)


def _decoded(path: Path, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{path}, line {line}, must be UTF-8, but has the byte 0x{raw[error.start]:02x}; "
            "convert the file, for example with iconv"
        ) from error


def _of_arrow(source: str, table: pa.Table, wanted: Sequence[str], names: Sequence[str]) -> Table:
    columns = {name: table[name].to_pylist() for name in names if name in wanted}
    return Table(source, "row", range(1, table.num_rows + 1), columns, names, {})


def _from_parquet(path: Path, wanted: Sequence[str]) -> Table:
    try:
        with parquet.ParquetFile(path) as file:
            names = _once(str(path), file.schema_arrow.names, wanted)
            table = file.read(columns=[name for name in names if name in wanted])
    except (pa.ArrowException, OSError) as error:
        said = str(error).splitlines()[0]
        raise DataError(f"{path} cannot be read as Parquet: {said}; write it anew") from error
    return _of_arrow(str(path), table, wanted, names)


def _from_json_lines(path: Path, wanted: Sequence[str]) -> Table:
    rows, numbers = [], []
    for number, line in enumerate(_decoded(path, path.read_bytes()).split("\n"), start=1):
        if line.strip():
            rows.append(_object(path, number, line))
            numbers.append(number)
    return _of_objects(path, rows, wanted, unit="line", numbers=numbers)


def _object(path: Path, number: int, line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {number}, must be one JSON object, but at character {error.colno}: "
            f"{error.msg}; a line that is cut short ends so"
        ) from error
    if not isinstance(found, dict):
        raise DataError(
            f"{path}, line {number}, must be one JSON object, got a {type(found).__name__}; "
            'write {"column": value, ...}'
        )
    return found


def _from_json(path: Path, wanted: Sequence[str]) -> Table:
    try:
        rows = json.loads(_decoded(path, path.read_bytes()))
    except json.JSONDecodeError as error:
        raise DataError(
            f"{path}, line {error.lineno}, is no JSON: {error.msg}; "
            "if each line is an object of its own, name the file .jsonl"
        ) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise DataError(f"{path} must be a JSON list of objects, one for each example")
    return _of_objects(path, rows, wanted, unit="row", numbers=range(1, len(rows) + 1))


def _of_objects(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    wanted: Sequence[str],
    *,
    unit: str,
    numbers: Sequence[int],
) -> Table:
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: [row.get(name) for row in rows] for name in wanted if name in names}
    return Table(str(path), unit, numbers, columns, names, {})


def saved_dataset(path: Path, split: str | None) -> Any:
    """The `datasets.Dataset` of a folder that `save_to_disk` made.

    Raises:
        DataError: it is none, or has other parts.
    """
    import datasets  # type: ignore[import-untyped]  # slow, and the other kinds do without it

    try:
        found = datasets.load_from_disk(str(path))
    except (OSError, ValueError) as error:
        raise DataError(
            f"{path} is no folder that datasets.save_to_disk has made ({_first_line(error)}); "
            "name a file in it, or save it so"
        ) from error
    if isinstance(found, datasets.DatasetDict):
        if split not in found:
            came = "none was named" if split is None else f"{split!r} is not there"
            raise DataError(f"{path} has the parts {', '.join(found)}, but {came}; name its split")
        found = found[split]
    elif split is not None:
        raise DataError(f"{path} has no parts, so no {split!r}; leave split out")
    return found


def hub_dataset(spec: str, split: str) -> Any:
    """The `datasets.Dataset` of "owner/name" or "owner/name:config" on the hub.

    Raises:
        DataError: it cannot be had.
    """
    import datasets

    name, _, config = spec.partition(":")
    try:
        found = datasets.load_dataset(name, config or None, split=split)
    except Exception as error:  # the hub, its client and a data set's own reader raise any kind
        raise DataError(
            f"{spec}, part {split!r}, cannot be had from the Hugging Face hub: "
            f"{_first_line(error)}; check the name, the split and the network"
        ) from error
    return found


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _of_dataset(source: str, found: Any, wanted: Sequence[str]) -> Table:
    names = list(found.column_names)
    features = found.features
    columns = {name: list(found[name]) for name in names if name in wanted}
    classes = {
        name: tuple(cast("list[str]", features[name].names))
        for name in columns
        if type(features[name]).__name__ == "ClassLabel"
    }
    return Table(source, "row", range(1, len(found) + 1), columns, names, classes)


_READERS: dict[str, Callable[[Path, Sequence[str]], Table]] = {
    ".csv": _from_csv(","),
    ".tsv": _from_csv("\t"),
    ".jsonl": _from_json_lines,
    ".json": _from_json,
    ".parquet": _from_parquet,
}
