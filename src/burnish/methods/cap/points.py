"""What a CAP run measures, as points: the names that claims, charts and tables share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from burnish.evidence import paired_bootstrap
from burnish.evidence.intervals import Interval, bootstrap_mean
from burnish.methods.cap.arms import Arm, TeacherJob
from burnish.methods.cap.tasks import metric_names
from burnish.runs import Run
from burnish.runs.jobs import read_result

SEED = 0  # of the bootstraps: the same results, the same intervals
STRUCTURED_FROM, UNSTRUCTURED_FROM = 0.7, 0.9  # sparsities the paper's claim is about
ALL_PARTS = ("training", "importance", "banks", "teacher")


@dataclass(frozen=True)
class Kept:
    """What one pruning keeps of its teacher.

    Attributes:
        arm: the pruning.
        sparsity: share gone.
        score: numerator, in percent.
        teacher: denominator, in percent.
        count: test examples.
    """

    arm: Arm
    sparsity: float
    score: float
    teacher: float
    count: int

    @property
    def ratio(self) -> float:
        """Rho = score / teacher."""
        return self.score / self.teacher

    @property
    def pair(self) -> tuple[str, int]:
        """What makes results comparable one to one: the set and the seed."""
        return self.arm.set, self.arm.seed


def collect(home: Path, arms: Iterable[Arm]) -> list[Kept]:
    """Every stage of every arm that is done."""
    found = []
    for arm in arms:
        teacher = read_result(home, TeacherJob(arm.set, arm.seed).key)["score"]
        for stage in read_result(home, arm.key)["stages"]:
            score = stage["score"]
            share = round(stage["sparsity"], 4)
            found.append(Kept(arm, share, score["main"], teacher["main"], score["count"]))
    return found


def log_scores(run: Run, home: Path, arms: Sequence[Arm], task: Callable[[str], str]) -> None:
    """`score_percent`, `teacher_percent`, `retained_ratio` and their means over sets and seeds.

    Args:
        run: to log in.
        home: of the results.
        arms: that are done.
        task: of a set.
    """
    kept = collect(home, arms)
    for each in kept:
        tags: dict[str, Any] = {
            "set": each.arm.set,
            "seed": each.arm.seed,
            "metric": _metric(task(each.arm.set)),
        }
        run.log("teacher_percent", each.teacher, **tags, n=each.count)
        tags |= _what(each)
        run.log("score_percent", each.score, **tags, n=each.count)
        run.log("retained_ratio", each.ratio, **tags)
    for what, group in _grouped(kept, _what).items():
        shared: dict[str, Any] = dict(what)
        for name, values in (
            ("mean_score_percent", [each.score for each in group]),
            ("mean_teacher_percent", [each.teacher for each in group]),
        ):
            run.log(name, sum(values) / len(values), **shared, n=len(group))
        ratios = [each.ratio for each in group]
        if len(ratios) == 1:  # one run has no spread to show
            run.log("mean_retained_ratio", ratios[0], **shared, n=1)
        else:
            interval = bootstrap_mean(ratios, seed=SEED)
            run.log_interval("mean_retained_ratio", interval, **shared, n=len(group))


def log_gains(run: Run, kept: Sequence[Kept]) -> None:
    """`gain_ratio`: differences of rho between two ways, paired by set and seed."""
    first: dict[str, str] = {}
    for each in kept:
        first.setdefault(each.arm.family, each.arm.criterion)
    main = [each for each in kept if each.arm.criterion == first[each.arm.family]]
    for family in first:
        own = [each for each in main if each.arm.family == family]
        for share in sorted({each.sparsity for each in own}):
            at = [each for each in own if each.sparsity == share]
            tags: dict[str, Any] = {"family": family, "sparsity": share}
            _log_gain(run, at, "cap", "kd", contrast="cap over kd", **tags)
            _log_gain(run, at, "kd", "ce", contrast="kd over ce", **tags)
        for name in sorted({each.arm.set for each in own}):
            at = [each for each in own if each.arm.set == name and claimed(each)]
            _log_gain(run, at, "cap", "kd", contrast="cap over kd", family=family, set=name)
        high = [each for each in own if claimed(each)]
        _log_gain(run, high, "cap", "kd", contrast="cap over kd, high sparsity", family=family)
        _log_steeper(run, own, family)
    _log_gain(
        run,
        [each for each in main if claimed(each)],
        "cap",
        "kd",
        contrast="cap over kd, high sparsity",
        family="both",
    )
    _log_gain(run, kept, "kd", "ce", contrast="kd over ce", family="both")
    _log_movement(run, kept)


def claimed(each: Kept) -> bool:
    """Whether a sparsity is among those the paper's claim is about."""
    least = STRUCTURED_FROM if each.arm.family == "units" else UNSTRUCTURED_FROM
    return each.sparsity >= least - 1e-9


