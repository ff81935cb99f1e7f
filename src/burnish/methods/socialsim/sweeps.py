"""Many runs at once: a process pool here, a Ray cluster behind the same call."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from burnish.errors import MissingExtra, UsageError
from burnish.methods.socialsim.loop import Run, Simulation

T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """One run of a sweep.

    Attributes:
        name: of the job, unique in its sweep.
        simulation: to run.
        ticks: how many.
        out: folder of the tables, or None to keep them in memory until it is measured.
    """

    name: str
    simulation: Simulation
    ticks: int
    out: Path | None = None


def jobs(
    variants: dict[str, Simulation], ticks: int, seeds: Sequence[int], out: Path | None = None
) -> list[Job]:
    """Every variant with every seed; equal seeds give variants the same accounts and draws."""
    return [
        Job(
            f"{name}/{seed}",
            replace(simulation, seed=seed),
            ticks,
            None if out is None else out / name / str(seed),
        )
        for name, simulation in variants.items()
        for seed in seeds
    ]


def sweep(
    work: Sequence[Job],
    measure: Callable[[Run], T],
    *,
    workers: int = 1,
    backend: Literal["processes", "ray"] = "processes",
) -> dict[str, T]:
    """Run jobs side by side and measure each where it ran.

    Args:
        work: jobs with different names.
        measure: of a run; a module's function, so that other processes can find it. What it
            returns travels between processes.
        workers: processes, or Ray tasks at a time; 1 runs them here.
        backend: "ray" starts or joins a Ray cluster.

    Returns:
        What `measure` gave, by job name, in the order of `work`.

    Raises:
        UsageError: two jobs have the same name.
        MissingExtra: Ray is not installed.
    """
    names = [job.name for job in work]
    if len(set(names)) < len(names):
        raise UsageError("jobs of a sweep have different names, and some here share one")
    if workers < 1:
        raise UsageError(f"a sweep has at least 1 worker, got {workers}")
    if backend == "ray":
        return dict(zip(names, _by_ray(work, measure, workers), strict=True))
    if workers == 1:
        return {job.name: _measured(job, measure) for job in work}
    # a forked child would inherit locks of the parent's threads
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        results = pool.map(_measured, work, [measure] * len(work))
        return dict(zip(names, results, strict=True))


def _measured(job: Job, measure: Callable[[Run], T]) -> T:
    return measure(job.simulation.run(job.ticks, job.out))


def _by_ray(work: Sequence[Job], measure: Callable[[Run], T], workers: int) -> list[T]:
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("backend 'ray' needs Ray: pip install ray") from error
    started = not ray.is_initialized()
    if started:
        # what Ray is about to make the default; without it, it warns
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False)
    try:
        remote: Any = ray.remote(_measured)
        return list(ray.get([remote.remote(job, measure) for job in work]))
    finally:
        if started:
            ray.shutdown()
