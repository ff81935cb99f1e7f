"""What the literature says, and what we say, as sentences that a run's points confirm or refute."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from burnish.evidence import Claim, Point, Verdict, find, interval_of
from burnish.methods.socialsim.variants import (
    NO_FALSITY,
    NO_POOL,
    PLAIN_FACTS,
    WIDE_POOL,
    label_name,
    suspend_name,
)

ENOUGH = 10
"""Seeds below which nothing is said of a difference."""
OURS = "burnish"
_CPU = "burnish run socialsim --preset cpu"
_LATE, _REPOSTS = "late_false_reposts_count", "false_claim_reposts_count"
_REACH = "false_claim_reach_percent"
_MILLION = 1_000_000
_LATEST = 48  # hours
Check = Callable[[Sequence[Point]], Verdict]


def _one(points: Sequence[Point], name: str, **tags: Any) -> Point | None:
    return next((point for point in find(points, name, **tags) if point.value is not None), None)


def _untested(why: str) -> Verdict:
    return Verdict("not_tested", note=f"{why}; {_CPU}")


def _between(name: str, low: float, high: float, *, least: int = 1, **tags: Any) -> Check:
    """The value lies within its bounds, over at least so many seeds."""

    def check(points: Sequence[Point]) -> Verdict:
        point = _one(points, name, **tags)
        if point is None or point.value is None:
            return _untested("not measured in this run")
        runs = int(point.tags.get("n", 1))
        if runs < least:
            return _untested(f"{runs} seeds are too few")
        holds = low <= point.value <= high
        note = f"mean of {runs} seeds" if least > 1 else ""
        return Verdict("holds" if holds else "fails", point.value, interval_of(point), note)

    return check


def _heavy(points: Sequence[Point]) -> Verdict:
    found = [
        _one(points, name, world=PLAIN_FACTS)
        for name in ("in_degree_heavy_tail_rate", "cascade_size_heavy_tail_rate")
    ]
    known = [point for point in found if point is not None and point.value is not None]
    if len(known) < 2 or int(known[0].tags["n"]) < ENOUGH:
        return _untested("needs fact_seeds=10")
    worst = min(float(point.value or 0) for point in known)
    return Verdict("holds" if worst == 1 else "fails", worst, None, "share of seeds, the worse")


def _pool_lowers(points: Sequence[Point]) -> Verdict:
    none = _one(points, "cascade_size_exponent_score", world=NO_POOL)
    wide = _one(points, "cascade_size_exponent_score", world=WIDE_POOL)
    if none is None or wide is None or none.value is None or wide.value is None:
        return _untested("needs fact_seeds=10")
    if int(none.tags["n"]) < ENOUGH:
        return _untested("too few seeds")
    drop = none.value - wide.value
    note = f"{none.value:.2f} with none, {wide.value:.2f} with 8"
    return Verdict("holds" if drop >= 0.5 else "fails", drop, None, note)


def _change(points: Sequence[Point], world: str, outcome: str) -> Point | None:
    return _one(points, "change_percent", world=world, outcome=outcome)


def _tuned(points: Sequence[Point]) -> Verdict:
    late = _change(points, label_name(15), _LATE)
    if late is None or late.value is None or int(late.tags["n"]) < ENOUGH:
        return _untested("needs label_delays with 15 and 10 seeds")
    holds = -50 <= late.value <= -40
    return Verdict("holds" if holds else "fails", late.value, interval_of(late))


def _half(points: Sequence[Point]) -> Verdict:
    late = _change(points, label_name(15), _LATE)
    whole = _change(points, label_name(15), _REPOSTS)
    if late is None or whole is None or late.value is None or whole.value is None:
        return _untested("needs label_delays with 15")
    if int(late.tags["n"]) < ENOUGH:
        return _untested("too few seeds")
    note = f"{whole.value:.1f} % over the lifetime, {late.value:.1f} % after attachment"
    if late.value >= 0:
        return Verdict("fails", None, None, note)
    ratio = whole.value / late.value
    return Verdict("holds" if 0 <= ratio <= 0.5 else "fails", ratio, None, note)


def _later_is_less(points: Sequence[Point]) -> Verdict:
    found = sorted(
        (int(str(point.tags["world"]).rpartition("-")[2]), float(point.value))
        for point in find(points, "change_percent", outcome=_REPOSTS)
        if str(point.tags["world"]).startswith(label_name(0)[:-1])
        and point.value is not None
        and int(point.tags["n"]) >= ENOUGH
    )
    if len(found) < 3 or found[-1][0] < _LATEST:
        return _untested("needs label_delays up to 48 and 10 seeds")
    effects = [effect for _, effect in found]
    rising = all(early <= late for early, late in itertools.pairwise(effects))
    note = ", ".join(f"{delay} h {effect:.1f} %" for delay, effect in found)
    holds = rising and abs(effects[-1]) < 5
    return Verdict("holds" if holds else "fails", effects[-1], None, note)


def _suspension_reaches(points: Sequence[Point]) -> Verdict:
    point = _change(points, suspend_name(0.9), _REACH)
    if point is None or point.value is None or int(point.tags["n"]) < ENOUGH:
        return _untested("needs thresholds with 0.9 and 10 seeds")
    bounds = interval_of(point)
    holds = bounds is not None and bounds[1] < 0
    return Verdict("holds" if holds else "fails", point.value, bounds)


def _collateral_rises(points: Sequence[Point]) -> Verdict:
    stem = suspend_name(0)[:-1]
    found = sorted(
        (float(str(point.tags["world"]).removeprefix(stem)), float(point.value))
        for point in find(points, "people_suspended_percent")
        if str(point.tags["world"]).startswith(stem)
        and point.value is not None
        and int(point.tags["n"]) >= ENOUGH
    )
    if len(found) < 3:
        return _untested("needs three thresholds and 10 seeds")
    shares = [share for _, share in found]
    falls = all(low >= high for low, high in itertools.pairwise(shares))
    note = ", ".join(f"from {threshold:g}: {share:.2f} %" for threshold, share in found)
    holds = falls and shares[0] > shares[-1]
    return Verdict("holds" if holds else "fails", shares[0] - shares[-1], None, note)


def _prebunking(points: Sequence[Point]) -> Verdict:
    point = _one(points, "belief_shift_left_percent", world="prebunk")
    if point is None or point.value is None or int(point.tags["n"]) < ENOUGH:
        return _untested("needs prebunk among the measures and 10 seeds")
    bounds = interval_of(point)
    lowered = None if bounds is None else (100 - bounds[1], 100 - bounds[0])
    holds = point.value <= 75
    return Verdict("holds" if holds else "fails", 100 - point.value, lowered)


def _near_chance(name: str) -> Check:
    return _between(name, 0.45, 0.55, least=3, bots="idle")


def _calibrated(points: Sequence[Point]) -> Verdict:
    ours = next(
        (
            point
            for point in find(points, "js_divergence_nats", model="calibrated rule")
            if "only" not in point.tags
        ),
        None,
    )
    marginal = _one(points, "js_divergence_nats", model="role alone")
    if ours is None or marginal is None or ours.value is None or marginal.value is None:
        return _untested("needs personas")
    holds = ours.value <= 0.05 and ours.value <= marginal.value
    note = f"role alone: {marginal.value:.4f}"
    return Verdict("holds" if holds else "fails", ours.value, None, note)


def _at_most(name: str, most: float, **tags: Any) -> Check:
    return _between(name, -math.inf, most, **tags)


CLAIMS: tuple[Claim, ...] = (
    Claim(
        id="heavy-tails",
        statement="In-degrees and cascade sizes prefer a heavy tail to an exponential, p < 0.01, "
        "in every seed",
        source="Clauset et al. 2009; Goel et al. 2016",
        paper_value=1.0,
        unit="share",
        check=_heavy,
    ),
    Claim(
        id="size-exponent",
        statement="The exponent of cascade sizes from 10 on lies between 1.5 and 3",
        source="Goel et al. 2016",
        paper_value=None,
        unit="",
        check=_between("cascade_size_exponent_score", 1.5, 3.0, least=ENOUGH, world=PLAIN_FACTS),
    ),
    Claim(
        id="mostly-unshared",
        statement="80 to 97 % of posts are never passed on",
        source="Goel et al. 2016",
        paper_value=None,
        unit="share",
        check=_between("unshared_posts_share", 0.80, 0.97, least=ENOUGH, world=PLAIN_FACTS),
    ),
    Claim(
        id="false-larger",
        statement="False stories' cascades are at least 1.3 times as large as true ones'",
        source="Vosoughi et al. 2018",
        paper_value=None,
        unit="x",
        check=_between("false_true_size_ratio", 1.3, math.inf, least=ENOUGH, world=PLAIN_FACTS),
    ),
    Claim(
        id="false-deeper",
        statement="False stories' cascades are at least 1.3 times as deep as true ones'",
        source="Vosoughi et al. 2018",
        paper_value=None,
        unit="x",
        check=_between("false_true_depth_ratio", 1.3, math.inf, least=ENOUGH, world=PLAIN_FACTS),
    ),
    Claim(
        id="size-explains-depth",
        statement="Among cascades of equal size, false ones are 0.9 to 1.12 times as deep",
        source="Juul and Ugander 2021",
        paper_value=1.0,
        unit="x",
        check=_between("matched_depth_ratio", 0.9, 1.12, least=ENOUGH, world=PLAIN_FACTS),
    ),
    Claim(
        id="no-appeal-no-gap",
        statement="Without an appeal of falsity, false and true cascades are alike in size, ratio "
        "0.9 to 1.1",
        source=OURS,
        paper_value=1.0,
        unit="x",
        check=_between("false_true_size_ratio", 0.9, 1.1, least=ENOUGH, world=NO_FALSITY),
    ),
    Claim(
        id="trending-pool",
        statement="Showing 8 trending posts in place of none lowers the exponent of cascade sizes "
        "by at least 0.5",
        source=OURS,
        paper_value=None,
        unit="",
        check=_pool_lowers,
    ),
    Claim(
        id="label-after",
        statement="A label of the tuned strength, 15 h after the post, lowers reposts from then on "
        "by 45 +- 5 %",
        source="Slaughter et al. 2025",
        paper_value=-45.7,
        unit="%",
        check=_tuned,
    ),
    Claim(
        id="label-lifetime",
        statement="Over a post's lifetime that label has at most half of this effect",
        source="Slaughter et al. 2025: 11.4 of 45.7 %",
        paper_value=0.25,
        unit="x",
        check=_half,
    ),
    Claim(
        id="label-delay",
        statement="The later the label the smaller its lifetime effect, which at 48 h is below 5 %",
        source="Slaughter et al. 2025",
        paper_value=0.0,
        unit="%",
        check=_later_is_less,
    ),
    Claim(
        id="suspension",
        statement="Suspending detected accounts lowers the reach of false claims",
        source=OURS,
        paper_value=None,
        unit="%",
        check=_suspension_reaches,
    ),
    Claim(
        id="collateral",
        statement="Suspension hits more people the lower its threshold is",
        source=OURS,
        paper_value=None,
        unit="points",
        check=_collateral_rises,
    ),
    Claim(
        id="prebunking",
        statement="Pre-bunking half of the people takes at least a quarter of the shift of belief",
        source=OURS,
        paper_value=None,
        unit="%",
        check=_prebunking,
    ),
    Claim(
        id="detector",
        statement="Co-repost features find swarming bots, 1 % of accounts, with F1 of at least 0.8",
        source=OURS,
        paper_value=None,
        unit="",
        check=_between("detector_f1_score", 0.8, 1.0, least=3, bots="swarming"),
    ),
    Claim(
        id="no-leak",
        statement="They do not tell idle bots without signatures: AUROC within 0.05 of 0.5",
        source=OURS,
        paper_value=0.5,
        unit="",
        check=_near_chance("detector_auroc_score"),
    ),
    Claim(
        id="no-words",
        statement="Texts give no account away: AUROC of TF-IDF within 0.05 of 0.5",
        source=OURS,
        paper_value=0.5,
        unit="",
        check=_near_chance("detector_text_auroc_score"),
    ),
    Claim(
        id="calibrated",
        statement="The calibrated rule acts like core agents it has not met: Jensen-Shannon at "
        "most 0.05 nats, and never above what the role alone predicts",
        source=OURS,
        paper_value=None,
        unit="nats",
        check=_calibrated,
    ),
    Claim(
        id="calibration-error",
        statement="The calibrated rule has an expected calibration error of at most 0.05",
        source=OURS,
        paper_value=None,
        unit="",
        check=_at_most("calibration_error_score", 0.05),
    ),
    Claim(
        id="same-cascades",
        statement="A small world decided by the model and by the calibrated rule has cascades of "
        "like sizes: Kolmogorov-Smirnov at most 0.15",
        source=OURS,
        paper_value=None,
        unit="",
        check=_at_most("cascade_ks_score", 0.15),
    ),
    Claim(
        id="hybrid-time",
        statement="100,000 accounts with 50 core agents live 48 hours within 20 minutes",
        source=OURS,
        paper_value=None,
        unit="s",
        check=_at_most("hybrid_seconds", 1200.0, agents=100_000, core=50),
    ),
    Claim(
        id="hybrid-fallbacks",
        statement="The core agents' model fails in fewer than 5 % of sessions",
        source=OURS,
        paper_value=None,
        unit="%",
        check=_at_most("hybrid_fallbacks_percent", math.nextafter(5.0, 0.0)),
    ),
    Claim(
        id="replayed",
        statement="Kept calls alone, with no model loaded, give the same bytes",
        source=OURS,
        paper_value=None,
        unit="",
        check=_between("replayed_same_rate", 1.0, 1.0),
    ),
    Claim(
        id="million",
        statement="A million accounts live a week, all tables written, in at most 75 s on two "
        "cores, building the graph aside",
        source=OURS,
        paper_value=None,
        unit="s",
        check=_at_most("run_seconds", 75.0, agents=_MILLION),
    ),
    Claim(
        id="million-memory",
        statement="A million accounts and all their tables need at most 2.5 GB",
        source=OURS,
        paper_value=None,
        unit="MB",
        check=_at_most("peak_memory_mb", 2500.0, agents=_MILLION),
    ),
    Claim(
        id="million-speed",
        statement="A million accounts are shown a million posts a second or more",
        source=OURS,
        paper_value=None,
        unit="1/s",
        check=_between("exposures_per_second", 1e6, math.inf, agents=_MILLION),
    ),
    Claim(
        id="slope",
        statement="Cost grows with accounts by a power of at most 1.1",
        source=OURS,
        paper_value=None,
        unit="",
        check=_at_most("cost_slope_score", 1.1),
    ),
    Claim(
        id="beside-objects",
        statement="On two cores 10,000 accounts are shown at least 50 times the posts per second "
        "of a loop over objects",
        source=OURS,
        paper_value=None,
        unit="x",
        check=_between("speedup_over_loop_ratio", 50.0, math.inf, threads=2),
    ),
)
