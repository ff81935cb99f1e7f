"""The story of a CAP run: fine-tune teachers, prune in many ways, compare, measure, tell."""

from __future__ import annotations

import sys
from functools import partial

from burnish import assets
from burnish.data import SETS
from burnish.errors import AssetMissing, ConfigError
from burnish.methods.cap import points
from burnish.methods.cap.arms import OWN, Job, jobs_of
from burnish.methods.cap.comparing import do
from burnish.methods.cap.config import CapConfig
from burnish.methods.cap.measuring import measure
from burnish.methods.cap.show import draw
from burnish.models.sources import find
from burnish.runs import Run
from burnish.runs.jobs import perform
from burnish.runs.machine import cores


def run(config: CapConfig, run: Run) -> None:
    """Do every pruning that is missing, log what came out, and draw it."""
    _check(config)
    sets = _sets(config, run)
    teachers, arms = jobs_of(config, sets)
    run.note("model", find(config.model).identity)
    home = run.artifact("prunings")
    jobs: list[Job] = [*teachers, *arms]
    with run.progress(len(jobs), "fine-tuning and pruning") as progress:
        perform(
            jobs,
            partial(do, config, home),
            home,
            workers=config.workers or cores(),
            on_done=lambda job: progress.advance(),
        )
    points.log_scores(run, home, arms, lambda name: _task(config, name))
    points.log_gains(run, points.collect(home, arms))
    points.log_probes(run, home, arms)
    points.log_costs(run, home, arms)
    points.log_shapes(run, home, arms)
    if config.latency:
        measure(config, run, arms, home)
    draw(run)


def _check(config: CapConfig) -> None:
    if not config.units and not config.weights:
        raise ConfigError("units and weights are both empty: nothing is pruned; name a criterion")
    unknown = [name for name in config.sets if name not in SETS]
    if unknown and not config.data:
        raise ConfigError(f"unknown set {unknown[0]!r}; there are: {', '.join(SETS)}")
    if max(config.weight_seeds, config.table_seeds) > config.seeds:
        raise ConfigError(
            f"weight_seeds and table_seeds use the teachers of the {config.seeds} seeds; at most "
            f"{config.seeds}, got {config.weight_seeds} and {config.table_seeds}"
        )


def _sets(config: CapConfig, run: Run) -> list[str]:
    """The sets to prune on: those that were pulled, which must be one at least."""
    if config.data:
        return [OWN]
    here, lost = [], []
    for name in config.sets:
        try:
            assets.path(SETS[name].asset)
            here.append(name)
        except AssetMissing as error:
            lost.append(str(error))
    if not here:
        raise AssetMissing("; ".join(lost))
    if lost:
        run.note("left_out", lost)
        print(f"left out: {'; '.join(lost)}", file=sys.stderr)
    return here


def _task(config: CapConfig, name: str) -> str:
    return config.task if name == OWN else SETS[name].task
