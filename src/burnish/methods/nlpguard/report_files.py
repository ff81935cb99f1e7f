"""An audit as files: JSON for machines, Markdown and a page for whoever signs it.

Computes nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from burnish.evidence import Interval
from burnish.methods.nlpguard.annotation import CATEGORIES, hashed, key
from burnish.methods.nlpguard.auditing import Sensitivity, WordReliance, relative_reduction
from burnish.methods.nlpguard.fresh_files import written
from burnish.methods.nlpguard.ledger import Edit, Ledger
from burnish.methods.nlpguard.proxying import Proxy
from burnish.methods.nlpguard.subgroups import Subgroups

SHOWN = 20  # words of a list, proxies and edits that the Markdown and the page show
CAVEAT = (
    "An audit sees words that were explained and named. A classifier may lean on a group by other "
    "words, by spelling or by topic, so a clean audit does not prove that it is fair."
)
SUBGROUPS = (
    "Texts that hold a word of the category against the others; positive is the class that is "
    "scored, of two the second. BPSN AUC is low where the words push scores up, BNSP AUC where "
    "they push them down; parity and opportunity are differences of the share called positive and "
    "of recall."
)


@dataclass(frozen=True)
class Side:
    """What was measured on one classifier.

    Attributes:
        reliance: on protected words, in its explanations.
        performance: accuracy, macro_f1 and auc, from 0 to 1.
        sensitivity: of its answers.
        subgroups: by category, for a binary task or one class against the rest.
        predictability: AUC with which its training texts tell each category.
    """

    reliance: WordReliance
    performance: Mapping[str, Interval] = field(default_factory=dict)
    sensitivity: Sensitivity | None = None
    subgroups: Subgroups | None = None
    predictability: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class AuditReport:
    """All of an audit; with `after` None it is of one classifier alone.

    Attributes:
        title: heading.
        settings: what was asked for: model, N, explainer, annotator, strategy, seeds, versions.
        before: the classifier as it was.
        after: the mitigated one.
        difference: after minus before, of each performance metric.
        substitutes: protected words that came to drive it, by class.
        proxies: remaining words that tell of a category.
        rows: training rows before and after.
        ledger: every edit; an excerpt is shown.
        notes: warnings, a line each.
    """

    title: str
    settings: Mapping[str, str | int | float | bool | None]
    before: Side
    after: Side | None = None
    difference: Mapping[str, Interval] = field(default_factory=dict)
    substitutes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    proxies: Sequence[Proxy] = ()
    rows: tuple[int, int] | None = None
    ledger: Ledger | None = None
    notes: Sequence[str] = ()


class ReportFiles(NamedTuple):
    """Where an audit was written."""

    json: Path
    markdown: Path
    html: Path


def write_report(report: AuditReport, folder: str | Path, *, hidden: bool = False) -> ReportFiles:
    """Write audit.json, audit.md and audit.html; the same report gives the same bytes.

    Args:
        report: what to write.
        folder: where to; made here.
        hidden: whether words stand there as the hashes by which logs name them.

    Raises:
        ValueError: a number is NaN or infinite.
        UsageError: nothing can be written there.
    """
    files = files_in(Path(folder))
    name = hashed if hidden else str
    text = json.dumps(as_json(report, name), indent=2, ensure_ascii=False, allow_nan=False)
    contents = (text + "\n", as_markdown(report, name), as_html(report, name))
    for path, content in zip(files, contents, strict=True):
        with written(path) as half:
            half.write_text(content, encoding="utf-8")
    return files


def files_in(folder: Path) -> ReportFiles:
    """Where `write_report` writes."""
    return ReportFiles(*(folder / f"audit.{kind}" for kind in ("json", "md", "html")))


def as_json(report: AuditReport, name: Callable[[str], str] = str) -> dict[str, Any]:
    """The report in plain dictionaries and lists; shares from 0 to 1, None where undefined."""
    sides = {"before": _side(report.before, name)}
    if report.after is not None:
        sides["after"] = _side(report.after, name)
    return {
        "title": report.title,
        "settings": dict(report.settings),
        **sides,
        "relative_reduction": _reductions(report),
        "difference": {metric: asdict(value) for metric, value in report.difference.items()},
        "substitutes": {
            label: [name(word) for word in words] for label, words in report.substitutes.items()
        },
        "proxies": [asdict(proxy) | {"word": name(proxy.word)} for proxy in report.proxies],
        "rows": dict(zip(("before", "after"), report.rows, strict=True)) if report.rows else None,
        "edits": _edit_counts(report.ledger),
        "notes": list(report.notes),
    }


def as_markdown(report: AuditReport, name: Callable[[str], str] = str) -> str:
    """The report as tables; shares in percent."""
    parts = [
        f"# {_cell(report.title)}",
        CAVEAT,
        _settings(report),
        "\n".join(f"> {_cell(note)}\n" for note in report.notes),
        "## How much it leans on protected words",
        _table(*_reliance_rows(report)),
        "## How it answers",
        _answers_table(report),
        _subgroups_table(report),
        "## The words that drive it",
        *_top_tables(report, name),
        _substitutes(report, name),
        _proxies_table(report, name),
        _edits(report.ledger, name),
    ]
    return "\n\n".join(part.rstrip() for part in parts if part) + "\n"


def as_html(report: AuditReport, name: Callable[[str], str] = str) -> str:
    """The report as one page without scripts that loads nothing; words in their category's colour.

    Words and labels are escaped.
    """
    environment = Environment(
        loader=PackageLoader("burnish.methods.nlpguard", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    ledger = report.ledger
    return environment.get_template("audit.html.jinja").render(
        report=report,
        caveat=CAVEAT,
        about_subgroups=SUBGROUPS,
        categories=CATEGORIES,
        reliance=_reliance_rows(report),
        answers=_answers_rows(report),
        subgroups=_subgroups_rows(report),
        lists=_coloured_lists(report, name),
        substitutes=[
            (label, _coloured(report.after.reliance, words, name))
            for label, words in report.substitutes.items()
            if report.after is not None
        ],
        proxies=_proxies_rows(report, name),
        predictability=_predictability_rows(report),
        edits=None if ledger is None else [_edit(edit, name) for edit in ledger.edits[:SHOWN]],
        counted="" if ledger is None else _counted(ledger),
        settings=_settings_rows(report),
    )


class _List(NamedTuple):
    """The beginning of a list of `total` words; of each, which category it is of."""

    moment: str
    total: int
    words: list[tuple[str, int | None]]


def _coloured_lists(
    report: AuditReport, name: Callable[[str], str]
) -> list[tuple[str, list[_List]]]:
    """By class, the lists before and after."""
    sides = [("before", report.before), ("after", report.after)]
    return [
        (
            label,
            [
                _List(moment, len(words), _coloured(side.reliance, words, name))
                for moment, side in sides
                if side is not None
                for words in [side.reliance.top.get(label, ())]
            ],
        )
        for label in report.before.reliance.top
    ]


def _moments(report: AuditReport) -> tuple[str, ...]:
    """Heads of the columns with values."""
    return ("before", "after") if report.after else ("measured",)


def _coloured(
    reliance: WordReliance, words: Sequence[str], name: Callable[[str], str]
) -> list[tuple[str, int | None]]:
    found = [(word, reliance.identified.get(key(word))) for word in words[:SHOWN]]
    return [(name(word), CATEGORIES.index(mark) if mark else None) for word, mark in found]


def _side(side: Side, name: Callable[[str], str]) -> dict[str, Any]:
    found = asdict(side)
    own = side.reliance
    for label, share in own.shares.items():
        found["reliance"]["shares"][label]["value"] = share.value
    found["reliance"]["top"] = {
        label: [name(word) for word in words] for label, words in own.top.items()
    }
    found["reliance"]["identified"] = {
        name(word): category for word, category in own.identified.items()
    }
    return found


def _reductions(report: AuditReport) -> dict[str, dict[str, float | None]]:
    if report.after is None:
        return {}
    one, other = report.before.reliance, report.after.reliance
    return {
        label: {
            "pa": relative_reduction(
                one.shares[label].value,
                other.shares[label].value if label in other.shares else None,
            ),
            "mass": relative_reduction(one.mass.get(label), other.mass.get(label)),
        }
        for label in one.shares
    }


def _edit_counts(ledger: Ledger | None) -> dict[str, Any] | None:
    if ledger is None:
        return None
    return {
        "edits": len(ledger),
        "rows": ledger.rows,
        "touched": ledger.touched,
        "dropped": ledger.dropped,
        "by_category": dict(sorted(Counter(edit.category for edit in ledger.edits).items())),
        "by_strategy": dict(sorted(Counter(edit.strategy for edit in ledger.edits).items())),
        "digest": ledger.digest,
    }


def _settings(report: AuditReport) -> str:
    rows = _settings_rows(report)
    return _table(("setting", "value"), rows) if rows else ""


def _settings_rows(report: AuditReport) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = [
        (which, "" if value is None else value) for which, value in report.settings.items()
    ]
    if report.rows is not None:
        rows.append(("training rows before, after", f"{report.rows[0]:,}, {report.rows[1]:,}"))
    return rows


Grid = tuple[Sequence[str], Sequence[Sequence[Any]]]


def _reliance_rows(report: AuditReport) -> Grid:
    """A row a class: PA@N and mass, before, after, reduction, with the counts behind them."""
    one, other = report.before.reliance, report.after.reliance if report.after else None
    reductions = _reductions(report)
    rows = []
    for label in one.shares:
        row = [label, _share(one, label), _percent(one.mass.get(label))]
        if other is not None:
            row += [
                _share(other, label),
                _percent(other.mass.get(label)),
                _percent(reductions[label]["pa"]),
                _percent(reductions[label]["mass"]),
            ]
        rows.append(row)
    heads = ["class", "PA@N", "mass"]
    if other is not None:
        heads = ["class", "PA@N before", "mass before", "PA@N after", "mass after"]
        heads += ["less PA@N", "less mass"]
    return heads, rows


def _share(reliance: WordReliance, label: str) -> str:
    share = reliance.shares.get(label)
    if share is None or share.value is None:
        return "no word speaks for it"
    return f"{_percent(share.value)} ({share.protected} of {share.listed})"


def _answers_table(report: AuditReport) -> str:
    heads, rows = _answers_rows(report)
    return _table(heads, rows) if rows else "Not measured."


def _answers_rows(report: AuditReport) -> Grid:
    sides = [report.before, *([report.after] if report.after else [])]
    heads = ["", *_moments(report), *(["difference"] if report.after else [])]
    rows = []
    for metric in report.before.performance:
        row = [
            metric.replace("_", " "),
            *(_interval(side.performance.get(metric)) for side in sides),
        ]
        if report.after:
            row.append(_interval(report.difference.get(metric), points=True))
        rows.append(row)
    for title, pick in _SENSITIVITIES.items():
        if all(side.sensitivity is None for side in sides):
            continue
        found = [pick(side.sensitivity) if side.sensitivity else None for side in sides]
        row = [title, *map(_interval, found)]
        rows.append([*row, ""] if report.after else row)
    return heads, rows


_SENSITIVITIES: dict[str, Callable[[Sensitivity], Interval | None]] = {
    "flip rate": lambda found: found.flip_rate,
    "token-fairness gap": lambda found: found.gap,
}


def _subgroups_table(report: AuditReport) -> str:
    tables = [
        f"{title}:\n\n{_table(heads, rows)}" for title, heads, rows in _subgroups_rows(report)
    ]
    return "\n\n".join([*tables, SUBGROUPS] if tables else [])


def _subgroups_rows(
    report: AuditReport,
) -> list[tuple[str, Sequence[str], Sequence[Sequence[Any]]]]:
    blocks: list[tuple[str, Sequence[str], Sequence[Sequence[Any]]]] = []
    for moment, side in (("before", report.before), ("after", report.after)):
        if side is None or side.subgroups is None:
            continue
        rows: list[Sequence[Any]] = [
            (
                row.category,
                row.texts,
                *map(_number, (row.subgroup_auc, row.bpsn_auc, row.bnsp_auc)),
                *map(_number, (row.parity_difference, row.opportunity_difference)),
            )
            for row in side.subgroups.rows
        ]
        means = side.subgroups.power_means.values()
        rows.append(("power mean", "", *map(_number, means), "", ""))
        heads = (
            "category",
            "texts",
            "subgroup AUC",
            "BPSN AUC",
            "BNSP AUC",
            "parity",
            "opportunity",
        )
        blocks.append((f"Subgroups, {moment}" if report.after else "Subgroups", heads, rows))
    return blocks


def _top_tables(report: AuditReport, name: Callable[[str], str]) -> list[str]:
    tables = []
    for label, words in report.before.reliance.top.items():
        columns = [_marked(report.before.reliance, words, name)]
        heads = ["", *_moments(report)]
        if report.after:
            own = report.after.reliance
            columns.append(_marked(own, own.top.get(label, ()), name))
        count = max(map(len, columns))
        rows = [
            (place + 1, *(column[place] if place < len(column) else "" for column in columns))
            for place in range(count)
        ]
        tables.append(f"### {_cell(label)}\n\n{_table(heads, rows)}")
    return tables


def _marked(reliance: WordReliance, words: Sequence[str], name: Callable[[str], str]) -> list[str]:
    marks = [(word, reliance.identified.get(key(word), "")) for word in words[:SHOWN]]
    return [f"{name(word)} ({mark})" if mark else name(word) for word, mark in marks]


def _substitutes(report: AuditReport, name: Callable[[str], str]) -> str:
    if report.after is None:
        return ""
    heading = "## Substitutes: protected words that were not edited and drive it now"
    if not report.substitutes:
        return f"{heading}\n\nNone."
    rows = [
        (label, len(words), ", ".join(map(name, words[:SHOWN])))
        for label, words in report.substitutes.items()
    ]
    return f"{heading}\n\n{_table(('class', 'words', 'the first'), rows)}"


def _proxies_table(report: AuditReport, name: Callable[[str], str]) -> str:
    parts = []
    if rows := _predictability_rows(report):
        table = _table(("category", "before", "after"), rows)
        parts.append(f"How well the training texts tell each category (AUC):\n\n{table}")
    if found := _proxies_rows(report, name):
        heads = ("word", "category", "millinats", "with it", "of all texts", "beyond chance")
        parts.append(_table(heads, found))
    return (
        "\n\n".join(["## Proxies: remaining words that tell of a category", *parts])
        if parts
        else ""
    )


def _predictability_rows(report: AuditReport) -> list[tuple[str, str, str]]:
    after = report.after.predictability if report.after else {}
    return [
        (category, _number(value), _number(after.get(category)))
        for category, value in report.before.predictability.items()
    ]


def _proxies_rows(
    report: AuditReport, name: Callable[[str], str]
) -> list[tuple[str, str, str, str, str, str]]:
    return [
        (
            name(proxy.word),
            proxy.category,
            f"{1000 * proxy.information:.2f}",
            f"{_percent(proxy.share)} of {proxy.texts}",
            _percent(proxy.base_share),
            "yes" if proxy.significant else "no",
        )
        for proxy in sorted(report.proxies, key=lambda proxy: -proxy.information)[:SHOWN]
    ]


def _edits(ledger: Ledger | None, name: Callable[[str], str]) -> str:
    if ledger is None:
        return ""
    rows = [_edit(edit, name) for edit in ledger.edits[:SHOWN]]
    heads = ("row", "characters", "old", "new", "word", "category", "strategy")
    if not rows:
        return "## Edits\n\nNone."
    return f"## Edits\n\n{_counted(ledger)}\n\n{_table(heads, rows)}"


def _counted(ledger: Ledger) -> str:
    counted = f"{len(ledger):,} edits in {ledger.touched:,} of {ledger.rows:,} rows; "
    return f"{counted}{ledger.dropped:,} rows dropped. The first:"


def _edit(edit: Edit, name: Callable[[str], str]) -> tuple[Any, ...]:
    whole = edit.copy < 0
    old = "the whole row" if whole else name(edit.old)
    new = name(edit.new) if edit.new else "(removed)"
    span = f"{edit.start}–{edit.end}"
    return edit.row, span, old, new, name(edit.word), edit.category, edit.strategy


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _interval(found: Interval | None, *, points: bool = False) -> str:
    if found is None:
        return "–"
    values = [100 * value for value in (found.estimate, *found.bounds)]
    form = "{:+.1f} points ({:+.1f} to {:+.1f})" if points else "{:.1f} % ({:.1f} to {:.1f})"
    return form.format(*values)


def _table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(value: Any) -> str:
    """A value that cannot break out of its cell, nor be taken for markup."""
    text = " ".join(str(value).split())
    for mark in "\\`*_[]|#":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
