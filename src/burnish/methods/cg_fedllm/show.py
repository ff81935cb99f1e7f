"""Charts and tables of a CG-FedLLM run, from its points alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import mean

from burnish.evidence import Point, find, interval_of
from burnish.methods.cg_fedllm.arms import DENSE
from burnish.runs import Chart, Run, Series, Table

MB = 1e6


def draw(run: Run) -> None:
    """Declare every chart and table that the run's points allow."""
    points = run.points()
    for chart in _charts(points):
        run.chart(chart)
    for table in (_codecs(points), _certificates(points), _noise(points), _privacy(points)):
        if table.rows:
            run.table(table)


def _charts(points: Sequence[Point]) -> Iterator[Chart]:
    curves = [_loss_curve(points, arm) for arm in _shown(points)]
    if any(curves):
        yield Chart(
            title="Held-out loss against bytes sent",
            kind="line",
            x_label="traffic of all rounds so far, both ways (MB)",
            y_label="held-out loss (nats per token)",
            x_log=True,
            series=tuple(curve for curve in curves if curve),
            note="A dot a round, mean over seeds; further left for the same loss is better.",
        )
    yield from _bars(
        points,
        "recovered_ratio",
        "Share of the uncompressed loss drop that is recovered",
        "recovered share (1 = float32)",
        (("float32", 1.0), ("nothing learned", 0.0)),
    )
    yield from _bars(
        points, "upload_bytes", "Uploads of a whole federation", "sent by all clients (MB)", ()
    )
    rounds = [_traffic(points, arm) for arm in _shown(points)]
    if any(rounds):
        yield Chart(
            title="Traffic of each round",
            kind="line",
            x_label="round",
            y_label="both ways (MB)",
            y_log=True,
            series=tuple(each for each in rounds if each),
            note="Messages as serialised for the wire, headers included; mean over seeds.",
        )


def _names(points: Sequence[Point]) -> list[str]:
    return list(dict.fromkeys(str(point.tags["arm"]) for point in find(points, "heldout_loss")))


def _shown(points: Sequence[Point]) -> list[str]:
    """Arms whose curves are drawn: float32, and every codec with its safeguards."""
    return [arm for arm in _names(points) if "(" not in arm or arm.startswith(DENSE)]


def _mean_by_step(points: Sequence[Point], name: str, arm: str) -> dict[int, float]:
    by_step: dict[int, list[float]] = {}
    for point in find(points, name, arm=arm):
        if point.value is not None:
            by_step.setdefault(point.step, []).append(point.value)
    return {step: mean(values) for step, values in sorted(by_step.items())}


def _both_ways(points: Sequence[Point], arm: str) -> dict[int, float]:
    up = _mean_by_step(points, "traffic_up_bytes", arm)
    down = _mean_by_step(points, "traffic_down_bytes", arm)
    return {step: (up[step] + down[step]) / MB for step in up}


def _loss_curve(points: Sequence[Point], arm: str) -> Series | None:
    losses, traffic = _mean_by_step(points, "heldout_loss", arm), _both_ways(points, arm)
    total, x, y = 0.0, [], []
    for step, amount in traffic.items():
        total += amount
        x.append(total)
        y.append(losses.get(step))
    return Series(name=arm, x=tuple(x), y=tuple(y)) if x else None


def _traffic(points: Sequence[Point], arm: str) -> Series | None:
    traffic = _both_ways(points, arm)
    return Series(name=arm, x=tuple(traffic), y=tuple(traffic.values())) if traffic else None


def _bars(
    points: Sequence[Point],
    name: str,
    title: str,
    y_label: str,
    references: tuple[tuple[str, float], ...],
) -> Iterator[Chart]:
    found = [
        point
        for point in find(points, name)
        # noise moves the loss by so much that no other bar would be seen; the table has it
        if point.value is not None and "epsilon" not in str(point.tags["arm"])
    ]
    if not found:
        return
    scale = MB if name.endswith("_bytes") else 1.0
    bounds = [interval_of(point) for point in found]
    values = [float(point.value or 0) / scale for point in found]
    several = any(int(point.tags.get("n", 1)) > 1 for point in found)
    yield Chart(
        title=title,
        kind="bar",
        y_label=y_label,
        y_log=name.endswith("_bytes"),
        series=(
            Series(
                x=tuple(str(point.tags["arm"]) for point in found),
                y=tuple(values),
                low=tuple(b[0] if b else None for b in bounds) if several else (),
                high=tuple(b[1] if b else None for b in bounds) if several else (),
            ),
        ),
        references=references,
        note="Mean over seeds; lines: 95 % interval." if several else "",
    )


