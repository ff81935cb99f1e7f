"""StrucText-Eval, ours beside the baselines: `python benchmarks/structext.py [--json]`.

Run it on an idle machine. Ratios come from one process, both sides taking turns; generation is
compared with published figures of the official generator, since its code is not ours to ship.
"""

from __future__ import annotations

from _printing import print_all
from _structext_generator import generation, solving
from _structext_scoring import overhead_rows, rouge_rows

PARTS = {
    "Samples generated per second, answers included, official profile": generation,
    "The same, corrected profile": lambda: generation(profile="corrected"),
    "Samples solved from their text per second": solving,
    "RougeL of a pair of texts": rouge_rows,
    "Evaluation against a bare loop": overhead_rows,
}


if __name__ == "__main__":
    print_all(PARTS)
