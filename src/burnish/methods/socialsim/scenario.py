"""Scenario files: a fictional world, its claims, a campaign and a defence, in one YAML file.

A file is read with PyYAML's safe constructor, checked whole against a schema and the name gate,
and turned into the `World` that the engine runs. Files may come from strangers: aliases,
duplicate keys, paths and names of the real world are refused. Knows no engine.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from burnish.errors import ConfigError, DataError, nearest
from burnish.methods.socialsim.name_gate import NameGate
from burnish.methods.socialsim.schema import Role, Side
from burnish.methods.socialsim.techniques import Counter, Technique, counter, technique
from burnish.methods.socialsim.world import (
    BeliefSettings,
    BlueMeasure,
    Claim,
    Event,
    FeedSettings,
    NetworkKind,
    NetworkSettings,
    PopulationSettings,
    RedStep,
    Targets,
    World,
)

VERSION = 1
MOST_BYTES = 1_000_000
_BUILT_IN = resources.files("burnish.methods.socialsim") / "scenarios"

Name = Annotated[str, Field(min_length=1, max_length=60)]
Text = Annotated[str, Field(max_length=400)]
Tick = Annotated[int, Field(ge=0, le=65_535)]
Hours = Annotated[int, Field(ge=1, le=65_535)]
Share = Annotated[float, Field(ge=0, le=1)]
Stance = Annotated[float, Field(ge=-1, le=1)]
TargetRole = Literal["benign", "vulnerable", "troll", "bot", "operator", "outlet", "fact_checker"]


class CyclicSchedule(ConfigError):
    """Steps that wait for each other."""


@dataclass(frozen=True)
class Scheduled:
    """One line of the schedule, in ticks of the run.

    Attributes:
        side: whose plan it belongs to.
        name: given in the file, else made from what it does.
        what: DISARM id, name of the countermeasure, or "event".
        start: first tick.
        end: one past the last.
    """

    side: Side
    name: str
    what: str
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A checked scenario.

    Attributes:
        name: of the scenario.
        description: what it is about.
        ticks: length of a run, in simulated hours.
        world: what the engine is told.
        about: what each claim of the world says, in order.
        regions: names, in the order of their numbers.
        topics: names, in the order of their numbers.
        schedule: events and steps by first tick, for people.
    """

    name: str
    description: str
    ticks: int
    world: World
    about: tuple[str, ...]
    regions: tuple[str, ...]
    topics: tuple[str, ...]
    schedule: tuple[Scheduled, ...]

    @classmethod
    def from_yaml(cls, path: str | Path, *, gate: NameGate | None = None) -> Self:
        """Read a scenario file.

        Args:
            path: of a UTF-8 file of at most 1 MB, or the name of one that comes with burnish.
            gate: what names are refused; None for the built-in list. Extend it with
                a file of your own: `NameGate.default(extra=path)`.

        Raises:
            DataError: the file is missing, too long or no YAML.
            ConfigError: a field is unknown, missing, of the wrong type or out of its bounds.
            UnknownTechnique: a DISARM id that nothing stands for.
            CyclicSchedule: steps that wait for each other.
            RealName: a name or address of the real world.
        """
        built_in = names()
        if isinstance(path, str) and path in built_in:
            text = (_BUILT_IN / f"{path}.yaml").read_text(encoding="utf-8")
            return cls.from_text(text, origin=path, gate=gate)
        return cls.from_text(_read(Path(path), built_in), origin=str(path), gate=gate)

    @classmethod
    def from_text(
        cls, text: str, *, origin: str = "scenario", gate: NameGate | None = None
    ) -> Self:
        """The same from the text of a file; `origin` begins every error."""
        document = _parse(text, origin)
        (gate or NameGate.default()).check(_strings(document), origin)
        try:
            file = _File.model_validate_json(json.dumps(document), strict=True)
        except ValidationError as failure:
            raise ConfigError(f"{origin}: {_first(failure)}") from None
        try:
            return cls(**_built(file))
        except ConfigError as error:
            raise type(error)(f"{origin}: {error}") from None

    def without_red(self) -> Self:
        """The twin world: the same accounts and events, and no campaign."""
        return self._with(replace(self.world, red=()), Side.RED)

    def without_blue(self) -> Self:
        """The same world with no countermeasure."""
        return self._with(replace(self.world, blue=()), Side.BLUE)

    def with_edges(self, path: str | Path) -> Self:
        """The same world on your own edge list; a scenario file may not name one."""
        network = replace(self.world.network, kind=NetworkKind.EDGES, edges_path=str(path))
        return replace(self, world=replace(self.world, network=network))

    def _with(self, world: World, dropped: Side) -> Self:
        schedule = tuple(line for line in self.schedule if line.side != dropped)
        return replace(self, world=world, schedule=schedule)


