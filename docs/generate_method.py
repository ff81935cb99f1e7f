"""Write the tables of a method's page: `python docs/generate_method.py` for all methods.

Between `<!-- settings -->` and `<!-- end -->` goes what the config says; between `<!-- claims -->`
and `<!-- end -->` the verdicts of `benchmarks/results/NAME.json`; between `<!-- points QUERY -->`
and `<!-- end -->` its points of one name, QUERY being `name; tag=value; ... : row tag, column tag`,
where names and values may be several, as `one|other`, and an axis may join tags as `one+other`;
between `<!-- labelled MODULE:LABELS, TAG -->` and `<!-- end -->` one row for each name in LABELS.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from burnish.registry import methods, resolve
from burnish.runs import describe

HERE = Path(__file__).parent
RESULTS = HERE.parent / "benchmarks" / "results"
# others are shown in charts alone
WITH_INTERVAL = {
    "accuracy_change_points",
    "agreement_slope_nats",
    "belief_shift_left_percent",
    "change_percent",
    "flip_percent",
    "gain_ratio",
    "label_effect_nats",
    "llm_kappa_score",
    "mean_retained_ratio",
    "recovered_ratio",
    "reduction_percent",
}
BLOCK = re.compile(
    r"(<!-- (settings|claims|points|labelled|machine)(.*?) -->\n).*?(<!-- end -->)", re.DOTALL
)


def page(name: str) -> str:
    """The page of a method with its tables made anew."""
    text = (HERE / "methods" / f"{name}.md").read_text(encoding="utf-8")
    results = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))

    def block(match: re.Match[str]) -> str:
        head, kind, query, end = match.groups()
        if kind == "settings":
            rows = settings(methods()[name].config)
        elif kind == "claims":
            rows = claims(results)
        elif kind == "points":
            rows = points(results, query)
        elif kind == "labelled":
            rows = labelled(results, query)
        else:
            rows = [machine(results)]
        return f"{head}\n" + "\n".join(rows) + f"\n\n{end}"

    return BLOCK.sub(block, text)


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    """A Markdown table."""
    cells = [head, ["---"] * len(head), *rows]
    return ["| " + " | ".join(_text(cell) for cell in row) + " |" for row in cells]


def settings(config: type[Any]) -> list[str]:
    """Every setting with its value in each preset."""
    return table(
        ("setting", "what it is", "quick", "cpu", "paper"),
        (
            (
                f"`{row.name}`",
                row.help + (f" ({row.unit})" if row.unit else ""),
                *(_value(row.presets[preset]) for preset in ("quick", "cpu", "paper")),
            )
            for row in describe(config)
        ),
    )


def claims(results: Mapping[str, Any]) -> list[str]:
    """Claims as the acceptance run left them."""
    return table(
        ("claim", "source", "published", "measured", "95 % interval", "verdict"),
        (
            (
                claim["statement"],
                claim["source"],
                _number(claim["paper"]),
                f"{_number(claim['measured'])} {claim['unit']}",
                " to ".join(map(_number, claim["interval"])) if claim["interval"] else "–",
                f"**{claim['verdict'].replace('_', ' ')}**",
            )
            for claim in results["claims"]
        ),
    )


def points(results: Mapping[str, Any], query: str) -> list[str]:
    """Points of one name: a row and a column for each value of two tags."""
    wanted, axes = (part.strip() for part in query.split(":"))
    name, *pairs = wanted.split("; ")
    tags = dict(pair.split("=", 1) for pair in pairs)
    down, across = (axis.strip() for axis in axes.split(","))
    found = [
        point
        for point in results["points"]
        if point["name"] in name.split("|")
        and all(str(point.get(k)) in v.split("|") for k, v in tags.items())
    ]
    by_place = {(_place(point, down), _place(point, across)): _shown(point) for point in found}
    rows, columns = (list(dict.fromkeys(place[axis] for place in by_place)) for axis in (0, 1))
    return table(
        (down.replace("+", ", "), *columns),
        ((row, *(by_place.get((row, column), "–") for column in columns)) for row in rows),
    )


def _place(point: Mapping[str, Any], axis: str) -> Any:
    """The value of a tag, or of several written "one+other"; "all" where a point has none."""
    values = [point.get(tag, "all") for tag in axis.split("+")]
    return values[0] if len(values) == 1 else ", ".join(map(str, values))


def _shown(point: Mapping[str, Any]) -> str:
    """A value, with its 95 % interval where it has one."""
    text = _number(point["value"])
    if point.get("low") is None or point.get("n", 2) < 2 or point["name"] not in WITH_INTERVAL:
        return text
    return f"{text} [{_number(point['low'])}, {_number(point['high'])}]"


def labelled(results: Mapping[str, Any], query: str) -> list[str]:
    """Points of many names: a row for each label, a column for each value of a tag."""
    target, tag = (part.strip() for part in query.split(","))
    labels: Mapping[str, str] = resolve(target)
    found = {
        (point["name"], point[tag]): point["value"]
        for point in results["points"]
        if point["name"] in labels
    }
    columns = list(dict.fromkeys(value for _, value in found))
    return table(
        ("", *columns),
        (
            (label, *(_number(found.get((name, column))) for column in columns))
            for name, label in labels.items()
        ),
    )


def machine(results: Mapping[str, Any]) -> str:
    """When, on what and for how long."""
    hardware, versions = results["hardware"], results["versions"]
    libraries = ("torch", "transformers", "numba", "numpy")
    used = ", ".join(f"{name} {versions[name]}" for name in libraries if name in versions)
    return (
        f"Measured in {results['seconds'] / 60:.0f} minutes, peak {results['peak_mb']:.0f} MB, "
        f"seed {results['seed']}, on {hardware.get('cpu', 'an unnamed processor')} "
        f"({hardware.get('cores', '?')} cores) with {used}; every point is in "
        "`benchmarks/results/`."
    )


def _value(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "–"
    return str(value) if value != "" else "–"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _text(cell: object) -> str:
    return str(cell).replace("|", "\\|")


if __name__ == "__main__":
    for method in methods():
        if (HERE / "methods" / f"{method}.md").exists():
            text = page(method)
            (HERE / "methods" / f"{method}.md").write_text(text, encoding="utf-8")
