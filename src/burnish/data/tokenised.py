"""Tokens that somebody else made: a Hugging Face dataset as `Encoded`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.data.encoding import Encoded
from burnish.errors import DataError

_ANSWER = ("start_positions", "end_positions")


def from_dataset(dataset: Any, *, pad: int = 0) -> Encoded:
    """A tokenised `datasets.Dataset` as `Encoded`, padding taken off.

    Columns are read as Arrow arrays, whatever the dataset's own format is, so that no row becomes
    a Python list.

    Args:
        dataset: with columns `example_id`, `input_ids` and either `label` or `labels` of whole
            numbers, or `start_positions` and `end_positions`; `attention_mask` tells padding, on
            either side, and `token_type_ids` is used where it is there.
        pad: token that will fill the batches.

    Returns:
        What batches are made of. For question answering `spans` is empty: where tokens lie in the
        text is not known, so `context_spans` cannot be asked for.

    Raises:
        DataError: a column is missing, ids are not unique, labels are no classes, or the columns
            of a row are of different lengths.
    """
    columns: Sequence[str] = dataset.column_names
    label = _target(columns)
    ids = _ids(dataset)
    kept, offsets = _kept(dataset, columns)
    sizes = np.add.reduceat(kept, offsets[:-1], dtype=np.int64) if len(ids) else np.zeros(0, int)
    if not sizes.all():
        raise DataError(f"the example in row {int(np.argmin(sizes))} has no tokens; drop it")
    types = None
    if "token_type_ids" in columns:
        types = _flat(dataset, "token_type_ids", offsets)[kept].astype(np.int8)
    return Encoded(
        task="classification" if label else "qa",
        ids=ids,
        sources=np.arange(len(ids)),
        labels=_classes(dataset, label) if label else np.zeros(0, np.int64),
        tokens=_flat(dataset, "input_ids", offsets)[kept].astype(np.int32),
        offsets=np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64),
        types=types,
        positions=np.zeros((0, 2), np.int64) if label else _positions(dataset, kept, offsets),
        spans=np.zeros((0, 2), np.int32),
        pad=pad,
    )


def _target(columns: Sequence[str]) -> str:
    """The column of classes; "" for question answering."""
    for name, why in (("example_id", "banks need it"), ("input_ids", "tokenise first")):
        if name not in columns:
            raise DataError(
                f"the dataset has no column {name!r} ({why}); it has {', '.join(columns)}"
            )
    if all(name in columns for name in _ANSWER):
        return ""
    label = next((name for name in ("label", "labels") if name in columns), "")
    if not label:
        raise DataError(
            "the dataset has no column label or labels, nor start_positions and end_positions; it "
            f"has {', '.join(columns)}"
        )
    return label


def _column(dataset: Any, name: str) -> Any:
    """One Arrow array; `select` and `shuffle` of the dataset are followed."""
    table = dataset.select_columns([name]).with_format("arrow")[:]
    column = table[name].combine_chunks()
    if column.null_count:
        raise DataError(f"column {name!r} has {column.null_count} rows without a value; drop them")
    return column


def _ids(dataset: Any) -> NDArray[np.int64]:
    ids: NDArray[Any] = _column(dataset, "example_id").to_numpy(zero_copy_only=False)
    found, counts = np.unique(ids, return_counts=True)
    if len(found) < len(ids):
        raise DataError(
            f"column 'example_id' names example {found[counts.argmax()]} twice; give each row an "
            "id of its own, e.g. its row number"
        )
    return ids.astype(np.int64) if ids.dtype.kind in "iu" else np.arange(len(ids))


def _classes(dataset: Any, name: str) -> NDArray[np.int64]:
    labels: NDArray[Any] = _column(dataset, name).to_numpy(zero_copy_only=False)
    if labels.dtype.kind not in "iufb":
        raise DataError(
            f"column {name!r} must hold classes as whole numbers, got {labels[0]!r}; number them "
            "from 0, e.g. with class_encode_column"
        )
    odd = ~np.isfinite(labels) | (labels != np.round(labels))
    if odd.any():
        raise DataError(
            f"column {name!r} must hold classes as whole numbers, got {labels[odd][0]}; a "
            "regression cannot be contrasted by class: train it elsewhere"
        )
    if (labels < 0).any():
        raise DataError(
            f"column {name!r} counts classes from 0, got {labels.min()}; drop rows without a class"
        )
    return labels.astype(np.int64)


def _kept(dataset: Any, columns: Sequence[str]) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which cells of all rows, one after the other, are no padding; where the rows begin."""
    lengths = _column(dataset, "input_ids").value_lengths().to_numpy(zero_copy_only=False)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    if not lengths.all():
        raise DataError(f"the example in row {int(np.argmin(lengths))} has no tokens; drop it")
    if "attention_mask" not in columns:
        return np.ones(offsets[-1], bool), offsets
    return _flat(dataset, "attention_mask", offsets) != 0, offsets


def _flat(dataset: Any, name: str, offsets: NDArray[np.int64]) -> NDArray[Any]:
    """All rows of a column of lists, one after the other."""
    column = _column(dataset, name)
    lengths = column.value_lengths().to_numpy(zero_copy_only=False)
    if not np.array_equal(lengths, np.diff(offsets)):
        row = int(np.flatnonzero(lengths != np.diff(offsets))[0])
        raise DataError(
            f"row {row} has {offsets[row + 1] - offsets[row]} input_ids and {lengths[row]} in "
            f"column {name!r}; tokenise both together"
        )
    found: NDArray[Any] = column.flatten().to_numpy(zero_copy_only=False)
    return found


def _positions(
    dataset: Any, kept: NDArray[np.bool_], offsets: NDArray[np.int64]
) -> NDArray[np.int64]:
    """(n, 2) first and last token of the answers, counted without padding."""
    pair = [_column(dataset, name).to_numpy(zero_copy_only=False) for name in _ANSWER]
    given = np.stack(pair, axis=1).astype(np.int64)
    outside = (given < 0) | (given >= np.diff(offsets)[:, None])
    if outside.any():
        row = int(outside.any(1).argmax())
        raise DataError(
            f"the answer in row {row} is at tokens {given[row].tolist()}, but the row has "
            f"{offsets[row + 1] - offsets[row]}; set both to 0 where there is none"
        )
    before = np.concatenate([[0], np.cumsum(kept)])
    found: NDArray[np.int64] = before[offsets[:-1, None] + given] - before[offsets[:-1, None]]
    return found