def names() -> tuple[str, ...]:
    """The scenarios that come with burnish, as `Scenario.from_yaml` takes them."""
    files = (entry.name for entry in _BUILT_IN.iterdir())
    return tuple(sorted(name[:-5] for name in files if name.endswith(".yaml")))


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Place(_Model):
    name: Name
    description: Text = ""
    regions: Annotated[tuple[Name, ...], Field(min_length=1, max_length=255)]
    topics: Annotated[tuple[Name, ...], Field(min_length=1, max_length=255)]


class _Claim(_Model):
    code: Annotated[str, Field(pattern=r"^C[1-8]$")]
    about: Text
    is_true: bool
    topic: Name
    prior: Stance = Claim.prior
    spread: Annotated[float, Field(ge=0, le=2)] = Claim.spread
    partisan: Annotated[float, Field(ge=-2, le=2)] = Claim.partisan


class _Item(_Model):
    """What has a place in the schedule: `start` counts from 0, or from the end of `after`."""

    name: Name = ""
    after: Name | None = None
    start: Tick = 0

    def default_name(self, number: int) -> str:
        raise NotImplementedError

    def last(self, start: int, run: int) -> int:
        raise NotImplementedError


class _Event(_Item):
    hours: Hours = Event.duration
    topic: Name
    salience: Annotated[float, Field(ge=0, le=100)] = Event.salience
    posts: Annotated[int, Field(ge=0, le=10_000)] = Event.posts
    claim: str | None = None
    stance: Stance = Event.stance

    def default_name(self, number: int) -> str:
        return f"event {number}"

    def last(self, start: int, run: int) -> int:
        return start + self.hours


class _Targets(_Model):
    community: Annotated[int, Field(ge=0)] | None = None
    roles: tuple[TargetRole, ...] = ()
    min_susceptibility: Share = 0.0
    ideology: tuple[Stance, Stance] = (-1.0, 1.0)
    regions: tuple[Name, ...] = ()
    ages: tuple[int, ...] = ()
    education: tuple[int, ...] = ()
    big_five: dict[str, tuple[int, int]] = {}


class _Red(_Item):
    technique: str
    hours: Hours
    intensity: Share = RedStep.intensity
    claim: str | None = None
    stance: Stance = RedStep.stance
    targets: _Targets = _Targets()
    parameters: dict[str, float] = {}

    def default_name(self, number: int) -> str:
        return f"{self.technique} {number}"

    def last(self, start: int, run: int) -> int:
        return start + self.hours


class _Blue(_Item):
    measure: str
    hours: Hours | None = None
    claims: tuple[str, ...] = ()
    fraction: Share | None = None
    strength: Annotated[float, Field(ge=0, le=20)] | None = None
    half_life: Annotated[float, Field(gt=0)] | None = None
    delay: Tick | None = None
    factor: Share | None = None
    threshold: Share | None = None
    cap: Annotated[int, Field(ge=0)] | None = None
    strikes: Annotated[int, Field(ge=1, le=255)] | None = None
    raters: Share | None = None

    def default_name(self, number: int) -> str:
        return f"{self.measure} {number}"

    def last(self, start: int, run: int) -> int:
        return run if self.hours is None else start + self.hours


class _File(_Model):
    burnish_scenario: Literal[1]
    name: Name
    description: Text = ""
    hours: Hours = 168
    world: _Place
    population: PopulationSettings = PopulationSettings()
    network: NetworkSettings = NetworkSettings()
    feed: FeedSettings = FeedSettings()
    beliefs: BeliefSettings = BeliefSettings()
    true_share: Share = World.true_share
    false_share: Share = World.false_share
    snapshot: Hours = World.snapshot
    claims: Annotated[tuple[_Claim, ...], Field(max_length=8)] = ()
    events: tuple[_Event, ...] = ()
    red: tuple[_Red, ...] = ()
    blue: tuple[_Blue, ...] = ()


