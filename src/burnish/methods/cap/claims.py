"""What the paper says, and what we say, as sentences that a run's points confirm or refute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from burnish.evidence import Claim, Point, Verdict, find, interval_of

PAPER = "CAP, arXiv 2112.07198"
TARGET = 0.005
"""Of a teacher's score: what CAP should keep over distillation, and the margin of a tie."""
ENOUGH = 3
"""Paired runs below which nothing is said of training."""
TABLE = ("magnitude", "first-order", "movement", "platon", "smp")

_CPU = "burnish run cap --preset cpu"
Check = Callable[[Sequence[Point]], Verdict]


def _gain(*, at_least: float = 0.0, superior: bool = False, **tags: Any) -> Check:
    """A mean difference of retained shares.

    Superior: it reaches `at_least` and its interval lies above 0. Otherwise: it is not below
    `at_least`, and its interval does not reach below the margin of a tie.
    """

    def check(points: Sequence[Point]) -> Verdict:
        point = next(iter(find(points, "gain_ratio", **tags)), None)
        if point is None or point.value is None:
            return Verdict("not_tested", note=f"needs both sides of the comparison; {_CPU}")
        bounds, pairs = interval_of(point), int(point.tags["n"])
        runs = int(point.tags.get("runs", pairs))
        if runs < ENOUGH:
            return Verdict(
                "not_tested", point.value, bounds, f"{runs} paired runs are too few; {_CPU}"
            )
        low, high = bounds or (point.value, point.value)
        least = 0.0 if superior else -TARGET
        holds = point.value >= at_least and low > least
        note = f"{pairs} pairs of {runs} runs"
        if not holds and low <= 0 <= high:
            note += "; the interval holds 0: no difference is seen"
        return Verdict("holds" if holds else "fails", point.value, bounds, note)

    return check


def _probe(points: Sequence[Point]) -> Verdict:
    point = next(iter(find(points, "probe_gain_points")), None)
    if point is None or point.value is None:
        return Verdict("not_tested", note=f"needs two sets; {_CPU}")
    bounds, pairs = interval_of(point), int(point.tags["n"])
    if pairs < ENOUGH:
        return Verdict("not_tested", point.value, bounds, f"{pairs} pairs are too few; {_CPU}")
    return Verdict("holds" if point.value >= 0 else "fails", point.value, bounds, f"{pairs} pairs")


def _complete(points: Sequence[Point]) -> Verdict:
    found = {
        (point.tags["criterion"], point.tags["objective"])
        for point in find(points, "mean_retained_ratio")
    }
    wanted = [(name, objective) for name in TABLE for objective in ("ce", "kd", "cap")]
    missing = [pair for pair in wanted if pair not in found]
    if len(missing) > len(wanted) // 2:
        return Verdict("not_tested", note=f"only the cpu preset has all five criteria; {_CPU}")
    note = "; ".join(f"{name} with {objective} is missing" for name, objective in missing)
    share = 100 * (1 - len(missing) / len(wanted))
    return Verdict("fails" if missing else "holds", share, None, note)


def _speed(model: str, least: float, most: float = float("inf")) -> Check:
    def check(points: Sequence[Point]) -> Verdict:
        point = next(iter(find(points, "speedup_x", model=model, shape="1x128")), None)
        if point is None or point.value is None:
            return Verdict("not_tested", note=f"needs that sparsity among the stages; {_CPU}")
        times = find(points, "latency_cpu_ms", shape="1x128")
        by_name = {str(each.tags["model"]): each.value or 0.0 for each in times}
        note = f"{by_name['dense']:.1f} ms over {by_name[model]:.1f} ms"
        return Verdict(
            "holds" if least <= point.value <= most else "fails", point.value, None, note
        )

    return check


def _int8(points: Sequence[Point]) -> Verdict:
    found = [point for point in find(points, "int8_change_points") if point.value is not None]
    if not found:
        return Verdict("not_tested", note="needs an export; set latency=true")
    worst = min(found, key=lambda point: float(point.value or 0.0))
    change = float(worst.value or 0.0)
    note = f"largest fall of {len(found)} models, {worst.tags['n']} test examples"
    return Verdict("holds" if change >= -1.0 else "fails", change, None, note)


def _cost(family: str) -> Check:
    def check(points: Sequence[Point]) -> Verdict:
        point = next(iter(find(points, "cost_ratio", family=family)), None)
        if point is None or point.value is None:
            return Verdict("not_tested", note=f"needs the objectives kd and cap; {_CPU}")
        note = f"median of {point.tags['n']} pairs of prunings, banks included; bounds: quartiles"
        holds = point.value <= 1.15
        return Verdict("holds" if holds else "fails", point.value, interval_of(point), note)

    return check


