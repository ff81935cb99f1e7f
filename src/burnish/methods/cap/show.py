"""Charts and tables of a CAP run, from its points alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from burnish.evidence import Point, find, interval_of
from burnish.runs import Chart, Run, Series, Table

NAMES = {
    "ce": "labels alone",
    "kd": "with distillation",
    "cap": "CAP",
}


def draw(run: Run) -> None:
    """Declare every chart and table that the run's points allow."""
    points = run.points()
    for chart in _charts(points):
        run.chart(chart)
    for table in (_retention(points), _gains(points), _served(points), _probes(points)):
        if table.rows:
            run.table(table)


def _charts(points: Sequence[Point]) -> Iterator[Chart]:
    for family, what in (("units", "heads and units"), ("weights", "encoder weights")):
        found = find(points, "mean_retained_ratio", family=family)
        for criterion, own in _by(found, "criterion").items():
            if len(_by(own, "sparsity")) > 1:
                yield _retained(own, criterion, what)
        for share, own in _by(found, "sparsity").items():
            if any(len(_by(find(found, "mean_retained_ratio", criterion=name), "sparsity")) == 1
                   for name in _by(own, "criterion")):  # fmt: skip
                yield _compared(own, float(share), what)
    yield from _gain_chart(points)
    yield from _pareto(points, "latency_cpu_ms", "processor time of a batch (ms)", "Accuracy")
    yield from _pareto(points, "file_mb", "size of the ONNX file (MB)", "Accuracy")
    yield from _layers(points, "kept_heads_count", "heads kept")
    yield from _layers(points, "kept_units_count", "feed-forward units kept")


def _retained(found: Sequence[Point], criterion: str, what: str) -> Chart:
    """Accuracy retained against sparsity, one line an objective."""
    series = []
    for objective in dict.fromkeys(str(point.tags["objective"]) for point in found):
        own = sorted(
            (point for point in found if point.tags["objective"] == objective),
            key=lambda point: float(point.tags["sparsity"]),
        )
        series.append(
            _series(
                NAMES[objective],
                [100 * float(point.tags["sparsity"]) for point in own],
                own,
                factor=100.0,
            )
        )
    counts = sorted({int(point.tags["n"]) for point in found})
    return Chart(
        title=f"Accuracy retained, {criterion}",
        kind="line",
        x_label=f"{what} removed (%)",
        y_label="score / teacher's score (%)",
        series=tuple(series),
        references=(("the teacher", 100.0),),
        note=f"Mean over sets and seeds (n = {', '.join(map(str, counts))}) and 95 % interval.",
    )


def _by(points: Sequence[Point], tag: str) -> dict[str, list[Point]]:
    """Points by the value of a tag, in order of first appearance."""
    groups: dict[str, list[Point]] = {}
    for point in points:
        groups.setdefault(str(point.tags[tag]), []).append(point)
    return groups


def _compared(found: Sequence[Point], share: float, what: str) -> Chart:
    """Accuracy retained at one sparsity, every criterion side by side."""
    return Chart(
        title=f"Accuracy retained, {share:.0%} of {what} removed",
        kind="bar",
        y_label="score / teacher's score (%)",
        series=tuple(
            _series(NAMES[objective], list(_by(own, "criterion")), own, factor=100.0)
            for objective, own in _by(found, "objective").items()
        ),
        references=(("the teacher", 100.0),),
        note="Mean over sets and seeds; lines: 95 % interval where there are several runs.",
    )


def _series(
    name: str, x: Sequence[float | str], found: Sequence[Point], *, factor: float = 1.0
) -> Series:
    bounds = [interval_of(point) for point in found]
    return Series(
        name=name,
        x=tuple(x),
        y=tuple(None if point.value is None else point.value * factor for point in found),
        low=tuple(pair[0] * factor if pair else None for pair in bounds),
        high=tuple(pair[1] * factor if pair else None for pair in bounds),
    )


def _gain_chart(points: Sequence[Point]) -> Iterator[Chart]:
    found = [
        point
        for point in find(points, "gain_ratio", contrast="cap over kd")
        if "sparsity" in point.tags
    ]
    if found:
        labels = [f"{point.tags['sparsity']:.0%} of {point.tags['family']}" for point in found]
        yield Chart(
            title="What the contrast adds to distillation",
            kind="bar",
            y_label="difference of retained shares (points)",
            series=(_series("", labels, found, factor=100.0),),
            references=(("claimed", 0.5),),
            note="CAP less distillation, same criterion, set and seed; lines: 95 % interval.",
        )


