"""One offline HTML page from run folders alone. It shows what they hold and recomputes nothing."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from burnish.errors import UsageError
from burnish.runs.charts import draw
from burnish.runs.figures import Chart, Table
from burnish.runs.record import ARTIFACTS, Finding, Record, read_record

VERDICTS = {"holds": "holds", "fails": "fails", "not_tested": "not tested"}


@dataclass(frozen=True)
class _Picture:
    title: str
    svg: Markup
    note: str


@dataclass(frozen=True)
class _Section:
    """A run as the template wants it."""

    anchor: str
    record: Record
    status: str
    verdicts: Counter[str]
    pictures: tuple[_Picture, ...]
    tables: tuple[Table, ...]
    artifacts: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True)
class _Comparison:
    """One method's claims, with a finding (or None) for each of its runs."""

    title: str
    anchors: tuple[tuple[str, str], ...]
    rows: tuple[tuple[Finding, tuple[Finding | None, ...]], ...]


def write_report(runs: Sequence[Path], target: Path) -> Path:
    """Write the page for these run folders, in this order, and return where it is.

    Raises:
        DataError: a folder is not a run, or holds what burnish does not write.
        UsageError: no runs, or the page cannot be written.
    """
    if not runs:
        raise UsageError("a report needs at least one run folder; make one with: burnish run NAME")
    page = render([read_record(folder) for folder in runs], target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}; give another -o") from None
    return target


def render(records: Sequence[Record], target: Path) -> str:
    """The page as text; links to artifacts are relative to `target`."""
    environment = Environment(
        loader=PackageLoader("burnish.runs", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=number, duration=_duration, size=_size, flat=_flat, verdict=VERDICTS.__getitem__
    )
    sections = [_section(index, record, target) for index, record in enumerate(records, start=1)]
    total: Counter[str] = Counter()
    for section in sections:
        total.update(section.verdicts)
    return environment.get_template("report.html.jinja").render(
        sections=sections, total=total, comparisons=_comparisons(sections)
    )


def number(value: object) -> str:
    """A value as a table shows it: four significant digits, a dash for what was not measured."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        text = f"{value:.4g}"
        return f"{value:,.0f}" if "e" in text and 1e4 <= abs(value) < 1e15 else text
    return f"{value:,}" if isinstance(value, int) and abs(value) >= 10_000 else str(value)


def _section(index: int, record: Record, target: Path) -> _Section:
    home = record.folder / ARTIFACTS
    here = target.resolve().parent
    links = [
        (name, quote(Path(os.path.relpath((home / name).resolve(), here)).as_posix()), size)
        for name, size in record.artifacts.items()
    ]
    return _Section(
        anchor=f"run-{index}",
        record=record,
        status="unfinished" if record.manifest.status == "running" else record.manifest.status,
        verdicts=Counter(claim.verdict for claim in record.manifest.claims),
        pictures=tuple(
            _picture(figure.chart, f"run-{index}") for figure in record.figures if figure.chart
        ),
        tables=tuple(figure.table for figure in record.figures if figure.table),
        artifacts=tuple(links),
    )


def _picture(chart: Chart, salt: str) -> _Picture:
    svg = Markup(draw(chart, salt=salt))  # noqa: S704 - draw() escapes every text of the chart
    return _Picture(chart.title, svg, chart.note)


def _comparisons(sections: Sequence[_Section]) -> list[_Comparison]:
    by_method: dict[str, list[_Section]] = {}
    for section in sections:
        by_method.setdefault(section.record.manifest.method, []).append(section)
    return [_compare(title, group) for title, group in by_method.items() if len(group) > 1]


def _compare(method: str, group: Sequence[_Section]) -> _Comparison:
    found = [{claim.id: claim for claim in section.record.manifest.claims} for section in group]
    first = {claim_id: claim for claims in reversed(found) for claim_id, claim in claims.items()}
    return _Comparison(
        title=group[0].record.manifest.title or method,
        anchors=tuple((section.anchor, section.record.folder.name) for section in group),
        rows=tuple(
            (claim, tuple(claims.get(claim_id) for claims in found))
            for claim_id, claim in first.items()
        ),
    )


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


def _size(count: int) -> str:
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def _flat(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
