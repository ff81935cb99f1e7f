"""Projection on random directions that cost nothing to keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from burnish.codecs.base import VectorCodec
from burnish.codecs.draws import public_signs, public_words
from burnish.codecs.protocol import Context, Part, Payload
from burnish.errors import ConfigError

_STRETCH = 1 << 16  # numbers that stay in the second-level cache
_BASE = 32  # neighbours that one matrix product transforms


@final
@dataclass(frozen=True, eq=False)
class Srht(VectorCodec):
    """Subsampled randomised Hadamard transform: rows of H D x; 4 bytes a row.

    Signs D and rows are drawn from the seed and the round, alike for all clients, so that sums of
    a round's payloads decode to sums of vectors; drawn anew each round, so that error feedback
    reaches every direction. Decoding is the transpose: the projection of the vector on k of N
    orthonormal directions, k / N of its energy (multiply by N / k for an unbiased estimate).

    Attributes:
        k: rows, 1 to the size. The vector is padded with zeros to N, a power of two.
        seed: public.

    Source: Tropp, arXiv 1011.1595, definition 3.1. Departure: one row is drawn from each of k
    equal stretches of the N, not k from all.
    """

    name: ClassVar[str] = "srht"
    linear: ClassVar[bool] = True

    k: int
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.k <= self.size:
            raise ConfigError(f"k is from 1 to the size {self.size}, got {self.k}")

    @property
    def padded(self) -> int:
        """N."""
        return 1 << (self.size - 1).bit_length()

    def template(self, round: int) -> dict[str, Part]:
        """The coordinates."""
        return {"coordinates": Part(torch.float32, (self.k,))}

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        mixed = torch.zeros(self.padded)
        torch.mul(vector, self._signs(context.round), out=mixed[: self.size])
        return {"coordinates": hadamard(mixed)[self._rows(context.round)]}

    def _expand(self, payload: Payload) -> Tensor:
        round = payload.header.round
        mixed = torch.zeros(self.padded)
        mixed[self._rows(round)] = payload.tensors["coordinates"]
        return hadamard(mixed)[: self.size].mul_(self._signs(round))

    def _signs(self, round: int) -> Tensor:
        return torch.from_numpy(public_signs(self.size, self.seed, self.name, "signs", round))

    def _rows(self, round: int) -> Tensor:
        edges: NDArray[np.int64] = np.arange(self.k + 1) * self.padded // self.k
        draw = public_words(self.k, self.seed, self.name, "rows", round)
        within = draw % np.diff(edges).astype(np.uint64)
        return torch.from_numpy(edges[:-1] + within.astype(np.int64))


def hadamard(vector: Tensor) -> Tensor:
    """The orthonormal Walsh-Hadamard transform, (N,) for N a power of two; its own inverse.

    Stretches that fit the second-level cache are transformed on their own, then across each other.
    """
    total = len(vector)
    inner = min(total, _STRETCH)
    done = vector.new_empty(total // inner, inner)
    scale = total**-0.5
    for stretch, out in zip(vector.view(-1, inner), done, strict=True):
        base = min(inner, _BASE)
        first = stretch.view(-1, base) @ _matrix(base, scale)
        out.copy_(_across(first).view(-1))
    outer = len(done)
    for start in range(0, inner if outer > 1 else 0, max(_BASE, _STRETCH // outer)):
        columns = slice(start, start + max(_BASE, _STRETCH // outer))
        done[:, columns] = _across(done[:, columns].contiguous())
    return done.view(-1)


def _across(rows: Tensor) -> Tensor:
    """Sums and differences over the first axis, (R, C) for R a power of two; overwrites `rows`."""
    source, target = rows, torch.empty_like(rows)
    width = 1
    while width < len(rows):
        pairs, out = (each.view(-1, 2, width * rows.shape[1]) for each in (source, target))
        torch.add(pairs[:, 0], pairs[:, 1], out=out[:, 0])
        torch.sub(pairs[:, 0], pairs[:, 1], out=out[:, 1])
        source, target = target, source
        width *= 2
    return source


def _matrix(width: int, scale: float) -> Tensor:
    matrix = torch.full((1, 1), scale)
    pair = torch.tensor([[1.0, 1.0], [1.0, -1.0]])
    while len(matrix) < width:
        matrix = torch.kron(matrix, pair)
    return matrix
