"""Settings of a social-network run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import Field
from pydantic.dataclasses import dataclass

MeasureName = Literal[
    "label",
    "downrank",
    "debunk",
    "prebunk",
    "literacy",
    "notes",
    "rate_limit",
    "delay",
    "expire",
    "suspend",
    "duplicate_limit",
]
RankerName = Literal[
    "random",
    "chrono",
    "popularity",
    "followers_mix",
    "hot",
    "similarity_recency",
    "bridging",
    "engagement",
]


def _unit(unit: str) -> dict[str, Any]:
    return {"unit": unit}


@dataclass(frozen=True, kw_only=True)
class SocialsimConfig:
    """Which world is run, with which countermeasures, and what is checked on the way.

    The position paper (arXiv 2310.07545) states no values; defaults are ours.
    """

    scenario: Annotated[
        str, Field(description="a YAML file, or harbour_rumour or quiet_vote, which come along")
    ] = "harbour_rumour"
    edges: Annotated[
        str,
        Field(
            description="your own graph: CSV or Parquet with columns follower and followee, in "
            "place of the scenario's generator"
        ),
    ] = ""
    agents: Annotated[
        int, Field(ge=100, le=2_000_000, description="accounts", json_schema_extra=_unit("items"))
    ] = 100_000
    hours: Annotated[
        int,
        Field(
            ge=0,
            le=65_535,
            description="of a run; 0 is what the scenario says",
            json_schema_extra=_unit("hours"),
        ),
    ] = 0
    seeds: Annotated[int, Field(ge=1, description="twin runs of each arm; 10 for an interval")] = 1
    measures: Annotated[
        tuple[MeasureName, ...],
        Field(description="countermeasures run alone, against none, with their defaults"),
    ] = ("label", "downrank")
    measure_delay: Annotated[
        int,
        Field(
            ge=0,
            description="of label, downrank, debunk and expire after a post, and of held posts",
            json_schema_extra=_unit("hours"),
        ),
    ] = 6
    label_strength: Annotated[
        float, Field(gt=0, le=20, description="what a label takes from the logit of sharing")
    ] = 0.61
    label_delays: Annotated[
        tuple[Annotated[int, Field(ge=0)], ...],
        Field(
            description="after a post, at which labels are tried", json_schema_extra=_unit("hours")
        ),
    ] = ()
    thresholds: Annotated[
        tuple[Annotated[float, Field(ge=0, le=1)], ...],
        Field(description="of the detector's score, at which suspension at once is tried"),
    ] = ()
    rankers: Annotated[
        tuple[RankerName, ...],
        Field(description="under which the campaign is run without countermeasures"),
    ] = ()
    fact_seeds: Annotated[
        int,
        Field(
            ge=0,
            description="runs without a campaign that are held against the stylised facts, as they "
            "are, without falsity's appeal, and with 0 and 8 trending posts; 0 skips it",
        ),
    ] = 0
    detection_seeds: Annotated[
        int, Field(ge=0, description="worlds with and without swarming bots to be found")
    ] = 0
    detection_agents: Annotated[
        int, Field(ge=5000, description="accounts of these", json_schema_extra=_unit("items"))
    ] = 20_000
    model: Annotated[
        str,
        Field(
            description="of core agents: an asset's name, a hub id, a folder, a .gguf file; or "
            "scripted, a formula that needs no model; or none"
        ),
    ] = "smollm2-135m-instruct"
    core: Annotated[
        int, Field(ge=1, le=200, description="core agents of the hybrid world, chosen by role")
    ] = 10
    core_agents: Annotated[
        int,
        Field(ge=200, description="accounts of the hybrid world", json_schema_extra=_unit("items")),
    ] = 2000
    core_hours: Annotated[
        int, Field(ge=1, description="of the hybrid world", json_schema_extra=_unit("hours"))
    ] = 24
    personas: Annotated[
        int,
        Field(
            ge=0, le=200, description="core agents that are probed to calibrate the rule; 0 is none"
        ),
    ] = 0
    probe_items: Annotated[
        int, Field(ge=1, description="posts each is probed with", json_schema_extra=_unit("items"))
    ] = 100
    all_llm_agents: Annotated[
        int,
        Field(
            ge=0,
            le=500,
            description="accounts of a world where the model decides for all, against the "
            "calibrated rule; 0 is none",
            json_schema_extra=_unit("items"),
        ),
    ] = 0
    all_llm_hours: Annotated[
        int, Field(ge=1, description="of that world", json_schema_extra=_unit("hours"))
    ] = 24
    scale: Annotated[
        tuple[Annotated[int, Field(ge=1000, le=2_000_000)], ...],
        Field(
            description="worlds whose cost is measured, each in a process of its own",
            json_schema_extra=_unit("items"),
        ),
    ] = ()
    precision: Annotated[
        Literal["auto", "float32", "bfloat16"],
        Field(description="of the model; auto is bfloat16 where the processor has it"),
    ] = "auto"
    replay_nodes: Annotated[
        int,
        Field(
            ge=1,
            le=20_000,
            description="accounts the replay shows one by one",
            json_schema_extra=_unit("items"),
        ),
    ] = 5000
    workers: Annotated[int, Field(ge=0, description="worlds at once; 0 is one a core")] = 0

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": {},
        "cpu": {
            "seeds": 10,
            "measures": get_args(MeasureName),
            "label_strength": 0.33,
            "label_delays": (1, 3, 6, 15, 24, 48),
            "thresholds": (0.9, 0.3, 0.1, 0.05),
            "rankers": ("chrono", "followers_mix"),
            "fact_seeds": 10,
            "detection_seeds": 5,
            "core": 50,
            "core_agents": 100_000,
            "core_hours": 48,
            "personas": 50,
            "all_llm_agents": 200,
            "scale": (1_000, 10_000, 100_000, 1_000_000),
        },
        "paper": {
            "agents": 1_000_000,
            "seeds": 10,
            "measures": ("label", "downrank", "debunk", "prebunk", "notes", "suspend"),
            "label_delays": (1, 3, 6, 15, 24, 48),
            "thresholds": (0.9, 0.3, 0.1),
            "rankers": ("chrono", "popularity", "followers_mix", "hot", "bridging", "random"),
            "fact_seeds": 10,
            "detection_seeds": 10,
            "detection_agents": 100_000,
            "model": "HuggingFaceTB/SmolLM2-1.7B-Instruct",
            "core": 200,
            "core_agents": 1_000_000,
            "core_hours": 168,
            "personas": 200,
            "all_llm_agents": 500,
        },
    }
