"""A measured value: the unit of everything a run writes and a claim reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Point:
    """One measurement.

    Attributes:
        step: training step, round or 0.
        name: what was measured, ending in its unit: "accuracy_percent".
        value: the number; None means not scored: counted, never averaged as 0.
        tags: what it was measured on, e.g. {"language": "json", "answerer": "oracle"}.
    """

    step: int
    name: str
    value: float | None
    tags: Mapping[str, str | int | float | bool] = field(default_factory=dict)


def find(points: Sequence[Point], name: str, **tags: str | float) -> list[Point]:
    """Points of a name that carry all these tags."""
    return [
        point
        for point in points
        if point.name == name and all(point.tags.get(tag) == value for tag, value in tags.items())
    ]


def interval_of(point: Point) -> tuple[float, float] | None:
    """The 95 % bounds of a point that was logged with an interval."""
    low, high = point.tags.get("low"), point.tags.get("high")
    if low is None or high is None:
        return None
    return float(low), float(high)
