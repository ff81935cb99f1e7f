"""`burnish show`."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from burnish.errors import DataError, MissingExtra
from burnish.registry import Method, load, method


@click.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def command(name: str, as_json: bool) -> None:
    """A method's settings, presets, claims and last verdicts.

    Verdicts are those of the newest run under runs/, or else of benchmarks/results/NAME.json.
    """
    shown = _facts(method(name))
    click.echo(json.dumps(shown, indent=1, ensure_ascii=False) if as_json else _text(shown))


def _facts(chosen: Method) -> dict[str, Any]:
    from burnish.runs.settings import describe

    source, verdicts = _last_verdicts(chosen.name)
    return {
        "name": chosen.name,
        "title": chosen.title,
        "paper": chosen.paper,
        "summary": chosen.summary,
        "settings": [asdict(setting) for setting in describe(chosen.config)],
        "claims": [claim | {"last": verdicts.get(claim["id"])} for claim in _claims(chosen)],
        "verdicts_from": source,
    }


def _claims(chosen: Method) -> list[dict[str, Any]]:
    try:
        claims = load(chosen, chosen.claims)
    except MissingExtra as error:
        click.echo(f"burnish: claims are not shown: {error}", err=True)
        return []
    return [
        {
            "id": claim.id,
            "statement": claim.statement,
            "source": claim.source,
            "paper": claim.paper_value,
            "unit": claim.unit,
        }
        for claim in claims
    ]


def _last_verdicts(name: str) -> tuple[str, dict[str, dict[str, Any]]]:
    """Where the newest verdicts of a method come from ("" for nowhere), and they by claim."""
    from burnish.runs.record import MANIFEST, read_manifest

    manifests = sorted(
        Path("runs").glob(f"*/{MANIFEST}"), key=lambda path: path.stat().st_mtime, reverse=True
    )
    for path in manifests:
        try:
            manifest = read_manifest(path.parent)
        except DataError as error:
            click.echo(f"burnish: left out: {error}", err=True)
            continue
        if manifest.method == name and manifest.claims:
            return str(path.parent), {
                claim.id: claim.model_dump(mode="json") for claim in manifest.claims
            }
    return _committed(Path("benchmarks") / "results" / f"{name}.json")


def _committed(path: Path) -> tuple[str, dict[str, dict[str, Any]]]:
    if not path.is_file():
        return "", {}
    from pydantic import BaseModel, ValidationError

    from burnish.runs.record import Finding

    class Results(BaseModel):
        claims: list[Finding]

    try:
        results = Results.model_validate_json(path.read_bytes())
    except ValidationError:
        raise DataError(f"{path} is not what `make acceptance` writes; run it again") from None
    return str(path), {claim.id: claim.model_dump(mode="json") for claim in results.claims}


def _text(shown: dict[str, Any]) -> str:
    from io import StringIO

    from rich.console import Console
    from rich.markup import escape

    width = None if sys.stdout.isatty() else 120
    page = StringIO()
    console = Console(file=page, width=width, highlight=False)
    console.print(f"[bold]{escape(shown['name'])}[/]  {escape(shown['title'])}")
    console.print(escape(shown["summary"]))
    console.print(escape(shown["paper"]))
    console.print(_settings_table(shown["settings"]))
    if shown["claims"]:
        console.print(_claims_table(shown["claims"]))
    if shown["verdicts_from"]:
        console.print(f"last verdicts: {escape(shown['verdicts_from'])}")
    return "\n".join(line.rstrip() for line in page.getvalue().rstrip().splitlines())


def _settings_table(settings: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    presets = list(settings[0]["presets"]) if settings else []
    table = Table("setting", *presets, "what", box=None, padding=(0, 2, 0, 0))
    table.title, table.title_justify = "\nSettings", "left"
    table.columns[0].no_wrap = True
    for column in table.columns[1:-1]:
        column.max_width, column.overflow = 22, "fold"
    for setting in settings:
        values = [_value(value) for value in setting["presets"].values()]
        table.add_row(*map(_plain, (setting["name"], *values, _about(setting))))
    return table


def _about(setting: dict[str, Any]) -> str:
    """Help, unit and range of a setting, or its type where there is no range."""
    limits = [setting["unit"], setting["range"] or setting["type"]]
    return f"{setting['help']} ({'; '.join(filter(None, limits))})"


def _claims_table(claims: list[dict[str, Any]]) -> Any:
    from rich.table import Table

    table = Table("claim", "source", "paper", "measured", "unit", "last verdict", box=None)
    table.padding, table.title, table.title_justify = (0, 2, 0, 0), "\nClaims", "left"
    for claim in claims:
        last = claim["last"] or {}
        numbers = (_value(claim["paper"]), _value(last.get("measured")))
        verdict = last.get("verdict", "none yet")
        row = (claim["statement"], claim["source"], *numbers, claim["unit"], verdict)
        table.add_row(*map(_plain, row))
    return table


def _plain(text: str) -> Any:
    from rich.text import Text

    return Text(text)


def _value(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "(none)"
    return str(value) if value != "" else "(none)"
