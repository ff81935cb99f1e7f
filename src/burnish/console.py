"""What the verbs of several methods share: options in bundles, lines, JSON and tables."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def options(*each: Callable[[Any], Any]) -> Callable[[Command], Command]:
    """Several options as one decorator, in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(each):
            command = option(command)
        return command

    return decorate


def say(data: Mapping[str, Any], as_json: bool, line: str) -> None:
    """Data as JSON on standard output, or a line on the other."""
    click.echo(json.dumps(data, ensure_ascii=False) if as_json else line, err=not as_json)


def print_rows(rows: Sequence[Mapping[str, Any]], caption: str = "") -> None:
    """Rows as a table on standard output, for people; all have the columns of the first."""
    from rich.console import Console
    from rich.table import Table

    table = Table(caption=caption)
    for name, value in rows[0].items():
        justify: Any = "left" if isinstance(value, str) else "right"
        table.add_column(name.replace("_", " "), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    Console(file=sys.stdout).print(table)


def _cell(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