def _elsewhere(settings: str) -> Check:
    """What needs BERT-base, all of a GLUE task and a GPU."""
    note = f"needs the hub and a GPU: burnish run cap --preset paper {settings}"
    return lambda _: Verdict("not_tested", note=note)


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "beats-distillation",
        "CAP keeps at least 0.005 more of the teacher's score than the same criterion (the first "
        "of `units` and of `weights`) with distillation, structured at 70 to 85 % and unstructured "
        "at 90 to 97 %",
        f"{PAPER}; +0.5 to +1.2 points in SMP, arXiv 2210.06210",
        TARGET,
        "of the teacher's score",
        _gain(contrast="cap over kd, high sparsity", family="both", at_least=TARGET, superior=True),
    ),
    Claim(
        "beats-distillation-units",
        "The same for heads and feed-forward units alone",
        PAPER,
        TARGET,
        "of the teacher's score",
        _gain(
            contrast="cap over kd, high sparsity", family="units", at_least=TARGET, superior=True
        ),
    ),
    Claim(
        "beats-distillation-weights",
        "The same for single weights alone",
        f"{PAPER}; SMP, arXiv 2210.06210",
        TARGET,
        "of the teacher's score",
        _gain(
            contrast="cap over kd, high sparsity", family="weights", at_least=TARGET, superior=True
        ),
    ),
    Claim(
        "gain-grows",
        "What CAP adds is at least as much at the highest structured sparsity as at 50 %",
        f"{PAPER}, abstract",
        None,
        "of the teacher's score",
        _gain(contrast="steeper", family="units"),
    ),
    Claim(
        "distillation-helps",
        "Distillation keeps at least as much as labels alone",
        "burnish, after CAP's scripts, which always distil",
        None,
        "of the teacher's score",
        _gain(contrast="kd over ce", family="both"),
    ),
    Claim(
        "movement-over-magnitude",
        "At 90 % and above, movement keeps at least as much as magnitude",
        "Sanh et al., arXiv 2005.07683",
        None,
        "of the teacher's score",
        _gain(contrast="movement over magnitude", family="weights"),
    ),
    Claim(
        "generalises",
        "A linear probe on another set finds as much in CAP's encoders as in distilled ones",
        f"{PAPER}, abstract",
        None,
        "points",
        _probe,
    ),
    Claim(
        "table-complete",
        "Magnitude, first-order, movement, PLATON and SMP are each measured on labels alone, with "
        "distillation and with CAP",
        "burnish",
        None,
        "% of cells",
        _complete,
    ),
    Claim(
        "fast-at-half",
        "With half the heads and units, 1 x 128 tokens take at least 1.6 times less than dense",
        "burnish; dense ONNX Runtime fp32, one thread",
        None,
        "x",
        _speed("50% pruned", 1.6),
    ),
    Claim(
        "fast-at-30",
        "With 30 % of the heads and units, at least 2.1 times less",
        "burnish; dense ONNX Runtime fp32, one thread",
        None,
        "x",
        _speed("70% pruned", 2.1),
    ),
    Claim(
        "fast-int8",
        "With half the heads and units and int8, at least 3.2 times less",
        "burnish; dense ONNX Runtime fp32, one thread",
        None,
        "x",
        _speed("50% pruned, int8", 3.2),
    ),
    Claim(
        "masks-are-free",
        "Masks alone make nothing faster: 0.95 to 1.05 times",
        "burnish; ONNX Runtime fp32, one thread",
        None,
        "x",
        _speed("masks only", 0.95, 1.05),
    ),
    Claim(
        "int8-exact",
        "Dynamic int8 costs at most one point of the score",
        "burnish",
        None,
        "points",
        _int8,
    ),
    Claim(
        "cheap",
        "The contrast adds at most 15 % to the compute of structured pruning with distillation",
        "burnish",
        None,
        "x",
        _cost("units"),
    ),
    Claim(
        "cheap-weights",
        "The same for unstructured pruning, where every epoch begins with a bank",
        "burnish",
        None,
        "x",
        _cost("weights"),
    ),
    Claim(
        "qqp-97",
        "At 97 % sparsity CAP keeps 99.2 % of BERT-base on QQP (90.2 of 90.9)",
        f"{PAPER}, abstract",
        99.2,
        "%",
        _elsewhere(
            "--set data=nyu-mll/glue:qqp --set task=pairs --set text=question1 "
            "--set other=question2"
        ),
    ),
    Claim(
        "mnli-97",
        "At 97 % sparsity CAP keeps 96.3 % of BERT-base on MNLI (81.3 of 84.4, mismatched)",
        f"{PAPER}, abstract",
        96.3,
        "%",
        _elsewhere(
            "--set data=nyu-mll/glue:mnli --set task=pairs --set text=premise "
            "--set other=hypothesis --set test_split=validation_mismatched"
        ),
    ),
)
