from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from burnish.errors import BurnishError, DataError, UsageError
from burnish.evidence import Claim, Point, Verdict
from burnish.runs import Chart, Run, Series, Table, execute, judge, read_record, summary
from burnish.runs.settings import build_config

HERE = Path(__file__).parent


@pytest.fixture
def method():
    import demo_method

    return demo_method


@pytest.fixture
def opened(tmp_path, method):
    def make(**changes):
        options = {"preset": "quick", "seed": 0, "resume": False} | changes
        return Run.open(tmp_path / "run", method.METHOD, method.DemoConfig(), **options)

    return make


def test_what_is_logged_is_on_disk_at_once(opened):
    with opened() as run:
        run.log("loss_nats", 0.5, step=3, part="train")
        line = (run.folder / "points.jsonl").read_text()
        assert json.loads(line) == {
            "step": 3, "name": "loss_nats", "value": 0.5, "tags": {"part": "train"},
        }  # fmt: skip


def test_the_last_point_of_a_kind_wins_in_its_first_place(opened):
    with opened() as run:
        run.log("loss_nats", 1.0, part="a")
        run.log("loss_nats", 2.0, part="b")
        run.log("loss_nats", 3.0, part="a")
        run.log("loss_nats", 4.0, part="a", step=1)
    expected = (
        Point(0, "loss_nats", 3.0, {"part": "a"}),
        Point(0, "loss_nats", 2.0, {"part": "b"}),
        Point(1, "loss_nats", 4.0, {"part": "a"}),
    )
    assert run.points() == expected
    assert read_record(run.folder).points == expected


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_not_scored_and_says_why(opened, value):
    with opened() as run:
        run.log("loss_nats", value)
    assert run.points()[0].value is None
    assert json.loads((run.folder / "points.jsonl").read_text())["reason"] == str(value)
    assert read_record(run.folder).not_scored == 1


@pytest.mark.parametrize("name", ["accuracy", "Accuracy_percent", "loss nats", "", "per_token"])
def test_names_end_in_a_unit(opened, name):
    with opened() as run, pytest.raises(UsageError, match="ends in its unit"):
        run.log(name, 1.0)


@pytest.mark.parametrize("name", ["accuracy_percent", "tokens_per_second", "peak_mb", "items"])
def test_names_that_do(opened, name):
    with opened() as run:
        run.log(name, 1.0)
    assert run.points()[0].name == name


@pytest.mark.parametrize("tag", [None, [1], float("nan")])
def test_tags_are_plain(opened, tag):
    with opened() as run, pytest.raises(UsageError, match="tag where must be text"):
        run.log("loss_nats", 1.0, where=tag)


@pytest.mark.parametrize("name", ["", "/etc/x", "../x", "a/../../x", "figures/x", "a\\b", "c:x"])
def test_artifacts_stay_inside(opened, name):
    with opened() as run, pytest.raises(UsageError, match="relative path below artifacts/"):
        run.artifact(name)


def test_artifacts_are_listed_with_their_size(opened):
    with opened() as run:
        run.artifact("model/weights.bin").write_bytes(b"12345")
    assert read_record(run.folder).artifacts == {"model/weights.bin": 5}


def test_figures_come_back_in_order_and_replace_their_namesakes(opened):
    bars = Chart(title="A & B", kind="bar", y_label="y (%)", series=(Series(x=("a",), y=(1.0,)),))
    table = Table(title="A & B", columns=("a", "b"), rows=(("x", None),))
    with opened() as run:
        run.chart(bars)
        run.table(Table(title="A & B", columns=("old",), rows=()))
        run.table(table)
    figures = read_record(run.folder).figures
    assert [figure.chart or figure.table for figure in figures] == [bars, table]


def test_figures_that_cannot_be_drawn_are_refused(opened):
    with opened() as run:
        with pytest.raises(UsageError, match="cannot be drawn"):
            run.table(Table(title="T", columns=("a",), rows=((float("nan"),),)))
        with pytest.raises(UsageError, match="cannot be drawn"):
            run.table(Table(title="T", columns=("a",), rows=((object(),),)))


def test_a_folder_with_something_in_it_is_refused_and_kept(opened, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match="not empty; add --resume"):
        opened()
    with pytest.raises(UsageError, match="holds something that is not a run"):
        opened(resume=True)
    assert (tmp_path / "run" / "thesis.tex").read_text() == "years of work"


