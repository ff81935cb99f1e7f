"""The seam between the loop and whatever decides for agents. Knows no policy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from burnish.methods.socialsim.schema import NO_CLAIM, NO_TEXT, PolicyId

if TYPE_CHECKING:
    from burnish.methods.socialsim.state import State

Ids = NDArray[np.uint32]
Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Feeds:
    """What m agents are shown in one tick, n posts in all; row i has entries start[i]:start[i+1].

    Attributes:
        start: (m + 1,) i64.
        post: (n,) u32, best first within a row.
        rank: (n,) u8, from 0.
        source: (n,) u8, `Source`.
        shares: (n,) u8, followees among the candidates who brought the same root.
        seen: (n,) u8, earlier showings of the same root to this agent, of its last 16.
    """

    start: NDArray[np.int64]
    post: Ids
    rank: Bytes
    source: Bytes
    shares: Bytes
    seen: Bytes

    def part(self, low: int, high: int) -> Feeds:
        """The feeds of the rows from `low` up to `high`, without copying entries."""
        begin, end = int(self.start[low]), int(self.start[high])
        return Feeds(
            self.start[low : high + 1] - begin,
            self.post[begin:end],
            self.rank[begin:end],
            self.source[begin:end],
            self.shares[begin:end],
            self.seen[begin:end],
        )

    def rows(self, chosen: NDArray[np.intp]) -> Feeds:
        """The feeds of some rows, in the given order."""
        lengths = np.diff(self.start)[chosen]
        start = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        entry = np.repeat(self.start[:-1][chosen] - start[:-1], lengths) + np.arange(start[-1])
        return Feeds(
            start,
            self.post[entry],
            self.rank[entry],
            self.source[entry],
            self.shares[entry],
            self.seen[entry],
        )


@dataclass(frozen=True)
class Actions:
    """What agents do in one tick: n rows, in any order; the loop sorts them by kind and agent.

    Attributes:
        agent: (n,) u32.
        kind: (n,) u8, `ActionKind`; rows of NONE are dropped.
        post: (n,) u32, the shown post acted on; NONE for a new post.
        probability: (n,) f32, with which the action was drawn.
        policy: (n,) u8, `PolicyId`.
        text: (n,) i32, row of `texts` below, or NO_TEXT.
        claim: (n,) i16, of the post that is made; NO_CLAIM leaves it to the parent's.
        stance: (n,) f32, of the post that is made; NaN leaves it to the author's own belief, or
            for a repost to the parent's stance.
        texts: the strings that `text` points to.
    """

    agent: Ids
    kind: Bytes
    post: Ids
    probability: Floats
    policy: Bytes
    text: NDArray[np.int32]
    claim: NDArray[np.int16]
    stance: Floats
    texts: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        agent: Ids,
        kind: Bytes,
        post: Ids,
        probability: Floats,
        policy: PolicyId,
    ) -> Self:
        """Actions without text that leave claim and stance to the loop."""
        n = len(agent)
        return cls(
            agent,
            kind,
            post,
            probability,
            np.full(n, policy, np.uint8),
            np.full(n, NO_TEXT, np.int32),
            np.full(n, NO_CLAIM, np.int16),
            np.full(n, np.nan, np.float32),
        )

    @classmethod
    def none(cls) -> Self:
        """No rows."""
        empty = np.zeros(0, np.uint32)
        nothing = np.zeros(0, np.uint8)
        return cls.of(empty, nothing, empty, np.zeros(0, np.float32), PolicyId.RULE)

    @classmethod
    def joined(cls, parts: list[Actions]) -> Actions:
        """All rows of several, texts renumbered; one alone is handed back as it is."""
        parts = [part for part in parts if len(part.agent)]
        if not parts:
            return cls.none()
        if len(parts) == 1:
            return parts[0]
        offsets = np.cumsum([0, *(len(part.texts) for part in parts)])
        text = [
            np.where(part.text == NO_TEXT, NO_TEXT, part.text + offset).astype(np.int32)
            for part, offset in zip(parts, offsets, strict=False)
        ]
        return cls(
            np.concatenate([part.agent for part in parts]),
            np.concatenate([part.kind for part in parts]),
            np.concatenate([part.post for part in parts]),
            np.concatenate([part.probability for part in parts]),
            np.concatenate([part.policy for part in parts]),
            np.concatenate(text),
            np.concatenate([part.claim for part in parts]),
            np.concatenate([part.stance for part in parts]),
            tuple(string for part in parts for string in part.texts),
        )


class Policy(Protocol):
    """Decides what agents do about what they are shown.

    Must depend on nothing but its arguments and the seed in `state`, or the same run would not
    give the same bytes.
    """

    def act(self, tick: int, agents: Ids, feeds: Feeds, state: State) -> Actions:
        """The actions of `agents` (m,), whose feeds have a row each; `state` is only read."""
        ...


@runtime_checkable
class Calling(Protocol):
    """A policy that asks a language model, and says what it asked."""

    def take_calls(self) -> pa.Table:
        """The calls since the last time, with schema `LLM_CALLS`."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A policy with a memory of its own, which checkpoints must hold."""

    def snapshot(self) -> bytes:
        """All that `restore` needs."""
        ...

    def restore(self, kept: bytes) -> None:
        """Go on from a snapshot."""
        ...
