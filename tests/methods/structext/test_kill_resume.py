"""Kill an evaluation at random moments, resume it, and count every call."""

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from burnish.methods.structext.results import load_log

SAMPLES = 150
SCRIPT = """
import os, sys, time
from burnish.methods.structext.answerers import Answer
from burnish.methods.structext.evaluation import evaluate
from burnish.methods.structext.sample import Difficulty, Sample

class Recorder:
    identity = "recorder"

    def __init__(self, path):
        self.file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def prompt_hash(self, sample):
        return sample.id

    def answers(self, samples):
        for index, sample in enumerate(samples):
            os.write(self.file, (sample.id + "\\n").encode())
            time.sleep(0.002)
            said = sample.answer if int(sample.id, 16) % 3 else "no " * 20_000
            yield index, Answer(text=said)

suite = [
    Sample("tree", "Tree.Depth", f"tree.{1 + i % 3}", Difficulty(1 + i % 2, 1), f"a->n{i // 3}",
           f"question {i}", str(i))
    for i in range(int(sys.argv[3]))
]
run = evaluate(suite, Recorder(sys.argv[1]), log_dir=sys.argv[2])
print(run.unanswered)
"""


def start(folder: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, folder / "calls", folder / "log", str(SAMPLES)],
        stdout=subprocess.PIPE,
    )


def calls(folder: Path) -> list[str]:
    path = folder / "calls"
    return path.read_text().split() if path.exists() else []


def recorded(folder: Path) -> set[str]:
    """Samples whose record is whole in the log, read without the code under test."""
    path = folder / "log" / "records.jsonl"
    if not path.exists():
        return set()
    whole = [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]
    return {json.loads(line)["id"] for line in whole[1:]}


def finish(folder: Path) -> None:
    out, _ = start(folder).communicate(timeout=60)
    assert out.strip() == b"0"


@pytest.mark.parametrize("seed", [1, 2])
def test_kill_at_random_moments_and_resume(tmp_path, seed):
    """What is asserted: after every kill, no sample whose record is whole in the log is ever asked
    again; a call is repeated at most once for each kill (the one in flight, whose reply was not
    recorded); and the final table is that of a run that nobody killed.
    """
    rng = random.Random(seed)
    quiet, killed = tmp_path / "quiet", tmp_path / "killed"
    for folder in (quiet, killed):
        folder.mkdir()
    finish(quiet)

    kills, target = 0, 0
    while target < SAMPLES - 40:
        target += rng.randint(15, 45)
        before, done = len(calls(killed)), recorded(killed)
        process = start(killed)
        while len(calls(killed)) < before + target - len(done) and process.poll() is None:
            time.sleep(0.0005)
        time.sleep(rng.random() * 0.004)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.stdout.close()
        kills += 1
        assert not done & set(calls(killed)[before:])
    before, done = len(calls(killed)), recorded(killed)
    finish(killed)
    assert kills >= 3
    assert not done & set(calls(killed)[before:])

    counted = Counter(calls(killed))
    assert len(counted) == SAMPLES
    assert sum(counted.values()) - SAMPLES <= kills
    assert len(calls(quiet)) == SAMPLES
    by = ["rule", "depth"]
    assert load_log(killed / "log").table(by) == load_log(quiet / "log").table(by)
