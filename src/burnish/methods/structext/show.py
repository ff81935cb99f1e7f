"""Charts and tables of a StrucText-Eval run, from its points alone."""

from __future__ import annotations

from collections.abc import Sequence

from burnish.evidence import Point, find, interval_of
from burnish.methods.structext import points as kinds
from burnish.methods.structext.defects import DEFECTS
from burnish.runs import Chart, Run, Series, Table

_ZERO = kinds.variant_name(0)
_SHOWN = (kinds.GENERATED, kinds.CONSTANT, kinds.RANDOM, kinds.IN_ORDER)


def draw(run: Run) -> None:
    """Declare every chart and table that the run's points allow."""
    points = run.points()
    variants = list(dict.fromkeys(str(p.tags["variant"]) for p in find(points, "accuracy_percent")))
    for chart in (
        _official(points, variants[0], "language"),
        _official(points, variants[0], "task"),
        _forced(points, variants[0], "language"),
        _forced(points, variants[0], "cell"),
        _by_cell(points, variants),
        _gains(points, variants[0], "language"),
        _gains(points, variants[0], "task"),
        _trained(points, "language"),
        _trained(points, "task"),
        _losses(points),
    ):
        if chart is not None:
            run.chart(chart)
    for table in (_summary(points), _defects(points), _contrasts(points)):
        if table.rows:
            run.table(table)


def _series(name: str, points: Sequence[Point], groups: Sequence[str]) -> Series:
    by_group = {str(point.tags["group"]): point for point in points}
    found = [by_group.get(group) for group in groups]
    bounds = [interval_of(point) if point else None for point in found]
    return Series(
        name=name,
        x=tuple(groups),
        y=tuple(point.value if point else None for point in found),
        low=tuple(pair[0] if pair else None for pair in bounds),
        high=tuple(pair[1] if pair else None for pair in bounds),
    )


def _groups(points: Sequence[Point]) -> list[str]:
    return list(dict.fromkeys(str(point.tags["group"]) for point in points))


def _official(points: Sequence[Point], variant: str, by: str) -> Chart | None:
    shown = {
        who: find(
            points, "accuracy_percent", answerer=who, variant=variant, metric=kinds.OFFICIAL, by=by
        )
        for who in _SHOWN
    }
    shown = {who: found for who, found in shown.items() if found}
    if not shown:
        return None
    groups = _groups(next(iter(shown.values())))
    return Chart(
        title=f"Official score by {by}, {variant}",
        kind="bar",
        y_label="RougeL-0.75 (%)",
        series=tuple(_series(who, found, groups) for who, found in shown.items()),
        note="Bars: mean; lines: 95 % interval, whole documents resampled.",
    )


def _forced(points: Sequence[Point], variant: str, by: str) -> Chart | None:
    found = find(points, "accuracy_percent", answerer=kinds.CHOICE, metric=kinds.EXACT, by=by)
    if not found:
        return None
    chance = find(points, "chance_percent", variant=variant)
    return Chart(
        title=f"Forced choice by {'depth x width' if by == 'cell' else by}, {variant}",
        kind="bar",
        y_label="right choices (%)",
        series=(_series(kinds.CHOICE, found, _groups(found)),),
        references=tuple(("chance", point.value) for point in chance if point.value is not None),
        note="The likeliest of up to five answers, mean log-probability a token.",
    )


def _by_cell(points: Sequence[Point], variants: Sequence[str]) -> Chart | None:
    shown = {
        variant: find(
            points,
            "accuracy_percent",
            answerer=kinds.GENERATED,
            variant=variant,
            metric=kinds.OFFICIAL,
            by="cell",
        )
        for variant in variants
    }
    shown = {variant: found for variant, found in shown.items() if found}
    if not shown:
        return None
    groups = _groups([point for found in shown.values() for point in found])
    return Chart(
        title="Official score by depth x width and examples",
        kind="bar",
        x_label="depth x width",
        y_label="RougeL-0.75 (%)",
        series=tuple(_series(variant, found, groups) for variant, found in shown.items()),
    )


