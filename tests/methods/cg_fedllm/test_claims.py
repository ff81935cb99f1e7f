"""Verdicts follow from points."""

from __future__ import annotations

import pytest

from burnish.evidence import Point
from burnish.methods.cg_fedllm.claims import CLAIMS

BY_ID = {claim.id: claim for claim in CLAIMS}


def share(arm, value, n=3, **more):
    return Point(0, "recovered_ratio", value, {"arm": arm, "n": n, "guarded": True, **more})


def verdict(name, *points):
    return BY_ID[name].check(points)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_nothing_is_said_without_points(claim):
    assert claim.check([]).status == "not_tested"


@pytest.mark.parametrize(("value", "status"), [(0.96, "holds"), (0.94, "fails")])
def test_without_loss_asks_for_95_percent_of_the_loss_drop(value, status):
    found = verdict("without-loss", share("autoencoder", value))
    assert (found.status, found.measured) == (status, value)


def test_two_federations_prove_nothing():
    assert verdict("int8", share("int8", 0.99, n=2)).status == "not_tested"


@pytest.mark.parametrize(
    ("ours", "theirs", "status"),
    [(0.4, 0.2, "holds"), (0.4, 0.21, "fails"), (0.4, -0.1, "holds"), (-0.2, -0.1, "fails")],
)
def test_masked_signs_must_double_top_k_at_equal_bytes(ours, theirs, status):
    points = [share("masked-sign", ours), share("top-k", theirs)]
    assert verdict("masked-sign-over-top-k", *points).status == status


def test_one_guarded_codec_that_makes_things_worse_refutes_never_worse():
    def change(arm, value, guarded):
        return Point(
            0,
            "loss_change_loss",
            value,
            {"arm": arm, "seed": 0, "guarded": guarded, "epsilon": 0.0},
        )

    fine = [change("int8", -0.1, True), change("top-k (plain)", 0.5, False)]
    assert verdict("never-worse", *fine).status == "holds"
    found = verdict("never-worse", *fine, change("pca", 0.01, True))
    assert (found.status, found.measured) == ("fails", 0.01)
    assert "pca" in found.note


@pytest.mark.parametrize(
    ("refused", "viable", "status"),
    [(1, 0.0, "holds"), (0, 0.0, "fails"), (0, 1.0, "holds"), (1, 1.0, "fails")],
)
def test_refusal_must_follow_the_certificate(refused, viable, status):
    tags = {"codec": "autoencoder", "represent": "state"}
    points = [Point(0, "refused_count", refused), Point(0, "viable_score", viable, tags)]
    assert verdict("refuses", *points).status == status


def test_an_error_that_does_not_move_with_noise_is_no_denoising():
    tags = {"codec": "autoencoder", "represent": "delta"}
    error = Point(0, "relative_error_ratio", 0.99, {**tags, "factor": "A"})
    flat = [Point(0, "noise_error_ratio", 1.0, {**tags, "sigma": s}) for s in (5e-5, 0.5)]
    found = verdict("tolerates-noise", error, *flat)
    assert found.status == "fails"
    assert "nothing of the input is kept" in found.note
    good = [Point(0, "noise_error_ratio", 0.1, {**tags, "sigma": s}) for s in (5e-5, 0.5)]
    assert verdict("tolerates-noise", error, *good).status == "holds"


def test_one_escaped_payload_refutes_withstands():
    sent = Point(0, "hostile_payloads_count", 1000)
    assert verdict("withstands", sent, Point(0, "escaped_payloads_count", 0)).status == "holds"
    assert verdict("withstands", sent, Point(0, "escaped_payloads_count", 1)).status == "fails"


def test_the_slowest_codec_decides():
    points = [
        Point(0, "codec_seconds", 0.1, {"codec": "int8"}),
        Point(0, "codec_seconds", 2.5, {"codec": "kseed"}),
    ]
    found = verdict("encodes-fast", *points)
    assert (found.status, found.measured) == ("fails", 2.5)
    assert "kseed" in found.note
