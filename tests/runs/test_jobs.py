"""Jobs that wait for each other, leave files, and go on after a failure."""

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from burnish.runs.jobs import leave, perform, read_result


@dataclass(frozen=True)
class Sum:
    """Adds what the jobs it needs have found to its number."""

    key: str
    number: int
    needs: tuple[str, ...] = ()


def add(home: Path, job: Sum) -> dict[str, int]:
    if job.number < 0:
        raise ValueError("less than nothing")
    return {"sum": job.number + sum(read_result(home, key)["sum"] for key in job.needs)}


JOBS = [Sum("both", 10, ("first", "deep/second")), Sum("first", 1), Sum("deep/second", 2)]


@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_waits_for_what_it_reads(tmp_path, workers):
    done = []
    perform(JOBS, partial(add, tmp_path), tmp_path, workers=workers, on_done=done.append)
    assert read_result(tmp_path, "both") == {"sum": 13}
    assert done[-1] is JOBS[0]
    assert len(done) == 3


def test_what_is_there_is_not_done_again(tmp_path):
    perform(JOBS[1:], partial(add, tmp_path), tmp_path, workers=2, on_done=lambda job: None)
    leave(Sum("first", 5), partial(add, tmp_path), tmp_path)
    done = []
    perform(JOBS, partial(add, tmp_path), tmp_path, workers=1, on_done=done.append)
    assert read_result(tmp_path, "both") == {"sum": 17}
    assert [job.key for job in done] == ["first", "deep/second", "both"]


def test_a_failure_ends_it_and_keeps_what_was_found(tmp_path):
    jobs = [JOBS[1], Sum("bad", -1, ("first",))]
    with pytest.raises(ValueError, match="less than nothing"):
        perform(jobs, partial(add, tmp_path), tmp_path, workers=1, on_done=lambda job: None)
    assert read_result(tmp_path, "first") == {"sum": 1}
    assert not list(tmp_path.rglob("*.partial"))
    assert not (tmp_path / "bad.json").exists()


def means(job: Sum) -> dict[str, str]:
    names = ("OMP_NUM_THREADS", "ONEDNN_PRIMITIVE_CACHE_CAPACITY")
    return {name: os.environ[name] for name in names}


def test_a_process_has_one_thread_and_keeps_few_kernels(tmp_path, monkeypatch):
    monkeypatch.delenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", raising=False)
    perform(JOBS[1:2], means, tmp_path, workers=1, on_done=lambda job: None)
    assert read_result(tmp_path, "first") == {
        "OMP_NUM_THREADS": "1",
        "ONEDNN_PRIMITIVE_CACHE_CAPACITY": "64",
    }
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "512")
    perform(JOBS[2:], means, tmp_path, workers=1, on_done=lambda job: None)
    assert read_result(tmp_path, "deep/second")["ONEDNN_PRIMITIVE_CACHE_CAPACITY"] == "512"
