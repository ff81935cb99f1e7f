"""`burnish socialsim VERB` through the real command line, in small worlds."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from burnish.cli.main import main
from burnish.methods.socialsim import comparing
from burnish.methods.socialsim.calibration import load_calibration
from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.scenario import Scenario

SMALL = ("harbour_rumour", "--agents", "300", "--hours", "8")
VERBS = ("run", "sweep", "validate", "calibrate", "replay", "effect")


def verb(capsys, *arguments, code=0):
    """What a verb prints on standard output, and the last line of the other."""
    line = ["burnish", "socialsim", *map(str, arguments)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as ended:
            main()
    out, err = capsys.readouterr()
    assert (ended.value.code or 0) == code, err
    return out, err.strip().rpartition("\n")[2]


def told(capsys, *arguments, code=0):
    """The one JSON object that a verb prints."""
    out, _ = verb(capsys, *arguments, "--json", code=code)
    assert out.count("\n") == 1
    return json.loads(out)


def files(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.parquet")
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A run and its twin without the campaign."""
    folder = tmp_path_factory.mktemp("home")
    scenario = Scenario.from_yaml("harbour_rumour")
    simulation = Simulation(world=scenario.world, n_agents=300, seed=0)
    simulation.run(8, folder / "red")
    simulation.twin().run(8, folder / "quiet")
    return folder


def test_a_run_says_what_it_wrote_and_is_that_of_the_library(home, capsys, tmp_path):
    found = told(capsys, "run", *SMALL, "-o", tmp_path / "run")
    assert (found["out"], found["ticks"]) == (str(tmp_path / "run"), 8)
    assert min(found["exposures"], found["posts"]) > 0
    assert files(tmp_path / "run") == files(home / "red")
    out, line = verb(capsys, "run", *SMALL, "--no-red", "--workers", "1", "-o", tmp_path / "quiet")
    assert out == ""
    assert "posts of Harbour rumour, synthetic: " in line
    assert files(tmp_path / "quiet") == files(home / "quiet")


def test_options_of_a_run_reach_the_world(home, capsys, tmp_path):
    told(capsys, "run", *SMALL, "--no-blue", "--ranker", "chrono", "-o", tmp_path / "run")
    world = json.loads((tmp_path / "run" / "manifest.json").read_text())["world"]
    assert (world["blue"], world["feed"]["ranker"]) == ([], "chrono")
    (tmp_path / "edges.csv").write_text("follower,followee\n1,2\n2,3\n")
    found = told(capsys, "run", *SMALL, "--edges", tmp_path / "edges.csv", "-o", tmp_path / "edges")
    assert any("follow nobody" in warning for warning in found["warnings"])


