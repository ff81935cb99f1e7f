"""Everything that changes while a world runs, in columns.

A post is one record of 64 bytes, a cache line, since a feed reads most of it at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from burnish.errors import ConfigError
from burnish.methods.socialsim.acted import KeySet
from burnish.methods.socialsim.acting import Bytes, Floats, Ids
from burnish.methods.socialsim.graph import Graph
from burnish.methods.socialsim.population import Agents
from burnish.methods.socialsim.randomness import Stage, normals, stage_key
from burnish.methods.socialsim.schema import NONE, POSTS, TEXTS
from burnish.methods.socialsim.world import Claim

RING = 4  # newest posts of an author that can be shown
MEMORY = 16  # contents an account remembers having been shown
MAX_POSTS = NONE

POST = np.dtype(
    [
        ("author", np.uint32),
        ("root", np.uint32),
        ("parent", np.uint32),
        ("content", np.uint32),  # itself, or for a repost whose words it shows
        ("stance", np.float32),
        ("visibility", np.float32),
        ("likes", np.uint32),
        ("shares", np.uint32),
        ("replies", np.uint32),
        ("cascade", np.uint32),  # of a root: reposts, quotes and replies below it
        ("left_likes", np.uint32),  # by accounts with ideology below 0
        ("trend", np.float32),  # of a root: engagement that fades
        ("text", np.int32),
        ("tick", np.uint16),
        ("depth", np.uint16),
        ("claim", np.int16),
        ("reports", np.uint16),
        ("kind", np.uint8),
        ("veracity", np.uint8),
        ("topic", np.uint8),
        ("labels", np.uint8),
    ]
)


@dataclass
class Posts:
    """All posts so far, by id; `rows` is (n,) of dtype `POST` and may be written to.

    Attributes:
        first: (ticks so far + 1,) i64, id of the first post of each tick.
    """

    _room: NDArray[np.void]
    count: int = 0
    first: list[int] = field(default_factory=lambda: [0])

    @classmethod
    def with_room(cls, n: int) -> Posts:
        """None yet; `n` fit before memory is moved."""
        return cls(np.empty(max(1, n), POST))

    @property
    def rows(self) -> NDArray[np.void]:
        """The posts there are."""
        return self._room[: self.count]

    def __len__(self) -> int:
        return self.count

    def add(self, rows: NDArray[np.void]) -> None:
        """Append posts whose ids follow on.

        Raises:
            ConfigError: ids would no longer fit in 32 bits.
        """
        needed = self.count + len(rows)
        if needed > MAX_POSTS:
            raise ConfigError(
                f"a run has up to {MAX_POSTS} posts and this one more; use fewer ticks"
            )
        if needed > len(self._room):
            grown = np.empty(max(needed, len(self._room) * 3 // 2), POST)
            grown[: self.count] = self.rows
            self._room = grown
        self._room[self.count : needed] = rows
        self.count = needed

    def of_tick(self, tick: int) -> NDArray[np.uint32]:
        """Ids of the posts made in a tick that is over."""
        if not 0 <= tick < len(self.first) - 1:
            return np.zeros(0, np.uint32)
        return np.arange(self.first[tick], self.first[tick + 1], dtype=np.uint32)

    def table(self, begin: int, end: int) -> pa.Table:
        """Posts `begin` to `end` as `schema.POSTS`."""
        rows = self.rows[begin:end]
        ids = np.arange(begin, begin + len(rows), dtype=np.uint32)
        columns = [ids, *(np.ascontiguousarray(rows[name]) for name in POSTS.names[1:])]
        return pa.table(columns, POSTS)


@dataclass
class State:
    """A world at one tick. The loop changes it; policies, rankers and metrics only read.

    Attributes:
        seed: of every draw.
        claims: the C that are tracked.
        agents: columns of n accounts.
        graph: who follows whom.
        posts: all so far.
        beliefs: (n, C) f32, -1 to 1.
        first_beliefs: (n, C) f32, before tick 0.
        ring: (n, RING) u32, newest posts by author, newest first.
        memory: (n, MEMORY) u32, contents shown last, in a ring.
        memory_at: (n,) u8, where the next one goes.
        pool: (p,) u32, trending roots, best first.
        pool_weight: (p,) f64, running sum of their weights, ending in 1.
        salience: (topics,) f32, of the tick.
        day_actions: (n,) u16, posts of any kind since midnight.
        scores: (n,) f32, what the running detector thinks of an account, 0 to 1.
        prebunked: (C,) u8, 1 where readers were warned of a claim.
        synchrony: (n,) f32, how much an account reposted in step with others; fades.
        base_literacy: (n,) f32, literacy before any course.
        friction: factor of what a label takes from share logits.
        ratings: (k, 2) u32, rater and rated post of every note rating.
        rating_values: (k,) f32, 1 for helpful.
        acted: likes and reposts so far, since each happens once.
        campaign: (post, claim) of every post that red planted.
        texts: what core agents wrote, by text id.
        text_origin: (tick, agent) of each text.
        tick: the next one to run.
    """

    seed: int
    claims: tuple[Claim, ...]
    agents: Agents
    graph: Graph
    posts: Posts
    beliefs: Floats
    first_beliefs: Floats
    ring: Ids
    memory: Ids
    memory_at: NDArray[np.uint8]
    pool: Ids
    pool_weight: NDArray[np.float64]
    salience: Floats
    day_actions: NDArray[np.uint16]
    scores: Floats
    prebunked: Bytes
    synchrony: Floats
    base_literacy: Floats
    ratings: Ids
    rating_values: Floats
    acted: KeySet
    campaign: list[tuple[int, int]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    text_origin: list[tuple[int, int]] = field(default_factory=list)
    friction: float = 1.0
    tick: int = 0

    @classmethod
    def new(
        cls, agents: Agents, graph: Graph, claims: tuple[Claim, ...], topics: int, seed: int
    ) -> State:
        """Before the first tick."""
        n = len(agents)
        beliefs = _first_beliefs(agents, claims, seed)
        return cls(
            seed=seed,
            claims=claims,
            agents=agents,
            graph=graph,
            posts=Posts.with_room(1024 + n * 2),
            beliefs=beliefs,
            first_beliefs=beliefs.copy(),
            ring=np.full((n, RING), NONE, np.uint32),
            memory=np.full((n, MEMORY), NONE, np.uint32),
            memory_at=np.zeros(n, np.uint8),
            pool=np.zeros(0, np.uint32),
            pool_weight=np.zeros(0),
            salience=np.ones(topics, np.float32),
            day_actions=np.zeros(n, np.uint16),
            scores=np.zeros(n, np.float32),
            prebunked=np.zeros(max(1, len(claims)), np.uint8),
            synchrony=np.zeros(n, np.float32),
            base_literacy=agents.literacy.copy(),
            ratings=np.zeros((0, 2), np.uint32),
            rating_values=np.zeros(0, np.float32),
            acted=KeySet(),
        )

    def texts_table(self, begin: int) -> pa.Table:
        """Texts from number `begin` on, as `schema.TEXTS`."""
        ids = range(begin, len(self.texts))
        ticks = [self.text_origin[i][0] for i in ids]
        agents = [self.text_origin[i][1] for i in ids]
        return pa.table([list(ids), ticks, agents, self.texts[begin:]], TEXTS)


def _first_beliefs(agents: Agents, claims: tuple[Claim, ...], seed: int) -> Floats:
    key, who = stage_key(seed, -2, Stage.TRAIT), np.arange(len(agents), dtype=np.uint32)
    beliefs = np.empty((len(agents), len(claims)), np.float32)
    for c, claim in enumerate(claims):
        drawn = claim.spread * normals(key, who, 2 * c)
        beliefs[:, c] = np.clip(claim.prior + claim.partisan * agents.ideology + drawn, -1, 1)
    return beliefs
