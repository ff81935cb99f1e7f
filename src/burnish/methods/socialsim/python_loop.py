"""The same world as one Python object an account: what vectorising is measured against.

The usual way to write such a simulator, in the manner of Mesa. It has the same feed, rule, ties,
beliefs and log as the engine, without campaign, defence and files; draws come from one generator,
so single runs differ from the engine's while their rates agree.
"""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass, field

from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.population import circadian
from burnish.methods.socialsim.rule_policy import RulePolicy
from burnish.methods.socialsim.schema import ActionKind
from burnish.methods.socialsim.state import MEMORY, RING

_LABELS = 0.0  # nobody labels here
_NOVELTY, _HALF_LIFE = 12.0, 12.0
_SHOWN_ENOUGH = 2
_WEIGHTS = (0.5, 1.0, 1.0, 27.0, -369.0)


@dataclass(eq=False)
class Post:
    """A post and what it counts."""

    author: Account
    tick: int
    claim: int
    stance: float
    false: bool
    content: Post | None = None
    root: Post | None = None
    depth: int = 0
    likes: int = 0
    shares: int = 0
    replies: int = 0
    cascade: int = 0
    trend: float = 0.05


@dataclass(eq=False)
class Account:
    """One account and all that it knows."""

    number: int
    role: int
    ideology: float
    susceptibility: float
    literacy: float
    trust: float
    neuroticism: float
    activity: float
    clock: int
    attention: int
    beliefs: list[float]
    followees: list[Account] = field(default_factory=list)
    newest: deque[Post] = field(default_factory=lambda: deque(maxlen=RING))
    memory: deque[Post] = field(default_factory=lambda: deque(maxlen=MEMORY))
    reposted: set[int] = field(default_factory=set)
    liked: set[int] = field(default_factory=set)


@dataclass
class Looped:
    """What came of a run: counts to compare with the engine's, and the same rows of a log."""

    exposures: int = 0
    actions: dict[ActionKind, int] = field(default_factory=dict)
    posts: list[Post] = field(default_factory=list)
    log: list[dict[str, float]] = field(default_factory=list)
    beliefs: list[tuple[int, int, int, float]] = field(default_factory=list)


Doing = tuple[ActionKind, Account, Post | None]


