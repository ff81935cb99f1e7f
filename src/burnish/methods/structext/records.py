"""The log of an evaluation: append-only JSON Lines that survive a kill at any moment.

The first line names the answerer. Every other line is the record of one answer, whole, or new
scores of an earlier one. A later line about the same sample takes the place of the earlier.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from burnish.errors import DataError
from burnish.methods.structext.answerers import Answer
from burnish.methods.structext.sample import Sample

FILE_NAME = "records.jsonl"
VERSION = 1
TAGS = (
    "language",
    "task",
    "rule",
    "depth",
    "width",
    "columns",
    "shots",
    "hint",
    "simple_shots",
    "profile",
)

Tag = str | int | bool
Source = Path | bytes

_START = b'{"structext_log": '


@dataclass(slots=True)
class Row:
    """What stays in memory of a record: everything but the texts.

    Attributes:
        id: of the sample.
        prompt: hash of what the answerer was given.
        document: hash of the text; questions about one document share it.
        tags: values of `TAGS`.
        status: "done", "skipped" (could not be asked) or "error" (the call failed).
        scores: by metric; None where a judge gave no verdict.
        offset: byte of the log at which the record begins.
        tokens: prompt and completion together.
        usd: US dollars.
        seconds: of the call.
    """

    id: str
    prompt: str
    document: str
    tags: Mapping[str, Tag]
    status: str
    scores: dict[str, float | None]
    offset: int
    tokens: int = 0
    usd: float = 0.0
    seconds: float = 0.0


@dataclass
class Contents:
    """What is in a log: who answered, the newest row of each sample, and where good lines end."""

    answerer: str = ""
    rows: dict[str, Row] = field(default_factory=dict)
    end: int = 0


def record(
    sample: Sample,
    answer: Answer,
    *,
    prompt: str,
    document: str,
    scores: Mapping[str, float | None],
) -> dict[str, Any]:
    """The log line of an answer, as JSON-ready data; texts of documents are not repeated in it."""
    dials = sample.difficulty
    found: dict[str, Any] = {
        "id": sample.id,
        "prompt": prompt,
        "document": document,
        "language": sample.language,
        "task": sample.task,
        "rule": sample.rule,
        "depth": dials.depth,
        "width": dials.width,
        "columns": dials.columns,
        "shots": len(sample.shots),
        "hint": bool(sample.hint),
        "simple_shots": sample.simple_shots,
        "profile": sample.profile,
        "compare": sample.compare,
        "question": sample.question,
        "answer": sample.answer,
        "status": "error" if answer.error else "skipped" if answer.skipped else "done",
        "prediction": answer.text,
        "scores": dict(scores),
        "seconds": round(answer.seconds, 6),
        "prompt_tokens": answer.usage.prompt_tokens,
        "completion_tokens": answer.usage.completion_tokens,
        "usd": answer.usage.usd,
        "finish": answer.finish,
        "cached": answer.cached,
        "choices": answer.choices,
    }
    if answer.raw:
        found["raw"] = answer.raw
    if answer.error or answer.skipped:
        found["reason"] = answer.error or answer.skipped
    return found


def row(data: Mapping[str, Any], offset: int) -> Row:
    """The light part of a record that begins at a byte of the log."""
    return Row(
        id=data["id"],
        prompt=data["prompt"],
        document=data["document"],
        tags={name: data[name] for name in TAGS},
        status=data["status"],
        scores=dict(data["scores"]),
        offset=offset,
        tokens=data["prompt_tokens"] + data["completion_tokens"],
        usd=data["usd"],
        seconds=data["seconds"],
    )


def read(source: Source) -> Contents:
    """Everything in a log but its texts, one line in memory at a time.

    A last line that a kill has cut short is left out; `Contents.end` is where it begins.

    Raises:
        DataError: another line is damaged, or the file is no log of this version.
    """
    contents = Contents()
    _refuse_stranger(source)
    for offset, end, data in _lines(source):
        if offset == 0:
            contents.answerer = _header(source, data)
        elif "status" in data:
            contents.rows[data["id"]] = row(data, offset)
        elif data["id"] in contents.rows:
            contents.rows[data["id"]].scores.update(data["scores"])
        contents.end = end
    return contents


def records(source: Source, rows: Mapping[str, Row]) -> Iterator[dict[str, Any]]:
    """The newest whole record of each sample, in log order, with the scores of `rows`."""
    for offset, _, data in _lines(source):
        current = rows.get(data.get("id", ""))
        if current is not None and current.offset == offset:
            yield data | {"scores": dict(current.scores)}


def header(answerer: str) -> dict[str, Any]:
    """The first line of a log."""
    return {"structext_log": VERSION, "answerer": answerer}


def encode(data: Mapping[str, Any]) -> bytes:
    """A log line; ASCII, so that no character a model may say can break a line or an encoding."""
    return json.dumps(data).encode("ascii") + b"\n"


def _lines(source: Source) -> Iterator[tuple[int, int, dict[str, Any]]]:
    """First byte, byte after the end, and data of each good line."""
    with _open(source) as stream:
        offset = 0
        for number, line in enumerate(stream, 1):
            end = offset + len(line)
            data = _decode(line)
            if data is None:
                if stream.read(1):
                    raise DataError(
                        f"{_name(source)}, line {number}: no JSON object, but the log goes on; "
                        "the file was damaged, so mend or move it"
                    )
                return
            yield offset, end, data
            offset = end


def _decode(line: bytes) -> dict[str, Any] | None:
    if not line.endswith(b"\n"):
        return None
    try:
        data = json.loads(line)
    except ValueError:
        return None
    return data if isinstance(data, dict) else None


def _refuse_stranger(source: Source) -> None:
    """A file that never began as a log must not be healed like one that was cut short."""
    with _open(source) as stream:
        start = stream.read(len(_START))
    if not _START.startswith(start):
        raise DataError(f"{_name(source)} is no evaluation log; choose another folder")


def _header(source: Source, data: Mapping[str, Any]) -> str:
    if data.get("structext_log") != VERSION:
        raise DataError(
            f"{_name(source)} is no evaluation log of version {VERSION}: its first line has "
            f"structext_log = {data.get('structext_log')!r}; choose another folder"
        )
    return str(data["answerer"])


def _open(source: Source) -> BinaryIO:
    return source.open("rb") if isinstance(source, Path) else io.BytesIO(source)


def _name(source: Source) -> str:
    return str(source) if isinstance(source, Path) else "the log in memory"
