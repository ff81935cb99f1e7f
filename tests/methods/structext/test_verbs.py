"""`burnish structext VERB` through the real command line, with a user's mistakes."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from burnish.methods.structext.generate import build


def line(*arguments):
    return [sys.executable, "-m", "burnish.cli.main", "structext", *map(str, arguments)]


@pytest.fixture
def burnish(tmp_path):
    def call(*arguments, given=None):
        return subprocess.run(
            line(*arguments), capture_output=True, text=True, cwd=tmp_path, input=given, timeout=120
        )

    return call


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    path = tmp_path_factory.mktemp("suite") / "suite.jsonl"
    build(languages=["tree", "csv"], n=3, seed=1).to_jsonl(path)
    return path


def test_generate_evaluate_compare_rescore_export(burnish, tmp_path):
    made = burnish(
        "generate", "--language", "json", "--cell", "1x1", "-n", 2, "--hints", "both",
        "-o", "suite.jsonl", "--json",
    )  # fmt: skip
    assert json.loads(made.stdout) == {"samples": 20, "suite": "suite.jsonl"}, made.stderr
    rows = {}
    for name in ("document-order-oracle", "constant"):
        done = burnish(
            "eval", "suite.jsonl", "--baseline", name, "--log", name, "--by", "task", "--json"
        )
        assert done.returncode == 0, done.stderr
        rows[name] = {row["task"]: row for row in json.loads(done.stdout)["rows"]}
    assert rows["document-order-oracle"]["all"]["exact"] == 1.0
    assert rows["constant"]["all"]["exact"] < 1.0
    assert rows["constant"]["all"]["n"] == 20

    compared = json.loads(burnish("compare", "document-order-oracle", "constant", "--json").stdout)
    by_metric = {row["metric"]: row for row in compared["rows"]}
    assert by_metric["exact"]["difference"] == pytest.approx(1.0 - rows["constant"]["all"]["exact"])
    rescored = burnish("rescore", "constant", "--scorer", "structural", "--json")
    assert "structural" in json.loads(rescored.stdout)["rows"][0], rescored.stderr
    table = burnish("rescore", "constant", "--scorer", "structural")
    assert "structural" in table.stdout
    assert re.search(r"\d\.\d\d \[\d\.\d\d, \d\.\d\d\]", table.stdout)
    exported = burnish("export", "suite.jsonl", "--to", "datasets", "-o", "out")
    assert exported.returncode == 0, exported.stderr
    assert (tmp_path / "out" / "README.md").exists()


def test_solve_reads_standard_input(burnish):
    done = burnish(
        "solve", "-", "--rule", "tree.2", "--question",
        "What is the depth of node o? Answer an integer, root is of depth 0.", given="n->o\n",
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_conformance_of_a_folder_of_records(burnish, tmp_path):
    record = {
        "id": "mine", "rule": "tree.2", "text": "n->o", "answer": "1", "compare": "exact",
        "question": "What is the depth of node o? Answer an integer, root is of depth 0.",
        "language": "tree", "task": "Tree.Depth", "known_issues": [],
        "difficulty": {"depth": 1, "width": 1, "columns": 6},
    }  # fmt: skip
    (tmp_path / "visible.jsonl").write_text(json.dumps(record) + "\n")
    done = burnish("conformance", ".", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["solved"] == 1
    (tmp_path / "visible.jsonl").write_text(json.dumps(record | {"answer": "7"}) + "\n")
    wrong = burnish("conformance", ".")
    assert wrong.returncode == 1
    assert "disagrees" in wrong.stderr


LATEX = "p\nnob\n\\section{q}\noops\n"
LATEX_QUESTION = (
    "What is the content of 1th section? The content should be an excerpt as it appears in the "
    "LaTeX file, including the heading line and any sub-section."
)
MISTAKES = {
    "rule": (("generate", "--rule", "json.9", "-o", "x"), "unknown rule 'json.9'.*json.5", 2),
    "language": (("generate", "--language", "toml", "-o", "x"), "unknown language.*org", 2),
    "depth": (("generate", "--cell", "0x1", "-o", "x"), "depth", 2),
    "cell": (("generate", "--cell", "wide", "-o", "x"), "DEPTHxWIDTH", 2),
    "columns": (("generate", "--columns", "0", "-o", "x"), "columns", 2),
    "size": (("generate", "--cell", "6x3", "-o", "x"), "nodes.*5,?000", 2),
    "no suite": (("eval", "no.jsonl", "--baseline", "oracle", "--log", "l"), "no.jsonl", 2),
    "nobody": (("eval", "SUITE", "--log", "l"), "--model or --baseline", 2),
    "both": (
        ("eval", "SUITE", "--model", "m", "--baseline", "oracle", "--log", "l"),
        "--model or --baseline",
        2,
    ),
    "dollars": (
        ("eval", "SUITE", "--model", "openai:m", "--log", "l", "--budget-usd", "1"),
        "--budget-usd needs --prices",
        2,
    ),
    "metric": (
        ("eval", "SUITE", "--baseline", "oracle", "--log", "l", "--scorer", "rouge"),
        "unknown metric 'rouge'.*exact",
        2,
    ),
    "model": (("eval", "SUITE", "--model", "no-such", "--log", "l"), "no-such", 2),
    "log": (("rescore", "nowhere", "--scorer", "exact"), "no evaluation log", 2),
    "malformed": (
        ("solve", "bad.json", "--rule", "json.2", "--question", "What is the first object's id of "
         "subs?"),
        "line 2",
        2,
    ),
    "latex levels": (
        ("solve", "doc.tex", "--rule", "latex.2", "--question", LATEX_QUESTION),
        "D2",
        2,
    ),
    "difficulty": (
        ("solve", "doc.tex", "--rule", "latex.2", "--question", "q", "--difficulty", "2"),
        "DEPTHxWIDTHxCOLUMNS",
        2,
    ),
    "folder": (("conformance", "empty"), "empty", 2),
}  # fmt: skip


@pytest.mark.parametrize(("arguments", "said", "code"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_gets_one_line(burnish, suite, tmp_path, arguments, said, code):
    (tmp_path / "bad.json").write_text('{\n"id" "x"\n}\n')
    (tmp_path / "doc.tex").write_text(LATEX)
    (tmp_path / "empty").mkdir()
    done = burnish(*(suite if part == "SUITE" else part for part in arguments))
    assert done.returncode == code, done.stderr
    lines = [text for text in done.stderr.splitlines() if text.startswith("burnish: ")]
    assert len(lines) == 1
    assert "Traceback" not in done.stderr
    assert re.search(said, lines[0]), lines[0]
    assert not done.stdout


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"rule": 7}, "line 2.*rule"),
        ({"colour": "red"}, "line 2.*colour"),
        ({"difficulty": {"depth": 1}}, "line 2.*difficulty"),
    ],
)
def test_a_wrong_field_is_named_with_its_line(burnish, suite, tmp_path, change, said):
    rows = suite.read_text().splitlines()
    rows[1] = json.dumps(json.loads(rows[1]) | change)
    (tmp_path / "mine.jsonl").write_text("\n".join(rows) + "\n")
    done = burnish("eval", "mine.jsonl", "--baseline", "oracle", "--log", "log")
    assert done.returncode == 2
    message = done.stderr.replace("mine.jsonl:2", "line 2")
    assert re.search(said, message), message


class Server(ThreadingHTTPServer):
    """Answers chat completions with the number of words of the prompt, and counts the calls."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls = Counter()
        self.lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][-1]["content"]
        with self.server.lock:
            self.server.calls[prompt] += 1
        time.sleep(0.02)
        message = {"role": "assistant", "content": str(len(prompt.split()) % 3)}
        reply = {
            "id": "1", "object": "chat.completion", "created": 0, "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 5, "completion_tokens": 1, "total_tokens": 6},
        }  # fmt: skip
        data = json.dumps(reply).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        """Quiet."""


