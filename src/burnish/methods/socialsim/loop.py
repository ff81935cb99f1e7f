"""A world to run, its twin and its branches, and what comes of a run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from burnish.errors import ConfigError, UsageError
from burnish.methods.socialsim import red
from burnish.methods.socialsim.acting import Ids, Policy
from burnish.methods.socialsim.checkpoints import MOST_TICKS, Manifest
from burnish.methods.socialsim.footprint import check_memory
from burnish.methods.socialsim.networks import build
from burnish.methods.socialsim.population import populate
from burnish.methods.socialsim.rule_policy import RuleCoefficients, RulePolicy
from burnish.methods.socialsim.schema import Flag
from burnish.methods.socialsim.state import State
from burnish.methods.socialsim.tables import Tables, read
from burnish.methods.socialsim.ticking import Running
from burnish.methods.socialsim.world import BlueMeasure, RedStep, World


@dataclass(frozen=True)
class Core:
    """Accounts that another policy decides for.

    Attributes:
        policy: of them.
        agents: (k,) u32 ids, ascending.
    """

    policy: Policy
    agents: Ids


@dataclass(frozen=True)
class Change:
    """From a tick on, the world goes on as another one."""

    tick: int
    world: World


@dataclass(frozen=True)
class Run:
    """What came of a run.

    Attributes:
        simulation: that ran.
        ticks: how many.
        state: after the last one.
        tables: rows in memory, when there is no folder.
        folder: of the tables, or None.
        exposures: posts shown, logged or not.
        warnings: what a reader of the numbers should know.
    """

    simulation: Simulation
    ticks: int
    state: State
    tables: Tables
    folder: Path | None
    exposures: int
    warnings: tuple[str, ...]

    def table(self, name: str) -> pa.Table:
        """A whole table, by its name in `schema.TABLES`."""
        if self.folder is None:
            return self.tables.waiting()[name]
        return read(self.folder, name)

    def branch(self, at: int, blue: tuple[BlueMeasure, ...]) -> Simulation:
        """The same run until tick `at`, and with another defence from then on."""
        return self.simulation.branch(at, blue)


@dataclass(frozen=True, kw_only=True)
class Simulation:
    """A world that can be run; running it changes nothing here, so it can be run again.

    Attributes:
        world: what is simulated.
        n_agents: accounts, those that ADD_BOTS steps add aside.
        seed: of every draw.
        policy: of ordinary accounts.
        core: accounts with a policy of their own.
        believed: the rule the `engagement` ranker predicts by; None for the ordinary accounts' own.
        workers: threads; they change the time and nothing else.
        bulk: accounts for ADD_BOTS steps; None for what the world's steps ask for. A twin without
            a campaign keeps them, asleep, so that everyone else is the same.
        changes: branches taken, in order.
    """

    world: World
    n_agents: int
    seed: int = 0
    policy: Policy = field(default_factory=RulePolicy)
    core: Core | None = None
    believed: RuleCoefficients | None = None
    workers: int = 1
    bulk: int | None = None
    changes: tuple[Change, ...] = ()

    def __post_init__(self) -> None:
        if not 2 <= self.n_agents < 2**31 - self.extra:
            raise ConfigError(f"a world has 2 to 2^31 accounts, got {self.n_agents}")
        if self.workers < 1:
            raise ConfigError(f"workers is at least 1, got {self.workers}")

    @property
    def extra(self) -> int:
        """Accounts beyond `n_agents`, which ADD_BOTS steps wake."""
        return red.extra_bots(self.world.red, self.n_agents) if self.bulk is None else self.bulk

    def twin(self, *, red: tuple[RedStep, ...] = ()) -> Simulation:
        """The same accounts, graph and draws with another campaign, by default none."""
        changes = tuple(Change(c.tick, replace(c.world, red=red)) for c in self.changes)
        return replace(self, world=replace(self.world, red=red), bulk=self.extra, changes=changes)

    def branch(self, at: int, blue: tuple[BlueMeasure, ...]) -> Simulation:
        """The same until tick `at`, and with another defence from then on.

        What would have begun before begins at `at`.
        """
        if at < 0 or any(change.tick > at for change in self.changes):
            raise UsageError(f"a branch comes after the last one and tick 0, got tick {at}")
        late = tuple(replace(m, start=max(at, m.start), end=m.end) for m in blue)
        world = replace(self.world_at(at), blue=late)
        return replace(self, bulk=self.extra, changes=(*self.changes, Change(at, world)))

    def world_at(self, tick: int) -> World:
        """The world as it goes on at a tick."""
        world = self.world
        for change in self.changes:
            if change.tick <= tick:
                world = change.world
        return world

    def fresh(self) -> State:
        """The world before tick 0.

        Raises:
            ConfigError: it would not fit in memory.
            DataError: the user's edge list is no good.
        """
        world, n = self.world, self.n_agents + self.extra
        check_memory(world, n)
        agents = populate(world.population, n, self.extra, self.seed)
        if self.core is not None:
            agents.flags[self.core.agents] |= np.uint8(Flag.CORE)
        graph = build(world.network, agents, self.seed)
        return State.new(agents, graph, world.claims, world.topics, self.seed)

    def run(
        self,
        ticks: int,
        out: str | Path | None = None,
        *,
        checkpoint: int | None = None,
        state: State | None = None,
        on_tick: Callable[[], None] = lambda: None,
    ) -> Run:
        """Run the world.

        Args:
            ticks: from 0; an hour each.
            out: folder for the tables. A folder with checkpoints of the same run is gone on from.
                None keeps tables in memory.
            checkpoint: ticks between checkpoints; None for none.
            state: of `fresh`, to save building it; it is used up.
            on_tick: called after every tick; of those a checkpoint spares, at once.

        Raises:
            ConfigError: too many ticks.
            ManifestMismatch: the folder holds another run, or more ticks of this one.
        """
        if not 1 <= ticks <= MOST_TICKS:
            raise ConfigError(f"a run has 1 to {MOST_TICKS} ticks, got {ticks}")
        if checkpoint is not None and checkpoint < 1:
            raise ConfigError(f"checkpoint is at least 1 tick, got {checkpoint}")
        if checkpoint is not None and out is None:
            raise UsageError("checkpoints need a folder; give out=")
        folder = None if out is None else Path(out)
        with Running.begin(self, folder, ticks, checkpoint, state) as running:
            for _ in range(running.state.tick):
                on_tick()
            while running.state.tick < ticks:
                running.step()
                on_tick()
            warnings = running.finish()
        return Run(self, ticks, running.state, running.tables, folder, running.exposures, warnings)

    def manifest(self) -> Manifest:
        """What makes this run what it is."""
        parts = {
            "world": self.world,
            "changes": self.changes,
            "n_agents": self.n_agents,
            "bulk": self.extra,
            "seed": self.seed,
            "policy": self.policy,
            "core": [] if self.core is None else self.core.agents.tolist(),
            "believed": self.believed,
        }
        return Manifest.of(parts)
