"""The campaign: abstract steps that plant claim codes and move assets. Writes no text.

Assets are the trolls, bots and operators of the population. Without steps they live like ordinary
accounts, so that a world and its twin without a campaign differ by nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burnish.methods.socialsim.acting import Actions, Ids
from burnish.methods.socialsim.population import ASSETS, awake_activity
from burnish.methods.socialsim.randomness import Stage, stage_key, uniforms
from burnish.methods.socialsim.schema import (
    BIG_FIVE,
    NONE,
    ActionKind,
    PolicyId,
    PostKind,
    Role,
    Veracity,
)
from burnish.methods.socialsim.state import State
from burnish.methods.socialsim.world import (
    PopulationSettings,
    Primitive,
    RedStep,
    Targets,
    World,
)

_BOT_SHARE = 0.01  # of the world, when ADD_BOTS has no count
_BOT_FOLLOWS = 10
_TARGET_FOLLOWS = 10
_FOLLOW_BACK = 0.5  # chance at susceptibility 1
_GROUP_SHARE = 0.02  # of a community that takes an asset in, per step
_WRITE_RATE = 0.1  # posts of a writing asset per tick
_SWARM_EVERY = 6  # ticks between bursts of replies
_SWARM_WINDOW = 24  # ticks a planted post is worth boosting
_AMPLIFY_RATE = 0.05
_LIKE_RATE = 0.5
_REPORT_RATE = 0.2


@dataclass(frozen=True)
class Moved:
    """What a step did in a tick: actions to apply, and how many accounts, edges or posts."""

    actions: Actions
    count: int


@dataclass(frozen=True)
class _Stage:
    """One step at one tick, with the draws and accounts it works on."""

    state: State
    population: PopulationSettings
    step: RedStep
    number: int
    first_bot: int
    last_bot: int

    @property
    def key(self) -> np.uint64:
        return stage_key(self.state.seed, self.state.tick, Stage.RED)

    def draws(self, who: Ids, draw: int) -> NDArray[np.float64]:
        """Uniform numbers that no other step of this tick uses."""
        return uniforms(self.key, who, 64 * self.number + draw)

    @property
    def starts(self) -> bool:
        return self.state.tick == self.step.start

    def assets(self, *roles: Role) -> Ids:
        """Those of some roles who take part: always the same, a share `intensity` of all."""
        role, key = self.state.agents.role, stage_key(self.state.seed, -1, Stage.RED)
        who = np.flatnonzero(np.isin(role, roles)).astype(np.uint32)
        awake = (self.state.agents.activity[who] > 0) & (self.state.agents.flags[who] & 1 == 0)
        taking_part: Ids = who[awake & (uniforms(key, who, self.number) < self.step.intensity)]
        return taking_part

    def planted(self) -> Ids:
        """Posts of the campaign about this step's claim that are young enough to push."""
        first = self.state.posts.first[max(0, self.state.tick - _SWARM_WINDOW)]
        claim = self.step.claim
        ids = [post for post, about in self.state.campaign if about == claim and post >= first]
        return np.array(ids, np.uint32)


def extra_bots(steps: tuple[RedStep, ...], n: int) -> int:
    """How many accounts ADD_BOTS steps add in a world of `n`."""
    return sum(_bots(step, n) for step in steps if step.primitive is Primitive.ADD_BOTS)


def plan(state: State, world: World, ordinary: int) -> list[tuple[RedStep, Moved]]:
    """What every running step does at `state.tick`; edges and traits change at once.

    Args:
        state: at the tick to run.
        world: whose campaign it is.
        ordinary: accounts before the bulk-created ones.
    """
    moved, first = [], ordinary
    for number, step in enumerate(world.red):
        last = first
        if step.primitive is Primitive.ADD_BOTS:
            last = first + _bots(step, ordinary)
        if step.start <= state.tick < step.end:
            stage = _Stage(state, world.population, step, number, first, last)
            moved.append((step, _PRIMITIVES[step.primitive](stage)))
        first = last
    return moved


def targets_of(state: State, targets: Targets) -> Ids:
    """Accounts, suspended ones aside, that pass every condition; assets only when named by role."""
    agents = state.agents
    passes = agents.susceptibility >= targets.min_susceptibility
    passes &= (agents.ideology >= targets.ideology[0]) & (agents.ideology <= targets.ideology[1])
    passes &= agents.flags & 1 == 0
    if targets.roles:
        passes &= np.isin(agents.role, targets.roles)
    else:
        passes &= ~np.isin(agents.role, ASSETS)
    if targets.community is not None:
        passes &= agents.community == targets.community
    for column, wanted in (
        (agents.region, targets.regions),
        (agents.age, targets.ages),
        (agents.education, targets.education),
    ):
        if wanted:
            passes &= np.isin(column, wanted)
    for trait, (low, high) in targets.big_five.items():
        value = agents.big_five[:, BIG_FIVE.index(trait)]
        passes &= (value >= low) & (value <= high)
    return np.flatnonzero(passes).astype(np.uint32)


