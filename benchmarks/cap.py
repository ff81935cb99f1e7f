"""Contrastive pruning, ours beside the baselines: `python benchmarks/cap.py [--json]`.

Run it on an idle machine. Every ratio comes from one process in which both sides take turns.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from _cap_speed import csr_rows, onnx_rows
from _cap_training import bank_rows, training_rows
from rich.console import Console
from rich.table import Table

PARTS = {
    "A training step of MiniLM, with and without the contrast": training_rows,
    "Tokens into a bank, against plain inference": bank_rows,
    "MiniLM in ONNX Runtime, dense and pruned, one thread": lambda: onnx_rows(repeats=40),
    "MiniLM in PyTorch, dense and with sparse rows, one thread": lambda: csr_rows(repeats=15),
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