def test_a_file_in_the_way(opened, tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(UsageError, match="cannot be written: File exists"):
        opened()


def test_two_writers_are_one_too_many(opened):
    with opened(), pytest.raises(UsageError, match="another process is writing"):
        opened(resume=True)


def test_resuming_needs_the_same_settings(demo, tmp_path):
    demo(tmp_path / "run")
    with pytest.raises(UsageError, match="begun with items = 30, and now it is 31"):
        demo(tmp_path / "run", "items=31", resume=True)
    with pytest.raises(UsageError, match="begun with seed = 0, and now it is 1"):
        demo(tmp_path / "run", seed=1, resume=True)


def test_resume_with_nothing_there_begins(demo, tmp_path):
    run = demo(tmp_path / "run", resume=True)
    assert not run.resumed
    assert run.manifest.status == "finished"


def test_a_finished_run_is_not_run_again(demo, tmp_path):
    first = demo(tmp_path / "run")
    before = (tmp_path / "run" / "manifest.json").read_text()
    again = demo(tmp_path / "run", resume=True)
    assert summary(again) == summary(first)
    assert (tmp_path / "run" / "manifest.json").read_text() == before


def test_a_torn_last_line_is_healed(opened):
    with opened() as run:
        run.log("loss_nats", 1.0)
        run.log("loss_nats", 2.0, step=1)
    path = run.folder / "points.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    assert len(read_record(run.folder).points) == 1
    with opened(resume=True) as again:
        assert again.resumed
        again.log("loss_nats", 3.0, step=1)
    assert [json.loads(line)["value"] for line in path.read_text().splitlines()] == [1.0, 3.0]


@pytest.mark.parametrize(
    "line", ["not json", "{}", '{"step": 0, "name": "a_mb", "value": NaN, "tags": {}}', "[]"]
)
def test_any_other_broken_line_is_named(opened, line):
    with opened() as run:
        run.log("loss_nats", 1.0)
    with (run.folder / "points.jsonl").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=r"points\.jsonl:2: not a point"):
        read_record(run.folder)


def test_a_failure_is_written_down_and_can_be_resumed(tmp_path, method):
    def go(resume):
        config = build_config(method.DemoConfig, "quick", overrides=["fail_at=tree"])
        return execute(
            method.METHOD, config, preset="quick", seed=0, out=tmp_path / "r", resume=resume
        )

    for resume in (False, True):
        with pytest.raises(BurnishError, match="would not read tree"):
            go(resume)
        manifest = read_record(tmp_path / "r").manifest
        assert manifest.status == "failed"
        assert manifest.error.endswith("the model would not read tree; ask another model")
    assert len(read_record(tmp_path / "r").points) == 10


def test_the_manifest_says_what_reproduces_the_run(demo, tmp_path):
    run = demo(tmp_path / "a run", "rate=0.25", "model=a b", seed=3)
    manifest = json.loads((run.folder / "manifest.json").read_text())
    assert manifest["config"]["rate"] == 0.25
    assert manifest["seed"] == 3
    assert manifest["notes"] == {"model_sha256": "0" * 64}
    assert manifest["versions"]["python"].startswith("3.")
    assert {"burnish", "pydantic"} <= set(manifest["versions"])
    assert manifest["hardware"]["cores"] >= 1
    assert 20 < manifest["peak_mb"] < 100_000
    assert manifest["seconds"] > 0
    assert manifest["command"] == (
        "burnish run demo --preset quick --seed 3 --set rate=0.25 --set 'model=a b' "
        f"--out '{run.folder}'"
    )


def test_summary_has_the_agreed_keys(demo, tmp_path):
    result = summary(demo(tmp_path / "run"))
    assert list(result) == ["method", "preset", "seed", "run", "seconds", "peak_mb", "claims"]
    assert [list(claim) for claim in result["claims"]] == [
        ["id", "statement", "source", "paper", "measured", "unit", "interval", "verdict"]
    ] * 3
    assert [claim["verdict"] for claim in result["claims"]] == ["holds", "fails", "not_tested"]
    json.dumps(result, allow_nan=False)


def test_a_claim_check_that_breaks_is_a_bug_and_shows():
    def check(points):
        return Verdict("holds", measured=1 / len(points))

    with pytest.raises(ZeroDivisionError):
        judge([Claim("c", "s", "p", None, "%", check)], [])


KILLED = """
    import signal, sys, time
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever it inherits
    sys.path.append({here!r})
    import demo_method
    from pathlib import Path
    from burnish.runs import Run, execute
    from burnish.runs.settings import build_config

    log = Run.log
    def slow(self, *args, **tags):
        log(self, *args, **tags)
        time.sleep(0.05)
    Run.log = slow
    config = build_config(demo_method.DemoConfig, "quick")
    execute(demo_method.METHOD, config, preset="quick", seed=7, out=Path({out!r}), resume=True)
"""


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_run_resumes_to_the_same_result(demo, tmp_path, signal_number):
    whole = demo(tmp_path / "whole", seed=7)
    out = tmp_path / "killed"
    code = textwrap.dedent(KILLED).format(here=str(HERE), out=str(out))
    process = subprocess.Popen(
        [sys.executable, "-c", code], stderr=subprocess.DEVNULL, env=os.environ
    )
    points = out / "points.jsonl"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and (
        not points.exists() or points.read_bytes().count(b"\n") < 5
    ):
        time.sleep(0.01)
    process.send_signal(signal_number)
    process.wait()
    assert 5 <= len(read_record(out).points) < 32
    status = read_record(out).manifest.status
    assert status == ("running" if signal_number == signal.SIGKILL else "interrupted")

    resumed = demo(out, seed=7, resume=True)
    assert resumed.resumed
    assert resumed.points() == whole.points()
    assert summary(resumed)["claims"] == summary(whole)["claims"]
    assert read_record(out).figures == read_record(tmp_path / "whole").figures
