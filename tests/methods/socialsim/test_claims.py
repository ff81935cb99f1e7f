"""Verdicts follow from points."""

from __future__ import annotations

import pytest

from burnish.evidence import Point
from burnish.methods.socialsim.claims import CLAIMS

BY_ID = {claim.id: claim for claim in CLAIMS}
REPOSTS, LATE = "false_claim_reposts_count", "late_false_reposts_count"
REACH = "false_claim_reach_percent"


def point(name, value, **tags):
    return Point(0, name, value, tags)


def fact(name, value, n=10, world="facts"):
    return point(name, value, world=world, n=n)


def change(world, outcome, value, n=10, **tags):
    return point("change_percent", value, world=world, outcome=outcome, n=n, **tags)


def labels(*effects, n=10):
    return [change(f"label-at-{hours}", REPOSTS, value, n) for hours, value in effects]


def suspended(*shares, n=10):
    return [
        point("people_suspended_percent", share, world=f"suspend-from-{threshold:g}", n=n)
        for threshold, share in shares
    ]


def calibrated(ours, role):
    return [
        point("js_divergence_nats", 9.0, model="calibrated rule", only="bot"),
        point("js_divergence_nats", ours, model="calibrated rule"),
        point("js_divergence_nats", role, model="role alone"),
    ]


def tails(degree, size):
    return [
        fact("in_degree_heavy_tail_rate", degree),
        fact("cascade_size_heavy_tail_rate", size),
    ]


def pool(none, wide, n=10):
    return [
        fact("cascade_size_exponent_score", none, n, "facts-k0"),
        fact("cascade_size_exponent_score", wide, n, "facts-k8"),
    ]


def label_at_15(late, whole, n=10):
    return [change("label-at-15", LATE, late, n), change("label-at-15", REPOSTS, whole, n)]


def idle(name, value, n=3, bots="idle"):
    return point(f"detector_{name}_score", value, bots=bots, n=n)


def prebunk(left, n=10):
    return point("belief_shift_left_percent", left, world="prebunk", n=n, low=left, high=left)


def reach(value, low, high, n=10):
    return change("suspend-from-0.9", REACH, value, n, low=low, high=high)


