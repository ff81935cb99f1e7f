"""Reference answers from the text alone: all 29 rules, by parsing what a model would be shown."""

from __future__ import annotations

from collections import Counter

from burnish.errors import UsageError
from burnish.methods.structext.languages import SOLVERS
from burnish.methods.structext.languages.item import Asking
from burnish.methods.structext.rules import RULES
from burnish.methods.structext.sample import SIMPLE, Compare, Difficulty, Profile, Sample, Shot


def solve(
    text: str,
    question: str,
    rule: str,
    difficulty: Difficulty | None = None,
    *,
    profile: Profile | None = None,
) -> str:
    """Answer a question by parsing the text.

    Args:
        text: the document, as released or as generated.
        question: worded by `rule`, in either profile.
        rule: e.g. "json.4".
        difficulty: the dials of the document. Only latex.2 needs them, and only for official
            texts, whose first two heading levels look alike (D2).
        profile: where the text comes from, if that is known; latex.2 alone asks.

    Returns:
        The answer. Lists are in document order; the release has them in hash order (D1).

    Raises:
        StructureError: the text is not well formed; names the line. Syntax rules answer instead.
        UsageError: an unknown rule, a question it does not word so, or one the text cannot
            answer; latex.2 on an official text without difficulty.

    Source: StrucText-Eval, arXiv 2406.10621, and its October 2024 release.
    """
    if rule not in RULES:
        raise UsageError(f"unknown rule {rule!r}; there are: {', '.join(RULES)}")
    asked = RULES[rule].read(question)
    return SOLVERS[rule](text, Asking(asked.variables, asked.profile, profile, difficulty))


def agrees(answer: str, reference: str, compare: Compare) -> bool:
    """Whether an answer equals the reference: exactly, or as a multiset of lines."""
    if compare == "line_multiset":
        return Counter(answer.split("\n")) == Counter(reference.split("\n"))
    return answer == reference


def verify(sample: Sample) -> bool:
    """Whether the reference answer of a sample, and of each of its shots, follows from the text.

    Raises:
        StructureError, UsageError: as `solve`.
    """
    shot_size = SIMPLE if sample.simple_shots else sample.difficulty
    asked: list[tuple[Sample | Shot, Difficulty]] = [
        (sample, sample.difficulty),
        *((shot, shot_size) for shot in sample.shots),
    ]
    return all(
        agrees(
            solve(item.text, item.question, sample.rule, size, profile=sample.profile),
            item.answer,
            sample.compare,
        )
        for item, size in asked
    )
