"""Whether the reference solver gives the released answers, on data the user brings."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, get_args

from burnish.errors import BurnishError, DataError
from burnish.methods.structext.release import load_release
from burnish.methods.structext.rules import RULES
from burnish.methods.structext.sample import Compare, Difficulty
from burnish.methods.structext.solver import agrees, solve

UNANSWERABLE = "question-path-truncated"
"""The known issue (D3) by which a record's own answer is wrong."""
_NAMED_LEVELS = 3


class Mismatch(NamedTuple):
    """A record that was not solved as its reference says."""

    id: str
    rule: str
    wanted: str
    got: str


@dataclass(frozen=True)
class Report:
    """What came out.

    Attributes:
        checked: records compared, by rule.
        solved: records that agree, by rule.
        excluded: ids of records whose reference is known to be wrong (D3).
        mismatches: the rest.
    """

    checked: Mapping[str, int]
    solved: Mapping[str, int]
    excluded: tuple[str, ...]
    mismatches: tuple[Mismatch, ...]

    @property
    def passed(self) -> bool:
        """Whether every record that was compared agrees, and there was one."""
        return bool(self.checked) and not self.mismatches

    def as_dict(self) -> dict[str, Any]:
        """Plain data: totals, one row a rule, and every mismatch."""
        return {
            "passed": self.passed,
            "checked": sum(self.checked.values()),
            "solved": sum(self.solved.values()),
            "excluded": list(self.excluded),
            "rules": [
                {"rule": rule, "checked": count, "solved": self.solved.get(rule, 0)}
                for rule, count in self.checked.items()
            ],
            "mismatches": [mismatch._asdict() for mismatch in self.mismatches],
        }

    def __str__(self) -> str:
        lines = [
            f"{rule}: wanted {wanted!r:.200}, got {got!r:.200} ({name})"
            for name, rule, wanted, got in self.mismatches
        ]
        total, solved = sum(self.checked.values()), sum(self.solved.values())
        lines.append(
            f"{solved} of {total} answers agree, {len(self.checked)} of {len(RULES)} rules; "
            f"{len(self.excluded)} left out as {UNANSWERABLE}"
        )
        return "\n".join(lines)


class _Record(NamedTuple):
    id: str
    rule: str
    difficulty: Difficulty
    text: str
    question: str
    answer: str
    compare: Compare
    excluded: bool


def check(path: str | Path) -> Report:
    """Solve every record from its text and compare with its answer, under its compare mode.

    Args:
        path: a file of JSON Lines with id, rule, difficulty, text, question, answer, compare and
            known_issues; a folder with such a file named visible.jsonl, or with a folder
            `structext` that has it; or a clone of the official repository.

    Raises:
        DataError: nothing to check there, or a record with a missing or wrong field.
    """
    path = Path(path)
    files = (path, path / "visible.jsonl", path / "structext" / "visible.jsonl")
    lines = next((file for file in files if file.is_file()), None)
    return _report(_records(lines) if lines else _released(path))


def _report(records: Iterable[_Record]) -> Report:
    checked: Counter[str] = Counter()
    solved: Counter[str] = Counter()
    excluded: list[str] = []
    mismatches: list[Mismatch] = []
    for record in records:
        if record.excluded:
            excluded.append(record.id)
            continue
        checked[record.rule] += 1
        try:
            got = solve(record.text, record.question, record.rule, record.difficulty)
        except BurnishError as error:
            got = f"error: {error}"
        if agrees(got, record.answer, record.compare):
            solved[record.rule] += 1
        else:
            mismatches.append(Mismatch(record.id, record.rule, record.answer, got))
    in_order = {rule: checked[rule] for rule in RULES if rule in checked}
    return Report(in_order, dict(solved), tuple(excluded), tuple(mismatches))


def _released(folder: Path) -> Iterator[_Record]:
    for sample in load_release(folder):
        walk = RULES[sample.rule].read(sample.question).variables.get("path", "")
        deep = sample.difficulty.depth > _NAMED_LEVELS
        yield _Record(
            id=sample.id,
            rule=sample.rule,
            difficulty=sample.difficulty,
            text=sample.text,
            question=sample.question,
            answer=sample.answer,
            compare=sample.compare,
            excluded=deep and walk.count(" under ") == _NAMED_LEVELS - 1,
        )


def _records(path: Path) -> Iterator[_Record]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                yield _record(json.loads(line))
            except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
                raise DataError(
                    f"{path}, line {number}: not a conformance record "
                    f"({type(error).__name__}: {error})"
                ) from None


def _record(content: Mapping[str, Any]) -> _Record:
    dials = content["difficulty"]
    record = _Record(
        id=content["id"],
        rule=content["rule"],
        difficulty=Difficulty(dials["depth"], dials["width"], dials["columns"]),
        text=content["text"],
        question=content["question"],
        answer=content["answer"],
        compare=content["compare"],
        excluded=UNANSWERABLE in content["known_issues"],
    )
    if record.compare not in get_args(Compare) or record.rule not in RULES:
        raise ValueError(f"rule {record.rule!r} or compare {record.compare!r} is unknown")
    return record
