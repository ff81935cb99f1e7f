"""Bounded-confidence comparators in a well-mixed crowd: Deffuant and Hegselmann-Krause."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burnish.errors import UsageError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Settled:
    """Where opinions end.

    Attributes:
        opinions: (n,).
        sweeps: rounds until nothing moved, or the most allowed.
        converged: nothing moved any more.
    """

    opinions: Floats
    sweeps: int
    converged: bool


def deffuant(
    opinions: Floats,
    *,
    confidence: float,
    step: float = 0.5,
    sweeps: int = 50_000,
    generator: np.random.Generator,
) -> Settled:
    """Pairs meet by chance and move towards each other when they are close enough.

    Args:
        opinions: (n,) any range.
        confidence: largest distance at which a pair still talks (epsilon).
        step: share of the distance that each moves (mu), 0 to 0.5.
        sweeps: rounds, at most; in each everybody meets one other. The last few between two camps
            take thousands to find each other.
        generator: of the pairs.

    Source: Deffuant et al. 2000, Adv. Complex Syst. 3:87, eq. 1. Departure: n/2 disjoint pairs
    meet at once in place of one after the other.
    """
    _check(opinions, confidence)
    if not 0 < step <= 0.5:
        raise UsageError(f"step is above 0 and up to 0.5, got {step}")
    x, half = np.array(opinions, np.float64), len(opinions) // 2
    for sweep in range(1, sweeps + 1):
        order = generator.permutation(len(x))
        first, second = order[:half], order[half : 2 * half]
        gap = x[second] - x[first]
        move = np.where(np.abs(gap) <= confidence, step * gap, 0.0)
        x[first] += move
        x[second] -= move
        if sweep % 16 == 0 and _is_settled(x, confidence):
            return Settled(x, sweep, True)
    return Settled(x, sweeps, False)


def hegselmann_krause(opinions: Floats, *, confidence: float, sweeps: int = 1000) -> Settled:
    """Everybody moves to the mean of all opinions close to theirs, at once; O(n log n) a round.

    Args:
        opinions: (n,) any range.
        confidence: largest distance that counts (epsilon).
        sweeps: rounds, at most; it converges in O(n^3) of them, in practice in tens.

    Source: Hegselmann and Krause 2002, JASSS 5(3), eq. 2.4.
    """
    _check(opinions, confidence)
    order = np.argsort(opinions, kind="stable")
    x = np.asarray(opinions, np.float64)[order]
    for sweep in range(1, sweeps + 1):
        total = np.concatenate([[0.0], np.cumsum(x)])
        low = np.searchsorted(x, x - confidence - 1e-12, side="left")
        high = np.searchsorted(x, x + confidence + 1e-12, side="right")
        moved = (total[high] - total[low]) / (high - low)
        if np.max(np.abs(moved - x)) < 1e-10:
            return Settled(_unsorted(moved, order), sweep, True)
        x = np.maximum.accumulate(moved)  # rounding may not change the order
    return Settled(_unsorted(x, order), sweeps, False)


def clusters(opinions: Floats, *, gap: float, least: float = 0.0) -> list[float]:
    """Centres of groups of opinions with more than `gap` between them.

    Args:
        opinions: (n,).
        gap: distance that separates groups.
        least: groups with at most this share of all opinions are left out.

    Returns:
        Means in ascending order.
    """
    x = np.sort(opinions)
    groups = np.split(x, np.flatnonzero(np.diff(x) > gap) + 1)
    return [float(group.mean()) for group in groups if len(group) > least * len(x)]


def _is_settled(x: Floats, confidence: float) -> bool:
    """No pair would still move: neighbours are equal, or too far apart to talk."""
    gaps = np.diff(np.sort(x))
    return bool(np.all((gaps < 1e-6) | (gaps > confidence)))


def _unsorted(values: Floats, order: NDArray[np.intp]) -> Floats:
    result = np.empty_like(values)
    result[order] = values
    return result


def _check(opinions: Floats, confidence: float) -> None:
    if len(opinions) < 2 or not np.all(np.isfinite(opinions)):
        raise UsageError("opinions are at least two finite numbers")
    if not confidence >= 0:
        raise UsageError(f"confidence is a distance of at least 0, got {confidence}")
