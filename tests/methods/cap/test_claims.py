"""Verdicts come from points: the same claim holds, fails and stays untested."""

import pytest

from burnish.evidence import Point
from burnish.methods.cap.claims import CLAIMS, ENOUGH, TABLE

BY_ID = {claim.id: claim for claim in CLAIMS}
HIGH = "cap over kd, high sparsity"


def point(name, value, **tags):
    return Point(0, name, value, tags)


def gain(contrast, value, low, high, *, family="both", runs=ENOUGH):
    tags = {"contrast": contrast, "family": family, "low": low, "high": high}
    return point("gain_ratio", value, **tags, n=2 * runs, runs=runs)


def speed(model, times):
    return [
        point("speedup_x", times, model=model, shape="1x128", base="dense"),
        point("latency_cpu_ms", 16.0, model="dense", shape="1x128"),
        point("latency_cpu_ms", 16.0 / times, model=model, shape="1x128"),
    ]


def table(*missing):
    return [
        point("mean_retained_ratio", 0.9, criterion=name, objective=objective)
        for name in TABLE
        for objective in ("ce", "kd", "cap")
        if (name, objective) not in missing
    ]


CASES = [
    ("beats-distillation", [gain(HIGH, 0.006, 0.001, 0.011)], "holds"),
    ("beats-distillation", [gain(HIGH, 0.006, -0.001, 0.013)], "fails"),
    ("beats-distillation", [gain(HIGH, 0.004, 0.001, 0.007)], "fails"),
    ("beats-distillation", [gain(HIGH, 0.006, 0.001, 0.011, runs=ENOUGH - 1)], "not_tested"),
    ("beats-distillation-units", [gain(HIGH, 0.006, 0.001, 0.01, family="weights")], "not_tested"),
    ("beats-distillation-units", [gain(HIGH, 0.006, 0.001, 0.01, family="units")], "holds"),
    ("beats-distillation-weights", [gain(HIGH, -0.01, -0.02, -0.006, family="weights")], "fails"),
    ("gain-grows", [gain("steeper", 0.0, -0.004, 0.004, family="units")], "holds"),
    ("gain-grows", [gain("steeper", 0.01, -0.006, 0.02, family="units")], "fails"),
    ("gain-grows", [gain("steeper", -0.001, -0.004, 0.004, family="units")], "fails"),
    ("distillation-helps", [gain("kd over ce", 0.002, -0.001, 0.01)], "holds"),
    ("distillation-helps", [gain("kd over ce", -0.002, -0.01, 0.01)], "fails"),
    (
        "movement-over-magnitude",
        [gain("movement over magnitude", -0.2, -0.3, -0.1, family="weights")],
        "fails",
    ),
    ("generalises", [point("probe_gain_points", 0.2, low=-0.5, high=1.0, n=ENOUGH)], "holds"),
    ("generalises", [point("probe_gain_points", -0.2, low=-0.5, high=1.0, n=ENOUGH)], "fails"),
    ("generalises", [point("probe_gain_points", 0.2, n=ENOUGH - 1)], "not_tested"),
    ("table-complete", table(), "holds"),
    ("table-complete", table(("smp", "cap")), "fails"),
    ("table-complete", table()[:3], "not_tested"),
    ("fast-at-half", speed("50% pruned", 1.6), "holds"),
    ("fast-at-half", speed("50% pruned", 1.59), "fails"),
    ("fast-at-30", speed("70% pruned", 2.1), "holds"),
    ("fast-at-30", speed("50% pruned", 2.1), "not_tested"),
    ("fast-int8", speed("50% pruned, int8", 3.1), "fails"),
    ("masks-are-free", speed("masks only", 1.0), "holds"),
    ("masks-are-free", speed("masks only", 1.06), "fails"),
    ("int8-exact", [point("int8_change_points", -0.9, sparsity=0.5, n=100)], "holds"),
    (
        "int8-exact",
        [point("int8_change_points", v, sparsity=s, n=9) for v, s in ((0.4, 0.5), (-1.1, 0.7))],
        "fails",
    ),
    ("cheap", [point("cost_ratio", 1.15, family="units", low=1.0, high=1.2, n=9)], "holds"),
    (
        "cheap-weights",
        [point("cost_ratio", v, family=f, n=9) for v, f in ((1.1, "units"), (1.2, "weights"))],
        "fails",
    ),
]


@pytest.mark.parametrize(("name", "points", "status"), CASES)
def test_verdicts(name, points, status):
    verdict = BY_ID[name].check(points)
    assert verdict.status == status
    if status != "not_tested":
        assert verdict.measured is not None


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_without_points_nothing_is_tested_and_the_note_says_what_would(claim):
    verdict = claim.check([])
    assert verdict.status == "not_tested"
    assert verdict.note


def test_a_tie_is_called_one():
    verdict = BY_ID["beats-distillation"].check([gain(HIGH, 0.001, -0.004, 0.006)])
    assert verdict.status == "fails"
    assert "the interval holds 0: no difference is seen" in verdict.note
    assert verdict.interval == (-0.004, 0.006)
