"""Maps that erase a concept from vectors: h' = h M^T + b, and how a linear head swallows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.errors import UsageError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Affine:
    """An affine map of vectors.

    Attributes:
        matrix: (D, D).
        offset: (D,).
        rank: how many directions it takes out.
    """

    matrix: Floats
    offset: Floats
    rank: int

    def __call__(self, vectors: NDArray[Any]) -> Floats:
        """(n, D) to (n, D), in float64."""
        mapped: Floats = np.asarray(vectors, np.float64) @ self.matrix.T + self.offset
        return mapped

    def folded(self, weight: NDArray[Any], bias: NDArray[Any]) -> tuple[Floats, Floats]:
        """The linear head that does to h what the given one, (C, D) and (C,), does to h'."""
        return weight @ self.matrix, weight @ self.offset + bias


def checked(vectors: NDArray[Any], concepts: NDArray[Any]) -> tuple[Floats, Floats]:
    """Vectors (n, D) and concepts (n, K) as float64.

    Concepts (n,) become one column.

    Raises:
        UsageError: they do not pair up, there are fewer than two, or a value is not finite.
    """
    h, z = np.asarray(vectors, np.float64), np.asarray(concepts, np.float64)
    z = z[:, None] if z.ndim == 1 else z
    if h.ndim != 2 or z.ndim != 2 or len(h) != len(z) or len(h) < 2:
        raise UsageError(
            f"vectors (n, D) and concepts (n, K) pair up, n at least 2, got {h.shape} and {z.shape}"
        )
    if not (np.isfinite(h).all() and np.isfinite(z).all()):
        raise UsageError("vectors and concepts are finite; drop the rows that are not")
    return h, z
