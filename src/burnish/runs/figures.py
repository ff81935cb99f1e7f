"""Charts and tables as plain data: what a run declares and the report draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from burnish.errors import UsageError

Cell = str | int | float | bool | None


@dataclass(frozen=True, kw_only=True)
class Series:
    """One named row of values.

    Attributes:
        name: for the legend; "" for a chart's only series.
        x: (n,) categories of a bar chart, numbers otherwise.
        y: (n,); None leaves a gap.
        low: (n,) lower ends of the intervals of `y`, or empty for none.
        high: (n,) upper ends, or empty for none.
    """

    name: str = ""
    x: tuple[str | float, ...]
    y: tuple[float | None, ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()

    def __post_init__(self) -> None:
        lengths = {len(self.x), len(self.y), len(self.low or self.y), len(self.high or self.y)}
        if len(lengths) > 1 or bool(self.low) != bool(self.high):
            raise UsageError(
                f"series {self.name!r}: x, y, low and high pair up, but have {len(self.x)}, "
                f"{len(self.y)}, {len(self.low)} and {len(self.high)} values"
            )


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A figure of the report.

    Attributes:
        title: what it shows; unique within a run, since a chart of the same title replaces it.
        kind: "bar" compares categories, "line" follows a quantity, "scatter" shows pairs.
        x_label: with its unit, e.g. "training step"; a bar chart's may be "".
        y_label: with its unit, e.g. "accuracy (%)".
        series: at least one.
        references: (label, y) of horizontal lines, e.g. the paper's number.
        x_log, y_log: logarithmic axes.
        note: one line below it.
    """

    title: str
    kind: Literal["bar", "line", "scatter"]
    y_label: str
    series: tuple[Series, ...]
    x_label: str = ""
    references: tuple[tuple[str, float], ...] = ()
    x_log: bool = False
    y_log: bool = False
    note: str = ""

    def __post_init__(self) -> None:
        if not self.series:
            raise UsageError(f"chart {self.title!r} has no series")
        numbers = all(not isinstance(x, str) for series in self.series for x in series.x)
        if self.kind != "bar" and not numbers:
            raise UsageError(f"chart {self.title!r}: a {self.kind} chart needs numbers on x")


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of the report.

    Attributes:
        title: what it shows; unique within a run.
        columns: headings with their units.
        rows: one cell a column; None shows as a dash.
        note: one line below it.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""

    def __post_init__(self) -> None:
        for index, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise UsageError(
                    f"table {self.title!r}: row {index} has {len(row)} cells for "
                    f"{len(self.columns)} columns"
                )

    @property
    def numeric(self) -> tuple[bool, ...]:
        """For each column, whether its cells are all numbers, or not known."""
        columns = zip(*self.rows, strict=True) if self.rows else [()] * len(self.columns)
        return tuple(all(not isinstance(cell, str | bool) for cell in column) for column in columns)
