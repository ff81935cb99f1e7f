"""What a run recorded, read in batches: from its folder, or from memory where it has none."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

import pyarrow as pa
import pyarrow.parquet as pq

from burnish.errors import BurnishError, DataError
from burnish.methods.socialsim.schema import TABLES

if TYPE_CHECKING:
    from burnish.methods.socialsim.loop import Run

ROWS = 65_536  # of a batch
_CODE = re.compile(r"[A-Za-z0-9_-]{1,16}")


@dataclass(frozen=True)
class Recorded:
    """Tables of a run, and the codes of its claims.

    Attributes:
        claims: codes by number, letters and digits alone, so that a code carries no message.
        folder: of the run, or None.
        memory: tables by name, when there is no folder.
        ticks: how many were run; None where that is not known.
    """

    claims: tuple[str, ...]
    folder: Path | None = None
    memory: Mapping[str, pa.Table] | None = None
    ticks: int | None = None

    def __post_init__(self) -> None:
        for code in self.claims:
            if not _CODE.fullmatch(code):
                raise DataError(
                    f"a claim's code is up to 16 letters and digits, got {code[:40]!r}; rename it"
                )

    @classmethod
    def of(cls, run: Run) -> Self:
        """Of a run that is over.

        Raises:
            DataError: a claim's code is more than a code.
        """
        claims = tuple(claim.code for claim in run.simulation.world.claims)
        memory = run.tables.waiting() if run.folder is None else None
        return cls(claims, run.folder, memory, run.ticks)

    @classmethod
    def at(cls, folder: str | Path) -> Self:
        """Of the folder that a run wrote.

        Raises:
            DataError: there is no manifest of a run.
        """
        path = Path(folder) / "manifest.json"
        try:
            plain = json.loads(path.read_text(encoding="utf-8"))
            claims = tuple(str(claim["code"]) for claim in plain["world"]["claims"])
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise DataError(
                f"{path} is no manifest of a run ({type(error).__name__}); give the folder of one"
            ) from error
        return cls(claims, Path(folder))

    def batches(self, name: str) -> Iterator[pa.RecordBatch]:
        """A table by its name in `schema.TABLES`, in order and in batches.

        Raises:
            BurnishError: a file is damaged.
        """
        if self.folder is None:
            table = TABLES[name].empty_table() if self.memory is None else self.memory[name]
            yield from table.to_batches(max_chunksize=ROWS)
            return
        for path in sorted((self.folder / name).glob("*.parquet")):
            try:
                with pq.ParquetFile(path) as file:
                    for batch in file.iter_batches(ROWS):
                        yield batch.cast(TABLES[name])
            except (OSError, ValueError, pa.ArrowException) as error:
                why = " ".join(str(error).split())[:200]
                raise BurnishError(f"{path} is no table of a run: {why}; run again") from error

    def table(self, name: str) -> pa.Table:
        """A whole table."""
        return pa.Table.from_batches(self.batches(name), TABLES[name])