def _value(points: Sequence[Point], name: str, **tags: str | float) -> float | None:
    return next((point.value for point in find(points, name, **tags)), None)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _codecs(points: Sequence[Point]) -> Table:
    rows = []
    for point in find(points, "recovered_ratio"):
        arm, bounds = str(point.tags["arm"]), interval_of(point)
        total = _value(points, "total_bytes", arm=arm)
        rows.append(
            (
                arm,
                _rounded(_value(points, "payload_share_percent", arm=arm), 3),
                _value(points, "payload_bytes", arm=arm),
                _rounded(total / MB if total else None, 2),
                _rounded(_value(points, "final_heldout_loss", arm=arm), 4),
                _rounded(point.value, 3),
                f"{bounds[0]:.3f} to {bounds[1]:.3f}" if bounds else "",
                _rounded(_value(points, "codec_seconds", codec=arm), 4),
            )
        )
    return Table(
        title="Codecs",
        columns=(
            "codec",
            "payload (% of float32)",
            "payload (bytes)",
            "traffic, both ways (MB)",
            "final loss (nats)",
            "recovered share",
            "95 % interval",
            "encode + decode (s)",
        ),
        rows=tuple(rows),
        note="Equal rounds; each federation paired with the float32 one of its seed. Error "
        "feedback and gain are on where the codec has no memory of its own, save for rows marked "
        "plain.",
    )


def _certificates(points: Sequence[Point]) -> Table:
    rows = []
    for point in find(points, "update_cosine"):
        tags = {"codec": str(point.tags["codec"]), "represent": str(point.tags["represent"])}
        viable = next(iter(find(points, "viable_score", **tags)), None)
        rows.append(
            (
                tags["codec"],
                tags["represent"],
                _rounded(_value(points, "relative_error_ratio", **tags, factor="A"), 4),
                _rounded(_value(points, "relative_error_ratio", **tags, factor="B"), 4),
                _rounded(point.value, 4),
                _rounded(_value(points, "aggregate_cosine", **tags), 4),
                _rounded(_value(points, "b_norm_ratio", **tags), 3),
                _rounded(_value(points, "matched_error_ratio", **tags), 4),
                _rounded(_value(points, "shuffled_error_ratio", **tags), 4),
                _short(_value(points, "energy_to_error_ratio", **tags)),
                _short(_value(points, "energy_to_mean_error_ratio", **tags)),
                "yes" if viable and viable.value else "no",
            )
        )
    return Table(
        title="Codec certificates",
        columns=(
            "codec",
            "of",
            "error of A",
            "error of B",
            "update cosine",
            "aggregate cosine",
            "B norm ratio",
            "error, own input",
            "error, shuffled input",
            "energy / error",
            "energy / mean error",
            "viable",
        ),
        rows=tuple(rows),
        note="On rounds that no codec was trained on. Errors are shares of the energy; the last "
        "ratio, which the paper prints, divides by the error of one number and so grows with the "
        "size of the adapter.",
    )


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _noise(points: Sequence[Point]) -> Table:
    rows = [
        (
            str(point.tags["codec"]),
            str(point.tags["represent"]),
            float(point.tags["sigma"]),
            _short(point.value),
        )
        for point in find(points, "noise_error_ratio")
    ]
    return Table(
        title="Noise on the input",
        columns=("codec", "of", "sigma of the noise", "error / energy"),
        rows=tuple(rows),
        note="An error that does not move with the noise, at or near 1, is no denoising: the "
        "decoder does not look at its input.",
    )


def _privacy(points: Sequence[Point]) -> Table:
    rows = []
    for point in find(points, "noise_multiplier_ratio"):
        target = float(point.tags["epsilon"])
        rows.append(
            (
                target,
                _short(point.value),
                _short(_value(points, "mu_score", epsilon=target)),
                _short(_value(points, "epsilon_nats", epsilon=target, accountant="closed form")),
                _short(_value(points, "epsilon_nats", epsilon=target, accountant="rdp")),
                _short(_value(points, "epsilon_nats", epsilon=target, accountant="prv")),
                str(point.tags["covers_codec"]),
            )
        )
    return Table(
        title="Privacy",
        columns=(
            "epsilon wanted",
            "sigma",
            "mu",
            "epsilon, closed form",
            "epsilon, RDP",
            "epsilon, PRV",
            "covers the codec's training",
        ),
        rows=tuple(rows),
        note="The closed form is an asymptotic approximation; RDP and PRV are bounds of a library. "
        "A codec fitted to private updates is not covered by the noise of later rounds.",
    )
