"""Arms of a sweep side by side, as one static page without a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from burnish.errors import UsageError
from burnish.evidence import Interval
from burnish.methods.socialsim.twin_effects import ENOUGH, Effect
from burnish.runs import Chart, draw

_WIDTH = 120.0  # of a plot in a cell, px
_MARGIN = 5.0


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One way to run the world, against a common reference.

    Attributes:
        name: e.g. "label at 6 h".
        effects: on each metric, against the reference.
        note: one line, or "".
    """

    name: str
    effects: tuple[Effect, ...]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """What the page shows.

    Attributes:
        title: of the comparison.
        reference: what every arm is compared with, e.g. "no countermeasure".
        arms: in this order; each is measured on the metrics of the first.
        collateral: names of metrics that are damage, where more is worse.
        unvalidated: which stylised facts the world misses; empty when it shows all, None when
            nobody has looked.
        charts: further figures, e.g. of a delay sweep.

    Raises:
        UsageError: there are no arms, or no metric that all share.
    """

    title: str
    reference: str
    arms: tuple[Arm, ...]
    collateral: frozenset[str] = frozenset()
    unvalidated: str | None = None
    charts: tuple[Chart, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.arms or not self.metrics:
            raise UsageError("a comparison needs arms with a metric that all of them share")

    @property
    def metrics(self) -> tuple[str, ...]:
        """That every arm has, in the first arm's order."""
        shared = [{effect.metric for effect in arm.effects} for arm in self.arms]
        return tuple(
            effect.metric
            for effect in self.arms[0].effects
            if all(effect.metric in own for own in shared)
        )


@dataclass(frozen=True)
class _Cell:
    """One effect as the template draws it; x are px in a plot of `_WIDTH`."""

    effect: Effect
    shown: Interval
    unit: str
    low: float
    middle: float
    high: float
    zero: float


@dataclass(frozen=True)
class _Block:
    metric: str
    damage: bool
    rows: tuple[tuple[Arm, _Cell], ...]


def write_comparison(sweep: Sweep, target: Path) -> Path:
    """Write the page, and return where it is.

    Raises:
        UsageError: the page cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("burnish.methods.socialsim", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(figure=_figure, amount=_amount)
    pictures = [
        (chart.title, Markup(draw(chart, salt=f"sweep-{index}")), chart.note)  # noqa: S704 - escaped
        for index, chart in enumerate(sweep.charts)
    ]
    page = environment.get_template("comparison.html.jinja").render(
        sweep=sweep, blocks=_blocks(sweep), pictures=pictures, width=_WIDTH, enough=ENOUGH
    )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}; give another") from None
    return target


def _blocks(sweep: Sweep) -> list[_Block]:
    """Metrics with their arms; damage last."""
    found = [_block(sweep, metric) for metric in sweep.metrics]
    return sorted(found, key=lambda block: block.damage)


def _block(sweep: Sweep, metric: str) -> _Block:
    own = [next(e for e in arm.effects if e.metric == metric) for arm in sweep.arms]
    in_percent = all(effect.relative is not None for effect in own)
    shown = [effect.relative if in_percent else effect.difference for effect in own]
    intervals = [interval for interval in shown if interval is not None]
    place = _scale(intervals)
    cells = [
        _Cell(
            effect,
            interval,
            " %" if in_percent else "",
            place(interval.low),
            place(interval.estimate),
            place(interval.high),
            place(0.0),
        )
        for effect, interval in zip(own, intervals, strict=True)
    ]
    rows = tuple(zip(sweep.arms, cells, strict=True))
    return _Block(metric, metric in sweep.collateral, rows)


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(_MARGIN + share * (_WIDTH - 2 * _MARGIN), 1)


def _scale(intervals: Sequence[Interval]) -> _Scale:
    """One for all arms of a metric, with 0 on it."""
    low = min(0.0, *(interval.low for interval in intervals))
    high = max(0.0, *(interval.high for interval in intervals))
    return _Scale(low, high if high > low else low + 1.0)


def _amount(value: float) -> str:
    """With four significant digits, and with all of them before the point."""
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def _figure(value: float) -> str:
    """With its sign and three significant digits."""
    text = f"{value:+.3g}"
    return f"{value:+,.0f}" if "e" in text and abs(value) >= 1 else text
