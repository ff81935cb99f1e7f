"""`burnish assets`: the pinned weights and data."""

from __future__ import annotations

import json
from typing import Any

import click

from burnish import assets as library
from burnish.errors import AssetError, AssetMissing, UsageError
from burnish.registry import methods

_as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output."
)
_names = click.argument("names", nargs=-1, metavar="[NAME]...")


@click.group("assets")
def assets() -> None:
    """The pinned weights and data a method needs.

    They lie in the user's cache folder, or where BURNISH_CACHE says.
    """


@assets.command("list")
@_as_json
def list_assets(as_json: bool) -> None:
    """What there is, its source, licence and size, and whether it is here."""
    rows = [_row(name) for name in library.ASSETS]
    if as_json:
        click.echo(json.dumps({"assets": rows}, indent=1))
        return
    for row in rows:
        state = row["path"] or f"not here; run: burnish assets pull {row['name']}"
        click.echo(f"{click.style(row['name'], bold=True)}  {row['what']}")
        click.echo(f"    source  {'; '.join(row['sources'])}")
        click.echo(f"    licence {row['licence']}")
        click.echo(f"    size    {row['bytes'] / 1e6:.3g} MB")
        click.echo(f"    here    {state}")


@assets.command("pull")
@_names
@click.option("--all", "every", is_flag=True, help="Fetch every asset there is.")
@_as_json
def pull(names: tuple[str, ...], every: bool, as_json: bool) -> None:
    """Fetch assets and check every hash.

    Without a name: those that the quick presets of the installed methods need. What is here
    unharmed is not fetched again.
    """
    if names and every:
        raise UsageError("--all fetches every asset, so name none; leave out one or the other")
    wanted = _known(names) if names or every else _for_quick_presets()
    if not wanted:
        click.echo("no method needs an asset; name one, or give --all", err=True)
    pulled = {}
    for name in wanted:
        pulled[name] = str(library.pull(name, progress=True))
        click.echo(f"{name}: {pulled[name]}", err=True)
    if as_json:
        click.echo(json.dumps({"assets": [{"name": n, "path": p} for n, p in pulled.items()]}))


@assets.command("path")
@click.argument("name")
@_as_json
def path(name: str, as_json: bool) -> None:
    """Print the folder of an asset that was pulled."""
    folder = str(library.path(name))
    click.echo(json.dumps({"name": name, "path": folder}) if as_json else folder)


@assets.command("verify")
@_names
@_as_json
def verify(names: tuple[str, ...], as_json: bool) -> None:
    """Hash the files of assets anew (of all that are here, if none is named)."""
    found = {name: _problem(name) for name in _known(names)}
    if not names:
        found = {
            n: problem for n, problem in found.items() if not isinstance(problem, AssetMissing)
        }
    problems = {name: str(problem) if problem else None for name, problem in found.items()}
    if as_json:
        rows = [{"name": name, "problem": problem} for name, problem in problems.items()]
        click.echo(json.dumps({"assets": rows}))
    for name, problem in problems.items():
        if not problem:
            click.echo(f"{name}: unharmed", err=True)
    if failed := [problem for problem in problems.values() if problem]:
        raise AssetError("; ".join(failed))
    if not problems:
        click.echo("no asset is here; run: burnish assets pull", err=True)


def _known(names: tuple[str, ...]) -> list[str]:
    """The names, or all; a wrong one is refused before anything is fetched."""
    return [library.asset(name).name for name in names] or list(library.ASSETS)


def _for_quick_presets() -> list[str]:
    """What the registered methods' quick presets need, each once."""
    needed = [name for method in methods().values() for name in method.assets]
    return [library.asset(name).name for name in dict.fromkeys(needed)]


def _row(name: str) -> dict[str, Any]:
    entry = library.ASSETS[name]
    return {
        "name": name,
        "what": entry.what,
        "licence": entry.licence,
        "version": entry.version,
        "sources": [str(source) for source in entry.sources],
        "bytes": entry.size,
        "path": _path(name),
    }


def _path(name: str) -> str | None:
    try:
        return str(library.path(name))
    except AssetError:
        return None


def _problem(name: str) -> AssetError | None:
    try:
        library.verify(name)
    except AssetError as error:
        return error
    return None
