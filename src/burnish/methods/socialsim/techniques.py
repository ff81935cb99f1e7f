"""DISARM ids and what they come to in the model. Knows no schedule and no engine.

The DISARM Red and Blue Frameworks are the work of the DISARM Foundation, licensed CC BY-SA 4.0.
Only ids and names are repeated here; descriptions are read from your own copy. An id that is not
mapped raises: nothing is simulated under a name it does not have.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from burnish.errors import ConfigError, nearest
from burnish.methods.socialsim.world import BlueKind, Primitive


class UnknownTechnique(ConfigError):
    """A DISARM id that no primitive stands for."""


@dataclass(frozen=True)
class Parameter:
    """A number that a step takes, with its bounds; None when the engine's own default is used."""

    default: float | None
    low: float
    high: float
    meaning: str

    def checked(self, name: str, value: float) -> float:
        """The value, or an error that names the parameter."""
        if not self.low <= value <= self.high:
            raise ConfigError(
                f"{name} ({self.meaning}) is {self.low:g} to {self.high:g}, got {value:g}"
            )
        return float(value)


@dataclass(frozen=True)
class Technique:
    """A red technique.

    Attributes:
        id: of DISARM.
        name: of DISARM.
        primitive: what it does here.
        parameters: what a step may set, by name.
        traits: fields of `Targets` of which a step narrows at least one; empty when it need not
            aim.
    """

    id: str
    name: str
    primitive: Primitive
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    traits: tuple[str, ...] = ()

    def filled(self, given: Mapping[str, float]) -> dict[str, float]:
        """Every parameter of a step, defaults included.

        Raises:
            ConfigError: a parameter is unknown or out of its bounds.
        """
        for name in given:
            if name not in self.parameters:
                raise ConfigError(
                    f"{self.id} takes no parameter {name!r}; {nearest(name, self.parameters)}"
                )
        wanted = {name: item.default for name, item in self.parameters.items()} | dict(given)
        return {
            name: self.parameters[name].checked(name, value)
            for name, value in wanted.items()
            if value is not None
        }


@dataclass(frozen=True)
class Counter:
    """A blue countermeasure.

    Attributes:
        ids: of DISARM, none when it has no entry there.
        name: of DISARM, of the first id.
        kind: what it does here.
        fields: of `BlueMeasure` that it reads, besides start, end and claims.
        defaults: of those fields, where they differ from the class's.
    """

    ids: tuple[str, ...]
    name: str
    kind: BlueKind
    fields: tuple[str, ...]
    defaults: Mapping[str, Any] = field(default_factory=dict)


_POSTS = Parameter(2, 1, 1000, "posts per tick, by all assets together")
_FLOOD = Parameter(20, 1, 10_000, "posts per tick, by all assets together")
_RAMP = {
    "start_stance": Parameter(0.1, -1, 1, "stance of the first post"),
    "end_stance": Parameter(0.9, -1, 1, "stance of the last post"),
}
_SELECT = Primitive.SELECT_TARGETS

