"""The official sample files, from a user's own clone of the StrucText-Eval repository.

The clone holds one JSON file a sample under `Benchmark/{k}Shotbenchmark/LANGUAGE/TASK/`. Its
depth, width and columns are called node_number, n_ary_ratio and para_len_ratio there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from burnish.errors import DataError, UsageError
from burnish.methods.structext.rules import LANGUAGES, Rule, rules_of
from burnish.methods.structext.sample import Difficulty, Sample, Shot, Suite

_DIALS = ("node_number", "n_ary_ratio", "para_len_ratio")


def load_release(folder: str | Path, *, hints: bool = False) -> Suite:
    """Read every released sample below `folder`, sorted by path.

    Args:
        folder: a clone of the official repository, or its `Benchmark` folder, or part of it.
        hints: whether the samples carry their rule hint.

    Returns:
        Samples of profile "official".

    Raises:
        DataError: no sample below the folder, or a file with a missing or wrong field.
    """
    folder = Path(folder)
    paths = sorted(folder.rglob("*Shotbenchmark*/**/*.json")) or sorted(folder.rglob("*.json"))
    if not paths:
        raise DataError(
            f"{folder}: wanted a clone of MikeGu721/StrucText-Eval with Benchmark/*/*.json, "
            "found no such file"
        )
    return Suite(tuple(_sample(path, hints=hints) for path in paths))


def _sample(path: Path, *, hints: bool) -> Sample:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: cannot be read as JSON ({error})") from None
    label = _field(record, "Label", dict, path)
    language = _field(label, "typename", str, path).lower()
    if language not in LANGUAGES:
        raise DataError(
            f"{path}, field typename: wanted one of {', '.join(LANGUAGES)}, got {language!r}"
        )
    dials = [_field(label, name, int, path) for name in _DIALS]
    question = _field(record, "Question", str, path)
    rule = _rule(language, question, path)
    return Sample(
        language=language,
        task=rule.task,
        rule=rule.id,
        difficulty=Difficulty(*dials),
        text=_field(record, "Reference", str, path),
        question=question,
        answer=_field(record, "Answer", str, path).strip(),
        shots=tuple(_shot(shot, path) for shot in record.get("examples") or ()),
        hint=_field(record, "RuleHint", str, path) if hints else "",
        compare=rule.compare,
        profile="official",
    )


def _rule(language: str, question: str, path: Path) -> Rule:
    for rule in rules_of(language):
        try:
            rule.read(question)
        except UsageError:
            continue
        return rule
    raise DataError(f"{path}, field Question: no rule of {language} asks {question!r}")


def _shot(record: object, path: Path) -> Shot:
    return Shot(
        text=_field(record, "Reference", str, path),
        question=_field(record, "Question", str, path),
        answer=_field(record, "Answer", str, path).strip(),
    )


def _field(record: object, name: str, wanted: type, path: Path) -> Any:
    if not isinstance(record, Mapping):
        raise DataError(f"{path}: wanted an object, got {type(record).__name__}")
    if type(record.get(name)) is not wanted:
        came = type(record[name]).__name__ if name in record else "nothing"
        raise DataError(f"{path}, field {name}: wanted {wanted.__name__}, got {came}")
    return record[name]
