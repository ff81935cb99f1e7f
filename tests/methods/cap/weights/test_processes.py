"""Masks set by two real processes that train together are those of one."""

import runpy
import subprocess
import sys
from pathlib import Path

import torch
from accelerate import Accelerator

SCRIPT = str(Path(__file__).parent / "two_processes.py")


def test_two_processes_set_the_masks_of_one(tmp_path):
    line = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    done = subprocess.run(
        [*line, SCRIPT, str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    first, second = (torch.load(tmp_path / f"rank-{rank}.pt", weights_only=True) for rank in (0, 1))
    alone = runpy.run_path(SCRIPT)["train"](Accelerator())
    assert alone.keys() == {"movement", "platon", "obert"}
    for name, wanted in alone.items():
        for found in (first[name], second[name]):
            assert found["removed"] == wanted["removed"] > 0
            for layer, mask in wanted["masks"].items():
                assert torch.equal(found["masks"][layer], mask), (name, layer)
        assert torch.equal(first[name]["weights"], second[name]["weights"])
        # AdamW turns rounding of a gradient near 0 into a part of a step of 0.01.
        assert torch.allclose(first[name]["weights"], wanted["weights"], atol=2e-3), name
