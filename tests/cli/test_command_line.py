"""The real command line: wrong calls, exit codes, start-up, the generated reference."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

WRONG_CALLS = {
    "unknown command": (["lst"], "unknown command 'lst'; did you mean 'list'?"),
    "unknown option": (["list", "--jsn"], "--jsn"),
    "unknown method": (["run", "tinny"], "unknown method 'tinny'; did you mean 'tiny'?"),
    "show unknown": (["show", "tinny"], "did you mean 'tiny'?"),
    "no method": (["run"], "Missing argument"),
    "unknown preset": (["run", "tiny", "--preset", "quik"], "did you mean 'quick'?"),
    "unknown setting": (["run", "tiny", "--set", "toses=1"], "did you mean 'tosses'?"),
    "out of range": (["run", "tiny", "--set", "tosses=0"], "greater than or equal to 1, got 0"),
    "wrong type": (["run", "tiny", "--set", "tosses=many"], "got 'many'"),
    "not a setting": (["run", "tiny", "--set", "tosses"], "wanted name=value"),
    "no such data": (["run", "tiny", "--data", "f.csv"], "no setting 'data'"),
    "model twice": (["run", "tiny", "--model", "a", "--set", "model=b"], "give one of them"),
    "no config file": (["run", "tiny", "--config", "no.yaml"], "no.yaml: No such file"),
    "wrong config file": (["run", "tiny", "--config", "c.yaml"], "c.yaml:2: tosses should be"),
    "negative seed": (["run", "tiny", "--seed", "-1"], "--seed"),
    "out is a file": (["run", "tiny", "--out", "c.yaml"], "c.yaml"),
    "all with a setting": (["run", "all", "--set", "a=1"], "name one method"),
    "all with a wrong preset": (["run", "all", "--preset", "x"], "unknown preset 'x'"),
    "report of nothing": (["report"], "Missing argument"),
    "report of no run": (["report", "empty"], "is not a run folder"),
    "report of a ghost": (["report", "ghost"], "is not a run folder"),
    "report of a file": (["report", "c.yaml"], "only files"),
    "new line": (["run", "tiny", "--set", "tosses=a\nb"], "--set tosses=a b"),
}


@pytest.mark.parametrize(("arguments", "words"), WRONG_CALLS.values(), ids=WRONG_CALLS)
def test_a_wrong_call_gets_one_line_and_exit_code_2(burnish, tmp_path, arguments, words):
    (tmp_path / "c.yaml").write_text("model: x\ntosses: -4\n")
    (tmp_path / "empty").mkdir()
    done = burnish(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("burnish: ")
    assert words in done.stderr
    assert not (tmp_path / "runs").exists()


def test_failed_work_gets_one_line_and_exit_code_1(burnish, tmp_path):
    done = burnish("run", "tiny", "--model", "broken", "--out", "r", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "burnish: the guesser fell asleep; take another --model\n"
    manifest = json.loads((tmp_path / "r" / "manifest.json").read_text())
    assert manifest["status"] == "failed"
    assert "fell asleep" in manifest["error"]


def test_a_real_bug_keeps_its_traceback(burnish):
    done = burnish("run", "tiny", "--model", "bug", "--out", "r")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert done.stderr.strip().endswith("ZeroDivisionError: division by zero")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["run", "--help"], ["-h"]])
def test_asking_for_help_is_no_error(burnish, arguments):
    done = burnish(*arguments)
    assert done.returncode == 0
    assert "burnish" in done.stdout


def test_listing_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['burnish', 'list']\n"
        "from burnish.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as done: assert done.code == 0, done.code\n"
        "heavy = {'torch', 'numpy', 'scipy', 'matplotlib', 'transformers', 'jinja2', 'yaml'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
    assert "structext" in done.stdout


def test_all_runs_every_method_in_its_own_folder_and_writes_one_report(burnish, tmp_path):
    done = burnish("run", "all", "--json", "--seed", "2", alone=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["report"] == "runs/report.html"
    assert [run["run"] for run in result["runs"]] == ["runs/tiny-quick-seed2"]
    assert "Nobody guesses" in (tmp_path / "runs" / "report.html").read_text()

    again = burnish("run", "all", "--seed", "2", alone=True)
    assert again.returncode == 2
    assert "runs/tiny-quick-seed2 is there already; add --resume" in again.stderr
    assert burnish("run", "all", "--seed", "2", "--resume", alone=True).returncode == 0


def test_all_goes_on_past_a_method_that_fails_and_says_so(burnish, tmp_path):
    folder = tmp_path / "tour" / "tiny-quick-seed0"
    folder.mkdir(parents=True)
    (folder / "thesis.tex").write_text("years of work")
    done = burnish("run", "all", "--resume", "--json", "--out", "tour", alone=True)
    assert done.returncode == 1
    assert json.loads(done.stdout) == {"runs": [], "report": None}
    assert "holds something that is not a run" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("burnish: tiny failed")


def test_committed_verdicts_are_shown_where_there_are_no_runs(burnish, tmp_path):
    result = json.loads(burnish("run", "tiny", "--out", "elsewhere", "--json").stdout)
    results = tmp_path / "benchmarks" / "results"
    results.mkdir(parents=True)
    (results / "tiny.json").write_text(json.dumps(result | {"points": []}))
    shown = json.loads(burnish("show", "tiny", "--json").stdout)
    assert shown["verdicts_from"] == "benchmarks/results/tiny.json"
    assert shown["claims"][0]["last"]["measured"] == result["claims"][0]["measured"]
    (results / "tiny.json").write_text("[]")
    done = burnish("show", "tiny")
    assert done.returncode == 2
    assert "tiny.json is not what" in done.stderr


def test_a_closed_pipe_is_no_traceback():
    code = f"{sys.executable} -m burnish.cli.main show structext --json | head -c 1"
    done = subprocess.run(["sh", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "{"
    assert done.stderr == ""


def test_the_reference_page_is_what_help_says():
    # in a process of its own: click remembers the options of a command that was shown elsewhere
    script = ROOT / "docs" / "generate_cli.py"
    code = f"import runpy; print(runpy.run_path({str(script)!r})['page'](), end='')"
    page = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True).stdout
    assert (ROOT / "docs" / "cli.md").read_text() == page, "run: python docs/generate_cli.py"
