"""The order of an adapter's numbers: LoRA matrices to one vector, an image, and back.

Knows nothing of clients, codecs or training.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from burnish.codecs.errors import LayoutMismatch, NotFinite
from burnish.codecs.image import Image
from burnish.methods.cg_fedllm.adapters import matrices

if TYPE_CHECKING:
    from peft import PeftModel

_A, _B = ".lora_A.", ".lora_B."
_MODULES = ("q_proj", "k_proj", "v_proj", "o_proj")


@dataclass(frozen=True)
class LoraLayout:
    """Where each number of a LoRA adapter stands in a vector.

    Pairs go layer by layer, in a layer as q, k, v, o, then others by name. If every matrix adapts
    a square weight of d x d, the vector is, row by row, the image of d rows that has the blocks
    [A^T | B], each d x 2r, side by side. Else, as with grouped queries, the blocks are flattened
    one after the other (A^T before B where they do not fit side by side) and the image is cut
    from that: d rows, as many columns as are needed, zeros at the very end if d does not divide.

    Attributes:
        names: of the matrices, A and B of a pair after each other, in the order of the pairs.
        shapes: of each, (r, d_in) for A and (d_out, r) for B.

    Source: CG-FedLLM, arXiv 2405.13746, table 1 and algorithm 1. Departures: the order of blocks,
    which the paper does not tell; models with grouped queries.
    """

    names: tuple[str, ...]
    shapes: tuple[tuple[int, int], ...]

    @classmethod
    def from_peft(cls, model: PeftModel) -> LoraLayout:
        """The layout of a model's active adapter.

        Raises:
            LayoutMismatch: it has no LoRA matrices, or trains something else beside them.
        """
        return cls.from_shapes({name: each.shape for name, each in matrices(model).items()})

    @classmethod
    def from_shapes(cls, shapes: Mapping[str, Sequence[int]]) -> LoraLayout:
        """The layout of matrices by name and shape, given in any order.

        Names hold ".lora_A." or ".lora_B." and are alike otherwise in a pair.

        Raises:
            LayoutMismatch: a matrix has no partner, or no shape that goes with its partner's.
        """
        if not shapes:
            raise LayoutMismatch("an adapter needs LoRA matrices, got none; adapt a module")
        for name, shape in shapes.items():
            _check_pair(name, shape, shapes)
        ordered = sorted((name for name in shapes if _A in name), key=_place)
        names = tuple(each for a in ordered for each in (a, a.replace(_A, _B)))
        return cls(names, tuple((shapes[name][0], shapes[name][1]) for name in names))

    @property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Names of A and B of each adapted module, in order."""
        return tuple(zip(self.names[::2], self.names[1::2], strict=True))

    @property
    def numbers(self) -> int:
        """Numbers in the matrices."""
        return sum(rows * columns for rows, columns in self.shapes)

    @property
    def height(self) -> int:
        """Rows of the image, d: the input width of the first adapted module."""
        return self.shapes[0][1]

    @property
    def size(self) -> int:
        """Numbers in the vector: those of the matrices, and zeros up to a multiple of d."""
        return -(-self.numbers // self.height) * self.height

    @cached_property
    def hash(self) -> str:
        """SHA-256 of names, shapes and order, in hex; both sides must have the same."""
        told = json.dumps([1, self.names, self.shapes], separators=(",", ":"))
        return hashlib.sha256(told.encode()).hexdigest()

    @cached_property
    def image(self) -> Image:
        """The vector as an image; its factors tell the numbers of A from those of B."""
        factor = (self.matrix % 2).to(torch.uint8)
        return Image(self.height, self.size // self.height, factor)

    @cached_property
    def matrix(self) -> Tensor:
        """(size,) int32: the place in `names` of the matrix that each number is of.

        Zeros at the end count as of the last.
        """
        sizes = torch.tensor([rows * columns for rows, columns in self.shapes])
        sizes[-1] += self.size - self.numbers
        which = torch.arange(len(sizes), dtype=torch.int32)
        return torch.repeat_interleave(which, sizes).index_select(0, self._source)

    def to_vector(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """All numbers, (size,), float32, on the processor.

        Raises:
            LayoutMismatch: a matrix is missing, is not of this layout or has another shape.
            NotFinite: a matrix holds NaN or infinity.
        """
        self._check(tensors)
        flat = torch.zeros(self.size)
        parts = self._parts(flat)
        for name, part in zip(self.names, parts, strict=True):
            part.copy_(tensors[name].detach().reshape(-1))
        if not bool(torch.isfinite(flat).all()):
            bad = next(
                name
                for name, part in zip(self.names, parts, strict=True)
                if not bool(torch.isfinite(part).all())
            )
            raise NotFinite(
                f"{bad} must hold finite numbers, but has NaN or infinity; the training that made "
                "it has diverged: lower its learning rate"
            )
        return flat.index_select(0, self._source)

    def to_tensors(self, vector: Tensor) -> dict[str, Tensor]:
        """The inverse of `to_vector`, bit for bit; the matrices share one new piece of memory.

        Raises:
            LayoutMismatch: the vector has another shape.
        """
        if vector.shape != (self.size,):
            raise LayoutMismatch(
                f"this layout has vectors of shape ({self.size},), got {tuple(vector.shape)}; "
                "sender and receiver must adapt the same modules with the same rank"
            )
        flat = vector.detach().to("cpu", torch.float32).index_select(0, self._target)
        return {
            name: part.view(shape)
            for name, part, shape in zip(self.names, self._parts(flat), self.shapes, strict=True)
        }

    def _parts(self, flat: Tensor) -> tuple[Tensor, ...]:
        """Views of the flattened matrices, one after the other."""
        return torch.split(flat[: self.numbers], [rows * columns for rows, columns in self.shapes])

    @cached_property
    def _source(self) -> Tensor:
        """(size,) int32: where the numbers of the vector are in the flattened matrices."""
        blocks, start = [], 0
        for (rank, inner), (outer, _) in zip(self.shapes[::2], self.shapes[1::2], strict=True):
            middle, end = start + rank * inner, start + rank * (inner + outer)
            a = torch.arange(start, middle, dtype=torch.int32).view(rank, inner).T
            b = torch.arange(middle, end, dtype=torch.int32).view(outer, rank)
            blocks.append(torch.cat([a, b], 1) if inner == outer else _stacked(a, b))
            start = end
        zeros = torch.arange(start, self.size, dtype=torch.int32)
        ends = (*(a[1] for a in self.shapes[::2]), *(b[0] for b in self.shapes[1::2]))
        if set(ends) == {self.height}:
            return torch.cat(blocks, 1).reshape(-1)
        return torch.cat([*(block.reshape(-1) for block in blocks), zeros])

    @cached_property
    def _target(self) -> Tensor:
        """(size,) int32: the inverse permutation, where each flattened number is in the vector."""
        target = torch.empty(self.size, dtype=torch.int32)
        target[self._source.long()] = torch.arange(self.size, dtype=torch.int32)
        return target

    def _check(self, tensors: Mapping[str, Tensor]) -> None:
        for name, shape in zip(self.names, self.shapes, strict=True):
            if name not in tensors:
                raise LayoutMismatch(f"{name} is missing; the adapter is of another model or set")
            if tensors[name].shape != shape:
                raise LayoutMismatch(
                    f"{name} must have the shape {shape}, got {tuple(tensors[name].shape)}; "
                    "all sides need one model and one rank"
                )
        if extra := tensors.keys() - set(self.names):
            raise LayoutMismatch(
                f"{min(extra)} is not in this layout; all sides must adapt the same modules"
            )


def _stacked(a: Tensor, b: Tensor) -> Tensor:
    return torch.cat([a.reshape(-1), b.reshape(-1)])


def _check_pair(name: str, shape: Sequence[int], shapes: Mapping[str, Sequence[int]]) -> None:
    if (_A in name) == (_B in name):
        raise LayoutMismatch(
            f"{name} is no LoRA matrix A or B of a linear module; adapt linear modules alone"
        )
    here, there = (_A, _B) if _A in name else (_B, _A)
    partner = name.replace(here, there)
    if partner not in shapes:
        raise LayoutMismatch(f"{name} needs {partner} beside it, which is missing")
    a, b = (shape, shapes[partner]) if here == _A else (shapes[partner], shape)
    if len(a) != 2 or len(b) != 2 or a[0] != b[1] or min(*a, *b) < 1:
        raise LayoutMismatch(
            f"A of (r, d_in) goes with B of (d_out, r), but {name} is {tuple(shape)} and {partner} "
            f"is {tuple(shapes[partner])}"
        )


def _place(name: str) -> tuple[int, int, str]:
    """Layer, place of the module within it, name."""
    layer = re.search(r"\.(\d+)\.", name)
    module = name.split(_A)[0].rpartition(".")[2]
    rank = _MODULES.index(module) if module in _MODULES else len(_MODULES)
    return int(layer[1]) if layer else -1, rank, name
