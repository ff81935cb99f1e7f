from __future__ import annotations

import os
import subprocess
import sys

import pytest

from burnish.errors import UsageError
from burnish.methods.socialsim.comparing import outcome
from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.sweeps import jobs, sweep
from burnish.methods.socialsim.world import BlueKind, BlueMeasure, Claim, World

PLAIN = World(name="x", claims=(Claim(code="C1"),))
LABEL = World(name="x", claims=(Claim(code="C1"),), blue=(BlueMeasure(kind=BlueKind.LABEL),))
VARIANTS = {name: Simulation(world=w, n_agents=200) for name, w in (("a", PLAIN), ("b", LABEL))}


def exposures_and_process(run):
    return run.exposures, run.simulation.seed, os.getpid()


def test_jobs_run_here_in_order_with_every_seed():
    done = sweep(jobs(VARIANTS, 5, seeds=(1, 2)), exposures_and_process)
    assert list(done) == ["a/1", "a/2", "b/1", "b/2"]
    assert [seed for _, seed, _ in done.values()] == [1, 2, 1, 2]
    assert done["a/1"][0] == done["b/1"][0] != done["a/2"][0]


def test_processes_give_what_one_process_gives():
    work = jobs(VARIANTS, 5, seeds=(1,))
    here = sweep(work, exposures_and_process)
    there = sweep(work, exposures_and_process, workers=2)
    assert {name: row[:2] for name, row in here.items()} == {n: r[:2] for n, r in there.items()}
    assert os.getpid() not in {pid for _, _, pid in there.values()}


def test_tables_go_to_a_folder_a_job(tmp_path):
    sweep(jobs(VARIANTS, 3, seeds=(1,), out=tmp_path), exposures_and_process)
    assert (tmp_path / "b" / "1" / "posts").is_dir()


def test_equal_names_are_refused():
    work = jobs(VARIANTS, 3, seeds=(1, 1))
    with pytest.raises(UsageError, match="jobs of a sweep have different names"):
        sweep(work, exposures_and_process)


BY_RAY = """
from burnish.methods.socialsim.comparing import outcome
from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.sweeps import jobs, sweep
from burnish.methods.socialsim.world import World

work = jobs({"a": Simulation(world=World(name="x"), n_agents=200)}, 3, seeds=(1, 2))
assert repr(sweep(work, outcome, backend="ray")) == repr(sweep(work, outcome))  # NaN != NaN
"""


def test_ray_gives_what_one_process_gives_and_warns_of_nothing():
    pytest.importorskip("ray", reason="needs Ray: pip install ray")
    done = subprocess.run(  # Ray leaves threads and processes behind until Python ends
        [sys.executable, "-W", "error::FutureWarning", "-c", BY_RAY],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("backend", ["processes", "ray"])
def test_a_sweep_without_workers_is_refused(backend):
    with pytest.raises(UsageError, match="at least 1 worker, got 0"):
        sweep(jobs(VARIANTS, 3, seeds=(1,)), outcome, workers=0, backend=backend)
