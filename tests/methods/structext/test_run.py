"""The whole story: with the floors alone, with a user's suite, and once with the real model."""

import json

import pytest

from burnish.assets import path as asset_path
from burnish.errors import AssetError, DataError, UsageError
from burnish.evidence import find
from burnish.methods.structext.config import StructextConfig
from burnish.methods.structext.generate import build
from burnish.methods.structext.method import METHOD
from burnish.methods.structext.points import CHOICE, GENERATED, GIVEN, IN_ORDER, OFFICIAL
from burnish.methods.structext.sample import load
from burnish.runs import execute, read_record, write_report

SMALL = {"model": "none", "items": 1, "grid": ("1x1", "2x1")}


def run_it(folder, *, resume=False, **settings):
    config = StructextConfig(**(SMALL | settings))
    return execute(METHOD, config, preset="quick", seed=3, out=folder, resume=resume)


def test_the_floors_alone(tmp_path):
    run = run_it(tmp_path / "run", shots=(0, 2), simple_shots=True)
    points = run.points()
    answerers = {point.tags["answerer"] for point in find(points, "accuracy_percent")}
    assert {"oracle", "constant answer", "random typed", "copy last shot"} <= answerers
    (ceiling,) = find(
        points, "accuracy_percent", answerer=IN_ORDER, metric=OFFICIAL, by="all", variant="0-shot"
    )
    assert ceiling.value == pytest.approx(100.0)
    assert (
        len(find(points, "accuracy_percent", answerer=IN_ORDER, by="language", metric="exact")) == 8
    )
    verdicts = {claim.id: claim.verdict for claim in run.manifest.claims}
    assert verdicts["oracle-ceiling"] == "holds"
    assert verdicts["beats-constant"] == "not_tested"
    suites = {name: load(run.artifact(f"suites/{name}.jsonl")) for name in ("0-shot", "2-shot")}
    for plain, shown in zip(suites["0-shot"], suites["2-shot"], strict=True):
        assert (plain.text, plain.question) == (shown.text, shown.question)
        assert (len(plain.shots), len(shown.shots)) == (0, 2)
    assert load(run.artifact("suites/simple-2-shot.jsonl"))[0].simple_shots


def test_the_same_seed_gives_the_same_points_and_a_resumed_run_too(tmp_path):
    first, second = (run_it(tmp_path / name) for name in ("a", "b"))
    assert first.points() == second.points()
    manifest = json.loads((tmp_path / "b" / "manifest.json").read_text())
    manifest["status"] = "failed"
    (tmp_path / "b" / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "b" / "points.jsonl").write_bytes(
        (tmp_path / "b" / "points.jsonl").read_bytes()[:-700]
    )
    resumed = run_it(tmp_path / "b", resume=True)
    key = repr
    assert sorted(resumed.points(), key=key) == sorted(first.points(), key=key)


def test_a_users_suite_is_asked_as_it_is(tmp_path):
    build(languages=["tree"], n=2, seed=9).to_jsonl(tmp_path / "mine.jsonl")
    run = run_it(tmp_path / "run", data=str(tmp_path / "mine.jsonl"))
    (row,) = find(
        run.points(), "accuracy_percent", answerer=IN_ORDER, metric="exact", by="all", variant=GIVEN
    )
    assert (row.value, row.tags["n"]) == (100.0, 12)


def test_a_missing_suite_is_one_line(tmp_path):
    with pytest.raises(DataError, match=r"no suite at nowhere\.jsonl"):
        run_it(tmp_path / "run", data="nowhere.jsonl")


def test_the_real_model_beside_the_floors(tmp_path):
    try:
        asset_path("smollm2-135m-instruct")
    except AssetError as missing:
        pytest.skip(str(missing))
    run = run_it(
        tmp_path / "run",
        model="smollm2-135m-instruct",
        languages=("tree", "csv"),
        grid=("1x1",),
        max_new_tokens=8,
    )
    points = run.points()
    for who in (CHOICE, GENERATED):
        (row,) = find(points, "accuracy_percent", answerer=who, metric="exact", by="all")
        assert row.tags["n"] == 7
        assert row.value is not None
    (chance,) = find(points, "chance_percent")
    assert 20.0 <= chance.value <= 50.0
    assert "smollm2-135m-instruct@sha256" in run.manifest.notes["model"]
    page = write_report([tmp_path / "run"], tmp_path / "report.html").read_text()
    assert "Forced choice by language" in page
    assert read_record(tmp_path / "run").manifest.status == "finished"


def test_prompts_that_are_all_too_long_are_refused(tmp_path):
    try:
        asset_path("smollm2-135m-instruct")
    except AssetError as missing:
        pytest.skip(str(missing))
    with pytest.raises(UsageError, match="longer than max_prompt_tokens = 64"):
        run_it(
            tmp_path / "run",
            model="smollm2-135m-instruct",
            languages=("json",),
            grid=("2x1",),
            max_prompt_tokens=64,
        )