def test_a_killed_run_goes_on_with_the_same_command(capsys, tmp_path):
    out, whole = tmp_path / "killed", tmp_path / "whole"
    asked = ["run", "harbour_rumour", "--agents", "300", "--hours", "3000", "--checkpoint", "5"]
    process = subprocess.Popen(
        [sys.executable, "-m", "burnish.cli.main", "socialsim", *asked, "-o", str(out)],
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    deadline = time.monotonic() + 60
    while not list(out.glob("checkpoints/*.npz")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    reached = max(int(path.stem) for path in out.glob("checkpoints/*.npz"))
    assert 5 <= reached < 2990
    asked[asked.index("--hours") + 1] = str(reached + 40)
    assert told(capsys, *asked, "-o", out)["ticks"] == reached + 40
    told(capsys, *asked, "-o", whole)
    assert files(out) == files(whole)


def test_a_sweep_writes_a_page_and_keeps_tables_for_effect(capsys, tmp_path):
    page, kept = tmp_path / "new" / "page.html", tmp_path / "kept"
    found = told(
        capsys, "sweep", *SMALL, "--measure", "label", "--measure", "rate_limit", "--delay", "1",
        "--delay", "2", "--seeds", "2", "--workers", "1", "--keep", kept, "-o", page,
    )  # fmt: skip
    assert found["out"] == str(page)
    assert {row["world"] for row in found["effects"]} == {
        "label at 1 h", "label at 2 h", "rate_limit",
    }  # fmt: skip
    assert {row["pairs"] for row in found["effects"]} == {2}
    assert "rate limit" in page.read_text()
    assert "not held against stylised facts" in page.read_text()
    again = told(capsys, "effect", kept / "label at 1 h", kept / "none")
    by_outcome = {row["outcome"]: row["changed"] for row in again["effects"]}
    for row in found["effects"]:
        if row["world"] == "label at 1 h":
            assert row["changed"] == by_outcome[row["outcome"]]


def test_a_sweep_on_a_terminal_is_a_table(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    out, line = verb(
        capsys, "sweep", *SMALL, "--measure", "label", "--seeds", "1", "--workers", "1",
        "-o", tmp_path / "page.html",
    )  # fmt: skip
    assert "false claim reach percent" in out
    assert "[" not in out  # one seed has no interval
    assert line == f"the page: {tmp_path / 'page.html'}"


def test_facts_that_are_missed_are_exit_code_1(home, capsys):
    found = told(capsys, "validate", home / "quiet", code=1)
    by_name = {row["fact"]: row for row in found["facts"]}
    assert by_name["cascade_size_exponent"]["measured"] is None
    assert by_name["false_true_size_ratio"]["to"] is None
    assert found["stamp"].startswith("unvalidated: ")
    assert {row["holds"] for row in found["facts"]} <= {"yes", "no"}
    out, line = verb(capsys, "validate", home / "quiet", code=1)
    assert "Clauset" in out
    assert line.endswith(found["stamp"].rpartition(", ")[2])


def test_facts_that_all_hold_are_exit_code_0(home, capsys, monkeypatch):
    monkeypatch.setattr(
        "burnish.methods.socialsim.stylised_facts.Fact.holds", property(lambda fact: True)
    )
    assert told(capsys, "validate", home / "quiet")["stamp"] == ""
    assert verb(capsys, "validate", home / "quiet")[1] == "every fact holds"


def test_a_calibrated_rule_can_be_run(capsys, tmp_path):
    asked = (
        "calibrate", "quiet_vote", "--model", "scripted", "--personas", "10", "--items", "10",
        "-o", tmp_path / "rule",
    )  # fmt: skip
    found = told(capsys, *asked)
    assert found["probes"] == 100
    rule = tmp_path / "rule" / "calibration.json"
    assert found["rule"] == str(rule)
    assert load_calibration(rule).probes == 100
    calls = (tmp_path / "rule" / "probes.jsonl").read_bytes()
    _, line = verb(capsys, *asked)
    assert line.startswith("100 probes: divergence ")
    assert (tmp_path / "rule" / "probes.jsonl").read_bytes() == calls
    told(capsys, "run", *SMALL, "--rule", rule, "-o", tmp_path / "run")
    told(capsys, "run", *SMALL, "-o", tmp_path / "plain")
    assert files(tmp_path / "run") != files(tmp_path / "plain")


def test_a_replay_is_one_page_with_its_title_as_words(home, capsys, tmp_path):
    page = tmp_path / "replay.html"
    found = told(
        capsys, "replay", home / "red", "--twin", home / "quiet", "--title", "<b>Now</b>",
        "--max-nodes", "40", "-o", page,
    )  # fmt: skip
    assert found == {"out": str(page), "bytes": page.stat().st_size}
    text = page.read_text()
    assert "<b>Now</b>" not in text
    _, line = verb(capsys, "replay", home / "red", "-o", page)
    assert line.endswith("MB: open in a browser")


def test_an_effect_is_told_with_and_without_json(home, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    found = told(capsys, "effect", home / "red", home / "quiet")
    reach = next(row for row in found["effects"] if row["outcome"] == "false_claim_reach_percent")
    assert reach["change"] == reach["changed"] - reach["unchanged"]
    assert (reach["low"], reach["high"], reach["pairs"]) == (None, None, 1)
    out, line = verb(capsys, "effect", home / "red", home / "quiet")
    assert "false claim reach percent" in out
    assert line == "one pair: no interval can be given; run more seeds"


SCENARIO = """
burnish_scenario: 1
name: Still water
world: {{name: Port Vellmar, regions: [Old Quay], topics: [harbour]}}
claims: [{{code: C1, about: The harbour is closed., is_true: false, topic: harbour}}]
red:
  - {{name: one, technique: {technique}, after: {after}, hours: 4, intensity: {intensity}}}
  - {{name: two, technique: T0118, after: one, hours: 4}}
"""
GOOD = {"technique": "T0020", "after": "null", "intensity": 0.5}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"technique": "T9999"}, "no primitive stands for DISARM technique 'T9999'"),
        ({"after": "two"}, "wait for each other"),
        ({"intensity": 1.5}, "should be less than or equal to 1, got '1.5'"),
        ({"intensity": ".nan"}, "should be a finite number"),
    ],
)
def test_a_bad_scenario_is_one_line_and_code_2(capsys, tmp_path, change, message):
    path = tmp_path / "own.yaml"
    path.write_text(SCENARIO.format(**GOOD))
    asked = ("run", path, "--agents", "100", "--hours", "1")
    told(capsys, *asked, "-o", tmp_path / "good")
    path.write_text(SCENARIO.format(**(GOOD | change)))
    out, line = verb(capsys, *asked, "-o", tmp_path / "bad", code=2)
    assert out == ""
    assert line.startswith(f"burnish: {path}: ")
    assert message in line
    assert not (tmp_path / "bad").exists()


