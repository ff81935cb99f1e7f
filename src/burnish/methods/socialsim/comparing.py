"""Countermeasures against none, each alone, over twins: run, measured, and told on a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from burnish.methods.socialsim.comparison import Arm, Sweep, write_comparison
from burnish.methods.socialsim.loop import Run, Simulation
from burnish.methods.socialsim.outcome_metrics import NEEDED, outcomes
from burnish.methods.socialsim.sweeps import jobs, sweep
from burnish.methods.socialsim.twin_effects import Effect, effects
from burnish.methods.socialsim.world import BlueMeasure
from burnish.training import derive

REFERENCE = "none"
COLLATERAL = frozenset({"people_restricted", "people_restricted_percent"})
SHOWN = (
    "false_claim_reach_percent",
    "false_claim_reposts",
    "false_claim_views",
    "belief_shift_people",
    "true_views",
    "true_reposts",
    "people_restricted_percent",
)
"""Outcomes that a page tells."""


@dataclass(frozen=True)
class Compared:
    """What countermeasures did.

    Attributes:
        effects: by the name of the world, against the one without countermeasures.
        seeds: twins of each.
    """

    effects: Mapping[str, tuple[Effect, ...]]
    seeds: int


def compare(
    simulation: Simulation,
    ticks: int,
    plans: Mapping[str, BlueMeasure],
    *,
    seeds: int,
    workers: int = 1,
    backend: Literal["processes", "ray"] = "processes",
    keep: Path | None = None,
) -> Compared:
    """Run each countermeasure alone and none, with equal seeds.

    Args:
        simulation: the world; its own countermeasures are left out, its seed is the first twin's.
        ticks: of each run.
        plans: countermeasures by name.
        seeds: twins of each.
        workers: worlds at once.
        backend: see `sweep`.
        keep: folder for the tables of all, or None.
    """
    worlds = {REFERENCE: (), **{name: (measure,) for name, measure in plans.items()}}
    variants = {
        name: replace(simulation, world=replace(simulation.world, blue=blue))
        for name, blue in worlds.items()
    }
    numbers = [simulation.seed, *(derive(simulation.seed, "twin", n) for n in range(1, seeds))]
    work = jobs(variants, ticks, numbers, keep)
    found = sweep(work, outcome, workers=workers, backend=backend)
    by_name = {name: [found[f"{name}/{seed}"] for seed in numbers] for name in variants}
    return Compared(
        {name: told(by_name[name], by_name[REFERENCE], seed=simulation.seed) for name in plans},
        seeds,
    )


def outcome(run: Run) -> dict[str, float]:
    """Every metric of a run; see `outcomes`."""
    world = run.simulation.world
    return outcomes(
        {name: run.table(name) for name in NEEDED},
        claims_true=[claim.true for claim in world.claims],
        sampling=world.feed.sampling,
    )


def told(
    changed: Sequence[Mapping[str, float]], unchanged: Sequence[Mapping[str, float]], *, seed: int
) -> tuple[Effect, ...]:
    """The effects that a page tells."""
    every = effects(changed, unchanged, seed=seed % 2**32)
    return tuple(effect for effect in every if effect.metric in SHOWN)


def write_page(
    title: str, found: Compared, target: Path, *, unvalidated: str | None = None
) -> Path:
    """Write the comparison as one static page.

    Args:
        title: of the scenario.
        found: what countermeasures did.
        target: the page.
        unvalidated: which stylised facts the world misses; empty when it shows all, None when
            nobody has looked.
    """
    arms = tuple(
        Arm(name=name.replace("-", " ").replace("_", " "), effects=own)
        for name, own in found.effects.items()
    )
    page = Sweep(
        title=f"{title}: countermeasures",
        reference="no countermeasure",
        arms=arms,
        collateral=COLLATERAL,
        unvalidated=unvalidated,
    )
    return write_comparison(page, target)