def _bots(step: RedStep, n: int) -> int:
    return int(step.parameters.get("count", max(1, round(_BOT_SHARE * n))))


def _posts(stage: _Stage, who: Ids, stance: float | NDArray[np.floating]) -> Moved:
    actions = Actions.of(
        who,
        np.full(len(who), ActionKind.POST, np.uint8),
        np.full(len(who), NONE, np.uint32),
        np.ones(len(who), np.float32),
        PolicyId.RED,
    )
    actions.claim[:] = stage.step.claim
    actions.stance[:] = stance
    return Moved(actions, len(who))


def _reactions(who: Ids, kind: ActionKind, post: Ids) -> Moved:
    kinds, sure = np.full(len(who), kind, np.uint8), np.ones(len(who), np.float32)
    return Moved(Actions.of(who, kinds, post, sure, PolicyId.RED), len(who))


def _idle(count: int = 0) -> Moved:
    return Moved(Actions.none(), count)


def _pick(stage: _Stage, who: Ids, among: Ids, draw: int) -> Ids:
    return among[(stage.draws(who, draw) * len(among)).astype(np.int64)]


def _few(stage: _Stage, who: Ids, count: int) -> Ids:
    """`count` of some accounts, others each tick, ascending."""
    order = np.argsort(stage.draws(who, 1), kind="stable")
    return np.sort(who[order[:count]])


def _befriend(stage: _Stage, who: Ids, among: Ids, each: int) -> int:
    """Assets follow `each` accounts; the more susceptible may follow back."""
    if not len(who) or not len(among):
        return 0
    follower = np.repeat(who, each)
    place = np.arange(len(follower), dtype=np.uint32)
    followee = among[(stage.draws(place, 2) * len(among)).astype(np.int64)]
    graph, tick = stage.state.graph, stage.state.tick
    done = graph.follow(follower, followee, tick)
    chance = _FOLLOW_BACK * stage.state.agents.susceptibility[followee]
    back = stage.draws(place, 3) < chance
    return done + graph.follow(followee[back], follower[back], tick)


def _add_bots(stage: _Stage) -> Moved:
    if not stage.starts:
        return _idle()
    bots = np.arange(stage.first_bot, stage.last_bot, dtype=np.uint32)
    stage.state.agents.activity[bots] = awake_activity(stage.population, bots, stage.state.seed)
    _befriend(stage, bots, targets_of(stage.state, stage.step.targets), _BOT_FOLLOWS)
    return _idle(len(bots))


def _follow_train(stage: _Stage) -> Moved:
    assets = stage.assets(*ASSETS)
    if not stage.starts or not len(assets):
        return _idle()
    follower = np.repeat(assets, int(stage.step.parameters.get("edges", 20)))
    place = np.arange(len(follower), dtype=np.uint32)
    followee = assets[(stage.draws(place, 2) * len(assets)).astype(np.int64)]
    return _idle(stage.state.graph.follow(follower, followee, stage.state.tick))


def _select_targets(stage: _Stage) -> Moved:
    if not stage.starts:
        return _idle()
    among = targets_of(stage.state, stage.step.targets)
    return _idle(_befriend(stage, stage.assets(*ASSETS), among, _TARGET_FOLLOWS))


def _trial(stage: _Stage) -> Moved:
    """Two variants, of full and of half stance, by turns."""
    if not stage.starts:
        return _idle()
    writers = _few(stage, stage.assets(*ASSETS), 2 * int(stage.step.parameters.get("posts", 2)))
    variant = np.where(np.arange(len(writers)) % 2, 0.5, 1.0)
    return _posts(stage, writers, stage.step.stance * variant)


def _stance_ramp(stage: _Stage) -> Moved:
    step, writers = stage.step, stage.assets(Role.TROLL, Role.OPERATOR)
    writing = writers[stage.draws(writers, 0) < _WRITE_RATE]
    if not len(writing):
        writing = _few(stage, writers, 1)
    done = (stage.state.tick - step.start) / max(1, step.end - 1 - step.start)
    low = step.parameters.get("start_stance", 0.0)
    high = step.parameters.get("end_stance", step.stance)
    return _posts(stage, writing, low + (high - low) * done)


