"""The story of a run: worlds with and without campaign and defence, side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from burnish.errors import DataError
from burnish.methods.socialsim import points
from burnish.methods.socialsim.arms import (
    AllCore,
    AloneJob,
    Calibrate,
    Cost,
    Loop,
    core_jobs,
    cost_jobs,
    pool_jobs,
)
from burnish.methods.socialsim.checkpoints import ManifestMismatch
from burnish.methods.socialsim.config import SocialsimConfig
from burnish.methods.socialsim.costing import beside_loop, cost_of
from burnish.methods.socialsim.pages import write_pages
from burnish.methods.socialsim.show import draw
from burnish.methods.socialsim.variants import scenario_of
from burnish.methods.socialsim.work import do
from burnish.runs import Run
from burnish.runs.jobs import leave, perform, result_path
from burnish.runs.machine import cores


def run(config: SocialsimConfig, run: Run) -> None:
    """Do every job that is missing, log what came out, and draw it.

    Raises:
        ManifestMismatch: the run was begun with the same settings, and the scenario's file or the
            edges have changed since.
    """
    scenario = scenario_of(config)
    _check_unchanged(run, config)
    run.note("scenario", f"{scenario.name}, in {scenario.world.name}: synthetic throughout")
    home = run.artifact("worlds")
    home.mkdir(exist_ok=True)
    _do_alone(
        run, cost_jobs(config), home, "timing", lambda: partial(_cost, config, run.seed, home)
    )
    jobs = pool_jobs(config)
    with run.progress(len(jobs), "running worlds") as progress:
        perform(
            jobs,
            partial(do, config, run.seed, home),
            home,
            workers=config.workers or cores(),
            on_done=lambda job: progress.advance(),
        )
    asked = core_jobs(config)
    _do_alone(run, asked, home, "asking core agents", lambda: _asking(config, run.seed, home))
    points.log_worlds(run, home, config)
    points.log_protection(run, home, config)
    points.log_curves(run, home, config)
    points.log_predictions(run, home)
    points.log_facts(run, home, config)
    if config.detection_seeds:
        points.log_detection(run, home, config)
    if config.scale:
        points.log_costs(run, home, config)
    if asked:
        points.log_core(run, home, config)
    draw(run)
    write_pages(run, config, home)


def _check_unchanged(run: Run, config: SocialsimConfig) -> None:
    digest = hashlib.sha256(repr(scenario_of(config).world).encode())
    if config.edges:
        try:
            digest.update(Path(config.edges).read_bytes())
        except OSError as error:
            raise DataError(f"{config.edges} cannot be read: {error.strerror}") from None
    if run.manifest.notes.get("world_sha256", digest.hexdigest()) != digest.hexdigest():
        raise ManifestMismatch(
            f"{run.folder} was begun with another {config.scenario} or other edges; name another "
            "folder with --out"
        )
    run.note("world_sha256", digest.hexdigest())


def _do_alone(
    run: Run,
    jobs: list[AloneJob],
    home: Path,
    label: str,
    ready: Callable[[], Callable[[Any], dict[str, Any]]],
) -> None:
    """Jobs that need the machine, or the model, for themselves; what they need is loaded once."""
    missing = [job for job in jobs if not result_path(home, job.key).exists()]
    if not missing:
        return
    work = ready()
    with run.progress(len(missing), label) as progress:
        for job in missing:
            leave(job, work, home)
            progress.advance()


def _cost(config: SocialsimConfig, seed: int, home: Path, job: Cost | Loop) -> dict[str, Any]:
    if isinstance(job, Loop):
        return beside_loop(config, seed)
    return cost_of(config, seed, home, job.agents)


def _asking(config: SocialsimConfig, seed: int, home: Path) -> Callable[[Any], dict[str, Any]]:
    from burnish.methods.socialsim import core_work  # brings torch in, which few settings need

    core = home / "core"
    core.mkdir(exist_ok=True)
    thinker = core_work.thinker_of(config)

    def ask(job: AloneJob) -> dict[str, Any]:
        if isinstance(job, Calibrate):
            return core_work.probe_and_fit(config, seed, core, thinker)
        if isinstance(job, AllCore):
            return core_work.everyone(config, seed, core, thinker)
        return core_work.hybrid(config, seed, core, thinker)

    return ask
