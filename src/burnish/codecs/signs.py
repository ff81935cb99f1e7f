"""Signs of many numbers, eight to the byte. A zero counts as positive."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from burnish.codecs.chunking import CHUNK

_TABLE = 1 - 2 * np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.float32)


def pack_signs(vector: Tensor) -> Tensor:
    """(n,) to (ceil(n / 8),) uint8; the bit is set where the number is negative."""
    values = vector.numpy()
    packed = np.empty(-(-len(values) // 8), np.uint8)
    for start in range(0, len(values), CHUNK):
        bits = np.packbits(values[start : start + CHUNK] < 0)
        packed[start // 8 : start // 8 + len(bits)] = bits
    return torch.from_numpy(packed)


def spread_signs(packed: Tensor, magnitude: float, count: int) -> Tensor:
    """The inverse: (count,) float32, each `magnitude` or its negative."""
    spread = np.empty((len(packed), 8), np.float32)
    table = _TABLE * np.float32(magnitude)
    np.take(table, packed.numpy(), axis=0, out=spread, mode="clip")  # other modes copy first
    return torch.from_numpy(spread).view(-1)[:count]


def mean_magnitude(values: Tensor) -> float:
    """Mean of the absolute values of a vector."""
    total = 0.0
    buffer = torch.empty(min(CHUNK, len(values)))
    for start in range(0, len(values), CHUNK):
        chunk = values[start : start + CHUNK]
        magnitudes = torch.abs(chunk, out=buffer[: len(chunk)])
        partial = float(magnitudes.sum())
        if math.isinf(partial):  # of float32; each number is finite
            partial = float(magnitudes.sum(dtype=torch.float64))
        total += partial
    return total / len(values)
