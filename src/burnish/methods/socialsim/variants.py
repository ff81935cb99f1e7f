"""The worlds of a comparison: one scenario with another campaign, defence, ranker or appeal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache, partial

from burnish.methods.socialsim.config import MeasureName, SocialsimConfig
from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.red import extra_bots
from burnish.methods.socialsim.rule_policy import RuleCoefficients, RulePolicy
from burnish.methods.socialsim.scenario import Scenario
from burnish.methods.socialsim.techniques import counter
from burnish.methods.socialsim.world import (
    BlueKind,
    BlueMeasure,
    PopulationSettings,
    Primitive,
    RankerKind,
    RedStep,
    World,
)

PLAN, NONE, NO_RED = "plan", "none", "no-red"
"""The scenario as it is, without its defence, and without its campaign and defence."""
PLAIN_FACTS, NO_FALSITY, NO_POOL, WIDE_POOL = "facts", "facts-even", "facts-k0", "facts-k8"
"""Worlds without a campaign: as they are, falsity without appeal, 0 and 8 trending posts."""
FACTS = frozenset({PLAIN_FACTS, NO_FALSITY, NO_POOL, WIDE_POOL})

_SWARM_HOURS = 72
_PLANTED = 4.0  # posts per tick of a campaign that is there to be found


@dataclass(frozen=True, kw_only=True)
class Variant:
    """One way to run the scenario.

    Attributes:
        name: also of its files.
        world: what is simulated.
        seeds: in how many twins.
        falsity: factor by which falsity raises the odds of sharing.
        campaign: of the scenario, whose bots are there, asleep, where the world has none.
    """

    name: str
    world: World
    seeds: int
    falsity: float = 1.7
    campaign: tuple[RedStep, ...] = ()

    def simulation(self, n_agents: int, seed: int) -> Simulation:
        """The variant with so many accounts; equal seeds give twins the same ones."""
        return Simulation(
            world=self.world,
            n_agents=n_agents,
            seed=seed,
            policy=RulePolicy(coefficients=RuleCoefficients().with_falsity(self.falsity)),
            bulk=extra_bots(self.campaign, n_agents),
        )


def scenario_of(config: SocialsimConfig) -> Scenario:
    """The scenario of a run, with the user's own graph where one is given."""
    return _scenario(config.scenario, config.edges)


def hours_of(config: SocialsimConfig) -> int:
    """Ticks of a run."""
    return config.hours or scenario_of(config).ticks


def measure_named(name: MeasureName, config: SocialsimConfig) -> BlueMeasure:
    """A countermeasure as it is compared: its defaults, with the delay and strength of the run."""
    what = counter(name)
    values = dict(what.defaults)
    if "delay" in what.fields:
        values["delay"] = config.measure_delay
    if name == "label":
        values["strength"] = config.label_strength
    return BlueMeasure(kind=what.kind, **values)


def plans_of(config: SocialsimConfig) -> dict[str, BlueMeasure]:
    """Every countermeasure that is run alone, by the name of its world."""
    found: dict[str, BlueMeasure] = {name: measure_named(name, config) for name in config.measures}
    label = measure_named("label", config)
    found |= {label_name(delay): replace(label, delay=delay) for delay in config.label_delays}
    for threshold in config.thresholds:
        found[suspend_name(threshold)] = BlueMeasure(
            kind=BlueKind.SUSPEND, threshold=threshold, strikes=1
        )
    return found


def label_name(delay: int) -> str:
    """Of the world in which labels come so late."""
    return f"label-at-{delay}"


def suspend_name(threshold: float) -> str:
    """Of the world in which accounts are suspended from this score on."""
    return f"suspend-from-{threshold:g}"


def ranker_names(ranker: str) -> tuple[str, str]:
    """Of the worlds with a ranker: with the campaign, and without."""
    return f"ranker-{ranker}", f"ranker-{ranker}-no-red"


def variants(config: SocialsimConfig) -> tuple[Variant, ...]:
    """Every world of a run, the twins first."""
    told = scenario_of(config).world
    open_world = replace(told, blue=())
    quiet = replace(open_world, red=())
    twin = partial(Variant, seeds=config.seeds, campaign=told.red)
    found = [
        twin(name=PLAN, world=told),
        twin(name=NONE, world=open_world),
        twin(name=NO_RED, world=quiet),
    ]
    found += [
        twin(name=name, world=replace(open_world, blue=(measure,)))
        for name, measure in plans_of(config).items()
    ]
    for ranker in dict.fromkeys(config.rankers):
        feed = replace(told.feed, ranker=RankerKind(ranker))
        with_red, without = ranker_names(ranker)
        found.append(twin(name=with_red, world=replace(open_world, feed=feed)))
        found.append(twin(name=without, world=replace(quiet, feed=feed)))
    return (*found, *_facts(config, quiet))


def variant_named(name: str, config: SocialsimConfig) -> Variant:
    """One of the worlds of a run."""
    return next(variant for variant in variants(config) if variant.name == name)


def detection_world(world: World, *, swarming: bool) -> World:
    """1 % bots that repost a campaign in step, or do nothing and bear no signature of theirs."""
    bots = PopulationSettings(
        bots=0.01, trolls=0.0, regions=world.population.regions, signatures=swarming
    )
    steps = (
        RedStep(
            technique="T0049.002",
            primitive=Primitive.TOPIC_FLOOD,
            start=6,
            end=6 + _SWARM_HOURS,
            intensity=1.0,
            parameters={"posts": _PLANTED},
        ),
        RedStep(
            technique="T0049.003",
            primitive=Primitive.REPOST_SWARM,
            start=7,
            end=6 + _SWARM_HOURS,
            intensity=1.0,
        ),
    )
    return replace(world, population=bots, red=steps if swarming else (), blue=())


def _facts(config: SocialsimConfig, quiet: World) -> list[Variant]:
    if not config.fact_seeds:
        return []
    worlds = {
        PLAIN_FACTS: (quiet, Variant.falsity),
        NO_FALSITY: (quiet, 1.0),
        NO_POOL: (replace(quiet, feed=replace(quiet.feed, k_out=0)), Variant.falsity),
        WIDE_POOL: (replace(quiet, feed=replace(quiet.feed, k_out=8)), Variant.falsity),
    }
    return [
        Variant(name=name, world=world, seeds=config.fact_seeds, falsity=falsity)
        for name, (world, falsity) in worlds.items()
    ]


@lru_cache(maxsize=8)
def _scenario(path: str, edges: str) -> Scenario:
    found = Scenario.from_yaml(path)
    return found.with_edges(edges) if edges else found
