"""Banks that two real processes fill together are, byte for byte, those of one."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

pytestmark = pytest.mark.xdist_group("cap-two-processes")  # its fixture is dear

SCRIPT = str(Path(__file__).parent / "two_banks.py")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """What one process and each of two found, and where their banks are."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    alone = runpy.run_path(SCRIPT)["work"](one, Accelerator())
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*line, SCRIPT, str(two)],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    pair = [torch.load(two / f"rank-{rank}.pt", weights_only=True) for rank in (0, 1)]
    return alone, pair, one, two


def test_banks_are_byte_for_byte_those_of_one_process(tiny, ran):
    _, _, one, two = ran
    expected = {
        "alone": ["pre.f16"],  # a pass of its own
        "untrained": ["fine.f16", "pre.f16", "snap-01.f16", "teacher.f32"],
    }
    for folder, names in expected.items():
        wanted = tiny.hashes(one / folder / "banks")
        assert sorted(wanted) == names
        assert tiny.hashes(two / folder / "banks") == wanted
    trained = [tiny.hashes(each / "trained" / "banks") for each in (one, two)]
    for name in ("fine.f16", "pre.f16", "teacher.f32"):  # before training, which sums otherwise
        assert trained[0][name] == trained[1][name]


def test_both_processes_cut_the_same_and_what_one_process_cuts(ran):
    alone, pair, _, _ = ran
    assert pair[0]["untrained"] == pair[1]["untrained"] == alone["untrained"]


def test_both_processes_end_with_the_same_model(ran):
    _, (first, second), _, _ = ran
    assert all(torch.equal(first["trained"][name], second["trained"][name])
               for name in first["trained"])  # fmt: skip
