"""A method from another package, driven through the real command line."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time


def test_it_is_listed(burnish):
    done = burnish("list")
    assert done.returncode == 0, done.stderr
    assert "tiny  Tiny: Guess the toss of a coin." in done.stdout
    rows = json.loads(burnish("list", "--json").stdout)["methods"]
    assert {row["name"]: row["presets"] for row in rows}["tiny"] == ["quick", "cpu", "paper"]


def test_it_is_shown(burnish):
    done = burnish("show", "tiny")
    assert done.returncode == 0, done.stderr
    for words in ("tosses", ">= 1", "100000", "Nobody guesses better than chance.", "none yet"):
        assert words in done.stdout
    shown = json.loads(burnish("show", "tiny", "--json").stdout)
    assert shown["settings"][0]["presets"] == {"quick": 20, "cpu": 100, "paper": 100_000}
    assert shown["claims"][0]["paper"] == 50.0


def test_it_runs_and_is_reported(burnish, tmp_path):
    done = burnish("run", "tiny", "--seed", "3", "--set", "tosses=40", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert (result["method"], result["preset"], result["seed"]) == ("tiny", "quick", 3)
    assert result["run"] == "runs/tiny-quick-seed3"
    (claim,) = result["claims"]
    low, high = claim["interval"]
    assert low < claim["measured"] < high
    assert claim["verdict"] == ("holds" if low <= 50 <= high else "fails")
    assert "tossing: 40/40" in done.stderr

    assert claim["verdict"] in burnish("show", "tiny").stdout
    done = burnish("report", *(tmp_path / "runs").iterdir(), "-o", "page.html")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "report: page.html" in done.stderr
    assert "Nobody guesses better than chance." in (tmp_path / "page.html").read_text()


def test_the_command_in_the_manifest_reproduces_the_run(burnish, tmp_path):
    first = burnish("run", "tiny", "--set", "tosses=10", "--model", "a b", "--out", "a", "--json")
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text())
    program, *line = shlex.split(manifest["command"])
    assert program == "burnish"
    again = burnish(*line[:-1], "b", "--json")
    assert json.loads(again.stdout)["claims"] == json.loads(first.stdout)["claims"]
    assert (
        json.loads((tmp_path / "b" / "manifest.json").read_text())["config"] == (manifest["config"])
    )


def test_its_verbs(burnish):
    assert burnish("tiny", "toss", "2").stdout.strip() == "heads heads"
    assert "Toss TIMES times." in burnish("tiny", "--help").stdout
    done = burnish("tiny", "tos")
    assert done.returncode == 2
    assert "tos" in done.stderr


def test_an_existing_folder_is_kept_unless_resumed(burnish):
    assert burnish("run", "tiny", "--out", "r").returncode == 0
    done = burnish("run", "tiny", "--out", "r")
    assert done.returncode == 2
    assert "r is not empty; add --resume" in done.stderr
    done = burnish("run", "tiny", "--out", "r", "--set", "tosses=7", "--resume")
    assert done.returncode == 2
    assert "begun with tosses = 20, and now it is 7" in done.stderr


INTERRUPTIBLE = (  # a job in the background inherits that Ctrl-C does nothing
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    "from burnish.cli.main import main; main()"
)


def test_ctrl_c_says_how_to_go_on(burnish, site, tmp_path):
    line = ["run", "tiny", "--set", "tosses=30", "--set", "seconds_each=0.05", "--out", "r"]
    process = subprocess.Popen(
        [sys.executable, "-c", INTERRUPTIBLE, *line],
        stderr=subprocess.PIPE, text=True, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(site)},
    )  # fmt: skip
    points = tmp_path / "r" / "points.jsonl"
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not (points.exists() and points.read_bytes()):
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.strip().splitlines()[-1] == (
        f"burnish: interrupted; go on with: burnish {' '.join(line)} --resume"
    )
    assert burnish(*line, "--resume").returncode == 0
    assert points.read_text().count("\n") == 30


def test_what_is_missing_is_named_with_the_command_that_installs_it(burnish, tmp_path):
    done = burnish("run", "tiny", "--model", "gpu", "--out", "r")
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-1] == (
        "burnish: tiny needs the package no_such_gpu_library, which is not installed; "
        'run: pip install "tiny-method[gpu]"'
    )
