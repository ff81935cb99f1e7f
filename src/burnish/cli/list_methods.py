"""`burnish list`."""

from __future__ import annotations

import json

import click

from burnish.registry import Method, methods


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def command(as_json: bool) -> None:
    """What there is, and what each method needs."""
    found = methods()
    if as_json:
        click.echo(json.dumps({"methods": [_row(method) for method in found.values()]}, indent=1))
        return
    for method in found.values():
        click.echo(f"{click.style(method.name, bold=True)}  {method.title}: {method.summary}")
        for label, value in _needs(method).items():
            click.echo(f"    {label:<7} {value}")
    if not found:
        click.echo("no methods are installed", err=True)


def _row(method: Method) -> dict[str, object]:
    return {
        "name": method.name,
        "title": method.title,
        "summary": method.summary,
        "paper": method.paper,
        "extra": method.extra,
        "assets": list(method.assets),
        "presets": list(method.config.presets),
        "verbs": bool(method.cli),
    }


def _needs(method: Method) -> dict[str, str]:
    needs = {"paper": method.paper}
    if method.extra:
        needs["needs"] = f'pip install "{method.package.partition(".")[0]}[{method.extra}]"'
    if method.assets:
        needs["assets"] = ", ".join(method.assets)
    return needs
