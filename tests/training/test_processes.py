"""Sharing work out, tried with two real processes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator

from burnish.training import gathered, own_share

TWO = Path(__file__).parent / "two_processes.py"


def test_one_process_works_on_everything():
    rows = np.array([3, 1, 2])
    assert own_share(rows, Accelerator()) is rows
    found, values = gathered(rows, torch.ones(3, 2), Accelerator())
    assert found is rows
    assert values.shape == (3, 2)


def test_two_processes_share_rows_train_alike_and_gather_all(tmp_path):
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*line, str(TWO), str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"rank-{rank}.pt", weights_only=True) for rank in (0, 1))
    assert first["share"].tolist() == [5, 6, 7]
    assert second["share"].tolist() == [8, 9, 5]  # five rows do not divide: the first comes again
    assert sorted(first["gathered"].tolist()) == [0, 1, 2, 10]
    assert torch.equal(first["values"], first["gathered"].float()[:, None] * 2)
    assert torch.equal(first["weight"], second["weight"])
    assert not torch.equal(first["weight"], torch.zeros(1, 3))
