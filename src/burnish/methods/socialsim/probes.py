"""Questions that show how core agents act: personas crossed with posts, stratified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from burnish.errors import UsageError
from burnish.methods.socialsim.memory import Memory, MemoryStream
from burnish.methods.socialsim.personas import Persona
from burnish.methods.socialsim.prompting import Item
from burnish.methods.socialsim.rule_policy import FEATURES
from burnish.methods.socialsim.schema import NO_CLAIM, Label, Role

_NOVELTY_TICKS = 12.0
_LABELS = (0, 0, 0, int(Label.WARNING), int(Label.NOTE), int(Label.DEBUNK))
_AUTHORS = (Role.BENIGN, Role.BENIGN, Role.BENIGN, Role.OUTLET, Role.FACT_CHECKER)
_MOST_AGE, _MOST_SHARES, _MOST_SEEN = 36, 5, 4


@dataclass(frozen=True)
class Subject:
    """A persona that is probed, with what it believes and remembers, and its posts.

    Attributes:
        persona: who.
        beliefs: in each claim by its code, -1 to 1.
        remembered: lines of its memory.
        items: the posts it is asked about.
    """

    persona: Persona
    beliefs: Mapping[str, float]
    remembered: tuple[str, ...]
    items: tuple[Item, ...]


def subjects(
    personas: Sequence[Persona], *, items: int, claims: Sequence[str], rng: np.random.Generator
) -> tuple[Subject, ...]:
    """Stratified probes: every persona meets every stratum of posts about equally often.

    The strata are stance (tenths of -1 to 1), label, author, shares and earlier showings, each a
    shuffled column of its own (a Latin hypercube), so that none is confounded with another.
    Beliefs are stratified across the personas in the same way, and half of them have a memory.

    Args:
        personas: who is asked.
        items: posts for each, >= 1.
        claims: codes of those that are tracked.
        rng: of the shuffles.

    Raises:
        UsageError: there is nobody to ask, or nothing to ask about.
    """
    if not personas or items < 1:
        raise UsageError(f"probes need personas and items, got {len(personas)} and {items}")
    believed = {code: np.round(_spread(len(personas), rng) * 2 - 1, 2) for code in claims}
    return tuple(
        Subject(
            persona,
            {code: float(values[row]) for code, values in believed.items()},
            _remembered(claims, rng) if row % 2 else (),
            _items(items, claims, rng),
        )
        for row, persona in enumerate(personas)
    )


def features(subject: Subject) -> NDArray[np.float64]:
    """What the rule reads of each item, (items, len(FEATURES)), in the order of `FEATURES`.

    Falsehood is hidden from a core agent, so that column is 0.
    """
    persona = subject.persona
    neuroticism = (persona.big_five[4] + 100) / 200
    rows = []
    for item in subject.items:
        own = subject.beliefs[item.claim] if item.claim else persona.ideology
        values = {
            "agree": 1 - abs(item.stance - own) / 2,
            "shares": np.log1p(item.shares),
            "trust": item.credibility,
            "novelty": np.exp(-item.age / _NOVELTY_TICKS),
            "emotion": abs(item.stance) * neuroticism,
            "false": 0.0,
            "label": persona.literacy * item.marked,
            "inoculated": persona.inoculation * bool(item.claim),
            "seen": np.log1p(item.seen),
        }
        rows.append([values[name] for name in FEATURES])
    return np.asarray(rows, float)


def without_labels(subject: Subject) -> Subject:
    """The same questions with no label on any post, for the effect that labels have."""
    return replace(subject, items=tuple(replace(item, labels=0) for item in subject.items))


def _items(n: int, claims: Sequence[str], rng: np.random.Generator) -> tuple[Item, ...]:
    stance, credibility, age = (_spread(n, rng) for _ in range(3))
    shares, seen = (_cycle(range(most + 1), n, rng) for most in (_MOST_SHARES, _MOST_SEEN))
    about = _cycle([*range(len(claims))] * 3 + [NO_CLAIM], n, rng)
    labels, authors = _cycle(_LABELS, n, rng), _cycle(_AUTHORS, n, rng)
    return tuple(
        Item(
            author_role=Role(authors[i]),
            credibility=round(float(credibility[i]), 2),
            claim="" if about[i] == NO_CLAIM else claims[about[i]],
            stance=round(float(stance[i]) * 2 - 1, 2),
            topic=int(rng.integers(8)),
            age=int(age[i] * _MOST_AGE),
            shares=shares[i],
            seen=seen[i],
            labels=labels[i],
        )
        for i in range(n)
    )


def _remembered(claims: Sequence[str], rng: np.random.Generator) -> tuple[str, ...]:
    stream = MemoryStream()
    for tick in range(int(rng.integers(1, 12))):
        about = claims[int(rng.integers(len(claims)))] if claims else "topic 0"
        stream.add(Memory(tick, f"you read about {about}", 0.3, (about,)))
    return stream.recall(12, ())


def _spread(n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """As many numbers in [0, 1), one in each n-th, shuffled."""
    found: NDArray[np.float64] = (rng.permutation(n) + rng.random(n)) / n
    return found


def _cycle(values: Sequence[int], n: int, rng: np.random.Generator) -> list[int]:
    """The values over and over, n in all, shuffled."""
    repeated = np.resize(np.asarray([int(value) for value in values]), n)
    return [int(value) for value in rng.permutation(repeated)]
