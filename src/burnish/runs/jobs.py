"""Do the jobs of a run, several at once, each in a process of its own.

A job leaves one JSON file, so a killed run does only what is missing. Knows no method.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol, TypeVar


class Job(Protocol):
    """Something to do whose result is a JSON object."""

    @property
    def key(self) -> str:
        """Names the job's result, unique in its run; "/" makes folders."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the jobs whose results it reads."""
        ...


J = TypeVar("J", bound=Job)


def perform(
    jobs: Sequence[J],
    do: Callable[[J], dict[str, Any]],
    home: Path,
    *,
    workers: int,
    on_done: Callable[[J], None],
) -> None:
    """Do every job that has left no result yet, each in a process with one thread.

    A job waits for those among `jobs` whose results it reads. What comes out does not depend on
    how many are done at once.

    Args:
        jobs: in the order they are begun.
        do: gives what a job found, as JSON has it; must be found by other processes.
        home: where results go.
        workers: processes, at most one a job.
        on_done: told of every job, in the order they end; those done earlier at once.
    """
    missing = []
    for job in jobs:
        if result_path(home, job.key).exists():
            on_done(job)
        else:
            missing.append(job)
    if not missing:
        return
    workers = min(workers, len(missing))
    context = get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(workers, context, initializer=_sparing) as pool:
        try:
            _perform(missing, lambda job: pool.submit(_leave, job, do, home), on_done)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def leave(job: J, do: Callable[[J], dict[str, Any]], home: Path) -> None:
    """Do a job in this process and leave its result, whole or not at all."""
    found = do(job)
    target = result_path(home, job.key)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    partial.replace(target)


def _leave(job: J, do: Callable[[J], dict[str, Any]], home: Path) -> None:
    """As `leave`, in a process that has other jobs to do."""
    leave(job, do, home)
    if sys.platform == "linux":
        # what a job has freed, glibc keeps in pieces that fit no later one, and jobs add up
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)


def result_path(home: Path, key: str) -> Path:
    """Where a job leaves what it found."""
    return home / f"{key}.json"


def read_result(home: Path, key: str) -> dict[str, Any]:
    """What a job left."""
    found: dict[str, Any] = json.loads(result_path(home, key).read_text(encoding="utf-8"))
    return found


def _perform(
    jobs: Sequence[J], begin: Callable[[J], Future[None]], on_done: Callable[[J], None]
) -> None:
    open_keys = {job.key for job in jobs}
    waiting = list(jobs)
    running: dict[Future[None], J] = {}
    while waiting or running:
        ready = [job for job in waiting if not open_keys & set(job.needs)]
        waiting = [job for job in waiting if job not in ready]
        running |= {begin(job): job for job in ready}
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            job = running.pop(future)
            future.result()
            open_keys.remove(job.key)
            on_done(job)


def _sparing() -> None:
    """One thread, and little memory for kernels: each takes up to 1 MB, each length makes some."""
    os.environ["OMP_NUM_THREADS"] = "1"  # for what is imported from here on
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")  # read at the first product
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
