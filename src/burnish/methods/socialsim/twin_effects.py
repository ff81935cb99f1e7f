"""What a change did: differences between twin runs, with intervals. Knows no tables.

Twins share their seed, so they share every draw that the change does not touch, and the pair
differs by the change alone.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burnish.errors import UsageError
from burnish.evidence.intervals import RESAMPLES, Interval, paired_bootstrap

ENOUGH = 10  # seeds for an interval to be believed
Outcomes = Mapping[str, float]


@dataclass(frozen=True)
class Effect:
    """What a change did to one metric.

    Attributes:
        metric: its name, which ends in its unit.
        changed: mean with the change.
        unchanged: mean without it.
        difference: changed - unchanged, in the unit of the metric.
        relative: changed / unchanged - 1 of the means, in percent; None when unchanged is 0.
        seeds: pairs in which both were measured.
        missing: pairs in which one was not.
    """

    metric: str
    changed: float
    unchanged: float
    difference: Interval
    relative: Interval | None
    seeds: int
    missing: int

    @property
    def is_clear(self) -> bool:
        """The interval of the difference leaves out 0, over enough seeds."""
        return self.seeds >= ENOUGH and not self.difference.low <= 0 <= self.difference.high


def effects(
    changed: Sequence[Outcomes],
    unchanged: Sequence[Outcomes],
    *,
    seed: int,
    confidence: float = 0.95,
) -> tuple[Effect, ...]:
    """The effect of a change on every metric that was measured in at least one pair.

    Args:
        changed: outcomes by seed.
        unchanged: of the twins, in the same order.
        seed: of the bootstrap over seeds.
        confidence: of the intervals.

    Raises:
        UsageError: no pairs, or runs that do not pair up.
    """
    if not changed or len(changed) != len(unchanged):
        raise UsageError(
            f"runs and twins pair up by seed, but there are {len(changed)} and {len(unchanged)}; "
            "run each seed both ways"
        )
    found = (
        _effect(name, changed, unchanged, seed, confidence)
        for name in changed[0]
        if name in unchanged[0]
    )
    return tuple(effect for effect in found if effect is not None)


def share_prevented(
    measure: Sequence[float], nothing: Sequence[float], no_red: Sequence[float]
) -> float:
    """Share of the campaign's effect that a countermeasure takes away, over seeds.

    1 when the run with it is like the world without a campaign, 0 when it did nothing; NaN when
    the campaign had no effect.
    """
    harm = float(np.mean(nothing) - np.mean(no_red))
    return float(np.mean(nothing) - np.mean(measure)) / harm if harm else math.nan


def _effect(
    name: str,
    changed: Sequence[Outcomes],
    unchanged: Sequence[Outcomes],
    seed: int,
    confidence: float,
) -> Effect | None:
    values = (
        (one.get(name, math.nan), two.get(name, math.nan))
        for one, two in zip(changed, unchanged, strict=True)
    )
    pairs = np.array([pair for pair in values if np.isfinite(pair).all()])
    if len(pairs) == 0:
        return None
    first, second = pairs[:, 0], pairs[:, 1]
    return Effect(
        name,
        float(first.mean()),
        float(second.mean()),
        paired_bootstrap(first.tolist(), second.tolist(), seed=seed, confidence=confidence),
        _relative(first, second, seed, confidence),
        len(pairs),
        len(changed) - len(pairs),
    )


def _relative(
    first: NDArray[np.float64], second: NDArray[np.float64], seed: int, confidence: float
) -> Interval | None:
    """Ratio of means, the pairs resampled together; None where a resample divides by 0."""
    rows = np.random.default_rng(seed).integers(0, len(first), (RESAMPLES, len(first)))
    below = second[rows].mean(axis=1)
    if second.mean() == 0 or np.any(below == 0):
        return None
    ratios = first[rows].mean(axis=1) / below
    tail = (1 - confidence) / 2
    low, high = np.quantile(ratios, [tail, 1 - tail])
    estimate = first.mean() / second.mean()
    return Interval(*(100 * (float(value) - 1) for value in (estimate, low, high)))
