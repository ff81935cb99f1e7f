"""What a StrucText-Eval item is, and how a suite of them is written and read.

Standard library only, like everything that generates or solves: a suite can be built wherever
Python runs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, get_args, overload

from burnish.errors import DataError

Profile = Literal["official", "corrected"]
Compare = Literal["exact", "line_multiset"]


@dataclass(frozen=True)
class Difficulty:
    """The dials of a document: ratios for depth, width and columns (specification: d, w, c)."""

    depth: int
    width: int
    columns: int = 6


SIMPLE = Difficulty(2, 1, 6)
"""The dials of simple shots, whatever the difficulty of the test item."""


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
        payload = json.dumps(_content(self), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(payload.encode(errors="surrogatepass")).hexdigest()[:16]


def assemble(
    shared: Mapping[str, Any], item: tuple[str, str, str], shots: tuple[Shot, ...]
) -> Sample:
    """A sample of a text, question and answer, whose other fields are all in `shared`.

    A generator makes 200,000 samples a second, and a frozen dataclass's own constructor, which
    sets field by field, takes longer than drawing the document.
    """
    sample = object.__new__(Sample)
    content = sample.__dict__
    content.update(shared)
    content["text"], content["question"], content["answer"] = item
    content["shots"] = shots
    return sample


@dataclass(frozen=True)
class Suite(Sequence[Sample]):
    """Samples in order."""

    samples: tuple[Sample, ...]

    def __len__(self) -> int:
        return len(self.samples)

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples)

    @overload
    def __getitem__(self, index: int) -> Sample: ...

    @overload
    def __getitem__(self, index: slice) -> Suite: ...

    def __getitem__(self, index: int | slice) -> Sample | Suite:
        if isinstance(index, slice):
            return Suite(self.samples[index])
        return self.samples[index]

    def to_jsonl(self, path: str | Path) -> Path:
        """Write one sample a line; the file appears whole or not at all.

        Returns:
            The file.
        """
        return write(self.samples, path)


def write(samples: Iterable[Sample], path: str | Path) -> Path:
    """Write samples as JSON Lines as they come; the file appears whole or not at all.

    Returns:
        The file.
    """
    path = Path(path)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with unfinished.open("w", encoding="utf-8", newline="\n") as file:
            for sample in samples:
                record = {"id": sample.id, **_content(sample)}
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


def load(path: str | Path) -> Suite:
    """Read a suite that `Suite.to_jsonl` wrote.

    Raises:
        DataError: names file, line and field of whatever is missing, unknown, of the wrong type,
            or does not belong to the sample's id.
    """
    return Suite(tuple(read(path)))


def read(path: str | Path) -> Iterator[Sample]:
    """Read samples one by one; otherwise as `load`."""
    path = Path(path)
    try:
        file = path.open(encoding="utf-8", newline="\n")
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    with file:
        number = 0
        try:
            for number, line in enumerate(file, 1):
                yield _parse(line, f"{path}, line {number}")
        except UnicodeDecodeError as error:
            raise DataError(f"{path}, after line {number}: not UTF-8 ({error.reason})") from error


def _content(sample: Sample) -> dict[str, Any]:
    """All fields as plain data; unlike `dataclasses.asdict`, texts are not copied."""
    content = {name: getattr(sample, name) for name in _FIELDS}
    content["difficulty"] = vars(sample.difficulty)
    content["shots"] = [vars(shot) for shot in sample.shots]
    return content


_FIELDS = tuple(field.name for field in fields(Sample))
_TYPES: Mapping[str, type] = {
    **dict.fromkeys(_FIELDS, str),
    "id": str,
    "difficulty": dict,
    "shots": list,
    "simple_shots": bool,
}
_SHOT_TYPES = {"text": str, "question": str, "answer": str}
_DIAL_TYPES = {"depth": int, "width": int, "columns": int}
_CHOICES = {"compare": get_args(Compare), "profile": get_args(Profile)}


def _parse(line: str, where: str) -> Sample:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(f"{where}: not JSON ({error.msg} at column {error.colno})") from None
    content = _checked(record, _TYPES, where)
    for name, choices in _CHOICES.items():
        if content[name] not in choices:
            raise DataError(
                f"{where}, field {name}: wanted one of {', '.join(choices)}, got {content[name]!r}"
            )
    dials = _checked(content["difficulty"], _DIAL_TYPES, f"{where}, field difficulty")
    shots = [_checked(shot, _SHOT_TYPES, f"{where}, field shots") for shot in content["shots"]]
    claimed = content.pop("id")
    sample = Sample(
        **content
        | {"difficulty": Difficulty(**dials), "shots": tuple(Shot(**shot) for shot in shots)}
    )
    if sample.id != claimed:
        raise DataError(
            f"{where}, field id: the content has the id {sample.id}, the file says {claimed}; "
            "the line was edited or damaged, write the suite again"
        )
    return sample


def _checked(record: object, types: Mapping[str, type], where: str) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise DataError(f"{where}: wanted an object, got {type(record).__name__}")
    for name in record:
        if name not in types:
            raise DataError(f"{where}: unknown field {name!r}; known are: {', '.join(types)}")
    for name, wanted in types.items():
        if name not in record:
            raise DataError(f"{where}: field {name!r} is missing")
        if type(record[name]) is not wanted:
            raise DataError(
                f"{where}, field {name}: wanted {wanted.__name__}, "
                f"got {type(record[name]).__name__}"
            )
    return record
