"""StrucText-Eval, ours beside the baselines: `python benchmarks/structext.py [--json]`.

Run it on an idle machine. Ratios come from one process, both sides taking turns; generation is
compared with published figures of the official generator, since its code is not ours to ship.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from _structext_generator import generation, solving
from _structext_scoring import overhead_rows, rouge_rows
from rich.console import Console
from rich.table import Table

PARTS = {
    "Samples generated per second, answers included, official profile": generation,
    "The same, corrected profile": lambda: generation(profile="corrected"),
    "Samples solved from their text per second": solving,
    "RougeL of a pair of texts": rouge_rows,
    "Evaluation against a bare loop": overhead_rows,
}


def show(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows as a table."""
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


if __name__ == "__main__":
    measured = {title: part() for title, part in PARTS.items()}
    if "--json" in sys.argv[1:]:
        print(json.dumps(measured, indent=1))
    else:
        for title, rows in measured.items():
            show(title, rows)
