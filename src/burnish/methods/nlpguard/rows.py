"""Labelled rows as they come (dicts, a DataFrame, a `datasets.Dataset`) and go back, never changed.

Knows nothing of words or strategies: it reads two columns and makes a new object of the same kind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from burnish.errors import DataError, UsageError

_Rebuild = Callable[[Sequence[int], Sequence[str]], Any]


@dataclass(frozen=True)
class Rows:
    """The text and label columns of n rows, n > 0, and how to make rows of the same kind.

    Attributes:
        texts: n strings.
        labels: n values, as they stand in the rows.
        text: name of the text column.
    """

    texts: tuple[str, ...]
    labels: tuple[Any, ...]
    text: str
    _rebuild: _Rebuild

    @classmethod
    def of(cls, data: Any, *, text: str = "text", label: str | None = "label") -> Rows:
        """Read rows.

        Args:
            data: dicts in any iterable, a pandas DataFrame or a `datasets.Dataset`. A stream is
                read to its end and comes back as a list of dicts.
            text: the column of texts.
            label: the column of labels; None where rows have none, and labels are then all None.

        Raises:
            UsageError: no rows, or an object of another kind.
            DataError: a column is missing, a text is no string, or a label is a list; names
                column and row.
        """
        if isinstance(data, Rows):
            return data
        reader = _reader(data)
        texts, labels, rebuild = reader(data, text, label)
        if not texts:
            raise UsageError("rows are wanted, got none; give at least one")
        for row, value in enumerate(texts):
            if not isinstance(value, str):
                raise DataError(
                    f"row {row}, column {text!r}, must be a string, got a "
                    f"{type(value).__name__}; mend or drop the row"
                )
        for row, value in enumerate(labels):
            if not isinstance(value, Hashable):
                raise DataError(
                    f"row {row}, column {label!r}, must be one label, got a "
                    f"{type(value).__name__}; give the rows of each label a column of their own"
                )
        return cls(tuple(texts), tuple(labels), text, rebuild)

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def digest(self) -> str:
        """SHA-256 of the texts in their order, in hex."""
        found = hashlib.sha256()
        for each in self.texts:
            raw = each.encode("utf-8", "surrogatepass")
            found.update(len(raw).to_bytes(8, "big") + raw)
        return found.hexdigest()

    def rebuild(self, sources: Sequence[int], texts: Sequence[str]) -> Any:
        """Rows of the kind that came in.

        Args:
            sources: for each new row, the old one that its other columns are taken from.
            texts: one for each new row.

        A DataFrame keeps the index of the sources, so copies of a row share a label; a column of
        categories becomes one of texts.
        """
        return self._rebuild(sources, texts)


def _reader(data: Any) -> Callable[[Any, str, str | None], tuple[list[Any], list[Any], _Rebuild]]:
    home = type(data).__module__.split(".")[0]
    if home == "pandas" and hasattr(data, "iloc") and hasattr(data, "columns"):
        return _of_frame
    if home == "datasets" and hasattr(data, "num_rows") and hasattr(data, "features"):
        return _of_dataset
    if isinstance(data, Iterable) and not isinstance(data, str | bytes | Mapping):
        return _of_dicts
    raise UsageError(
        "rows are an iterable of dicts, a DataFrame or a datasets.Dataset, got a "
        f"{type(data).__name__}; of a DatasetDict name one part"
    )


def _check_columns(there: Iterable[Any], *wanted: str | None) -> None:
    names = list(there)
    for name in wanted:
        if name is not None and (count := names.count(name)) != 1:
            known = ", ".join(map(repr, names)) or "none"
            problem = "no column" if not count else "several columns"
            raise DataError(f"the rows have {problem} {name!r}; there are: {known}")


def _of_dicts(
    data: Iterable[Any], text: str, label: str | None
) -> tuple[list[Any], list[Any], _Rebuild]:
    rows = list(data)
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise DataError(f"row {number} must be a dict, got a {type(row).__name__}")
        if text not in row or (label is not None and label not in row):
            missing = label if text in row else text
            raise DataError(
                f"row {number} has no column {missing!r}; there are: "
                f"{', '.join(map(repr, row)) or 'none'}"
            )

    def rebuild(sources: Sequence[int], texts: Sequence[str]) -> list[dict[str, Any]]:
        return [{**rows[row], text: new} for row, new in zip(sources, texts, strict=True)]

    labels = [None if label is None else row[label] for row in rows]
    return [row[text] for row in rows], labels, rebuild


def _of_frame(data: Any, text: str, label: str | None) -> tuple[list[Any], list[Any], _Rebuild]:
    import pandas as pd  # type: ignore[import-untyped]  # the other kinds do without it

    _check_columns(data.columns, text, label)
    kind = data[text].dtype
    if isinstance(kind, pd.CategoricalDtype):
        kind = kind.categories.dtype  # a new text is none of the categories, and would be lost

    def rebuild(sources: Sequence[int], texts: Sequence[str]) -> Any:
        frame = data.iloc[np.asarray(sources, dtype=np.int64)].copy()
        frame[text] = pd.Series(list(texts), index=frame.index, dtype=kind)
        return frame

    labels = [None] * len(data) if label is None else data[label].tolist()
    return data[text].tolist(), labels, rebuild


def _of_dataset(data: Any, text: str, label: str | None) -> tuple[list[Any], list[Any], _Rebuild]:
    import pyarrow as pa  # the other kinds do without it

    _check_columns(data.column_names, text, label)
    table = data.with_format("arrow")[:]

    def rebuild(sources: Sequence[int], texts: Sequence[str]) -> Any:
        taken = table.take(pa.array(sources, type=pa.int64()))
        at = taken.column_names.index(text)
        column = pa.array(texts, type=taken.schema.field(at).type)
        made = type(data)(taken.set_column(at, taken.schema.field(at), column), info=data.info)
        return made.with_format(**data.format) if data.format["type"] else made

    labels = [None] * len(data) if label is None else table[label].to_pylist()
    return table[text].to_pylist(), labels, rebuild
