"""Does a run look like real networks? Tests of published regularities on cascades and degrees.

A report of runs that fail is stamped *unvalidated*. Passing shows that known shapes come out, not
that people behave so. Needs the package powerlaw (Alstott et al. 2014, PLoS ONE 9:e85777).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.errors import MissingExtra, UsageError
from burnish.methods.socialsim.cascade_trees import Cascades
from burnish.methods.socialsim.schema import PostKind, Veracity

FEWEST = 50  # values in a tail that is fitted
SIGNIFICANT = 0.01
STEEPEST = 100.0  # exponent
CANDIDATES = 40  # tail beginnings that are tried
STAMP = "unvalidated"


@dataclass(frozen=True)
class Tail:
    """How the upper tail of counts is distributed.

    Attributes:
        exponent: of the discrete power law fitted by likelihood.
        start: smallest value of the tail.
        count: values in it.
        ratio: normalised log likelihood ratio of the better of lognormal and power law to the
            exponential; above 0 favours the heavy tail.
        p_value: of that ratio, by Vuong.
    """

    exponent: float
    start: int
    count: int
    ratio: float
    p_value: float

    @property
    def is_heavy(self) -> bool:
        """The exponential is rejected in favour of a heavy tail."""
        return self.ratio > 0 and self.p_value < SIGNIFICANT


@dataclass(frozen=True)
class Fact:
    """One regularity.

    Attributes:
        name: ends in its unit.
        value: measured; NaN when it could not be.
        low: smallest accepted value.
        high: largest one.
        source: who observed it.
    """

    name: str
    value: float
    low: float
    high: float
    source: str

    @property
    def holds(self) -> bool:
        """Within its bounds; what was not measured does not hold."""
        return self.low <= self.value <= self.high


@dataclass(frozen=True)
class Contrast:
    """False stories against true ones.

    Attributes:
        size_ratio: of mean sizes.
        depth_ratio: of mean depths.
        matched_depth_ratio: of mean depths among cascades of equal size.
        virality_ratio: of mean structural virality among the reshared ones.
        matched_virality_ratio: of the same among cascades of equal size.
    """

    size_ratio: float
    depth_ratio: float
    matched_depth_ratio: float
    virality_ratio: float
    matched_virality_ratio: float


def tail(counts: NDArray[np.integer], *, start: int | None = None) -> Tail:
    """Fit the upper tail of counts.

    Args:
        counts: (n,), whole numbers; those below 1 are left out.
        start: where the tail begins; None for the beginning, out of 40 quantiles, at which the
            power law is closest by Kolmogorov and Smirnov.

    Raises:
        UsageError: fewer than 50 values in the tail.

    Source: Clauset, Shalizi and Newman 2009, SIAM Review 51:661, sections 3 and 5. Departure:
    quantiles in place of all values as candidate beginnings.
    """
    values = counts[counts >= 1]
    begin = _beginning(values) if start is None else start
    inside = values[values >= begin]
    if len(inside) < FEWEST or inside.min() == inside.max():
        raise UsageError(
            f"a tail needs {FEWEST} different values, and {len(inside)} are at least {begin}; "
            "run longer or begin lower"
        )
    fit = _fit(inside, begin)
    # On a pure power law the search for a lognormal leaves what floats can tell apart; the power
    # law then decides alone.
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="No valid fits found|Fitted parameters are very")
        compared = [
            fit.distribution_compare(name, "exponential", normalized_ratio=True)
            for name in ("lognormal", "power_law")
        ]
    ratios = [pair for pair in compared if np.isfinite(pair).all()] or [(np.nan, np.nan)]
    ratio, p_value = max(ratios, key=lambda pair: float(pair[0]))
    return Tail(float(fit.power_law.alpha), begin, len(inside), float(ratio), float(p_value))


def contrast(cascades: Cascades) -> Contrast:
    """False against true cascades of new posts, with and without matching by size.

    Matching weighs each size by the smaller of its two counts, which is the mean over all ways to
    pair cascades of equal size.

    Source: Vosoughi et al. 2018, Science 359:1146; matching after Juul and Ugander 2021, PNAS
    118(46), who find that most differences vanish.
    """
    stories = cascades.where(cascades.kind == PostKind.POST)
    false = stories.where(stories.veracity == Veracity.FALSE)
    true = stories.where(stories.veracity == Veracity.TRUE)
    shared_false, shared_true = false.where(false.size > 1), true.where(true.size > 1)
    return Contrast(
        _ratio(false.size, true.size),
        _ratio(false.depth, true.depth),
        _matched(false.size, false.depth, true.size, true.depth),
        _ratio(shared_false.virality, shared_true.virality),
        _matched(shared_false.size, shared_false.virality, shared_true.size, shared_true.virality),
    )


def facts(
    cascades: Cascades, in_degree: NDArray[np.integer], *, falsity_factor: float = 1.7
) -> tuple[Fact, ...]:
    """Every regularity that a run, or several joined ones, should show.

    Args:
        cascades: of all posts.
        in_degree: (agents,) followers of each.
        falsity_factor: of the run; at 1, false and true stories should be alike.
    """
    new = cascades.where(cascades.kind == PostKind.POST)
    against = contrast(cascades)
    sizes = _tail_or_none(new.size, 10)
    degrees = _tail_or_none(in_degree, None)
    exponent = float("nan") if sizes is None else sizes.exponent
    unshared = float(np.mean(new.size == 1)) if len(new) else float("nan")
    plain = falsity_factor == 1
    size_low, size_high = (0.9, 1.1) if plain else (1.3, np.inf)
    depth_low, depth_high = (0.9, 1.1) if plain else (1.3, np.inf)
    clauset, goel = "Clauset et al. 2009", "Goel et al. 2016"
    vosoughi, juul = "Vosoughi et al. 2018", "Juul and Ugander 2021"
    return (
        Fact("in_degree_heavy_tail_flag", _flag(degrees), 1, 1, clauset),
        Fact("cascade_size_heavy_tail_flag", _flag(sizes), 1, 1, goel),
        Fact("cascade_size_exponent", exponent, 1.5, 3.0, goel),
        Fact("unshared_posts_share", unshared, 0.80, 0.97, goel),
        Fact("false_true_size_ratio", against.size_ratio, size_low, size_high, vosoughi),
        Fact("false_true_depth_ratio", against.depth_ratio, depth_low, depth_high, vosoughi),
        Fact("matched_depth_ratio", against.matched_depth_ratio, 0.9, 1.12, juul),
    )


def stamp(found: tuple[Fact, ...]) -> str:
    """Empty when every fact holds; else what a report carries, and which facts fail."""
    failed = [fact.name for fact in found if not fact.holds]
    return f"{STAMP}: {', '.join(failed)}" if failed else ""


def _flag(found: Tail | None) -> float:
    return float("nan") if found is None else float(found.is_heavy)


def _tail_or_none(counts: NDArray[np.integer], start: int | None) -> Tail | None:
    try:
        return tail(counts, start=start)
    except UsageError:  # too few values: reported as not measured, which does not hold
        return None


def _fit(values: NDArray[np.integer], begin: int) -> Any:
    try:
        import powerlaw  # imports matplotlib: only once a tail is wanted
    except ModuleNotFoundError as error:
        raise MissingExtra(
            "tails are fitted by powerlaw, which is not installed; "
            'run: pip install "burnish[socialsim]"'
        ) from error
    # By default powerlaw 2.0 lets no exponent pass 3, which would make steep tails look accepted.
    ranges = {"alpha": [1, STEEPEST]}
    return powerlaw.Fit(values, discrete=True, xmin=begin, verbose=False, parameter_ranges=ranges)


def _beginning(values: NDArray[np.integer]) -> int:
    if len(values) < FEWEST:
        return 1
    quantiles = np.quantile(values, np.linspace(0, 1 - FEWEST / len(values), CANDIDATES))
    best, closest = 1, np.inf
    for begin in np.unique(quantiles.astype(np.int64)):
        inside = values[values >= begin]
        if len(inside) < FEWEST or inside.min() == inside.max():
            continue
        distance = float(_fit(inside, int(begin)).power_law.D)
        if distance < closest:
            best, closest = int(begin), distance
    return best


def _ratio(above: NDArray[np.number], below: NDArray[np.number]) -> float:
    if len(above) == 0 or len(below) == 0 or below.sum() == 0:
        return float("nan")
    return float(above.mean() / below.mean())


def _matched(
    size_a: NDArray[np.integer],
    value_a: NDArray[np.number],
    size_b: NDArray[np.integer],
    value_b: NDArray[np.number],
) -> float:
    if len(size_a) == 0 or len(size_b) == 0:
        return float("nan")
    sizes, place = np.unique(np.concatenate([size_a, size_b]), return_inverse=True)
    first, second = place[: len(size_a)], place[len(size_a) :]
    count_a = np.bincount(first, minlength=len(sizes))
    count_b = np.bincount(second, minlength=len(sizes))
    common = np.minimum(count_a, count_b)
    sum_a = np.bincount(first, weights=value_a, minlength=len(sizes))
    sum_b = np.bincount(second, weights=value_b, minlength=len(sizes))
    total_a = float(np.sum(common * sum_a / np.maximum(count_a, 1)))
    total_b = float(np.sum(common * sum_b / np.maximum(count_b, 1)))
    return total_a / total_b if total_b > 0 else float("nan")