CASES = {
    "heavy-tails": (tails(1.0, 1.0), tails(1.0, 0.9)),
    "size-exponent": (
        [fact("cascade_size_exponent_score", 1.5)],
        [fact("cascade_size_exponent_score", 3.01)],
    ),
    "mostly-unshared": (
        [fact("unshared_posts_share", 0.8)],
        [fact("unshared_posts_share", 0.98)],
    ),
    "false-larger": (
        [fact("false_true_size_ratio", 1.3)],
        [fact("false_true_size_ratio", 1.29)],
    ),
    "false-deeper": (
        [fact("false_true_depth_ratio", 1.3)],
        [fact("false_true_depth_ratio", 1.29)],
    ),
    "size-explains-depth": (
        [fact("matched_depth_ratio", 1.12)],
        [fact("matched_depth_ratio", 1.13)],
    ),
    "no-appeal-no-gap": (
        [fact("false_true_size_ratio", 1.1, world="facts-even")],
        [fact("false_true_size_ratio", 1.2, world="facts-even")],
    ),
    "trending-pool": (pool(2.5, 2.0), pool(2.5, 2.1)),
    "label-after": (label_at_15(-40.0, -9.0), label_at_15(-39.0, -9.0)),
    "label-lifetime": (label_at_15(-45.0, -20.0), label_at_15(-45.0, -23.0)),
    "label-delay": (
        labels((1, -40.0), (6, -20.0), (48, -4.0)),
        labels((1, -40.0), (6, -41.0), (48, -4.0)),
    ),
    "suspension": ([reach(-3.0, -5.0, -1.0)], [reach(-3.0, -5.0, 0.5)]),
    "collateral": (
        suspended((0.9, 0.0), (0.3, 0.1), (0.05, 2.0)),
        suspended((0.9, 0.2), (0.3, 0.1), (0.05, 2.0)),
    ),
    "prebunking": ([prebunk(75.0)], [prebunk(76.0)]),
    "detector": ([idle("f1", 0.8, bots="swarming")], [idle("f1", 0.79, bots="swarming")]),
    "no-leak": ([idle("auroc", 0.45)], [idle("auroc", 0.56)]),
    "no-words": ([idle("text_auroc", 0.55)], [idle("text_auroc", 0.44)]),
    "calibrated": (calibrated(0.05, 0.06), calibrated(0.04, 0.03)),
    "calibration-error": (
        [point("calibration_error_score", 0.05)],
        [point("calibration_error_score", 0.051)],
    ),
    "same-cascades": ([point("cascade_ks_score", 0.15)], [point("cascade_ks_score", 0.16)]),
    "hybrid-time": (
        [point("hybrid_seconds", 1200.0, agents=100_000, core=50)],
        [point("hybrid_seconds", 1201.0, agents=100_000, core=50)],
    ),
    "hybrid-fallbacks": (
        [point("hybrid_fallbacks_percent", 4.9)],
        [point("hybrid_fallbacks_percent", 5.0)],
    ),
    "replayed": ([point("replayed_same_rate", 1.0)], [point("replayed_same_rate", 0.0)]),
    "million": (
        [point("run_seconds", 75.0, agents=1_000_000)],
        [point("run_seconds", 75.1, agents=1_000_000)],
    ),
    "million-memory": (
        [point("peak_memory_mb", 2500.0, agents=1_000_000)],
        [point("peak_memory_mb", 2501.0, agents=1_000_000)],
    ),
    "million-speed": (
        [point("exposures_per_second", 1e6, agents=1_000_000)],
        [point("exposures_per_second", 9e5, agents=1_000_000)],
    ),
    "slope": ([point("cost_slope_score", 1.1)], [point("cost_slope_score", 1.11)]),
    "beside-objects": (
        [point("speedup_over_loop_ratio", 50.0, threads=2)],
        [point("speedup_over_loop_ratio", 49.0, threads=2)],
    ),
}
TOO_LITTLE = {
    "heavy-tails": [tails(1.0, None), [fact("in_degree_heavy_tail_rate", 1.0)]],
    "size-exponent": [[fact("cascade_size_exponent_score", 2.0, n=9)]],
    "no-appeal-no-gap": [[fact("false_true_size_ratio", 1.0)]],
    "trending-pool": [pool(2.5, 2.0, n=9), pool(2.5, 2.0)[:1]],
    "label-after": [label_at_15(-45.0, -9.0, n=9)],
    "label-lifetime": [label_at_15(-45.0, -9.0, n=9), label_at_15(-45.0, -9.0)[:1]],
    "label-delay": [
        labels((1, -40.0), (6, -20.0), (48, -4.0), n=9),
        labels((1, -40.0), (6, -20.0), (24, -4.0)),
        labels((1, -40.0), (48, -4.0)),
    ],
    "suspension": [[reach(-3.0, -5.0, -1.0, n=9)]],
    "collateral": [
        suspended((0.9, 0.0), (0.05, 2.0)),
        suspended((0.9, 0.0), (0.3, 0.1), (0.05, 2.0), n=1),
    ],
    "prebunking": [[prebunk(50.0, n=9)]],
    "detector": [[idle("f1", 0.9, n=2, bots="swarming")], [idle("f1", 0.9, n=5)]],
    "no-leak": [[idle("auroc", 0.5, n=2)]],
    "calibrated": [calibrated(0.01, 0.02)[:2], calibrated(0.01, 0.02)[2:]],
    "hybrid-time": [[point("hybrid_seconds", 9.0, agents=2000, core=10)]],
    "replayed": [[point("replayed_same_rate", None)]],
    "million": [[point("run_seconds", 9.0, agents=1000)]],
}


def status(name, points):
    return BY_ID[name].check(points).status


def test_every_claim_has_a_case():
    assert set(CASES) == set(BY_ID)
    assert len(BY_ID) == len(CLAIMS)


@pytest.mark.parametrize("name", CASES)
def test_a_claim_holds_fails_and_says_nothing_without_points(name):
    holds, fails = CASES[name]
    assert (status(name, holds), status(name, fails), status(name, [])) == (
        "holds",
        "fails",
        "not_tested",
    )


@pytest.mark.parametrize(
    ("name", "points"), [(name, points) for name, given in TOO_LITTLE.items() for points in given]
)
def test_too_little_evidence_is_no_verdict(name, points):
    found = BY_ID[name].check(points)
    assert found.status == "not_tested"
    assert "burnish run socialsim --preset cpu" in found.note


def test_a_label_without_an_effect_does_not_pass_for_one_that_fades():
    for late in (0.0, 10.0):
        assert status("label-lifetime", label_at_15(late, 3.0)) == "fails"


def test_a_late_label_must_do_little():
    assert status("label-delay", labels((1, -40.0), (6, -20.0), (48, -5.0))) == "fails"
    assert status("label-delay", labels((48, -4.0), (6, -20.0), (1, -40.0))) == "holds"


def test_a_shift_is_told_by_what_is_gone_of_it():
    low_high = point("belief_shift_left_percent", 60.0, world="prebunk", n=10, low=50.0, high=70.0)
    found = BY_ID["prebunking"].check([low_high])
    assert (found.measured, found.interval) == (40.0, (30.0, 50.0))


def test_a_role_s_own_divergence_is_not_the_whole():
    found = BY_ID["calibrated"].check(calibrated(0.01, 0.02))
    assert found.measured == 0.01
    assert "role alone: 0.0200" in found.note
