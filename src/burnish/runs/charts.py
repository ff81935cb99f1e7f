"""Draw a declared chart as inline SVG that follows the page's colours, light or dark."""

from __future__ import annotations

import hashlib
import html
import io
import math
import re
import textwrap
import warnings
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from burnish.runs.figures import Chart, Series

# Okabe and Ito 2008: told apart with any colour vision. A page may set --series-1 ... --series-7
# to shades that suit its background.
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a")
MARKERS = "osD^vPX"
_INK, _GRID = "#010203", "#040506"  # stand-ins, replaced by what the page inherits
_WIDTH, _HEIGHT = 420.0, 290.0  # px
_STYLE: Any = {  # the stubs want every key as a literal
    "svg.fonttype": "none",
    "svg.hashsalt": "burnish",
    "text.parse_math": False,
    "text.usetex": False,
    "font.family": "DejaVu Sans",
    "font.size": 12.5,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.use_mathtext": False,
    "grid.color": _GRID,
    "grid.linewidth": 0.6,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "text.color": _INK,
    "legend.frameon": False,
    "legend.fontsize": 12.0,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
}
_LONG_LABELS = 32  # characters on a bar chart's axis beyond which the bars lie down


def draw(chart: Chart, *, salt: str = "") -> str:
    """The chart as one `<svg>` element, the same bytes for the same chart.

    Text stays text, ink is `currentColor`, grid and series are the CSS variables `--grid` and
    `--series-N` with fall-backs, and the title is there for screen readers.

    Args:
        chart: what to draw.
        salt: told apart, two equal charts on one page have ids of their own.
    """
    with mpl.rc_context(), warnings.catch_warnings():
        mpl.rcdefaults()  # whatever the user's matplotlibrc says
        mpl.rcParams.update(_STYLE)
        # The reader's fonts draw the text; a glyph that ours lacks only makes it a little wider.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        lying = chart.kind == "bar" and _lies_down(chart)
        figure = Figure(figsize=(_WIDTH / 72, _height(chart, lying) / 72), layout="constrained")
        axes = figure.subplots()
        if chart.kind == "bar":
            _bars(axes, chart, lying)
        else:
            _marks(axes, chart)
        _dress(figure, axes, chart, lying)
        buffer = io.StringIO()
        nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        figure.savefig(buffer, format="svg", transparent=True, metadata=nothing)
    return _inline(buffer.getvalue(), chart.title, salt + repr(chart))


def _categories(chart: Chart) -> list[str]:
    return list(dict.fromkeys(str(x) for series in chart.series for x in series.x))


def _lies_down(chart: Chart) -> bool:
    return len("  ".join(_categories(chart))) > _LONG_LABELS


def _height(chart: Chart, lying: bool) -> float:
    names = len(_legend(chart))
    extra = 18 * (math.ceil(names / _legend_columns(chart)) - 1) if names else 0
    if not lying:
        return _HEIGHT + extra
    return 90 + extra + len(_categories(chart)) * max(25, 9 + 11 * _abreast(chart))


def _legend(chart: Chart) -> list[str]:
    names = [*(label for label, _ in chart.references), *(series.name for series in chart.series)]
    return [name for name in names if name]


