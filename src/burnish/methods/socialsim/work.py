"""Jobs that run side by side: one world, or one world with bots to be found."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np

from burnish.methods.socialsim.arms import Detect, PoolJob, World
from burnish.methods.socialsim.columns import column
from burnish.methods.socialsim.comparators import predicted
from burnish.methods.socialsim.config import SocialsimConfig
from burnish.methods.socialsim.detectors import detection, features, is_asset, scores, text_scores
from burnish.methods.socialsim.loop import Run, Simulation
from burnish.methods.socialsim.measuring import measured
from burnish.methods.socialsim.rule_policy import RulePolicy
from burnish.methods.socialsim.schema import NO_CLAIM, PostKind
from burnish.methods.socialsim.stance import template
from burnish.methods.socialsim.variants import (
    NONE,
    detection_world,
    hours_of,
    plans_of,
    scenario_of,
    variant_named,
)
from burnish.training import derive

_DETECTION_HOURS = 96


def do(config: SocialsimConfig, seed: int, home: Path, job: PoolJob) -> dict[str, Any]:
    """Do one job; what it found, as JSON has it."""
    if isinstance(job, World):
        return _world(config, seed, home, job)
    return _detect(config, seed, job)


def shown_folder(home: Path, variant: str) -> Path:
    """Where the tables of a world that is kept are."""
    return home / "runs" / variant


def world_seed(seed: int, number: int) -> int:
    """The seed that all twins of a number share."""
    return derive(seed, "world", number)


def _world(config: SocialsimConfig, seed: int, home: Path, job: World) -> dict[str, Any]:
    variant = variant_named(job.variant, config)
    simulation = variant.simulation(config.agents, world_seed(seed, job.number))
    folder = None
    if job.is_shown:
        folder = shown_folder(home, job.variant)
        shutil.rmtree(folder, ignore_errors=True)  # of a process that was killed
    run = simulation.run(hours_of(config), folder)
    found = measured(run, falsity=variant.falsity)
    if job.variant == NONE and job.number == 0:
        generator = np.random.default_rng(derive(seed, "comparators"))
        found["predicted"] = predicted(run, plans_of(config), generator)
    return found


def _detect(config: SocialsimConfig, seed: int, job: Detect) -> dict[str, Any]:
    world = detection_world(scenario_of(config).world, swarming=job.swarming)
    policy = RulePolicy()
    run = Simulation(
        world=world,
        n_agents=config.detection_agents,
        seed=derive(seed, "detection", job.number),
        policy=policy if job.swarming else policy.without_roles(),
    ).run(_DETECTION_HOURS)
    agents, posts = run.table("agents"), run.table("posts")
    guilty = is_asset(agents)
    found = features(posts, agents).without("creation")
    own = detection(scores(found, guilty, seed=derive(seed, "folds") % 2**32), guilty)
    return {
        "f1": own.f1,
        "precision": own.precision,
        "recall": own.recall,
        "auroc": own.auroc,
        "text_auroc": _text_auroc(run, seed),
        "guilty": int(guilty.sum()),
    }


def _text_auroc(run: Run, seed: int) -> float:
    """How well words alone tell who wrote: of each account, the template of its first post."""
    posts, agents = run.table("posts"), run.table("agents")
    written = column(posts, "kind") != PostKind.REPOST
    claims = run.simulation.world.claims
    texts: dict[int, str] = {}
    rows = zip(
        *(column(posts, name)[written].tolist() for name in ("author", "claim", "stance", "topic")),
        strict=True,
    )
    for author, claim, stance, topic in rows:
        if author not in texts:
            code = "" if claim == NO_CLAIM else claims[claim].code
            texts[author] = template(code, stance, topic)
    guilty = is_asset(agents)[list(texts)]
    found = text_scores(list(texts.values()), guilty, seed=derive(seed, "texts") % 2**32)
    return detection(found, guilty).auroc
