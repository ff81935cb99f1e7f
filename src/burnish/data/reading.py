"""A user's data as `Examples`. A mistake is one line that names the file, the row, the column."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from burnish.data.examples import Examples, Task
from burnish.data.tables import Table, read_table
from burnish.errors import DataError, UsageError

_MOST_CLASSES = 10_000
_TEXT = {"classification": "text", "pairs": "text", "qa": "context"}


def read_examples(
    spec: str | Path,
    *,
    task: Task,
    text: str | None = None,
    other: str | None = None,
    label: str = "label",
    label_names: Sequence[str] | None = None,
    id_column: str | None = None,
    split: str | None = None,
) -> Examples:
    """Labelled texts from a file, a folder or the hub.

    Labels that are whole numbers are class indices from 0 and keep their value; other labels are
    names, sorted for their index. Read a test set with the training set's `label_names`, so that
    both agree even if a class is missing. Of several answers to a question the first is taken.

    Args:
        spec: a .csv, .tsv, .jsonl, .json or .parquet file, a folder from `datasets.save_to_disk`,
            or "owner/name" or "owner/name:config" on the Hugging Face hub; only the last needs a
            network.
        task: what the columns mean.
        text: column of the text, of the first text of a pair ("text" if not given), or of the
            context of a question ("context").
        other: column of the second text of a pair, or of the question ("question"). Pairs need it.
        label: column of the class; unused for qa, which reads either the column answers, each
            {"text": [...], "answer_start": [...]} as in SQuAD, or answer and answer_start.
        label_names: the classes in the order of their index.
        id_column: column of the examples' ids, whole numbers; the row number from 0 if not given.
        split: which part of a folder or hub data set.

    Raises:
        DataError: the source or a value in it is not as described; one line, with its place.
        UsageError: the arguments do not fit the task.
    """
    if task not in _TEXT:
        raise UsageError(f"task is classification, pairs or qa, got {task!r}")
    first, second = text or _TEXT[task], other or ("question" if task == "qa" else None)
    if task == "pairs" and second is None:
        raise UsageError("pairs need the column of the second text; give other")
    if task == "classification" and second is not None:
        raise UsageError(f"classification has one text, got other={second!r}; use the task pairs")
    asked = ("answers", "answer", "answer_start") if task == "qa" else (label,)
    wanted = [name for name in (first, second, *asked, id_column) if name]
    table = read_table(spec, list(dict.fromkeys(wanted)), split=split)
    if not table.numbers:
        raise DataError(f"{table.source} has no rows; give at least one example")
    texts, others = _texts(table, first), _texts(table, second) if second else ()
    ids = _ids(table, id_column) if id_column else tuple(range(len(texts)))
    if task == "qa":
        answers = _answers(table, texts, first)
        return Examples(task, ids, texts, others, answers=answers)
    names = tuple(label_names) if label_names is not None else table.class_names.get(label)
    labels, names = _labels(table, label, names)
    return Examples(task, ids, texts, others, labels=labels, label_names=names)


def _texts(table: Table, column: str) -> tuple[str, ...]:
    values = table.column(column)
    for row, value in enumerate(values):
        if not isinstance(value, str) or not value.strip():
            empty = value is None or isinstance(value, str)
            came = "is empty" if empty else f"is a {type(value).__name__}"
            raise DataError(
                f"{table.place(row, column)}, must be a text, but {came}; fill it in or drop it"
            )
    return tuple(values)


def _ids(table: Table, column: str) -> tuple[int, ...]:
    seen: dict[int, int] = {}
    for row, value in enumerate(table.column(column)):
        number = _whole(value)
        if number is None:
            came = "is missing" if value in (None, "") else f"is {value!r}"
            raise DataError(
                f"{table.place(row, column)}, must be a whole number, but {came}; "
                "number the rows, or leave id_column out"
            )
        if number in seen:
            raise DataError(
                f"{table.place(row, column)}, must be an id of its own, but {number} is also in "
                f"{table.unit} {table.numbers[seen[number]]}; number the rows, or leave id_column "
                "out"
            )
        seen[number] = row
    return tuple(seen)


def _whole(value: object) -> int | None:
    """The whole number that a value is or spells, or None."""
    number = _number(value)
    return int(number) if number is not None and float(number).is_integer() else None


def _number(value: object) -> int | float | None:
    """The number that a value is or spells; texts such as "nan" and "1_000" spell none."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        if not value.strip() or value.strip().strip("+-0123456789.eE"):
            return None
        try:
            return int(value)
        except ValueError:
            pass
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _labels(
    table: Table, column: str, names: tuple[str, ...] | None
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Class indices, and the names of the classes."""
    values = table.column(column)
    for row, value in enumerate(values):
        if value is None or value == "" or isinstance(value, (list, dict)):
            came = "is missing" if value in (None, "") else f"is {value!r}"
            raise DataError(
                f"{table.place(row, column)}, must be a class, but {came}; label it or drop it"
            )
    if names is not None and all(value in names for value in values):
        return tuple(names.index(value) for value in values), names
    numbers = [_number(value) for value in values]
    if all(number is None for number in numbers):
        return _named(table, column, names)
    return _numbered(table, column, numbers, names)


def _named(
    table: Table, column: str, names: tuple[str, ...] | None
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    values = [str(value) for value in table.column(column)]
    known = names or tuple(sorted(set(values)))
    index = {name: place for place, name in enumerate(known)}
    for row, value in enumerate(values):
        if value not in index:
            raise DataError(
                f"{table.place(row, column)}, must be one of {', '.join(known)}, but is {value!r}; "
                "mend it, or add it to label_names"
            )
    return tuple(index[value] for value in values), known


def _numbered(
    table: Table,
    column: str,
    numbers: Sequence[int | float | None],
    names: tuple[str, ...] | None,
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    most = len(names) if names is not None else _MOST_CLASSES
    for row, number in enumerate(numbers):
        if number is not None and float(number).is_integer() and 0 <= number < most:
            continue
        value = table.column(column)[row]
        raise DataError(
            f"{table.place(row, column)}, must be a class index, a whole number from 0 to "
            f"{most - 1}, but is {value!r}; write class names instead, or drop rows without label"
        )
    indices = tuple(int(number) for number in numbers if number is not None)
    return indices, names if names is not None else tuple(map(str, range(max(indices) + 1)))


def _answers(table: Table, contexts: Sequence[str], context: str) -> tuple[tuple[int, str], ...]:
    if "answers" in table.columns:
        column, found = "answers", [_first_answer(value) for value in table.column("answers")]
    else:
        column, starts = "answer", table.column("answer_start")
        pairs = zip(starts, table.column("answer"), strict=True)
        found = [_answer(start, answer) for start, answer in pairs]
    answers = []
    for row, answer in enumerate(found):
        if answer is None:
            raise DataError(
                f"{table.place(row, column)}, must be an answer and the character where it starts, "
                "in SQuAD's layout; questions without answer cannot be used, drop them"
            )
        start, answered = answer
        if start < 0 or not contexts[row].startswith(answered, start):
            at = contexts[row].find(answered)
            there = f"it is at {at}" if at >= 0 else "it is nowhere in it"
            raise DataError(
                f"{table.place(row, column)}: {answered!r} must stand in {context!r} at character "
                f"{start}, but {there}; count characters from 0, not bytes"
            )
        answers.append(answer)
    return tuple(answers)


def _first_answer(value: Any) -> tuple[int, str] | None:
    """The first of the answers in SQuAD's layout, or None if it is not that or has none."""
    if not isinstance(value, dict):
        return None
    texts, starts = value.get("text"), value.get("answer_start")
    if not texts or not starts or isinstance(texts, str):
        return None
    return _answer(starts[0], texts[0])


def _answer(start: object, answer: object) -> tuple[int, str] | None:
    place = _whole(start)
    return (place, answer) if place is not None and isinstance(answer, str) and answer else None