def _log_gain(run: Run, kept: Sequence[Kept], ours: str, theirs: str, **tags: Any) -> None:
    """Mean difference of rho of two objectives of the same criterion, sparsity, set and seed."""

    def same(each: Kept) -> tuple[Any, ...]:
        return each.arm.criterion, each.sparsity, *each.pair

    pairs = _paired(
        {same(each): each for each in kept if each.arm.objective == ours},
        {same(each): each for each in kept if each.arm.objective == theirs},
    )
    _log_difference(run, pairs, **tags)


def _log_movement(run: Run, kept: Sequence[Kept]) -> None:
    """Movement against magnitude, same objective, sparsity, set and seed."""

    def same(each: Kept) -> tuple[Any, ...]:
        return each.arm.objective, each.sparsity, *each.pair

    at = [each for each in kept if each.arm.family == "weights" and claimed(each)]
    pairs = _paired(
        {same(each): each for each in at if each.arm.criterion == "movement"},
        {same(each): each for each in at if each.arm.criterion == "magnitude"},
    )
    _log_difference(run, pairs, contrast="movement over magnitude", family="weights")


def _log_steeper(run: Run, kept: Sequence[Kept], family: str) -> None:
    """The gain at the highest sparsity less that at the lowest, by set and seed."""
    shares = sorted({each.sparsity for each in kept})
    if len(shares) < 2:
        return
    by = {(each.arm.objective, each.sparsity, each.pair): each.ratio for each in kept}

    def gain(pair: tuple[str, int], share: float) -> float | None:
        ours, theirs = by.get(("cap", share, pair)), by.get(("kd", share, pair))
        return None if ours is None or theirs is None else ours - theirs

    both = [
        (gain(pair, shares[-1]), gain(pair, shares[0]), pair)
        for pair in sorted({each.pair for each in kept})
    ]
    usable = [(high, low, pair) for high, low, pair in both if high is not None and low is not None]
    if not usable:
        return
    highs, lows, pairs = zip(*usable, strict=True)
    interval = paired_bootstrap(highs, lows, seed=SEED)
    run.log_interval(
        "gain_ratio",
        interval,
        contrast="steeper",
        family=family,
        n=len(pairs),
        highest=shares[-1],
        lowest=shares[0],
    )


def _paired(
    ours: Mapping[Any, Kept], theirs: Mapping[Any, Kept]
) -> list[tuple[float, float, tuple[str, int]]]:
    return [
        (each.ratio, theirs[key].ratio, each.pair) for key, each in ours.items() if key in theirs
    ]


def _log_difference(
    run: Run, pairs: Sequence[tuple[float, float, tuple[str, int]]], **tags: Any
) -> None:
    if not pairs:
        return
    ours, theirs, clusters = zip(*pairs, strict=True)
    tags |= {"n": len(pairs), "runs": len(set(clusters))}
    if tags["runs"] == 1:
        run.log("gain_ratio", sum(ours) / len(ours) - sum(theirs) / len(theirs), **tags)
        return
    interval = paired_bootstrap(ours, theirs, seed=SEED, clusters=clusters)
    run.log_interval("gain_ratio", interval, **tags)


