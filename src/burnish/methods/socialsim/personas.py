"""Who a core agent is, as a few lines of text. Numbers in, a card out; knows no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from burnish.methods.socialsim.population import Agents
from burnish.methods.socialsim.schema import Role

AGES = ("under 18", "18 to 29", "30 to 44", "45 to 59", "60 to 74", "75 or older")
EDUCATIONS = ("basic schooling", "secondary schooling", "a degree", "a higher degree")
RED = frozenset({Role.TROLL, Role.BOT, Role.OPERATOR})
"""Roles whose words are templates only: no model ever writes for them."""

_ROLES = {
    Role.BENIGN: "ordinary member",
    Role.VULNERABLE: "ordinary member who is easily worried",
    Role.TROLL: "account that likes to provoke",
    Role.BOT: "automated account",
    Role.OPERATOR: "account that works for a group",
    Role.OUTLET: "news outlet",
    Role.FACT_CHECKER: "fact checker",
}
_TRAITS = {
    "openness": ("curious", "fond of routine"),
    "conscientiousness": ("careful", "careless"),
    "extraversion": ("outgoing", "reserved"),
    "agreeableness": ("kind", "blunt"),
    "neuroticism": ("anxious", "calm"),
}
_TOLD = 0.2  # of 1; below, a pre-bunking has faded
_MARKED = 30  # of 100; a weaker trait is not worth a word


@dataclass(frozen=True, kw_only=True)
class Persona:
    """One account's traits, in the units of the table `agents`.

    Attributes:
        agent: its id.
        role: what it is.
        age, education, region: bands.
        big_five: five traits from -100 to 100, in the order of `BIG_FIVE`.
        ideology: -1 to 1.
        susceptibility, literacy, trust, inoculation: 0 to 1.
    """

    agent: int
    role: Role
    age: int
    education: int
    region: int
    big_five: tuple[int, ...]
    ideology: float
    susceptibility: float
    literacy: float
    trust: float
    inoculation: float = 0.0

    @classmethod
    def of(cls, agents: Agents, agent: int) -> Self:
        """One row of the accounts' columns, as it is now."""
        return cls(
            agent=agent,
            role=Role(int(agents.role[agent])),
            age=int(agents.age[agent]),
            education=int(agents.education[agent]),
            region=int(agents.region[agent]),
            big_five=tuple(int(value) for value in agents.big_five[agent]),
            ideology=float(agents.ideology[agent]),
            susceptibility=float(agents.susceptibility[agent]),
            literacy=float(agents.literacy[agent]),
            trust=float(agents.trust[agent]),
            inoculation=float(agents.inoculation[agent]),
        )


def card(persona: Persona, beliefs: Mapping[str, float]) -> str:
    """The persona as a prompt tells it: who, what kind of mind, what it believes.

    Args:
        persona: who.
        beliefs: in each tracked claim by its code, -1 to 1.

    Departure: the paper names demographic and psychological attributes and gives no wording; this
    one is ours. Traits stand outside the model, which would drift to its own opinions otherwise.
    """
    own = [
        words[0] if value > 0 else words[1]
        for words, value in zip(_TRAITS.values(), persona.big_five, strict=True)
        if abs(value) >= _MARKED
    ]
    held = ", ".join(f"{code} {belief:+.2f}" for code, belief in beliefs.items())
    lines = (
        f"You are account {persona.agent} in an invented social network. "
        f"Role: {_ROLES[persona.role]}.",
        f"Age {_band(AGES, persona.age)}, {_band(EDUCATIONS, persona.education)}, "
        f"region {persona.region}. You are {_joined(own) if own else 'even-tempered'}.",
        f"Your leaning is {persona.ideology:+.2f}, on a scale from -1 to +1.",
        f"You {_level(persona.literacy, ('seldom', 'sometimes', 'often'))} check facts, "
        f"{_level(persona.trust, ('trust few', 'trust some', 'trust most'))} accounts and are "
        f"{_level(persona.susceptibility, ('hard', 'neither hard nor easy', 'easy'))} to persuade.",
        "You were shown how false claims are made to mislead."
        if persona.inoculation > _TOLD
        else "",
        f"How far you believe each claim, from -1 (false) to +1 (true): {held}." if held else "",
    )
    return "\n".join(line for line in lines if line)


def _band(names: Sequence[str], index: int) -> str:
    return names[min(index, len(names) - 1)]


def _level(share: float, words: tuple[str, str, str]) -> str:
    return words[min(2, int(share * 3))]


def _joined(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
