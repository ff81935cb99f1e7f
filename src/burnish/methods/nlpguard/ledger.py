"""What was done to which row, and for which word: enough to make the edited rows again.

Every edited row comes of one row and its edits; a row without edits goes over as it is. So the
edits alone say how many rows a row became: the greatest `copy` among its edits and one, or none
where it was dropped. Copies of a row stand together, in their order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pyarrow as pa
from pyarrow import parquet

from burnish.errors import DataError
from burnish.methods.nlpguard.rows import Rows

DROPPED = -1  # the `copy` of the edits that drop a row
_FORMAT = b"1"
_KEY = b"burnish.nlpguard.ledger"


class Edit(NamedTuple):
    """One stretch of one text, and what came in its place.

    Attributes:
        row: of the data before, from 0.
        start, end: the stretch in that row's text, in characters, end excluded.
        old: what stood there.
        new: what stands there now; empty where it was removed.
        word: the protected term it was done for.
        category: of the term.
        strategy: name of the strategy.
        copy: which of the rows made of this row, from 0; `DROPPED` where the row is gone, and then
            the edits for its terms cover the whole text.
    """

    row: int
    start: int
    end: int
    old: str
    new: str
    word: str
    category: str
    strategy: str
    copy: int = 0


_SCHEMA = pa.schema(
    [
        pa.field(name, pa.int64() if name in ("row", "start", "end", "copy") else pa.string())
        for name in Edit._fields
    ]
)


class _Stretch(Protocol):
    """A `Change` or an `Edit`: what `applied` needs of them."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def new(self) -> str: ...


@dataclass
class Ledger:
    """Edits of one pass over the rows, ordered by row, copy and start.

    Attributes:
        rows: how many rows there were.
        digest: SHA-256 of their texts, as `Rows.digest` gives it.
        edits: append with `append`.
    """

    rows: int
    digest: str
    edits: list[Edit] = field(default_factory=list)

    def append(self, edit: Edit) -> None:
        """Add an edit; they come in the order of row, copy and start."""
        self.edits.append(edit)

    def __len__(self) -> int:
        return len(self.edits)

    @property
    def touched(self) -> int:
        """Rows with at least one edit."""
        return len({edit.row for edit in self.edits})

    @property
    def dropped(self) -> int:
        """Rows that are gone."""
        return len({edit.row for edit in self.edits if edit.copy == DROPPED})

    def replay(self, data: Any, *, text: str = "text") -> Any:
        """The edited rows, made again from the rows before, in the kind they come in.

        Raises:
            DataError: these are not the rows that were edited, or the ledger is damaged.
        """
        rows = Rows.of(data, text=text, label=None)
        if (len(rows), rows.digest) != (self.rows, self.digest):
            raise DataError(
                f"this ledger edits {self.rows} rows whose texts hash to {self.digest[:12]}, got "
                f"{len(rows)} rows hashing to {rows.digest[:12]}; give the rows as they were before"
            )
        sources: list[int] = []
        texts: list[str] = []
        done = 0
        for row, edits in groupby(self.edits, key=lambda edit: edit.row):
            if not done <= row < self.rows:
                raise _damaged(row, "rows out of order")
            sources.extend(range(done, row))
            texts.extend(rows.texts[done:row])
            made = list(_copies(rows.texts[row], row, list(edits)))
            sources.extend([row] * len(made))
            texts.extend(made)
            done = row + 1
        sources.extend(range(done, self.rows))
        texts.extend(rows.texts[done:])
        return rows.rebuild(sources, texts)

    def save(self, path: str | Path) -> None:
        """Write Parquet: one edit a row, columns as the fields of `Edit`.

        The texts in it are in clear: keep the file as carefully as the data.

        Raises:
            DataError: a text cannot be written in UTF-8.
        """
        head = {"format": int(_FORMAT), "rows": self.rows, "digest": self.digest}
        schema = _SCHEMA.with_metadata({_KEY: json.dumps(head).encode()})
        columns = list(zip(*self.edits, strict=True)) or [()] * len(_SCHEMA)
        try:
            arrays = [pa.array(c, f.type) for c, f in zip(columns, _SCHEMA, strict=True)]
        except UnicodeEncodeError as error:
            raise DataError(
                "a ledger is written in UTF-8, and an edited text holds half of a surrogate pair; "
                "clean the texts first"
            ) from error
        parquet.write_table(pa.Table.from_arrays(arrays, schema=schema), str(path))

    @classmethod
    def load(cls, path: str | Path) -> Ledger:
        """Read what `save` wrote.

        Raises:
            DataError: the file is missing or is no such ledger; names file and reason.
        """
        try:
            table = parquet.read_table(str(path))
            head = json.loads((table.schema.metadata or {})[_KEY])
            if head["format"] != int(_FORMAT):
                raise ValueError(f"format {head['format']!r} is unknown, this version reads 1")
            table = table.select(list(Edit._fields)).cast(_SCHEMA)
            if any(column.null_count for column in table.columns):
                raise ValueError("a cell is empty")
            columns = table.to_pydict()
            edits = [Edit(*values) for values in zip(*columns.values(), strict=True)]
            return cls(int(head["rows"]), str(head["digest"]), edits)
        except (
            OSError,
            pa.ArrowException,
            KeyError,
            ValueError,
            TypeError,
            RecursionError,
        ) as error:
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise DataError(f"{path} is no ledger as Ledger.save writes it: {said}") from error


def applied(text: str, changes: Iterable[_Stretch]) -> str:
    """The text with the changes made; they are disjoint and ordered by start."""
    parts: list[str] = []
    at = 0
    for change in changes:
        parts += text[at : change.start], change.new
        at = change.end
    return "".join(parts) + text[at:]


def _copies(text: str, row: int, edits: list[Edit]) -> Iterator[str]:
    """The texts that one row became."""
    for edit in edits:
        if text[edit.start : edit.end] != edit.old or not 0 <= edit.start <= edit.end <= len(text):
            raise _damaged(row, "text that does not stand there")
    if any(edit.copy == DROPPED for edit in edits):
        return
    # only the first copy may be without edits
    numbers = sorted({0, *(edit.copy for edit in edits)})
    if numbers != list(range(len(numbers))):
        raise _damaged(row, "copies that are missing")
    by_copy: list[list[Edit]] = [[] for _ in numbers]
    for edit in edits:
        if by_copy[edit.copy] and by_copy[edit.copy][-1].end > edit.start:
            raise _damaged(row, "edits that overlap")
        by_copy[edit.copy].append(edit)
    for each in by_copy:
        yield applied(text, each)


def _damaged(row: int, problem: str) -> DataError:
    return DataError(f"the ledger has {problem} at row {row}; take the ledger that was saved")
