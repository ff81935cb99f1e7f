"""Verdicts come from points: the same claim holds, fails and stays untested."""

import pytest

from burnish.evidence import Point
from burnish.methods.structext.claims import CLAIMS, ENOUGH
from burnish.methods.structext.config import StructextConfig
from burnish.methods.structext.defects import DEFECTS
from burnish.methods.structext.points import CHOICE, CONSTANT, GENERATED, OFFICIAL
from burnish.methods.structext.rules import LANGUAGES

BY_ID = {claim.id: claim for claim in CLAIMS}


def point(name, value, **tags):
    return Point(0, name, value, tags)


def difference(contrast, value, low, high, n=ENOUGH, **tags):
    return point("difference_points", value, contrast=contrast, low=low, high=high, n=n, **tags)


def gains(low, *languages):
    return [
        point("training_gain_points", 30.0, by="language", group=name, low=low, high=50.0, n=40)
        for name in languages
    ]


CASES = [
    ("oracle-ceiling", [point("oracle_ceiling_percent", 100.0, profile="corrected")], "holds"),
    ("oracle-ceiling", [point("oracle_ceiling_percent", 99.9, profile="corrected")], "fails"),
    ("official-ceiling", [point("oracle_ceiling_percent", 94.0, profile="official", n=9)], "holds"),
    ("official-ceiling", [point("oracle_ceiling_percent", 99.0, profile="official", n=9)], "fails"),
    ("constant-floor", [point("constant_floor_percent", 20.0, profile="corrected")], "holds"),
    ("constant-floor", [point("constant_floor_percent", 20.1, profile="corrected")], "fails"),
    ("latex-answerable", [point("latex_answerable_percent", 100.0, profile="corrected")], "holds"),
    ("latex-answerable", [point("latex_answerable_percent", 98.0, profile="corrected")], "fails"),
    ("wrong-section", [point("wrong_section_percent", 1.9, profile="corrected")], "holds"),
    ("wrong-section", [point("wrong_section_percent", 2.0, profile="corrected")], "fails"),
    ("depth-hurts", [difference("1x1 over 2x1", 4.0, 0.1, 8.0, answerer=CHOICE)], "holds"),
    ("depth-hurts", [difference("1x1 over 2x1", 4.0, -0.1, 8.0, answerer=CHOICE)], "fails"),
    ("depth-hurts", [difference("1x1 over 2x1", 4.0, 1.0, 8.0, answerer=GENERATED)], "not_tested"),
    ("depth-hurts", [difference("1x1 over 2x1", 4.0, 1, 8, 9, answerer=CHOICE)], "not_tested"),
    ("three-shot-helps", [difference("3-shot over 0-shot", 5.0, 1.0, 9.0)], "holds"),
    ("three-shot-helps", [difference("3-shot over 0-shot", 4.9, 1.0, 9.0)], "fails"),
    ("same-difficulty-matters", [difference("3-shot over simple 3-shot", 1.0, 0.2, 2)], "holds"),
    ("same-difficulty-matters", [difference("3-shot over simple 3-shot", -1.0, -2, 0)], "fails"),
    ("training-lifts-all", gains(1.0, *LANGUAGES), "holds"),
    ("training-lifts-all", gains(1.0, *LANGUAGES[1:]), "fails"),
    ("training-lifts-all", gains(1.0, *LANGUAGES[1:]) + gains(-1.0, LANGUAGES[0]), "fails"),
]


@pytest.mark.parametrize(("name", "points", "status"), CASES)
def test_verdicts(name, points, status):
    verdict = BY_ID[name].check(points)
    assert verdict.status == status
    if status != "not_tested":
        assert verdict.measured is not None


def test_a_model_beats_the_constant_only_where_the_interval_excludes_zero():
    tags = {"answerer": GENERATED, "variant": "0-shot", "by": "all", "n": ENOUGH}
    floor = point(
        "accuracy_percent", 15.0, answerer=CONSTANT, variant="0-shot", by="all", metric=OFFICIAL
    )
    for low, status in ((0.01, "holds"), (-0.01, "fails")):
        gain = point("normalised_gain_ratio", 0.2, low=low, high=0.4, **tags)
        verdict = BY_ID["beats-constant"].check([gain, floor])
        assert verdict.status == status
        assert verdict.interval == (low, 0.4)
        assert "15.0 %" in verdict.note


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_without_points_nothing_is_tested(claim):
    verdict = claim.check([])
    assert (verdict.status, verdict.measured) == ("not_tested", None)
    assert verdict.note


def test_least_sure_language_and_idle_ones_are_named():
    verdict = BY_ID["training-lifts-all"].check(gains(1.0, *LANGUAGES[1:]) + gains(-2.0, "tree"))
    assert verdict.interval == (-2.0, 50.0)
    assert "tree" in verdict.note


def test_every_defect_the_claims_read_is_measured():
    read = {"oracle_ceiling", "constant_floor", "latex_answerable", "wrong_section"}
    assert {f"{name}_percent" for name in read} <= set(DEFECTS)


def test_presets_are_the_three_and_make_configs():
    for values in StructextConfig.presets.values():
        StructextConfig(**values)
    assert set(StructextConfig.presets) == {"quick", "cpu", "paper"}
    assert StructextConfig(grid=("2x13",)).cells == ((2, 13),)