class _Loader(yaml.SafeLoader):
    """YAML without aliases, which can grow without bound, and without duplicate keys."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.composer.ComposerError(None, None, "aliases are not allowed", mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if str(key.value) in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"{key.value!r} is set twice", key.start_mark
                )
            seen.add(str(key.value))
        return super().construct_mapping(node, deep)


# A date stays text: nothing in a scenario is a date of the real world.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _read(path: Path, built_in: tuple[str, ...]) -> str:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path}: a scenario has at most {MOST_BYTES:,} bytes; shorten it")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror}; give a YAML file or one of: {', '.join(built_in)}"
        ) from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not UTF-8 text; give a YAML file") from None


def _parse(text: str, origin: str) -> dict[str, Any]:
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506  # a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f"line {mark.line + 1}: " if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise DataError(f"{origin}: {line}{problem}; write plain YAML") from None
    except RecursionError:
        raise DataError(f"{origin}: nested too deeply for a scenario") from None
    if not isinstance(document, dict):
        raise DataError(f"{origin}: wanted lines of `name: value`, got {type(document).__name__}")
    return document


def _strings(value: Any, place: str = "") -> Iterable[tuple[str, str]]:
    """(place, text) of every text in a document, keys included."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield f"key of {place or 'the file'}", str(key)
            yield from _strings(item, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _strings(item, f"{place}[{number}]")


def _first(failure: ValidationError) -> str:
    first = failure.errors()[0]
    place = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"]
    ).lstrip(".")
    if first["type"] in {"extra_forbidden", "unexpected_keyword_argument"}:
        return f"{place} is no field of a scenario; remove it"
    if first["type"] == "missing":
        return f"{place} is missing; add it"
    message = first["msg"].removeprefix("Value error, ").replace("Input should", "should")
    if first["type"] == "value_error":
        return f"{place}: {message}"
    return f"{place} {message}, got {str(first['input'])[:60]!r}"


def _built(file: _File) -> dict[str, Any]:
    if file.population.regions != PopulationSettings.regions:
        raise ConfigError("population.regions follows from world.regions; remove it")
    if file.network.edges_path is not None:
        raise ConfigError("network.edges_path: a file names no paths; call Scenario.with_edges")
    codes = _numbered("claims", [claim.code for claim in file.claims])
    topics = _numbered("world.topics", file.world.topics)
    regions = _numbered("world.regions", file.world.regions)
    spans = _schedule(file)
    world = World(
        name=file.world.name,
        claims=tuple(_claim(item, topics) for item in file.claims),
        events=tuple(
            _event(item, spans["events", at], codes, topics) for at, item in enumerate(file.events)
        ),
        red=tuple(
            _red(item, spans["red", at], codes, regions, at) for at, item in enumerate(file.red)
        ),
        blue=tuple(_blue(item, spans["blue", at], codes, at) for at, item in enumerate(file.blue)),
        population=replace(file.population, regions=len(file.world.regions)),
        network=file.network,
        feed=file.feed,
        beliefs=file.beliefs,
        topics=len(file.world.topics),
        true_share=file.true_share,
        false_share=file.false_share,
        snapshot=file.snapshot,
    )
    return {
        "name": file.name,
        "description": file.description,
        "ticks": file.hours,
        "world": world,
        "about": tuple(claim.about for claim in file.claims),
        "regions": file.world.regions,
        "topics": file.world.topics,
        "schedule": tuple(sorted(spans.values(), key=lambda line: (line.start, line.side))),
    }


def _numbered(where: str, items: Iterable[str]) -> dict[str, int]:
    numbers: dict[str, int] = {}
    for item in items:
        if item in numbers:
            raise ConfigError(f"{where}: {item!r} appears twice; give each its own name")
        numbers[item] = len(numbers)
    return numbers


def _index(where: str, name: str, numbers: Mapping[str, int]) -> int:
    if name not in numbers:
        raise ConfigError(f"{where}: nothing is called {name!r}; {nearest(name, numbers)}")
    return numbers[name]


def _claim(item: _Claim, topics: Mapping[str, int]) -> Claim:
    return Claim(
        code=item.code,
        true=item.is_true,
        topic=_index(f"claims {item.code}", item.topic, topics),
        prior=item.prior,
        spread=item.spread,
        partisan=item.partisan,
    )


def _event(
    item: _Event, span: Scheduled, codes: Mapping[str, int], topics: Mapping[str, int]
) -> Event:
    return Event(
        tick=span.start,
        topic=_index(f"{span.name}: topic", item.topic, topics),
        salience=item.salience,
        duration=item.hours,
        posts=item.posts,
        claim=None if item.claim is None else _index(f"{span.name}: claim", item.claim, codes),
        stance=item.stance,
    )


def _red(
    item: _Red,
    span: Scheduled,
    codes: Mapping[str, int],
    regions: Mapping[str, int],
    at: int,
) -> RedStep:
    where = f"red[{at}]"
    what = technique(item.technique)
    if item.claim is None and len(codes) != 1:
        raise ConfigError(f"{where}.claim is missing; {nearest('', codes)}")
    return RedStep(
        technique=what.id,
        primitive=what.primitive,
        start=span.start,
        end=span.end,
        intensity=item.intensity,
        claim=0 if item.claim is None else _index(f"{where}.claim", item.claim, codes),
        stance=item.stance,
        targets=_targets(item.targets, what, regions, f"{where}.targets"),
        parameters=what.filled(item.parameters),
    )