def test_names_of_the_real_world_can_be_added(capsys, tmp_path):
    (tmp_path / "names.txt").write_text("Vellmar\n")
    _, line = verb(
        capsys, "run", *SMALL, "--names", tmp_path / "names.txt", "-o", tmp_path / "r", code=2
    )
    assert "Vellmar" in line


@pytest.fixture
def broken(home, tmp_path):
    """Folders that are no run, each wrong in its own way, and a file in a folder's place."""
    for name in ("torn", "other"):
        shutil.copytree(home / "red", tmp_path / name)
    (tmp_path / "torn" / "posts" / "00000.parquet").write_bytes(b"PAR1")
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("x")
    return tmp_path


@pytest.mark.parametrize(
    ("asked", "code", "message"),
    [
        (("run", *SMALL, "--agents", "2000000000", "-o", "{}/new"), 2, "GB are free; use fewer"),
        (("run", *SMALL, "--seed", "1", "-o", "{}/other"), 2, "holds a run with another seed"),
        (("run", *SMALL, "--agents", "301", "-o", "{}/other"), 2, "another n_agents; choose"),
        (("run", *SMALL, "-o", "{}/file/x"), 2, "file/x cannot be written: Not a directory"),
        (("run", *SMALL, "-o", "/proc"), 2, "/proc cannot be written: "),
        (("run", "nowhere.yaml", "-o", "{}/new"), 2, "nowhere.yaml: No such file"),
        (("run", *SMALL, "--rule", "{}/file", "-o", "{}/new"), 2, "file"),
        (("sweep", *SMALL, "-o", "{}/file/x.html"), 2, "file cannot be written: File exists"),
        (("sweep", *SMALL, "--keep", "{}/file/x", "-o", "{}/x.html"), 2, "cannot be written"),
        (("sweep", *SMALL, "--measure", "censor", "-o", "{}/x.html"), 2, "'censor' is not one of"),
        (("calibrate", "quiet_vote", "-o", "{}/file/x", "--model", "scripted"), 2, "be written"),
        (("calibrate", "quiet_vote", "-o", "{}/x", "--personas", "201"), 2, "personas"),
        (("replay", "{}/other", "-o", "{}/file/x.html"), 2, "cannot be written: File exists"),
        (("replay", "{}/torn", "-o", "{}/x.html"), 1, "posts is no Parquet"),
        (("replay", "{}/empty", "-o", "{}/x.html"), 2, "holds no run; give a folder that"),
        (("validate", "{}/torn"), 1, "posts is no Parquet"),
        (("validate", "{}/empty"), 2, "holds no run; give a folder that"),
        (("validate", "{}/nowhere"), 2, "does not exist"),
        (("effect", "{}/torn", "{}/other"), 1, "posts is no Parquet"),
        (("effect", "{}/other", "{}/empty"), 2, "holds no run; give a folder that"),
        (("effect", "{}/other"), 2, "Missing argument 'UNCHANGED'"),
    ],
    ids=lambda given: "-".join(given[:1]) if isinstance(given, tuple) else None,
)
def test_what_is_wrong_is_said_in_one_line(broken, capsys, asked, code, message):
    asked = [part.replace("{}", str(broken)) for part in asked]
    out, line = verb(capsys, *asked, code=code)
    assert out == ""
    assert line.startswith("burnish: ")
    assert message in line


def test_a_refused_run_leaves_nothing_behind(capsys, tmp_path):
    verb(capsys, "run", *SMALL, "--agents", "2000000000", "-o", tmp_path / "new", code=2)
    told(capsys, "run", *SMALL, "-o", tmp_path / "new")


def test_ctrl_c_says_how_to_go_on(capsys, tmp_path, monkeypatch):
    def interrupted(self, *given, **named):
        raise KeyboardInterrupt

    monkeypatch.setattr(Simulation, "run", interrupted)
    _, line = verb(capsys, "run", *SMALL, "-o", tmp_path / "r", code=130)
    assert "go on with: burnish socialsim run harbour_rumour --agents 300" in line
    monkeypatch.setattr(comparing, "sweep", interrupted)
    asked = ("sweep", *SMALL, "--seeds", "1", "-o", tmp_path / "x.html")
    assert verb(capsys, *asked, code=130)[1] == "burnish: interrupted"


@pytest.mark.parametrize("name", VERBS)
def test_help_says_what_a_verb_does_and_every_option(capsys, name):
    out, _ = verb(capsys, name, "--help")
    assert out.startswith(f"Usage: burnish socialsim {name} ")
    assert "--json" in out


def test_help_lists_the_verbs(capsys):
    out, _ = verb(capsys, "--help")
    assert all(f"  {name} " in out for name in VERBS)
    assert "fictional" in out


def test_the_folder_of_a_calibration_is_told_as_it_is(capsys):
    out, _ = verb(capsys, "calibrate", "--help")
    assert "calibration.json" in out
