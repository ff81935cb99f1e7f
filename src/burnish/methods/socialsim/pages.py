"""The pages of a run beside its report: the replay, and the comparison of countermeasures."""

from __future__ import annotations

from pathlib import Path

from burnish.methods.socialsim.arms import World
from burnish.methods.socialsim.comparing import Compared, told, write_page
from burnish.methods.socialsim.config import SocialsimConfig
from burnish.methods.socialsim.points import outcomes_of
from burnish.methods.socialsim.replay import Captions, write_replay
from burnish.methods.socialsim.scenario import Scenario
from burnish.methods.socialsim.stylised_facts import STAMP
from burnish.methods.socialsim.variants import (
    NO_RED,
    NONE,
    PLAIN_FACTS,
    PLAN,
    plans_of,
    scenario_of,
    variants,
)
from burnish.methods.socialsim.work import shown_folder, world_seed
from burnish.runs import Run
from burnish.runs.jobs import read_result


def write_pages(run: Run, config: SocialsimConfig, home: Path) -> None:
    """Write replay.html, and comparison.html where countermeasures were compared."""
    scenario = scenario_of(config)
    write_replay(
        shown_folder(home, PLAN),
        run.artifact("replay.html"),
        captions_of(scenario),
        twin=shown_folder(home, NO_RED),
        max_nodes=config.replay_nodes,
        seed=world_seed(run.seed, 0) % 2**32,
    )
    plans = plans_of(config)
    if not plans:
        return
    every = {each.name: each for each in variants(config)}
    reference = outcomes_of(home, every[NONE])
    found = Compared(
        {name: told(outcomes_of(home, every[name]), reference, seed=run.seed) for name in plans},
        config.seeds,
    )
    page = run.artifact("comparison.html")
    write_page(scenario.name, found, page, unvalidated=unvalidated(config, home))


def captions_of(scenario: Scenario) -> Captions:
    """What a replay says in words."""
    codes = [claim.code for claim in scenario.world.claims]
    return Captions(
        title=f"{scenario.name}, {scenario.world.name}",
        claims=dict(zip(codes, scenario.about, strict=True)),
        twin="the same world without the campaign",
        note=scenario.description,
    )


def unvalidated(config: SocialsimConfig, home: Path) -> str:
    """Which stylised facts the world without a campaign misses; empty when it shows all."""
    name, seeds = (PLAIN_FACTS, config.fact_seeds) if config.fact_seeds else (NO_RED, config.seeds)
    results = [read_result(home, World(name, number).key)["holds"] for number in range(seeds)]
    failed = [fact for fact in results[0] if not all(result[fact] for result in results)]
    return f"{STAMP}: {', '.join(failed)}" if failed else ""