def _legend_columns(chart: Chart) -> int:
    """As many as fit beside each other, at seven pixels a letter and 44 for the key."""
    widest = max(map(len, _legend(chart)), default=0) * 7 + 44
    return max(1, min(3, int(_WIDTH // widest)))


def _spread(series: Series) -> list[list[float]] | None:
    """Lengths of the error bars, below and above; an interval always holds its estimate."""
    if not series.low:
        return None
    below, above = [], []
    for y, low, high in zip(series.y, series.low, series.high, strict=True):
        known = y is not None and low is not None and high is not None
        below.append(max(0.0, y - low) if known else 0.0)  # type: ignore[operator]
        above.append(max(0.0, high - y) if known else 0.0)  # type: ignore[operator]
    return [below, above]


def _values(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]


def _abreast(chart: Chart) -> int:
    """Bars that share a category: all series, or one where no two of them have the same."""
    told = [
        str(x)
        for series in chart.series
        for x, y in zip(series.x, series.y, strict=True)
        if y is not None
    ]
    return len(chart.series) if len(set(told)) < len(told) else 1


def _bars(axes: Axes, chart: Chart, lying: bool) -> None:
    categories = _categories(chart)
    abreast = _abreast(chart)
    thickness = 0.8 / abreast
    for number, series in enumerate(chart.series):
        shift = (number - (abreast - 1) / 2) * thickness if abreast > 1 else 0.0
        places = [categories.index(str(x)) + shift for x in series.x]
        look: dict[str, Any] = {
            "xerr" if lying else "yerr": _spread(series),
            "error_kw": {"elinewidth": 0.9, "capsize": 1.8, "ecolor": _INK},
            "color": PALETTE[number % len(PALETTE)],
            "label": series.name,
        }
        (axes.barh if lying else axes.bar)(places, _values(series.y), thickness * 0.92, **look)
    if lying:
        axes.set_yticks(range(len(categories)), [textwrap.fill(name, 24) for name in categories])
        axes.invert_yaxis()
    else:
        axes.set_xticks(range(len(categories)), categories)


def _marks(axes: Axes, chart: Chart) -> None:
    for number, series in enumerate(chart.series):
        place = number % len(PALETTE)
        axes.errorbar(
            [float(x) for x in series.x],
            _values(series.y),
            yerr=_spread(series),
            color=PALETTE[place],
            marker=MARKERS[place] if chart.kind == "scatter" or len(series.x) <= 30 else "",
            linestyle="none" if chart.kind == "scatter" else "-",
            elinewidth=0.9,
            capsize=1.8,
            label=series.name,
        )


def _dress(figure: Figure, axes: Axes, chart: Chart, lying: bool) -> None:
    across, up = (chart.y_label, chart.x_label) if lying else (chart.x_label, chart.y_label)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.grid(visible=False, axis="y" if lying else "x")
    axes.tick_params(length=0 if chart.kind == "bar" else 2.5, width=0.6)
    for label, value in chart.references:
        line = axes.axvline if lying else axes.axhline
        line(value, color=_INK, linewidth=1.0, linestyle=(0, (4, 3)), label=label)
    if chart.x_log:
        axes.set_xscale("log")
        _logarithmic(axes.xaxis)
    if chart.y_log:
        (axes.set_xscale if lying else axes.set_yscale)("log")
        _logarithmic(axes.xaxis if lying else axes.yaxis)
    handles, labels = axes.get_legend_handles_labels()
    if any(labels):
        figure.legend(handles, labels, loc="outside upper left", ncols=_legend_columns(chart))


def _logarithmic(axis: Axis) -> None:
    """Ticks at 1, 2 and 5 times the powers of ten, in plain digits."""
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _inline(svg: str, title: str, identity: str) -> str:
    """Without prologue and outside references, with the page's colours and ids of its own."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style)\b.*?</\1>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns:xlink="[^"]*"', "", svg).replace("xlink:href=", "href=")
    svg = re.sub(r"font-family: [^;\"]*", "font-family: inherit", svg)
    svg = svg.replace(_INK, "currentColor").replace(_GRID, "var(--grid, #8886)")
    for number, colour in enumerate(PALETTE, start=1):
        svg = svg.replace(colour, f"var(--series-{number}, {colour})")
    mark = hashlib.sha256(identity.encode()).hexdigest()[:8]
    svg = re.sub(r'\bid="', f'id="{mark}-', svg)
    svg = re.sub(r'(href="|url\()#', rf"\1#{mark}-", svg)
    svg = re.sub(r'width="[\d.]+pt" height="[\d.]+pt"', r'role="img"', svg, count=1)
    heading = f"<title>{html.escape(title)}</title>"
    return re.sub(r"(<svg[^>]*>)", lambda found: found.group(1) + heading, svg, count=1).strip()
