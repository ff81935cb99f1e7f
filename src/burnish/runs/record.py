"""What lies in a run folder, and reading it back. Folders may come from anywhere: nothing in one
is trusted to be well formed, used as a path or executed.

    manifest.json        method, settings, seed, versions, hardware, notes, claims, status
    points.jsonl         one `Point` a line
    artifacts/           what the method wrote, in formats other tools read
    artifacts/figures/   the charts and tables it declared, as JSON
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from burnish.errors import DataError
from burnish.evidence import Point
from burnish.runs.figures import Chart, Table

MANIFEST = "manifest.json"
POINTS = "points.jsonl"
ARTIFACTS = "artifacts"
FIGURES = "figures"

Parsed = TypeVar("Parsed")
Status = Literal["running", "finished", "failed", "interrupted"]


class Finding(BaseModel):
    """A claim and its verdict, as the manifest and `run --json` hold them."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    id: str
    statement: str
    source: str
    paper: float | None
    measured: float | None
    unit: str
    interval: tuple[float, float] | None
    verdict: Literal["holds", "fails", "not_tested"]
    note: str = ""


class Manifest(BaseModel):
    """`manifest.json`: everything about a run but its points and artifacts.

    `seconds` adds up over resumptions; `peak_mb` is the most memory (MB, 1e6 bytes) any of them
    held; `notes` are what the method recorded, such as hashes of its model and data; `figures`
    are the files of the declared charts and tables, in order.
    """

    method: str
    title: str = ""
    paper: str = ""
    summary: str = ""
    preset: str
    config: dict[str, Any]
    seed: int
    status: Status = "running"
    error: str = ""
    command: str = ""
    started: str = ""
    seconds: float = 0.0
    peak_mb: float = 0.0
    versions: dict[str, str] = {}
    hardware: dict[str, Any] = {}
    notes: dict[str, Any] = {}
    figures: list[str] = []
    claims: list[Finding] = []


class Figure(BaseModel):
    """A declared chart or table: exactly one of the two."""

    chart: Chart | None = None
    table: Table | None = None


@dataclass(frozen=True)
class Record:
    """A run folder as it was read."""

    folder: Path
    manifest: Manifest
    points: tuple[Point, ...]
    figures: tuple[Figure, ...]
    artifacts: Mapping[str, int]  # bytes of each file

    @property
    def not_scored(self) -> int:
        """How many measurements have no value."""
        return sum(point.value is None for point in self.points)


def read_record(folder: Path) -> Record:
    """Read a run folder without changing it; a half-written last point is left out.

    Raises:
        DataError: not a run folder, or a file in it is not what burnish writes; names the file.
    """
    manifest = read_manifest(folder)
    home = folder / ARTIFACTS
    files = {
        path.relative_to(home).as_posix(): path.stat().st_size
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.relative_to(home).parts[0] != FIGURES
    }
    figures = tuple(_read_figure(home / FIGURES, name) for name in manifest.figures)
    points, _ = read_points(folder)
    return Record(folder, manifest, tuple(points.values()), figures, files)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a run folder.

    Raises:
        DataError: there is none, or it is not what burnish writes.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise DataError(f"{folder} is not a run folder: it has no {MANIFEST}; give a run's --out")
    return _parsed(path, TypeAdapter(Manifest))


Key = tuple[int, str, tuple[tuple[str, str | int | float | bool], ...]]


def key(point: Point) -> Key:
    """What makes a point the same measurement: its step, name and tags."""
    return point.step, point.name, tuple(sorted(point.tags.items()))


def read_points(folder: Path) -> tuple[dict[Key, Point], int]:
    """Points by key, the last of each winning, and the bytes of the file that are whole lines.

    A last line that a kill tore is left out of both.

    Raises:
        DataError: any other line is not a point; names file and line.
    """
    path = folder / POINTS
    content = path.read_bytes() if path.exists() else b""
    points: dict[Key, Point] = {}
    whole = 0
    for number, line in enumerate(content.splitlines(keepends=True), start=1):
        if not line.endswith(b"\n"):
            break
        point = _read_point(line, f"{path}:{number}")
        points[key(point)] = point
        whole += len(line)
    return points, whole


_POINT = TypeAdapter(Point)


def _read_point(line: bytes, where: str) -> Point:
    try:
        point = _POINT.validate_json(line)
    except ValidationError as failure:
        raise DataError(f"{where}: not a point: {_first(failure)}") from None
    numbers = (point.value, *point.tags.values())
    if any(isinstance(number, float) and not math.isfinite(number) for number in numbers):
        raise DataError(f"{where}: not a point: {point.name} is not finite")
    return point


def _read_figure(home: Path, name: str) -> Figure:
    if Path(name).name != name:
        raise DataError(f"{home}: the manifest names a figure {name!r}, which is not a file name")
    return _parsed(home / f"{name}.json", TypeAdapter(Figure))


def _parsed(path: Path, adapter: TypeAdapter[Parsed]) -> Parsed:
    try:
        return adapter.validate_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; the run folder is incomplete") from None
    except ValidationError as failure:
        raise DataError(f"{path}: not what burnish writes: {_first(failure)}") from None


def _first(failure: ValidationError) -> str:
    first = failure.errors()[0]
    return f"{'.'.join(map(str, first['loc'])) or 'document'}: {first['msg']}"


def to_json(value: object) -> str:
    """Compact JSON, readable in any script, that refuses NaN."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
