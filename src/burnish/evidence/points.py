"""A measured value: the unit of everything a run writes and a claim reads."""

from __future__ import annotations

from collections.abc import Mapping
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