@pytest.fixture
def server():
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def recorded(folder):
    """Samples whose record is whole, read without the code under test."""
    path = folder / "records.jsonl"
    if not path.exists():
        return set()
    whole = [row for row in path.read_bytes().splitlines(keepends=True) if row.endswith(b"\n")]
    return {json.loads(row)["id"] for row in whole[1:]}


def test_kill_the_command_at_random_moments_and_resume(burnish, server, tmp_path):
    """After kills at random moments: the table of an undisturbed run, and no recorded answer asked
    again. Repeated are at most the calls in flight at a kill, whose replies had not been recorded.
    """
    at_once, kills = 4, 3
    build(languages=["tree", "csv"], n=12, seed=1).to_jsonl(tmp_path / "suite.jsonl")
    url = f"http://127.0.0.1:{server.server_address[1]}/v1#counter"
    asked = ("eval", "suite.jsonl", "--model", url, "--at-once", at_once, "--json")
    calm = burnish(*asked, "--log", "calm")
    assert calm.returncode == 0, calm.stderr
    once = dict(server.calls)
    server.calls.clear()
    rng = random.Random(5)
    for _ in range(kills):
        before = recorded(tmp_path / "log")
        process = subprocess.Popen(
            line(*asked, "--log", "log"), cwd=tmp_path, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env=os.environ,
        )  # fmt: skip
        aim = len(before) + rng.randint(5, 25)
        while process.poll() is None and len(recorded(tmp_path / "log")) < aim:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert 0 < len(recorded(tmp_path / "log")) < len(once)
    resumed = burnish(*asked, "--log", "log")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["rows"] == json.loads(calm.stdout)["rows"]
    assert set(server.calls) == set(once)
    repeats = sum(server.calls.values()) - sum(once.values())
    assert 0 <= repeats <= at_once * kills
    quiet = sum(server.calls.values())
    assert burnish(*asked, "--log", "log").returncode == 0
    assert sum(server.calls.values()) == quiet


def test_a_budget_in_dollars_counts_the_endpoints_prices(burnish, server, suite):
    url = f"http://127.0.0.1:{server.server_address[1]}/v1#counter"
    asked = ("eval", suite, "--model", url, "--at-once", 1, "--log", "log", "--json")
    stopped = burnish(*asked, "--prices", 1e6, 2e6, "--budget-usd", 20)
    assert stopped.returncode == 1, stopped.stderr
    found = json.loads(stopped.stdout)
    assert found["usd"] == pytest.approx(21.0)  # three calls of 5 + 1 tokens at 1 and 2 dollars


def test_a_budget_stops_and_the_same_command_goes_on_losing_at_most_the_call_in_flight(
    burnish, server, suite
):
    url = f"http://127.0.0.1:{server.server_address[1]}/v1#counter"
    asked = ("eval", suite, "--model", url, "--at-once", 1, "--log", "log", "--json")
    stopped = burnish(*asked, "--budget-tokens", 30)
    assert stopped.returncode == 1
    assert "unanswered" in stopped.stderr
    assert json.loads(stopped.stdout)["unanswered"] > 0
    assert burnish(*asked).returncode == 0
    assert sum(server.calls.values()) - len(server.calls) <= 1