def _targets(item: _Targets, what: Technique, regions: Mapping[str, int], where: str) -> Targets:
    low, high = item.ideology
    if low > high:
        raise ConfigError(f"{where}.ideology is lowest, highest; got {low}, {high}")
    try:
        targets = Targets(
            community=item.community,
            roles=tuple(int(Role[role.upper()]) for role in item.roles),
            min_susceptibility=item.min_susceptibility,
            ideology=(low, high),
            regions=tuple(_index(f"{where}.regions", name, regions) for name in item.regions),
            ages=item.ages,
            education=item.education,
            big_five=item.big_five,
        )
    except ConfigError as error:
        place = "" if str(error).startswith(where) else f"{where}: "
        raise ConfigError(f"{place}{error}") from None
    everyone = Targets()
    if what.traits and all(getattr(targets, t) == getattr(everyone, t) for t in what.traits):
        raise ConfigError(f"{where}: {what.id} aims by {' or '.join(what.traits)}; set it")
    return targets


def _blue(item: _Blue, span: Scheduled, codes: Mapping[str, int], at: int) -> BlueMeasure:
    where = f"blue[{at}]"
    what = counter(item.measure)
    return BlueMeasure(
        kind=what.kind,
        start=span.start,
        end=None if item.hours is None else span.end,
        claims=tuple(_index(f"{where}.claims", code, codes) for code in item.claims),
        **(dict(what.defaults) | _settings(item, what, where)),
    )


def _settings(item: _Blue, what: Counter, where: str) -> dict[str, Any]:
    """The fields that a measure was given, all of which it must read."""
    plan = {field.name for field in fields(BlueMeasure)} - {"kind", "start", "end", "claims"}
    given = {name for name in plan & item.model_fields_set if getattr(item, name) is not None}
    for name in sorted(given - set(what.fields)):
        raise ConfigError(
            f"{where}.{name}: {what.kind.value} does not read it; {nearest(name, what.fields)}"
        )
    return {name: getattr(item, name) for name in given}


def _schedule(file: _File) -> dict[tuple[str, int], Scheduled]:
    """Where each event and step lies, once every `after` is known."""
    items: dict[tuple[str, int], _Item] = {
        (part, at): item
        for part in ("events", "red", "blue")
        for at, item in enumerate(getattr(file, part))
    }
    labels = {key: item.name or item.default_name(key[1]) for key, item in items.items()}
    _numbered("names of events and steps", labels.values())
    keys = {label: key for key, label in labels.items()}
    spans: dict[tuple[str, int], Scheduled] = {}
    for key in items:
        for waiting in _chain(key, items, labels, keys):
            if waiting not in spans:
                spans[waiting] = _placed(waiting, items, labels, keys, spans, file.hours)
    return {key: spans[key] for key in items}


def _chain(
    key: tuple[str, int],
    items: Mapping[tuple[str, int], _Item],
    labels: Mapping[tuple[str, int], str],
    keys: Mapping[str, tuple[str, int]],
) -> list[tuple[str, int]]:
    """A step and all that it waits for, the first to happen first."""
    chain = [key]
    while (after := items[chain[-1]].after) is not None:
        if after not in keys:
            raise ConfigError(
                f"{labels[chain[-1]]}: after: nothing is called {after!r}; {nearest(after, keys)}"
            )
        if keys[after] in chain:
            circle = " -> ".join([*(labels[one] for one in chain), after])
            raise CyclicSchedule(f"steps wait for each other: {circle}; drop one `after`")
        chain.append(keys[after])
    return chain[::-1]


def _placed(
    key: tuple[str, int],
    items: Mapping[tuple[str, int], _Item],
    labels: Mapping[tuple[str, int], str],
    keys: Mapping[str, tuple[str, int]],
    spans: Mapping[tuple[str, int], Scheduled],
    run: int,
) -> Scheduled:
    item = items[key]
    start = item.start + (spans[keys[item.after]].end if item.after else 0)
    if start >= run:
        raise ConfigError(
            f"{labels[key]} starts at tick {start}, and the run ends at {run}; start it earlier"
        )
    side = {"events": Side.SCENARIO, "red": Side.RED, "blue": Side.BLUE}[key[0]]
    what = getattr(item, "technique", None) or getattr(item, "measure", None) or "event"
    return Scheduled(side, labels[key], what, start, min(item.last(start, run), run))
