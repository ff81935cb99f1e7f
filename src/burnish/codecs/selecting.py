"""The largest of many numbers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from burnish.codecs.chunking import CHUNK

_SAMPLE = 1 << 14


def largest(values: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Where the k largest magnitudes are, in increasing order; of equal ones the first.

    Exact. A sample tells a magnitude that somewhat more than k numbers reach, so that only those
    are sorted out; if fewer reach it, which is rare, all are.

    Args:
        values: (n,), finite.
        k: 1 to n.
    """
    places, magnitudes = _reaching(values, _floor(values, k))
    if len(places) < k:
        places, magnitudes = _reaching(values, np.float32(0))
    edge = np.partition(magnitudes, len(magnitudes) - k)[len(magnitudes) - k]
    keep = magnitudes > edge
    ties = np.flatnonzero(magnitudes == edge)
    keep[ties[: k - int(np.count_nonzero(keep))]] = True
    found: NDArray[np.int64] = places[keep]
    return found


def _floor(values: NDArray[np.float32], k: int) -> np.float32:
    """A magnitude that a little more than k numbers are likely to reach."""
    step = max(1, len(values) // _SAMPLE) | 1  # odd: vectors have periods of powers of two
    sample = np.abs(values[::step])
    share = len(sample) * k / len(values)
    rank = len(sample) - math.ceil(share + 4 * math.sqrt(share) + 8)
    return np.float32(np.partition(sample, rank)[rank]) if rank > 0 else np.float32(0)


def _reaching(
    values: NDArray[np.float32], floor: np.float32
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Where magnitudes are at least `floor`, and those magnitudes."""
    places, found = [], []
    buffer = np.empty(min(CHUNK, len(values)), np.float32)
    for start in range(0, len(values), CHUNK):
        chunk = values[start : start + CHUNK]
        magnitudes = np.abs(chunk, out=buffer[: len(chunk)])
        inside = np.flatnonzero(magnitudes >= floor)
        found.append(magnitudes[inside])
        places.append(inside + start)
    return np.concatenate(places), np.concatenate(found)