class PythonLoop:
    """A world of account objects.

    Args:
        simulation: whose accounts and graph are copied; its policy must be the rule.
    """

    def __init__(self, simulation: Simulation) -> None:
        state, world = simulation.fresh(), simulation.world
        policy = simulation.policy
        if not isinstance(policy, RulePolicy):
            raise TypeError(f"the loop knows RulePolicy alone, got {type(policy).__name__}")
        self.policy, self.world = policy, world
        self.table = policy.coefficients.table().tolist()
        self.by_role = policy.coefficients.by_role().tolist()
        self.random = random.Random(simulation.seed)
        agents = state.agents
        self.accounts = [
            Account(
                number=u,
                role=int(agents.role[u]),
                ideology=float(agents.ideology[u]),
                susceptibility=float(agents.susceptibility[u]),
                literacy=float(agents.literacy[u]),
                trust=float(agents.trust[u]),
                neuroticism=(int(agents.big_five[u, 4]) + 100) / 200,
                activity=float(agents.activity[u]),
                clock=int(agents.circadian[u]),
                attention=int(agents.attention[u]),
                beliefs=state.beliefs[u].tolist(),
            )
            for u in range(len(agents))
        ]
        for follower, followee, _ in zip(*state.graph.edges(), strict=True):
            self.accounts[follower].followees.append(self.accounts[followee])
        self.pool: list[Post] = []
        self.clock: list[float] = []
        self.result = Looped()

    def run(self, ticks: int) -> Looped:
        """Go through `ticks` ticks."""
        for tick in range(ticks):
            self.begin(tick)
            todo = [done for account in self.accounts for done in self.session(account, tick)]
            self.finish(todo, tick)
        return self.result

    def begin(self, tick: int) -> None:
        """What a tick needs before anyone wakes."""
        self._trend(tick)
        self.clock = circadian(tick).tolist()

    def finish(self, todo: list[Doing], tick: int) -> None:
        """Apply what was done, in the engine's order, and keep beliefs."""
        todo.sort(key=lambda item: (item[0], item[1].number))
        for kind, account, post in todo:
            self._apply(kind, account, post, tick)
        if (tick + 1) % self.world.snapshot == 0:
            self.result.beliefs += [
                (tick + 1, claim, account.number, belief)
                for account in self.accounts
                for claim, belief in enumerate(account.beliefs)
            ]

    def _trend(self, tick: int) -> None:
        window = self.world.feed.window
        live = []
        for post in reversed(self.result.posts):
            if tick - post.tick > window:
                break
            if post.root is None and post.trend > 0.01:
                post.trend *= 0.9
                live.append(post)
        live.sort(key=lambda post: -post.trend)
        self.pool = live[: self.world.feed.pool]

    def session(self, account: Account, tick: int) -> list[Doing]:
        """What an account does in a tick; nothing while it sleeps."""
        if self.random.random() >= account.activity * self.clock[account.clock]:
            return []
        feed = self._feed(account, tick)
        self.result.exposures += len(feed)
        todo: list[Doing] = []
        pulls: dict[int, list[float]] = {}
        ties: dict[ActionKind, Post] = {}
        for rank, (post, shares, seen) in enumerate(feed):
            content = post.content or post
            odds = self._odds(account, content, shares, seen, tick)
            left = self.random.random() * (1.0 + sum(odds))
            for kind, odd in enumerate(odds, 1):
                if left < odd:
                    todo.append((ActionKind(kind), account, post))
                    break
                left -= odd
            self._ties(account, post, content, ties)
            if content.claim >= 0 or self.random.random() < self.world.feed.sampling:
                row: dict[str, float] = {"agent": account.number, "post": id(post)}
                self.result.log.append(row | {"tick": tick, "rank": rank})
            if content.claim >= 0:
                gap = content.stance - account.beliefs[content.claim]
                if abs(gap) <= self.world.beliefs.confidence:
                    pulls.setdefault(content.claim, []).append(content.author.trust * gap)
        todo += [(kind, account, post) for kind, post in ties.items()]
        for claim, gaps in pulls.items():
            account.beliefs[claim] += self.world.beliefs.step * sum(gaps) / len(gaps)
        if self.random.random() < -math.expm1(-self.policy.write[account.role]):
            todo.append((ActionKind.POST, account, None))
        return todo

    def _ties(
        self, account: Account, post: Post, content: Post, ties: dict[ActionKind, Post]
    ) -> None:
        for kind, (alpha, agree, trust) in (
            (ActionKind.FOLLOW, self.policy.follow),
            (ActionKind.UNFOLLOW, self.policy.unfollow),
        ):
            if kind in ties or (kind is ActionKind.FOLLOW and post.content is None):
                continue
            own = account.ideology if content.claim < 0 else account.beliefs[content.claim]
            likeness = 1 - abs(content.stance - own) / 2
            logit = alpha + agree * likeness + trust * content.author.trust
            if self.random.random() < 1 / (1 + math.exp(-logit)):
                ties[kind] = post

    def _feed(self, account: Account, tick: int) -> list[tuple[Post, int, int]]:
        settings = self.world.feed
        found: dict[int, list[tuple[Post, int, int]]] = {}
        wanted = settings.k_in
        begin = self.random.randrange(max(1, len(account.followees)))
        order = account.followees[begin:] + account.followees[:begin]
        candidates = [
            followee.newest[slot]
            for slot in range(RING)
            for followee in order
            if slot < len(followee.newest) and tick - followee.newest[slot].tick <= settings.window
        ]
        shares: dict[int, int] = {}
        for post in candidates:
            content = post.content or post
            if content.author is account:
                continue
            shares[id(content)] = shares.get(id(content), 0) + (post.content is not None)
            if id(content) not in found:
                if len(found) == wanted:
                    break
                seen = account.memory.count(content)
                if seen < _SHOWN_ENOUGH:
                    found[id(content)] = [(post, 0, seen)]
        if self.pool:
            weights = [post.trend for post in self.pool]
            for post in self.random.choices(self.pool, weights, k=settings.k_out):
                if post.author is not account and id(post) not in found:
                    found[id(post)] = [(post, 0, account.memory.count(post))]
        scored = [
            (self._score(account, post, shares.get(key, 0), seen, tick), post, key, seen)
            for key, [(post, _, seen)] in found.items()
        ]
        scored.sort(key=lambda row: -row[0])
        best = scored[: account.attention]
        for _, post, _, _ in best:
            account.memory.append(post.content or post)
        return [(post, shares.get(key, 0), seen) for _, post, key, seen in best]

    def _score(self, account: Account, post: Post, shares: int, seen: int, tick: int) -> float:
        odds = self._odds(account, post.content or post, shares, seen, tick)
        total = 1.0 + sum(odds)
        value = sum(weight * odd / total for weight, odd in zip(_WEIGHTS, odds, strict=True))
        return value * float(0.5 ** ((tick - post.tick) / _HALF_LIFE))

    def _odds(
        self, account: Account, content: Post, shares: int, seen: int, tick: int
    ) -> list[float]:
        own = account.ideology if content.claim < 0 else account.beliefs[content.claim]
        features = (
            1.0,
            1 - abs(content.stance - own) / 2,
            math.log1p(shares),
            content.author.trust,
            math.exp(-(tick - content.tick) / _NOVELTY),
            abs(content.stance) * account.neuroticism,
            account.susceptibility if content.false else 0.0,
            _LABELS,
            0.0,
            math.log1p(seen),
        )
        role = self.by_role[account.role]
        return [
            math.exp(zeta + sum(b * x for b, x in zip(row, features, strict=True)))
            for zeta, row in zip(role, self.table, strict=True)
        ]

    def _apply(self, kind: ActionKind, account: Account, post: Post | None, tick: int) -> None:
        if post is None:
            self._write(account, tick)
        elif kind is ActionKind.LIKE:
            content = post.content or post
            if id(content) in account.liked:
                return
            account.liked.add(id(content))
            content.likes += 1
            (post.root or post).trend += 0.2
        elif kind in (ActionKind.REPOST, ActionKind.QUOTE, ActionKind.REPLY):
            root, content = post.root or post, post.content or post
            if kind is ActionKind.REPOST and id(root) in account.reposted:
                return
            repost = kind is ActionKind.REPOST
            if repost:
                account.reposted.add(id(root))
            own = account.ideology if content.claim < 0 else account.beliefs[content.claim]
            made = Post(
                account,
                tick,
                content.claim,
                content.stance if repost else own,
                content.false and kind is not ActionKind.REPLY,
                content if repost else None,
                root,
                post.depth + 1,
            )
            root.cascade += 1
            root.trend += 1.0
            post.shares += kind is not ActionKind.REPLY
            post.replies += kind is ActionKind.REPLY
            account.newest.appendleft(made)
            self.result.posts.append(made)
        elif kind is ActionKind.FOLLOW:
            author = (post.content or post).author
            if author is not account and author not in account.followees:
                account.followees.append(author)
        elif kind is ActionKind.UNFOLLOW and post.author in account.followees:
            account.followees.remove(post.author)
        self.result.log.append({"agent": account.number, "tick": tick, "kind": kind})
        self.result.actions[kind] = self.result.actions.get(kind, 0) + 1

    def _write(self, account: Account, tick: int) -> None:
        stance = account.ideology + 0.6 * (self.random.random() - 0.5)
        false = self.random.random() < self.world.false_share
        post = Post(account, tick, -1, max(-1.0, min(1.0, stance)), false)
        account.newest.appendleft(post)
        self.result.posts.append(post)
