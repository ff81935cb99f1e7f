"""Measure every part of a benchmark and print it, as tables or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

Rows = Sequence[Mapping[str, Any]]


def print_all(parts: Mapping[str, Callable[[], Rows]]) -> None:
    """Run the parts in order and print their rows, as one JSON object if --json was given."""
    measured = {title: part() for title, part in parts.items()}
    if "--json" in sys.argv[1:]:
        print(json.dumps(measured, indent=1))
        return
    for title, rows in measured.items():
        _print(title, rows)


def _print(title: str, rows: Rows) -> None:
    table = Table(title=title)
    for name in rows[0]:
        table.add_column(name, justify="left" if isinstance(rows[0][name], str) else "right")
    for row in rows:
        table.add_row(*("-" if cell is None else _short(cell) for cell in row.values()))
    Console(width=140).print(table)


def _short(cell: object) -> str:
    if isinstance(cell, float):
        return f"{cell:.3g}"
    return f"{cell:,}" if isinstance(cell, int) else str(cell)
