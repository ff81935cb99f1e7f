"""A tick of the event loop. Nouns live in the other modules; this is the order of things.

The defence prepares, the campaign plans, accounts wake, feeds are made and logged, policies act,
actions are applied, beliefs move, accounts are scored and reviewed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from burnish.methods.socialsim import beliefs, blue, red, synchrony
from burnish.methods.socialsim.acting import Actions, Calling, Feeds, Ids, Policy, Remembering
from burnish.methods.socialsim.applying import Applied, Limits, Mix, apply
from burnish.methods.socialsim.checkpoints import Checkpoints, Saved
from burnish.methods.socialsim.compiled import compiled
from burnish.methods.socialsim.feed import feeds, refresh_pool
from burnish.methods.socialsim.population import circadian
from burnish.methods.socialsim.randomness import Stage, stage_key, uniform, uniforms
from burnish.methods.socialsim.red import Moved
from burnish.methods.socialsim.rule_policy import RuleCoefficients, RulePolicy
from burnish.methods.socialsim.schema import (
    ACTIONS,
    BELIEFS,
    EVENTS,
    EXPOSURES,
    NONE,
    ActionKind,
    PolicyId,
    Role,
    Side,
    Source,
)
from burnish.methods.socialsim.state import State
from burnish.methods.socialsim.tables import BLOCK, Tables
from burnish.methods.socialsim.world import RedStep, World

if TYPE_CHECKING:
    from burnish.methods.socialsim.loop import Simulation

_OUT = int(Source.OUT_OF_NETWORK)
_DAY = 24  # ticks
_WORTH_SHARING = 20_000  # shown posts; below, threads cost more than they save
_MANY_AWAKE = 100  # accounts; the same for making their feeds


@dataclass
class Running:
    """A run under way: the state, where its rows go, and the threads that help."""

    simulation: Simulation
    state: State
    tables: Tables
    pool: ThreadPoolExecutor
    checkpoints: Checkpoints | None
    exposures: int = 0
    empty: int = 0
    texts: int = 0  # written to the tables
    damaged: tuple[str, ...] = ()  # checkpoints that were passed over

    @classmethod
    @contextmanager
    def begin(
        cls,
        simulation: Simulation,
        folder: Path | None,
        ticks: int,
        every: int | None,
        state: State | None,
    ) -> Iterator[Running]:
        """From the newest checkpoint in the folder, or from the start."""
        if state is None and folder is not None and not (folder / "manifest.json").exists():
            state = simulation.fresh()  # a world that cannot be built leaves no folder behind
        checkpoints = None
        if folder is not None:
            checkpoints = Checkpoints.at(folder, every, simulation.manifest())
            checkpoints.refuse_longer(ticks)
        with ThreadPoolExecutor(max(2, simulation.workers)) as pool:
            tables = Tables(folder, pool)
            saved = (
                None if checkpoints is None else checkpoints.newest(ticks, simulation.world.claims)
            )
            if saved is not None and checkpoints is not None:
                yield cls._from(saved, simulation, tables, pool, checkpoints)
                return
            state = simulation.fresh() if state is None else state
            running = cls(simulation, state, tables, pool, checkpoints)
            tables.write("agents", 0, state.agents.table())
            tables.write("edges", 0, state.graph.table())
            running._snapshot()
            yield running

    @classmethod
    def _from(
        cls,
        saved: Saved,
        simulation: Simulation,
        tables: Tables,
        pool: ThreadPoolExecutor,
        checkpoints: Checkpoints,
    ) -> Running:
        tables.restore(saved.waiting)
        core = simulation.core
        if core is not None and isinstance(core.policy, Remembering):
            core.policy.restore(saved.memory)
        running = cls(simulation, saved.state, tables, pool, checkpoints)
        running.exposures, running.empty = saved.counts["exposures"], saved.counts["empty"]
        running.texts, running.damaged = saved.counts["texts"], saved.damaged
        return running

    def step(self) -> None:
        """One tick."""
        state, tick = self.state, self.state.tick
        world = self.simulation.world_at(tick)
        state.salience[:] = _salience(world, tick)
        if tick % _DAY == 0:
            state.day_actions[:] = 0
            state.graph = state.graph.compacted(tick)
        limits, moderated = blue.before(state, world.blue)
        moved = red.plan(state, world, self.simulation.n_agents)
        if any(step.start == tick for step, _ in moved):
            state.graph = state.graph.compacted(tick)  # whole trains of follows find no place
        refresh_pool(state, world.feed)
        active, shown = self._shown(world)
        applied = self._applied(world, limits, moved, active, shown)
        self._log(shown, active, applied, world.feed.sampling)
        beliefs.update(state, world.beliefs, active, shown)
        synchrony.watch(state, applied)
        moderated += blue.after(state, world.blue, active, shown)
        self._log_sides(world, moved, moderated, applied)
        state.posts.first.append(len(state.posts))
        state.tick += 1
        self._close(world)

    def finish(self) -> tuple[str, ...]:
        """Write what waits and the posts; what a reader of the numbers should know."""
        state = self.state
        self.tables.flush((state.tick - 1) // BLOCK)
        for begin in range(0, state.tick, BLOCK):
            end = min(begin + BLOCK, state.tick)
            rows = state.posts.table(state.posts.first[begin], state.posts.first[end])
            self.tables.write("posts", begin // BLOCK, rows)
        self.tables.settle()
        warnings = [f"{why}; an earlier one was gone on from" for why in self.damaged]
        alone = int((state.graph.length == 0).sum())
        if alone:
            warnings.append(f"{alone} accounts follow nobody and see only trending posts")
        if self.empty:
            warnings.append(f"{self.empty} of {state.tick} ticks had no active account")
        return tuple(warnings)

    def _shown(self, world: World) -> tuple[Ids, Feeds]:
        active = _active(self.state)
        self.empty += not len(active)
        shown = feeds(
            self.state,
            world.feed,
            self._believed(),
            active,
            pool=self.pool,
            workers=self.simulation.workers if len(active) >= _MANY_AWAKE else 1,
        )
        self.exposures += len(shown.post)
        return active, shown

    def _applied(
        self,
        world: World,
        limits: Limits,
        moved: Sequence[tuple[RedStep, Moved]],
        active: Ids,
        shown: Feeds,
    ) -> Applied:
        state = self.state
        planned = [_outlets(state, world), *(done.actions for _, done in moved)]
        decided = self._decided(state.tick, active, shown)
        applied = apply(state, Actions.joined([*planned, *decided]), limits, _mix(state, world))
        made = (applied.actions.policy == PolicyId.RED) & (applied.actions.kind == ActionKind.POST)
        posts = applied.actions.post[made]
        claims = state.posts.rows["claim"][posts]
        state.campaign += list(zip(posts.tolist(), claims.tolist(), strict=True))
        return applied

    def _believed(self) -> RuleCoefficients:
        """What the platform predicts actions by."""
        simulation = self.simulation
        if simulation.believed is not None:
            return simulation.believed
        policy = simulation.policy
        return policy.coefficients if isinstance(policy, RulePolicy) else RuleCoefficients()

    def _decided(self, tick: int, active: Ids, shown: Feeds) -> list[Actions]:
        simulation, state = self.simulation, self.state
        core = simulation.core
        if core is None:
            return self._ordinary(tick, active, shown)
        is_core = np.isin(active, core.agents)
        rows, others = np.flatnonzero(is_core), np.flatnonzero(~is_core)
        actions = self._ordinary(tick, active[others], shown.rows(others))
        if len(rows):
            actions.append(core.policy.act(tick, active[rows], shown.rows(rows), state))
        self._keep_calls(core.policy)
        return actions

    def _ordinary(self, tick: int, active: Ids, shown: Feeds) -> list[Actions]:
        policy, workers = self.simulation.policy, self.simulation.workers
        if not isinstance(policy, RulePolicy) or workers == 1 or len(shown.post) < _WORTH_SHARING:
            actions = [policy.act(tick, active, shown, self.state)]
            self._keep_calls(policy)
            return actions
        # the rule looks at one account at a time, so threads may share them out
        cuts = np.linspace(0, len(active), workers + 1).astype(int).tolist()

        def part(number: int) -> Actions:
            low, high = cuts[number], cuts[number + 1]
            return policy.act(tick, active[low:high], shown.part(low, high), self.state)

        others = [self.pool.submit(part, number) for number in range(1, workers)]
        return [part(0), *(other.result() for other in others)]

    def _keep_calls(self, policy: Policy) -> None:
        if not isinstance(policy, RulePolicy) and isinstance(policy, Calling):
            self.tables.add("llm_calls", policy.take_calls())

    def _log(self, shown: Feeds, active: Ids, applied: Applied, sampling: float) -> None:
        state, tick, actions = self.state, self.state.tick, applied.actions
        key = stage_key(state.seed, tick, Stage.LOG)
        agent, post, rank, source, via = _sampled(
            key,
            sampling,
            active,
            shown.start,
            shown.post,
            shown.rank,
            shown.source,
            state.posts.rows,
        )
        ticks = np.full(len(agent), tick, np.uint16)
        self.tables.add("exposures", pa.table([agent, post, ticks, rank, source, via], EXPOSURES))
        columns = [
            actions.agent,
            np.full(len(actions.agent), tick, np.uint16),
            actions.kind,
            actions.post,
            applied.target,
            actions.probability,
            actions.policy,
            actions.text,
        ]
        self.tables.add("actions", pa.table(columns, ACTIONS))

    def _log_sides(
        self,
        world: World,
        moved: Sequence[tuple[RedStep, Moved]],
        moderated: Sequence[blue.Moderated],
        applied: Applied,
    ) -> None:
        tick = self.state.tick
        for done in moderated:
            self.tables.add("moderation", done.rows)
        if len(applied.stopped):
            self.tables.add("moderation", blue.stopped(self.state, applied.stopped))
        rows = [
            (Side.SCENARIO, f"event on topic {event.topic}", event.posts)
            for event in world.events
            if event.tick == tick
        ]
        rows += [(Side.RED, step.technique, done.count) for step, done in moved if done.count]
        rows += [
            (Side.BLUE, done.measure.kind.value, done.rows.num_rows)
            for done in moderated
            if done.rows.num_rows
        ]
        if rows:
            sides, names, counts = zip(*rows, strict=True)
            table = pa.table([[tick] * len(rows), list(map(int, sides)), names, counts], EVENTS)
            self.tables.add("events", table)

    def _close(self, world: World) -> None:
        """Snapshots, blocks and checkpoints at the end of a tick, before the next."""
        state = self.state
        if state.tick % world.snapshot == 0:
            self._snapshot()
        if len(state.texts) > self.texts:
            self.tables.add("texts", state.texts_table(self.texts))
            self.texts = len(state.texts)
        if state.tick % BLOCK == 0:
            self.tables.flush(state.tick // BLOCK - 1)
        if self.checkpoints is not None and self.checkpoints.due(state.tick):
            core = self.simulation.core
            kept = b""
            if core is not None and isinstance(core.policy, Remembering):
                kept = core.policy.snapshot()
            self.tables.settle()
            counts = {"exposures": self.exposures, "empty": self.empty, "texts": self.texts}
            self.checkpoints.save(Saved(state, self.tables.waiting(), counts, kept))

    def _snapshot(self) -> None:
        state, n = self.state, len(self.state.agents)
        agents = np.arange(n, dtype=np.uint32)
        for claim in range(len(state.claims)):
            columns = [
                np.full(n, state.tick, np.uint16),
                np.full(n, claim, np.int16),
                agents,
                state.beliefs[:, claim].copy(),
            ]
            self.tables.add("beliefs", pa.table(columns, BELIEFS))


def _active(state: State) -> Ids:
    """Accounts that wake this tick and are not suspended, ascending."""
    agents = state.agents
    return _awake(
        stage_key(state.seed, state.tick, Stage.ACT),
        agents.activity,
        agents.circadian,
        agents.flags,
        circadian(state.tick),
    )


@compiled
def _awake(
    key: np.uint64,
    activity: NDArray[np.float32],
    profile: NDArray[np.uint8],
    flags: NDArray[np.uint8],
    clock: NDArray[np.float32],
) -> Ids:
    awake = np.empty(len(activity), np.uint32)
    count = 0
    for u in range(len(activity)):
        if not flags[u] & 1 and uniform(key, u, 0) < activity[u] * clock[profile[u]]:
            awake[count] = u
            count += 1
    return awake[:count].copy()


@compiled
def _sampled(
    key: np.uint64,
    sampling: float,
    agents: Ids,
    start: NDArray[np.int64],
    post: Ids,
    rank: NDArray[np.uint8],
    source: NDArray[np.uint8],
    rows: NDArray[np.void],
) -> tuple[Ids, Ids, NDArray[np.uint8], NDArray[np.uint8], Ids]:
    """The exposures that are logged: a share, and all to tracked claims."""
    n, kept = len(post), 0
    who, what, via = np.empty(n, np.uint32), np.empty(n, np.uint32), np.empty(n, np.uint32)
    place, pool = np.empty(n, np.uint8), np.empty(n, np.uint8)
    for a in range(len(agents)):
        for e in range(start[a], start[a + 1]):
            shown = rows[post[e]]
            tracked = rows[shown["content"]]["claim"] >= 0
            if not tracked and uniform(key, agents[a], e - start[a]) >= sampling:
                continue
            who[kept], what[kept], place[kept], pool[kept] = agents[a], post[e], rank[e], source[e]
            via[kept] = NONE if source[e] == _OUT else shown["author"]
            kept += 1
    # copies, since most of the room is not needed and rows wait for a whole block
    return (
        who[:kept].copy(),
        what[:kept].copy(),
        place[:kept].copy(),
        pool[:kept].copy(),
        via[:kept].copy(),
    )


def _salience(world: World, tick: int) -> NDArray[np.float32]:
    salience = np.ones(world.topics, np.float32)
    for event in world.events:
        if event.tick <= tick < event.tick + event.duration:
            salience[event.topic % world.topics] *= event.salience
    return salience


def _mix(state: State, world: World) -> Mix:
    weight = np.cumsum(state.salience.astype(np.float64))
    topics = weight / weight[-1] if weight[-1] else np.linspace(0, 1, len(weight) + 1)[1:]
    return Mix(topics, world.true_share, world.false_share)


def _outlets(state: State, world: World) -> Actions:
    """Posts by outlets about the events of this tick, or by anyone where there are none."""
    due = [item for item in enumerate(world.events) if item[1].tick == state.tick]
    if not due:
        return Actions.none()
    parts, key = [], stage_key(state.seed, state.tick, Stage.WRITE)
    outlets = np.flatnonzero(state.agents.role == Role.OUTLET).astype(np.uint32)
    if not len(outlets):
        outlets = np.flatnonzero(state.agents.activity > 0).astype(np.uint32)
    for number, event in due:
        order = np.argsort(uniforms(key, outlets, 16 + number), kind="stable")
        who = np.sort(outlets[order[: event.posts]])
        posts = Actions.of(
            who,
            np.full(len(who), ActionKind.POST, np.uint8),
            np.full(len(who), NONE, np.uint32),
            np.ones(len(who), np.float32),
            PolicyId.SCENARIO,
        )
        if event.claim is not None:
            posts.claim[:], posts.stance[:] = event.claim, event.stance
        parts.append(posts)
    return Actions.joined(parts)
