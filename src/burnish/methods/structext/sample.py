"""What a StrucText-Eval item is, and how a suite of them is written and read.

Standard library only, like everything that generates or solves: a suite can be built wherever
Python runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from burnish.errors import DataError

Profile = Literal["official", "corrected"]
Compare = Literal["exact", "line_multiset"]


@dataclass(frozen=True)
class Difficulty:
    """The dials of a document: ratios for depth, width and columns (specification: d, w, c)."""

    depth: int
    width: int
    columns: int = 6


@dataclass(frozen=True)
class Shot:
    """A worked example of the same rule on its own document."""

    text: str
    question: str
    answer: str


@dataclass(frozen=True)
class Sample:
    """One question about one document, with its reference answer.

    Attributes:
        language: one of the eight, see `rules.LANGUAGES`.
        task: one of the eight tasks, e.g. "PathCompose".
        rule: e.g. "json.4".
        difficulty: the dials the document was drawn with.
        text: the document, raw.
        question: in the wording of the release.
        answer: reference, stripped.
        shots: worked examples, in prompt order; empty for zero-shot.
        hint: the rule hint that goes into the prompt, or "" for none.
        compare: how an answer equals the reference: "exact", or "line_multiset" where the
            reference is a list in arbitrary order.
        profile: of the generator that drew it.
        simple_shots: whether the shots were drawn at the fixed easy difficulty.
    """

    language: str
    task: str
    rule: str
    difficulty: Difficulty
    text: str
    question: str
    answer: str
    shots: tuple[Shot, ...] = ()
    hint: str = ""
    compare: Compare = "exact"
    profile: Profile = "corrected"
    simple_shots: bool = False

    @cached_property
    def id(self) -> str:
        """First 16 hex digits of the SHA-256 of the content; the same content, the same id."""
        payload = json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(payload.encode()).hexdigest()[:16]
