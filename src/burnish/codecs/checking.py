"""Whether a vector is one that codecs take."""

from __future__ import annotations

import math

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
    return vector.detach().cpu().contiguous()
