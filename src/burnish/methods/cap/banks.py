"""Banks: one normalised vector an example, written once and memory-mapped.

Kinds are "pre" (the model before pruning), "fine" (the fine-tuned teacher) and "snap" (past
stages, of which there may be several). Nothing is refreshed; no weights are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import normalize

from burnish.errors import BurnishError, UsageError
from burnish.training import gathered

Kind = Literal["pre", "snap", "fine"]
Rows = NDArray[np.int64]


class Bank:
    """One file of vectors (N, D) in half precision that is being filled.

    Every process calls `put` for its own rows and `close` in the end; the main process writes.

    Args:
        path: of the file.
        size: N.
        width: D.
        accelerator: of the processes.
        dtype: of the numbers kept; half precision is enough for cosines.
        unit: whether each row is divided by its norm.
    """

    def __init__(
        self,
        path: Path,
        size: int,
        width: int,
        accelerator: Accelerator,
        *,
        dtype: type[np.floating] = np.float16,
        unit: bool = True,
    ) -> None:
        self._path, self._accelerator, self._unit = path, accelerator, unit
        self._file: np.memmap[tuple[int, int], np.dtype[np.floating]] | None = None
        self._filled = np.zeros(size, dtype=bool)
        if accelerator.is_main_process:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = np.memmap(self._partial, dtype=dtype, mode="w+", shape=(size, width))

    @property
    def _partial(self) -> Path:
        return self._path.with_name(f"{self._path.name}.partial")

    def put(self, rows: Rows, vectors: Tensor) -> None:
        """Keep the vectors (n, D) of these rows.

        Raises:
            BurnishError: a vector is not finite.
        """
        vectors = vectors.detach().float()
        if self._unit:
            vectors = normalize(vectors, dim=1)
        rows, vectors = gathered(rows, vectors, self._accelerator)
        if not torch.isfinite(vectors).all():
            bad = rows[~torch.isfinite(vectors).all(1).cpu().numpy()][0]
            raise BurnishError(
                f"the vector of example {bad} for {self._path.name} is not finite; the model has "
                "diverged: lower the learning rate, or train in float32"
            )
        if self._file is not None:
            self._file[rows] = vectors.cpu().numpy()
            self._filled[rows] = True

    def close(self) -> None:
        """All rows are there: the file gets its name, and other processes may read it.

        Raises:
            BurnishError: a row was never put.
        """
        if self._file is not None:
            if not self._filled.all():
                missing = int(np.flatnonzero(~self._filled)[0])
                raise BurnishError(f"{self._path.name} has no vector for example {missing}")
            self._file.flush()
            self._file = None
            self._partial.replace(self._path)
        self._accelerator.wait_for_everyone()


class Banks:
    """The banks of one pruning, in a folder.

    Args:
        folder: where the files are; banks that are there, and unharmed, are used again.
        size: N, the number of examples.
        width: D of the vectors, or of each kind where they differ.
        accelerator: of the processes that work together.
    """

    def __init__(self, folder: Path, size: int, width: int, accelerator: Accelerator) -> None:
        self.folder, self.size, self.width = folder, size, width
        self.accelerator = accelerator
        self._open: dict[str, NDArray[np.floating]] = {}
        self._digests: dict[str, str] = {}

    def begin(self, name: str, *, width: int | None = None) -> Bank:
        """A new bank to fill, in place of an unfinished one of that name."""
        path, columns = self._path(name), width or self.width
        self._open.pop(name, None)
        self._digests.pop(path.name, None)
        return Bank(path, self.size, columns, self.accelerator)

    def names(self, kind: Kind) -> list[str]:
        """The finished banks of a kind, oldest first."""
        return sorted(path.stem for path in self.folder.glob(f"{kind}*.f16"))

    def gather(self, kind: Kind, rows: Rows) -> Tensor:
        """The vectors (n, R, D) of these rows, in float32, R the number of banks of the kind."""
        found = [torch.from_numpy(self._read(name)[rows]).float() for name in self.names(kind)]
        return torch.stack(found, dim=1)

    def digest(self) -> dict[str, str]:
        """SHA-256 of every finished file by name; each is read once."""
        for path in sorted(self.folder.glob("*.f??")):
            if path.name not in self._digests:
                self._digests[path.name] = _sha256(path)
        return dict(self._digests)

    def verify(self, recorded: Mapping[str, str]) -> None:
        """Check the banks against an earlier `digest`; those that came later are dropped.

        Raises:
            UsageError: a bank is gone or has changed.
        """
        found = self.digest()
        for name, digest in recorded.items():
            if found.get(name) != digest:
                state = "has changed" if name in found else "is gone"
                raise UsageError(
                    f"cannot go on: bank {self.folder / name} {state} since it was written; prune "
                    "again in a new folder"
                )
        self.accelerator.wait_for_everyone()  # nobody reads what is dropped now
        for name in set(found) - set(recorded):
            self._digests.pop(name)
            self._open.pop(Path(name).stem, None)
            if self.accelerator.is_main_process:
                (self.folder / name).unlink(missing_ok=True)
        self.accelerator.wait_for_everyone()

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.f16"

    def _read(self, name: str) -> NDArray[np.floating]:
        if name not in self._open:
            flat = np.memmap(self._path(name), dtype=np.float16, mode="r")
            self._open[name] = flat.reshape(self.size, -1)
        return self._open[name]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
