"""What a run does, as a list of jobs: worlds, detection, cost, and worlds with core agents."""

from __future__ import annotations

from dataclasses import dataclass

from burnish.methods.socialsim.config import SocialsimConfig
from burnish.methods.socialsim.variants import NO_RED, PLAN, variants

NO_MODEL = "none"


class _Ready:
    """A job that need not wait: those that read what another left are done after it, in order."""

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the jobs whose results it reads."""
        return ()


@dataclass(frozen=True)
class World(_Ready):
    """One variant of the scenario with one seed.

    Attributes:
        variant: its name.
        number: of the seed, from 0.
    """

    variant: str
    number: int

    @property
    def key(self) -> str:
        """Names the job's result."""
        return f"worlds/{self.variant}-{self.number}"

    @property
    def is_shown(self) -> bool:
        """Whether its tables are kept, for the replay."""
        return self.number == 0 and self.variant in (PLAN, NO_RED)


@dataclass(frozen=True)
class Detect(_Ready):
    """A world with bots that swarm, or that do nothing, and how well they are found."""

    swarming: bool
    number: int

    @property
    def key(self) -> str:
        """Names the job's result."""
        return f"detection/{'swarming' if self.swarming else 'idle'}-{self.number}"


@dataclass(frozen=True)
class Cost(_Ready):
    """A world whose time and memory are taken, in a process of its own."""

    agents: int

    @property
    def key(self) -> str:
        """Names the job's result."""
        return f"cost/{self.agents}"


@dataclass(frozen=True)
class Loop(_Ready):
    """Our engine and a loop over objects take turns at one small world."""

    key: str = "cost/loop"


@dataclass(frozen=True)
class Calibrate(_Ready):
    """Core agents are probed, and the rule is fitted to them."""

    key: str = "core/probing"


@dataclass(frozen=True)
class AllCore(_Ready):
    """The model decides for everyone, and then the calibrated rule does."""

    key: str = "core/all"


@dataclass(frozen=True)
class Hybrid(_Ready):
    """A large world with some core agents, and the same again from their kept calls alone."""

    key: str = "core/hybrid"


PoolJob = World | Detect
AloneJob = Cost | Loop | Calibrate | AllCore | Hybrid


def pool_jobs(config: SocialsimConfig) -> list[PoolJob]:
    """Jobs that run side by side, those that are kept for the replay first."""
    worlds = [
        World(variant.name, number)
        for variant in variants(config)
        for number in range(variant.seeds)
    ]
    detections = [
        Detect(swarming, number)
        for number in range(config.detection_seeds)
        for swarming in (True, False)
    ]
    return [*sorted(worlds, key=lambda job: not job.is_shown), *detections]


def cost_jobs(config: SocialsimConfig) -> list[AloneJob]:
    """What is timed, one after another on an idle machine."""
    return [*map(Cost, dict.fromkeys(config.scale)), *([Loop()] if config.scale else [])]


def core_jobs(config: SocialsimConfig) -> list[AloneJob]:
    """What asks the model, one after another."""
    if config.model == NO_MODEL:
        return []
    probed = [Calibrate()] if config.personas else []
    everyone = [AllCore()] if config.personas and config.all_llm_agents else []
    return [*probed, *everyone, Hybrid()]