_TECHNIQUES = (
    Technique("T0020", "Trial content", Primitive.TRIAL, {"posts": _POSTS}),
    Technique(
        "T0042",
        "Seed Kernel of truth",
        Primitive.STANCE_RAMP,
        {
            "start_stance": Parameter(0.0, -1, 1, "stance of the first post"),
            "end_stance": Parameter(0.4, -1, 1, "stance of the last post"),
        },
    ),
    Technique("T0044", "Seed distortions", Primitive.STANCE_RAMP, _RAMP),
    Technique("T0049.002", "Flood Existing Hashtag", Primitive.TOPIC_FLOOD, {"posts": _FLOOD}),
    Technique(
        "T0049.003",
        "Bots Amplify via Automated Forwarding and Reposting",
        Primitive.REPOST_SWARM,
    ),
    Technique("T0049.005", "Conduct Swarming", Primitive.REPLY_SWARM),
    Technique("T0072", "Segment Audiences", _SELECT),
    Technique("T0072.001", "Geographic Segmentation", _SELECT, traits=("regions",)),
    Technique("T0072.002", "Demographic Segmentation", _SELECT, traits=("ages", "education")),
    # accounts have no income: schooling, which goes with it, stands in
    Technique("T0072.003", "Economic Segmentation", _SELECT, traits=("education",)),
    Technique(
        "T0072.004",
        "Psychographic Segmentation",
        _SELECT,
        traits=("min_susceptibility", "big_five"),
    ),
    Technique("T0072.005", "Political Segmentation", _SELECT, traits=("ideology",)),
    Technique(
        "T0092.002",
        "Follow Trains",
        Primitive.FOLLOW_TRAIN,
        {"edges": Parameter(20, 1, 2000, "follows by each asset")},
    ),
    Technique(
        "T0094.001",
        "Identify Susceptible Targets in Networks",
        _SELECT,
        traits=("min_susceptibility",),
    ),
    Technique(
        "T0102.001",
        "Use existing Echo Chambers/Filter Bubbles",
        Primitive.ECHO_CHAMBER,
        traits=("community",),
    ),
    Technique(
        "T0118",
        "Amplify Existing Narrative",
        Primitive.AMPLIFY,
        {"boost": Parameter(3.0, 1, 100, "factor of the assets' own reposting")},
    ),
    Technique("T0119.001", "Post Across Groups", Primitive.CROSS_GROUP),
    Technique("T0121", "Manipulate Platform Algorithm", Primitive.COORDINATED_ENGAGEMENT),
    Technique("T0124.001", "Report Non-Violative Opposing Content", Primitive.FALSE_REPORTS),
    Technique(
        "T0146.007",
        "Automated Account Asset",
        Primitive.ADD_BOTS,
        {"count": Parameter(None, 1, 10_000_000, "accounts")},
    ),
    Technique(
        "T0150.008",
        "Bulk Created Asset",
        Primitive.ADD_BOTS,
        {"count": Parameter(None, 1, 10_000_000, "accounts")},
    ),
)

_TIMED = ("fraction", "strength", "half_life")
_COUNTERS = (
    Counter(("C00125",), "Prebunking", BlueKind.PREBUNK, _TIMED),
    Counter(
        ("C00073",),
        "Inoculate populations through media literacy training",
        BlueKind.LITERACY,
        _TIMED,
    ),
    Counter(("C00119",), "Engage payload and debunk.", BlueKind.DEBUNK, ("delay",)),
    Counter(
        ("C00142",),
        "Platform adds warning label and decision point when sharing content",
        BlueKind.LABEL,
        ("delay", "strength"),
    ),
    Counter((), "Community notes", BlueKind.NOTES, ("raters", "threshold"), {"threshold": 0.4}),
    Counter(("C00107",), "Content moderation", BlueKind.DOWNRANK, ("delay", "factor")),
    Counter(
        ("C00101", "C00123"),
        "Create friction by rate-limiting engagement",
        BlueKind.RATE_LIMIT,
        ("cap",),
    ),
    Counter(
        ("C00044",),
        "Keep people from posting to social media immediately",
        BlueKind.DELAY,
        ("delay",),
        {"delay": 1},
    ),
    Counter(
        ("C00147",),
        "Make amplification of social media posts expire (e.g. can't like/ retweet after n days)",
        BlueKind.EXPIRE,
        ("delay",),
        {"delay": 48},
    ),
    Counter(
        ("C00133", "C00197"),
        "Deplatform Account*",
        BlueKind.SUSPEND,
        ("threshold", "strikes"),
        {"threshold": 0.9},
    ),
    Counter(
        ("C00074",),
        "Identify and delete or rate limit identical content",
        BlueKind.DUPLICATE_LIMIT,
        ("cap",),
    ),
)

TECHNIQUES: Mapping[str, Technique] = {item.id: item for item in _TECHNIQUES}
COUNTERS: Mapping[BlueKind, Counter] = {item.kind: item for item in _COUNTERS}
_BY_ID = {code: item for item in _COUNTERS for code in item.ids}
_BY_NAME = {item.kind.value: item for item in _COUNTERS}


def technique(code: str) -> Technique:
    """What a DISARM red id stands for.

    Raises:
        UnknownTechnique: the id has no primitive here, even if the framework lists it.
    """
    if code not in TECHNIQUES:
        raise UnknownTechnique(
            f"no primitive stands for DISARM technique {code!r}; {nearest(code, TECHNIQUES)}"
        )
    return TECHNIQUES[code]


def counter(code: str) -> Counter:
    """What a DISARM blue id, or one of our own names such as "label", stands for.

    Raises:
        UnknownTechnique: neither; the framework lists counters that are not built on purpose.
    """
    found = _BY_ID.get(code) or _BY_NAME.get(code)
    if found is None:
        names = nearest(code, [*_BY_NAME, *_BY_ID])
        raise UnknownTechnique(f"no countermeasure is called {code!r}; {names}")
    return found