def log_probes(run: Run, home: Path, arms: Sequence[Arm]) -> None:
    """`probe_percent` of each probed arm, and the mean difference of CAP and distillation."""
    scores: dict[tuple[Any, ...], dict[str, float]] = {}
    for arm in arms:
        found = read_result(home, arm.key)["probe"] if arm.probe else None
        if found is None:
            continue
        tags = _of(arm) | {"on": arm.probe}
        run.log("probe_percent", found["accuracy"], **tags, n=found["test"])
        run.log("probe_majority_percent", found["majority"], on=arm.probe, n=found["test"])
        key = (arm.set, arm.seed, arm.criterion, arm.sparsity)
        scores.setdefault(key, {})[arm.objective] = found["accuracy"]
    both = {key: value for key, value in scores.items() if {"cap", "kd"} <= set(value)}
    if both:
        interval = paired_bootstrap(
            [value["cap"] for value in both.values()],
            [value["kd"] for value in both.values()],
            seed=SEED,
            clusters=[key[:2] for key in both],
        )
        run.log_interval("probe_gain_points", interval, n=len(both))


def log_costs(run: Run, home: Path, arms: Sequence[Arm]) -> None:
    """`cpu_seconds` of each arm by part, and what CAP costs over distillation."""
    totals: dict[tuple[Any, ...], dict[str, float]] = {}
    for arm in arms:
        seconds: dict[str, float] = read_result(home, arm.key)["seconds"]
        total = sum(seconds.get(part, 0.0) for part in ALL_PARTS)
        tags = _of(arm)
        run.log("cpu_seconds", total, **tags)
        key = (arm.family, arm.criterion, arm.sparsity, arm.set, arm.seed)
        totals.setdefault(key, {})[arm.objective] = total
    for family in dict.fromkeys(arm.family for arm in arms):
        both = {
            key: value
            for key, value in totals.items()
            if key[0] == family and {"cap", "kd"} <= set(value)
        }
        if both:
            ratios = [value["cap"] / value["kd"] for value in both.values()]
            run.log_interval("cost_ratio", _median(ratios), family=family, n=len(ratios))


def _median(values: Sequence[float]) -> Interval:
    """The middle of the ratios, and the quarters around it: other processes disturb single ones."""
    import numpy as np

    low, middle, high = np.percentile(values, (25, 50, 75))
    return Interval(float(middle), float(low), float(high))


def log_shapes(run: Run, home: Path, arms: Sequence[Arm]) -> None:
    """`kept_heads_count` and `kept_units_count` of each layer, of the arms that keep models."""
    for arm in arms:
        if not (arm.keep_models and arm.family == "units"):
            continue
        for stage in read_result(home, arm.key)["stages"]:
            tags = _of(arm) | {"sparsity": stage["sparsity"]}
            layers = zip(stage["heads"], stage["units"], strict=True)
            for layer, (heads, units) in enumerate(layers, start=1):
                run.log("kept_heads_count", heads, layer=layer, **tags)
                run.log("kept_units_count", units, layer=layer, **tags)


def _of(arm: Arm) -> dict[str, Any]:
    return {
        "set": arm.set,
        "seed": arm.seed,
        "criterion": arm.criterion,
        "objective": arm.objective,
        "sparsity": arm.sparsity,
    }


def _what(each: Kept) -> dict[str, Any]:
    return {
        "family": each.arm.family,
        "criterion": each.arm.criterion,
        "objective": each.arm.objective,
        "sparsity": each.sparsity,
    }


def _grouped(
    kept: Sequence[Kept], what: Callable[[Kept], dict[str, Any]]
) -> dict[tuple[tuple[str, Any], ...], list[Kept]]:
    groups: dict[tuple[tuple[str, Any], ...], list[Kept]] = {}
    for each in kept:
        groups.setdefault(tuple(what(each).items()), []).append(each)
    return groups


def _metric(task: str) -> str:
    return metric_names(task)[0]
