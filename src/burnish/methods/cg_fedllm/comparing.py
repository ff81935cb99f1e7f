"""Do the jobs of a run, several at once, each in a process of its own.

A job leaves one JSON file, so a killed run does only what is missing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from burnish.methods.cg_fedllm.arms import Job
from burnish.methods.cg_fedllm.config import CgFedllmConfig
from burnish.methods.cg_fedllm.work import do
from burnish.models.options import cores


def perform(
    config: CgFedllmConfig,
    seed: int,
    jobs: Sequence[Job],
    home: Path,
    on_done: Callable[[Job], None],
) -> None:
    """Do every job that has left no result yet, several at once, one thread each.

    A job waits for those whose results it reads. What comes out does not depend on how many are
    done at once.

    Args:
        config: of the run.
        seed: of the run.
        jobs: in the order they are begun.
        home: where results go.
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
    home.mkdir(parents=True, exist_ok=True)
    workers = min(config.workers or cores(), len(missing))
    context = get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(workers, context, initializer=_one_thread) as pool:
        try:
            _perform(missing, lambda job: pool.submit(_do, config, seed, job, home), on_done)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def result_path(home: Path, key: str) -> Path:
    """Where a job leaves what it found."""
    return home / f"{key}.json"


def read_result(home: Path, key: str) -> dict[str, Any]:
    """What a job left."""
    found: dict[str, Any] = json.loads(result_path(home, key).read_text())
    return found


def _perform(
    jobs: Sequence[Job], begin: Callable[[Job], Future[None]], on_done: Callable[[Job], None]
) -> None:
    open_keys = {job.key for job in jobs}
    waiting = list(jobs)
    running: dict[Future[None], Job] = {}
    while waiting or running:
        ready = [job for job in waiting if not open_keys & set(job.needs)]
        waiting = [job for job in waiting if job not in ready]
        running |= {begin(job): job for job in ready}
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            job = running.pop(future)
            future.result()
            open_keys.remove(job.key)
            on_done(job)


def _one_thread() -> None:
    torch.set_num_threads(1)


def _do(config: CgFedllmConfig, seed: int, job: Job, home: Path) -> None:
    found = do(config, seed, job, home)
    target = result_path(home, job.key)
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps(found, indent=1) + "\n")
    partial.replace(target)