def _gains(points: Sequence[Point], variant: str, by: str) -> Chart | None:
    found = [
        point
        for point in find(
            points, "normalised_gain_ratio", answerer=kinds.GENERATED, variant=variant, by=by
        )
        if point.value is not None
    ]
    if not found:
        return None
    return Chart(
        title=f"Normalised gain by {by}, {variant}",
        kind="bar",
        y_label="gain over the constant answer (ratio)",
        series=(_series(kinds.GENERATED, found, _groups(found)),),
        references=(("constant answer", 0.0), ("document-order oracle", 1.0)),
        note="Below 0 the model reads worse than one fixed answer a rule scores.",
    )


def _trained(points: Sequence[Point], by: str) -> Chart | None:
    found = {
        phase: find(points, "held_out_exact_percent", phase=phase, by=by)
        for phase in ("before", "after")
    }
    if not found["after"]:
        return None
    groups = _groups(found["before"])
    return Chart(
        title=f"Fine-tuning: held-out questions by {by}",
        kind="bar",
        y_label="exact match (%)",
        series=tuple(_series(phase, rows, groups) for phase, rows in found.items()),
    )


def _losses(points: Sequence[Point]) -> Chart | None:
    found = sorted(find(points, "training_loss_nats"), key=lambda point: point.step)
    if not found:
        return None
    return Chart(
        title="Fine-tuning: loss",
        kind="line",
        x_label="step",
        y_label="loss on answers (nats a token)",
        series=(
            Series(
                x=tuple(float(point.step) for point in found),
                y=tuple(point.value for point in found),
            ),
        ),
    )


def _summary(points: Sequence[Point]) -> Table:
    rows = []
    for point in find(points, "accuracy_percent", by="all", metric=kinds.OFFICIAL):
        tags = point.tags
        exact = find(
            points,
            "accuracy_percent",
            by="all",
            metric=kinds.EXACT,
            answerer=str(tags["answerer"]),
            variant=str(tags["variant"]),
        )
        rows.append(
            (
                str(tags["answerer"]),
                str(tags["variant"]),
                int(tags["n"]),
                _with_bounds(point),
                _with_bounds(exact[0]),
            )
        )
    return Table(
        title="Who scored what",
        columns=("answerer", "examples", "questions", "RougeL-0.75 (%)", "exact match (%)"),
        rows=tuple(rows),
        note="In brackets: 95 % interval. Forced choice is to be read against chance, not against "
        "free answers.",
    )


def _defects(points: Sequence[Point]) -> Table:
    rows = []
    for name, what in DEFECTS.items():
        pair = [find(points, name, profile=profile) for profile in ("official", "corrected")]
        if any(pair):
            numbers = [found[0].value if found else None for found in pair]
            rows.append((what, *(None if n is None else round(n, 1) for n in numbers)))
    return Table(
        title="What is wrong in the official data",
        columns=("defect", "official (%)", "corrected (%)"),
        rows=tuple(rows),
    )


def _contrasts(points: Sequence[Point]) -> Table:
    rows = [
        (
            str(point.tags["contrast"]),
            str(point.tags.get("answerer", kinds.GENERATED)),
            str(point.tags.get("variant", "")),
            int(point.tags["n"]),
            _with_bounds(point),
        )
        for point in find(points, "difference_points")
    ]
    return Table(
        title="Contrasts",
        columns=("contrast", "answerer", "examples", "questions", "difference (points)"),
        rows=tuple(rows),
    )


def _with_bounds(point: Point) -> str:
    if point.value is None:
        return "not scored"
    bounds = interval_of(point)
    tail = f" [{bounds[0]:.1f}, {bounds[1]:.1f}]" if bounds else ""
    return f"{point.value:.1f}{tail}"
