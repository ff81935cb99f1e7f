"""Columns of a run's tables as arrays. Knows what a table is, and no metric."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from burnish.errors import DataError


def column(table: pa.Table, name: str) -> NDArray[Any]:
    """One column, (rows,), in its own type.

    Raises:
        DataError: the table has no such column, or it has gaps.
    """
    if name not in table.column_names:
        raise DataError(
            f"wanted a table with a column {name!r}, got {', '.join(table.column_names)}; "
            "read the run's tables with their own names"
        )
    values = table[name]
    if values.null_count:
        raise DataError(f"column {name!r} has {values.null_count} gaps, and a run writes none")
    array: NDArray[Any] = values.to_numpy()
    return array


def rows_of(ids: NDArray[np.integer], wanted: NDArray[np.integer]) -> NDArray[np.int64]:
    """Where ids stand in a table.

    Args:
        ids: (rows,), ascending, each once.
        wanted: (n,).

    Returns:
        (n,) row numbers, -1 for what the table does not have.
    """
    if len(ids) == 0:
        return np.full(len(wanted), -1, np.int64)
    first = int(ids[0])
    if int(ids[-1]) - first == len(ids) - 1:  # without holes, a row is found by counting
        rows = wanted.astype(np.int64) - first
        return np.where((rows >= 0) & (rows < len(ids)), rows, -1)
    rows = np.minimum(np.searchsorted(ids, wanted), len(ids) - 1)
    found: NDArray[np.int64] = np.where(ids[rows] == wanted, rows, -1)
    return found
