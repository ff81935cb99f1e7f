"""Contrastive pruning, ours beside the baselines: `python benchmarks/cap.py [--json]`.

Run it on an idle machine. Every ratio comes from one process in which both sides take turns.
"""

from __future__ import annotations

from _cap_speed import csr_rows, onnx_rows
from _cap_training import bank_rows, training_rows
from _printing import print_all

PARTS = {
    "A training step of MiniLM, with and without the contrast": training_rows,
    "Tokens into a bank, against plain inference": bank_rows,
    "MiniLM in ONNX Runtime, dense and pruned, one thread": lambda: onnx_rows(repeats=40),
    "MiniLM in PyTorch, dense and with sparse rows, one thread": lambda: csr_rows(repeats=15),
}


if __name__ == "__main__":
    print_all(PARTS)