def _pareto(points: Sequence[Point], name: str, label: str, what: str) -> Iterator[Chart]:
    """Score against a cost, the versions that would be served."""
    scores = {str(point.tags["model"]): point for point in find(points, "served_percent")}
    costs: dict[str, Point] = {}
    for point in find(points, name):
        if point.tags.get("shape", "1x128") == "1x128":
            costs[str(point.tags["model"])] = point
    series = []
    for kind, wanted in (("fp32", False), ("int8", True)):
        own = [n for n, p in scores.items() if p.tags["int8"] is wanted and n in costs]
        if own:
            series.append(
                Series(
                    name=kind,
                    x=tuple(float(costs[n].value or 0.0) for n in own),
                    y=tuple(scores[n].value for n in own),
                )
            )
    if series:
        sparsities = ", ".join(
            f"{float(p.tags['sparsity']):.0%}" for p in scores.values() if not p.tags["int8"]
        )
        yield Chart(
            title=f"{what} against {'time' if 'ms' in name else 'size'}",
            kind="scatter",
            x_label=label + (", 1 x 128 tokens" if "ms" in name else ""),
            y_label="test score (%)",
            series=tuple(series),
            note=f"One point a model, {sparsities} removed; one thread of ONNX Runtime.",
        )


def _layers(points: Sequence[Point], name: str, label: str) -> Iterator[Chart]:
    found = find(points, name)
    if not found:
        return
    first = found[0].tags["set"]
    own = [point for point in found if point.tags["set"] == first]
    series = []
    for share in sorted({float(point.tags["sparsity"]) for point in own}):
        at = [point for point in own if point.tags["sparsity"] == share]
        series.append(
            Series(
                name=f"{share:.0%} removed",
                x=tuple(str(point.tags["layer"]) for point in at),
                y=tuple(point.value for point in at),
            )
        )
    yield Chart(
        title=f"{label.capitalize()} in each layer",
        kind="bar",
        x_label="layer",
        y_label=label,
        series=tuple(series),
        note=f"{found[0].tags['criterion']}, set {first}, seed 0.",
    )


def _retention(points: Sequence[Point]) -> Table:
    rows = []
    for point in find(points, "mean_retained_ratio"):
        tags: dict[str, Any] = dict(point.tags)
        what = {key: tags[key] for key in ("family", "criterion", "objective", "sparsity")}
        score = find(points, "mean_score_percent", **what)[0].value
        teacher = find(points, "mean_teacher_percent", **what)[0].value
        rows.append(
            (
                tags["criterion"],
                NAMES[tags["objective"]],
                f"{tags['sparsity']:.0%}",
                point.value,
                _bounds(point),
                score,
                teacher,
                tags["n"],
            )
        )
    return Table(
        title="Accuracy retained",
        columns=(
            "criterion",
            "trained with",
            "removed",
            "retained (rho)",
            "95 % interval",
            "score (%)",
            "teacher (%)",
            "runs",
        ),
        rows=tuple(rows),
        note="rho is the mean of score / teacher over sets and seeds; score and teacher are the "
        "means of its numerators and denominators.",
    )


def _gains(points: Sequence[Point]) -> Table:
    rows = []
    for point in find(points, "gain_ratio"):
        tags = point.tags
        at = f"{float(tags['sparsity']):.0%}" if "sparsity" in tags else tags.get("set", "all")
        rows.append((tags["contrast"], tags["family"], at, point.value, _bounds(point), tags["n"]))
    return Table(
        title="Differences of retained shares",
        columns=("difference", "family", "at", "rho points / 100", "95 % interval", "pairs"),
        rows=tuple(rows),
        note="Paired by set, seed, criterion and sparsity; whole runs are resampled.",
    )


def _served(points: Sequence[Point]) -> Table:
    scores = {str(point.tags["model"]): point.value for point in find(points, "served_percent")}
    sizes = {str(point.tags["model"]): point.value for point in find(points, "file_mb")}
    rows = []
    for point in find(points, "latency_cpu_ms"):
        name, shape = str(point.tags["model"]), str(point.tags["shape"])
        speed = find(points, "speedup_x", model=name, shape=shape)[0]
        rows.append(
            (name, shape, point.value, speed.value, str(speed.tags["base"]), sizes.get(name),
             scores.get(name))
        )  # fmt: skip
    return Table(
        title="Speed, size and score",
        columns=(
            "model",
            "batch x tokens",
            "CPU ms",
            "speed-up",
            "over",
            "MB",
            "score (%)",
        ),
        rows=tuple(rows),
        note="Processor time of the whole process, one thread, minimum over repeats that take "
        "turns; fp32 and int8 in ONNX Runtime, CSR in PyTorch.",
    )


def _probes(points: Sequence[Point]) -> Table:
    found: dict[tuple[Any, ...], list[float]] = {}
    for point in find(points, "probe_percent"):
        tags = point.tags
        key = (tags["criterion"], NAMES[str(tags["objective"])], tags["set"], tags["on"])
        if point.value is not None:
            found.setdefault(key, []).append(point.value)
    return Table(
        title="What frozen encoders know of another set",
        columns=("criterion", "trained with", "pruned on", "probed on", "accuracy (%)", "runs"),
        rows=tuple((*key, sum(values) / len(values), len(values)) for key, values in found.items()),
        note="Logistic regression on the frozen vectors of the most pruned model.",
    )


def _bounds(point: Point) -> str:
    pair = interval_of(point)
    return f"{pair[0]:.4f} to {pair[1]:.4f}" if pair else "–"
