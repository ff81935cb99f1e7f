"""Whether a vector is one that codecs take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from burnish.codecs.errors import LayoutMismatch, NotFinite


def all_finite(tensor: Tensor) -> bool:
    """Whether no number is NaN or infinite; one pass over memory when all is well."""
    # a sum of finite numbers may overflow, one with NaN or infinity is never finite
    total = float(tensor.sum(dtype=torch.float32))
    return math.isfinite(total) or bool(tensor.isfinite().all())


def checked(vector: Tensor, size: int, codec: str) -> Tensor:
    """The vector as codecs compute with it: detached, on the processor, in one piece.

    Raises:
        LayoutMismatch: it is not `size` numbers of float32.
        NotFinite: it holds NaN or infinity.
    """
    vector = vector.detach()
    if vector.shape != (size,) or vector.dtype != torch.float32:
        raise LayoutMismatch(
            f"{codec} was made for vectors of {size} float32 numbers, got shape "
            f"{tuple(vector.shape)} of {vector.dtype}; make a codec for this layout"
        )
    if not all_finite(vector):
        first = int((~vector.isfinite()).nonzero()[0])
        raise NotFinite(
            f"wanted finite numbers in the vector, got {float(vector[first])} at index {first}; "
            "lower the learning rate or clip the update"
        )
    return vector.cpu().contiguous()


class Tied(Protocol):
    """What updates are of: the hashes of their layout and initialisation, "" where not told."""

    @property
    def layout(self) -> str:
        """Of the order of the numbers."""
        ...

    @property
    def init(self) -> str:
        """Of the initialisation they share."""
        ...


def check_made_for(codec: str, mine: Tied, theirs: Tied) -> None:
    """Refuse updates of another kind than those a codec was made from.

    Raises:
        LayoutMismatch: the codec was made from updates of another layout or initialisation.
    """
    for name in ("init", "layout"):
        own, other = getattr(mine, name), getattr(theirs, name)
        if own and own != other:
            raise LayoutMismatch(
                f"this {codec} was made from updates whose {name} is {own[:12]}, got "
                f"{other[:12] or 'none'}; use the same model, adapter settings and seed, or fit "
                "another codec"
            )


def remembered(memory: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor | None:
    """What was kept under a name; None at first.

    Raises:
        LayoutMismatch: another codec kept it.
    """
    kept = memory.get(name)
    if kept is not None and (kept.shape != shape or kept.dtype != torch.float32):
        raise LayoutMismatch(
            f"{name} in memory has shape {tuple(kept.shape)} of {kept.dtype}, this codec keeps "
            f"{shape} of float32; give every codec a memory of its own, empty at first"
        )
    return kept


def to_keep(tensor: Tensor, name: str) -> Tensor:
    """What is about to be kept: numbers that overflowed would spoil every later message.

    Raises:
        NotFinite: it holds NaN or infinity.
    """
    if not all_finite(tensor):
        raise NotFinite(
            f"wanted finite numbers in {name}, got NaN or infinity; memory stays as it was, clip "
            "the update"
        )
    return tensor
