"""Testable sentences and what execution says of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from burnish.evidence.points import Point

Status = Literal["holds", "fails", "not_tested"]


@dataclass(frozen=True)
class Verdict:
    """What the points say of a claim.

    Attributes:
        status: "holds", "fails" or "not_tested".
        measured: the value the claim is about, in the claim's unit; None where not tested.
        interval: (low, high) of the measured value at 95 % confidence, where there is one.
        note: one line: sample sizes, what was tried, or the command that would test it.
    """

    status: Status
    measured: float | None = None
    interval: tuple[float, float] | None = None
    note: str = ""


@dataclass(frozen=True)
class Claim:
    """One testable sentence of the paper or of ours.

    Attributes:
        id: short and stable, e.g. "three-shot-helps".
        statement: the sentence.
        source: paper and section, table or equation; "burnish" for our own.
        paper_value: the published number, None where there is none.
        unit: of `paper_value` and of the measured value.
        check: computes the verdict from a run's points, never from anything else.
    """

    id: str
    statement: str
    source: str
    paper_value: float | None
    unit: str
    check: Callable[[Sequence[Point]], Verdict]
