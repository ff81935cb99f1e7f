"""How sure a measured number is. Knows nothing of what was measured."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from burnish.errors import UsageError

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

RESAMPLES = 9999
_BATCH_CELLS = 4_000_000  # numbers held at once while resampling: 32 MB


@dataclass(frozen=True)
class Interval:
    """An estimate and the bounds it lies between, all in one unit."""

    estimate: float
    low: float
    high: float

    @property
    def bounds(self) -> tuple[float, float]:
        """(low, high), as `Verdict.interval` wants it."""
        return self.low, self.high

    def scaled(self, factor: float) -> Interval:
        """The same interval in another unit, e.g. `factor=100` for a share in percent."""
        low, high = sorted((self.low * factor, self.high * factor))
        return Interval(self.estimate * factor, low, high)


def wilson(successes: int, trials: int, *, confidence: float = 0.95) -> Interval:
    """Wilson's score interval of a share.

    Args:
        successes: 0 to `trials`.
        trials: at least 1; independent of each other.
        confidence: in (0, 1).

    Returns:
        Shares from 0 to 1.

    Raises:
        UsageError: no trials, or more successes than trials.

    Source: Wilson 1927, J. Am. Stat. Assoc. 22:209-212; no continuity correction.
    """
    return _proportion(successes, trials, confidence, "wilson")


def clopper_pearson(successes: int, trials: int, *, confidence: float = 0.95) -> Interval:
    """Clopper and Pearson's exact interval of a share: never covers less than it says.

    Args:
        successes: 0 to `trials`.
        trials: at least 1; independent of each other.
        confidence: in (0, 1).

    Returns:
        Shares from 0 to 1.

    Raises:
        UsageError: no trials, or more successes than trials.

    Source: Clopper and Pearson 1934, Biometrika 26:404-413.
    """
    return _proportion(successes, trials, confidence, "exact")


def bootstrap_mean(
    values: Sequence[float],
    *,
    seed: int,
    confidence: float = 0.95,
    clusters: Sequence[Hashable] | None = None,
) -> Interval:
    """Percentile bootstrap of a mean.

    Args:
        values: (n,), at least one, finite. One value, or values that are all alike, give bounds
            equal to the estimate: resampling cannot see a spread that the sample does not have.
        seed: of the 9,999 resamples.
        confidence: in (0, 1).
        clusters: (n,); values of one cluster (a document, a speaker) are drawn together, and the
            mean stays the mean over values. None when values are independent.

    Raises:
        UsageError: no values, a value that is not finite, or labels that do not pair up.

    Source: Efron and Tibshirani 1993, chapter 13; whole clusters as in Davison and Hinkley 1997,
    section 3.8.
    """
    return _bootstrap(_finite(values, "values"), clusters, seed, confidence)


def paired_bootstrap(
    ours: Sequence[float],
    baseline: Sequence[float],
    *,
    seed: int,
    confidence: float = 0.95,
    clusters: Sequence[Hashable] | None = None,
) -> Interval:
    """Percentile bootstrap of the mean of `ours - baseline`, item by item.

    Args:
        ours: (n,), at least one, finite.
        baseline: (n,); row i is the same item as row i of `ours`.
        seed: of the resamples.
        confidence: in (0, 1).
        clusters: (n,); items of one cluster are drawn together.

    Raises:
        UsageError: no items, rows that do not pair up, or a value that is not finite.

    Source: Koehn 2004, "Statistical significance tests for machine translation evaluation",
    section 4. Departure: an interval of the difference in place of a win rate.
    """
    if len(ours) != len(baseline):
        raise UsageError(
            f"ours and baseline pair up item by item, but have {len(ours)} and {len(baseline)} "
            "values; drop the unpaired items first"
        )
    differences = _finite(ours, "ours") - _finite(baseline, "baseline")
    return _bootstrap(differences, clusters, seed, confidence)


def unpaired_bootstrap(
    ours: Sequence[float],
    baseline: Sequence[float],
    *,
    seed: int,
    confidence: float = 0.95,
) -> Interval:
    """Percentile bootstrap of the difference of two means of unrelated items.

    Args:
        ours: (n,), at least one, finite.
        baseline: (m,), at least one, finite; other items than those of `ours`.
        seed: of the resamples.
        confidence: in (0, 1).

    Raises:
        UsageError: no items, or a value that is not finite.

    Source: Efron and Tibshirani 1993, section 8.3.
    """
    import numpy as np
    from scipy import stats

    _check_confidence(confidence)
    first, second = _finite(ours, "ours"), _finite(baseline, "baseline")
    estimate = float(first.mean() - second.mean())
    if np.ptp(first) == 0 and np.ptp(second) == 0:
        return Interval(estimate, estimate, estimate)
    result = stats.bootstrap(
        (first, second),
        lambda one, other, axis: one.mean(axis=axis) - other.mean(axis=axis),
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=max(1, _BATCH_CELLS // max(len(first), len(second))),
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(estimate, float(result.low), float(result.high))


def _bootstrap(
    values: NDArray[float64],
    clusters: Sequence[Hashable] | None,
    seed: int,
    confidence: float,
) -> Interval:
    import numpy as np
    from scipy import stats

    _check_confidence(confidence)
    sums, sizes = _by_cluster(values, clusters)
    estimate = float(sums.sum() / sizes.sum())
    means = sums / sizes
    if np.all(means == means[0]):
        return Interval(estimate, estimate, estimate)
    result = stats.bootstrap(
        (sums, sizes),
        lambda total, size, axis: total.sum(axis=axis) / size.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=RESAMPLES,
        batch=max(1, _BATCH_CELLS // len(sums)),
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(estimate, float(result.low), float(result.high))


def _proportion(
    successes: int, trials: int, confidence: float, method: Literal["wilson", "exact"]
) -> Interval:
    from scipy import stats  # takes a second to import: only once an interval is wanted

    _check_confidence(confidence)
    if trials < 1 or not 0 <= successes <= trials:
        raise UsageError(
            f"a share needs at least one trial and 0 to `trials` successes, got {successes} of "
            f"{trials}; report it as not scored"
        )
    bounds = stats.binomtest(successes, trials).proportion_ci(confidence, method=method)
    return Interval(successes / trials, float(bounds.low), float(bounds.high))


def _check_confidence(confidence: float) -> None:
    if not 0 < confidence < 1:
        raise UsageError(f"confidence is a share between 0 and 1, e.g. 0.95, got {confidence}")


def _finite(values: Sequence[float], what: str) -> NDArray[float64]:
    import numpy as np

    if len(values) == 0:
        raise UsageError(f"{what} is empty, and an interval needs at least one value")
    for index, value in enumerate(values):
        if value is None or not math.isfinite(value):
            raise UsageError(
                f"{what}[{index}] is {value}, and an interval needs finite numbers; leave out what "
                "was not scored and count it"
            )
    return np.asarray(values, dtype=np.float64)


def _by_cluster(
    values: NDArray[float64], clusters: Sequence[Hashable] | None
) -> tuple[NDArray[float64], NDArray[float64]]:
    """Sum and number of the values of each cluster, in order of first appearance."""
    import numpy as np

    if clusters is None:
        return values, np.ones_like(values)
    if len(clusters) != len(values):
        raise UsageError(
            f"every value has a cluster, but there are {len(values)} values and {len(clusters)} "
            "cluster labels"
        )
    order = {label: index for index, label in enumerate(dict.fromkeys(clusters))}
    rows = np.array([order[label] for label in clusters])
    sums, sizes = np.bincount(rows, weights=values), np.bincount(rows)
    return sums.astype(np.float64), sizes.astype(np.float64)