def _repost_swarm(stage: _Stage) -> Moved:
    """Every bot that takes part reposts the newest planted post, all in one tick."""
    planted = stage.planted()
    if not len(planted):
        return _idle()
    bots = stage.assets(Role.BOT)
    return _reactions(bots, ActionKind.REPOST, np.full(len(bots), planted[-1], np.uint32))


def _reply_swarm(stage: _Stage) -> Moved:
    """Bots reply under one trending post of others, which is the same for all."""
    state = stage.state
    if (state.tick - stage.step.start) % _SWARM_EVERY or not len(state.pool):
        return _idle()
    others = state.pool[~np.isin(state.agents.role[state.posts.rows["author"][state.pool]], ASSETS)]
    if not len(others):
        return _idle()
    bots = stage.assets(Role.BOT)
    moved = _reactions(bots, ActionKind.REPLY, np.full(len(bots), others[0], np.uint32))
    moved.actions.claim[:] = stage.step.claim
    moved.actions.stance[:] = stage.step.stance
    return moved


def _topic_flood(stage: _Stage) -> Moved:
    writers = _few(stage, stage.assets(*ASSETS), int(stage.step.parameters.get("posts", 2)))
    return _posts(stage, writers, stage.step.stance)


def _amplify(stage: _Stage) -> Moved:
    planted, assets = stage.planted(), stage.assets(*ASSETS)
    if not len(planted):
        return _idle()
    rate = _AMPLIFY_RATE * stage.step.parameters.get("boost", 3.0)
    boosting = assets[stage.draws(assets, 0) < rate]
    return _reactions(boosting, ActionKind.REPOST, _pick(stage, boosting, planted, 2))


def _cross_group(stage: _Stage) -> Moved:
    """Members of communities other than an asset's own take it in, and it posts there."""
    return _enter(stage, inside=False)


def _echo_chamber(stage: _Stage) -> Moved:
    """Members of the target community, or of an asset's own, take it in, and it posts there."""
    return _enter(stage, inside=stage.step.targets.community is None)


def _enter(stage: _Stage, *, inside: bool) -> Moved:
    state, assets = stage.state, stage.assets(*ASSETS)
    if stage.starts and len(assets):
        members = targets_of(state, stage.step.targets)
        members = members[stage.draws(members, 4) < _GROUP_SHARE]
        hosts = _pick(stage, members, assets, 5)
        community = state.agents.community
        home = community[members] == community[hosts]
        fits = home == inside if stage.step.targets.community is None else np.ones_like(home)
        state.graph.follow(members[fits], hosts[fits], state.tick)
    writing = assets[stage.draws(assets, 0) < _WRITE_RATE]
    return _posts(stage, writing, stage.step.stance)


def _coordinated_engagement(stage: _Stage) -> Moved:
    planted, bots = stage.planted(), stage.assets(Role.BOT)
    if not len(planted):
        return _idle()
    liking = bots[stage.draws(bots, 0) < _LIKE_RATE]
    return _reactions(liking, ActionKind.LIKE, _pick(stage, liking, planted, 2))


def _false_reports(stage: _Stage) -> Moved:
    """Assets report the most liked of the young posts that truly contradict the claim."""
    state = stage.state
    first = state.posts.first[max(0, state.tick - _SWARM_WINDOW)]
    young = state.posts.rows[first:]
    honest = (young["claim"] == stage.step.claim) & (young["veracity"] == Veracity.TRUE)
    honest &= (young["kind"] != PostKind.REPOST) & (young["visibility"] == 1)
    if not honest.any():
        return _idle()
    among = np.flatnonzero(honest)
    target = first + among[young["likes"][among].argmax()]
    assets = stage.assets(*ASSETS)
    reporting = assets[stage.draws(assets, 0) < _REPORT_RATE]
    return _reactions(reporting, ActionKind.REPORT, np.full(len(reporting), target, np.uint32))


_PRIMITIVES: dict[Primitive, Callable[[_Stage], Moved]] = {
    Primitive.ADD_BOTS: _add_bots,
    Primitive.FOLLOW_TRAIN: _follow_train,
    Primitive.SELECT_TARGETS: _select_targets,
    Primitive.TRIAL: _trial,
    Primitive.STANCE_RAMP: _stance_ramp,
    Primitive.REPOST_SWARM: _repost_swarm,
    Primitive.REPLY_SWARM: _reply_swarm,
    Primitive.TOPIC_FLOOD: _topic_flood,
    Primitive.AMPLIFY: _amplify,
    Primitive.CROSS_GROUP: _cross_group,
    Primitive.ECHO_CHAMBER: _echo_chamber,
    Primitive.COORDINATED_ENGAGEMENT: _coordinated_engagement,
    Primitive.FALSE_REPORTS: _false_reports,
}

__all__ = ["Moved", "extra_bots", "plan", "targets_of"]
