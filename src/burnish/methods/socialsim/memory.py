"""What a core agent remembers: its last events, and reflections that are looked up.

A reflection sums up what was met of one claim or topic. It is written by rule and not by a model,
so that memory costs no calls and two runs remember alike.

Source: Park et al. 2023, arXiv:2304.03442, section 4 (recency x importance x relevance, decay
0.995 an hour). Departures: the three are multiplied as the specification asks, where the paper adds
them; relevance is the cosine of keyword sets, where the paper embeds; reflections are counted.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from burnish.errors import DataError, UsageError

_FORMAT = 1
_FAINT = 0.05  # relevance of what shares no keyword: remembered, but last


@dataclass(frozen=True)
class Memory:
    """Something remembered.

    Attributes:
        tick: when.
        text: one short line.
        importance: over 0, up to 1.
        keys: what it is about, e.g. ("C3", "topic 2").
    """

    tick: int
    text: str
    importance: float
    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Span:
    """How much is remembered.

    Attributes:
        events: the last so many are always told.
        reflections: the most that are looked up.
        kept: the most reflections that are stored.
        decay: factor of recency for each tick, in (0, 1].
        threshold: importance that has to come together before there is a reflection, > 0.

    Raises:
        UsageError: a value is out of its range.
    """

    events: int = 8
    reflections: int = 5
    kept: int = 40
    decay: float = 0.995
    threshold: float = 3.0

    def __post_init__(self) -> None:
        if min(self.events, self.reflections, self.kept) < 0 or not 0 < self.decay <= 1:
            raise UsageError(
                f"a memory's span needs counts of 0 or more and decay in (0, 1]: {self}"
            )
        if not (math.isfinite(self.threshold) and self.threshold > 0):
            raise UsageError(f"threshold must be over 0, got {self.threshold}")


@dataclass
class MemoryStream:
    """One agent's memory."""

    span: Span = field(default_factory=Span)
    events: list[Memory] = field(default_factory=list)
    reflections: list[Memory] = field(default_factory=list)
    gathered: float = 0.0
    met: Counter[str] = field(default_factory=Counter)

    def add(self, event: Memory) -> None:
        """Remember an event; once enough has come together, a reflection on the commonest key."""
        self.events = [*self.events, event][-self.span.events :] if self.span.events else []
        self.met.update(event.keys)
        self.gathered += event.importance
        if self.gathered >= self.span.threshold and self.met:
            self._reflect(event.tick)

    def recall(self, tick: int, keys: Iterable[str]) -> tuple[str, ...]:
        """Lines for a prompt: the reflections that fit best, then the last events in order."""
        wanted = frozenset(keys)
        best = sorted(
            self.reflections,
            key=lambda kept: (-self.score(kept, tick, wanted), -kept.tick, kept.text),
        )[: self.span.reflections]
        told = sorted(best, key=lambda kept: (kept.tick, kept.text))
        return tuple(f"hour {memory.tick}: {memory.text}" for memory in (*told, *self.events))

    def score(self, memory: Memory, tick: int, keys: frozenset[str]) -> float:
        """Recency x importance x relevance, in (0, 1]."""
        recency = self.span.decay ** max(0, tick - memory.tick)
        shared = len(keys.intersection(memory.keys))
        relevance = shared / math.sqrt(len(keys) * len(memory.keys)) if shared else _FAINT
        return recency * memory.importance * max(relevance, _FAINT)

    def _reflect(self, tick: int) -> None:
        key, times = min(self.met.items(), key=lambda item: (-item[1], item[0]))
        importance = min(1.0, self.gathered / max(1, self.met.total()))
        text = f"lately {key} kept coming up ({times} times)"
        self.reflections = [*self.reflections, Memory(tick, text, importance, (key,))]
        self.reflections = self.reflections[-self.span.kept :] if self.span.kept else []
        self.met.clear()
        self.gathered = 0.0

    def as_plain(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return {
            "events": [asdict(memory) for memory in self.events],
            "reflections": [asdict(memory) for memory in self.reflections],
            "gathered": self.gathered,
            "met": dict(sorted(self.met.items())),
        }

    @classmethod
    def of_plain(cls, plain: dict[str, Any], span: Span) -> Self:
        """The stream that `as_plain` told of."""
        kept = {
            name: [Memory(**{**row, "keys": tuple(row["keys"])}) for row in plain[name]]
            for name in ("events", "reflections")
        }
        return cls(span, **kept, gathered=float(plain["gathered"]), met=Counter(plain["met"]))


def pack(streams: dict[int, MemoryStream]) -> bytes:
    """All agents' memories; equal memories give equal bytes."""
    plain = {str(agent): streams[agent].as_plain() for agent in sorted(streams)}
    return json.dumps({"format": _FORMAT, "agents": plain}, separators=(",", ":")).encode()


def unpack(kept: bytes, span: Span) -> dict[int, MemoryStream]:
    """The memories that `pack` wrote.

    Raises:
        DataError: the bytes are something else.
    """
    try:
        plain = json.loads(kept)
        if plain["format"] != _FORMAT:
            raise DataError(f"memories have format {plain['format']!r}, expected {_FORMAT}")
        return {
            int(agent): MemoryStream.of_plain(stream, span)
            for agent, stream in plain["agents"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError("these bytes are no memories of core agents; take them anew") from error
