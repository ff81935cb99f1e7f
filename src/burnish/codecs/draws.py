"""Numbers that sender and receiver draw alike: from raw bits, which no release of NumPy changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burnish.training.randomness import derive


def public_bytes(count: int, seed: int, *names: str | int) -> NDArray[np.uint8]:
    """`count` random bytes for one purpose; the same names give the same bytes anywhere."""
    raw = public_words(-(-count // 8), seed, *names)
    return raw.astype("<u8", copy=False).view(np.uint8)[:count]


def public_words(count: int, seed: int, *names: str | int) -> NDArray[np.uint64]:
    """`count` random words of 64 bits for one purpose."""
    words: NDArray[np.uint64] = np.random.SFC64(derive(seed, *names)).random_raw(count)
    return words


def public_signs(count: int, seed: int, *names: str | int) -> NDArray[np.float32]:
    """`count` numbers that are 1 or -1."""
    bits = np.unpackbits(public_bytes(-(-count // 8), seed, *names), count=count)
    return np.float32(1) - np.float32(2) * bits
