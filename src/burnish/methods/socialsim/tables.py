"""A run's tables as Parquet, one folder a table and one file a block of ticks.

Rows wait in memory until a block is full. Posts are written when the run is over, since their
counters and labels change until then. Equal rows give equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor, Future
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from burnish.errors import BurnishError
from burnish.methods.socialsim.schema import TABLES

BLOCK = 24  # ticks a file
_IDS = ("agent", "post", "follower", "followee", "parent", "root", "author", "target", "via")


class Tables:
    """Where a run's rows go.

    Args:
        folder: of the run; None keeps every table in memory.
        pool: whose threads write files while the run goes on.
    """

    def __init__(self, folder: Path | None, pool: Executor) -> None:
        self.folder, self._pool = folder, pool
        self._writing: list[Future[None]] = []
        self._waiting: dict[str, list[pa.Table]] = {name: [] for name in TABLES}

    def add(self, name: str, rows: pa.Table) -> None:
        """Rows of the tick that runs."""
        if rows.num_rows:
            self._waiting[name].append(rows)

    def flush(self, block: int) -> None:
        """Write what waits as block number `block`; a table without rows has no file."""
        if self.folder is None:
            return
        for name, parts in self._waiting.items():
            if parts:
                self.write(name, block, pa.concat_tables(parts))
                parts.clear()

    def write(self, name: str, block: int, rows: pa.Table) -> None:
        """One file, replaced as a whole."""
        if self.folder is None:
            self._waiting[name].append(rows)
            return
        path = self.folder / name / f"{block:05d}.parquet"
        self._writing.append(self._pool.submit(_replace, rows, path))

    def settle(self) -> None:
        """Wait until all that was written is on disk.

        Raises:
            OSError: it could not be.
        """
        for writing in self._writing:
            writing.result()
        self._writing.clear()

    def waiting(self) -> Mapping[str, pa.Table]:
        """What is in memory, by table; the schema alone where there is nothing."""
        return {
            name: pa.concat_tables(parts) if parts else TABLES[name].empty_table()
            for name, parts in self._waiting.items()
        }

    def restore(self, rows: Mapping[str, pa.Table]) -> None:
        """Go on with rows that `waiting` gave."""
        self._waiting = {name: [rows[name]] if rows[name].num_rows else [] for name in TABLES}


def write_parquet(rows: pa.Table, path: Path) -> None:
    """One file with ids as differences, which sorted ones shrink to next to nothing."""
    deltas = {name: "DELTA_BINARY_PACKED" for name in _IDS if name in rows.column_names}
    pq.write_table(
        rows.combine_chunks(),  # pages end where chunks do
        path,
        compression="zstd",
        compression_level=1,
        use_dictionary=[name for name in rows.column_names if name not in deltas],
        column_encoding=deltas,
        write_statistics=True,
        store_schema=True,
    )


def read(folder: Path, name: str) -> pa.Table:
    """A whole table of a run, blocks in order; the schema alone when it has no rows.

    Raises:
        BurnishError: a file is damaged.
    """
    files = sorted((folder / name).glob("*.parquet"))
    try:
        parts = [pq.read_table(file, schema=TABLES[name]) for file in files]
    except (OSError, pa.ArrowException) as error:
        why = " ".join(str(error).split())[:200]
        raise BurnishError(
            f"a file below {folder / name} is no Parquet: {why}; run again"
        ) from error
    return pa.concat_tables(parts) if parts else TABLES[name].empty_table()


def _replace(rows: pa.Table, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    write_parquet(rows, partial)
    partial.replace(path)
