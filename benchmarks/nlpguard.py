"""NLPGuard, ours beside the baselines: `python benchmarks/nlpguard.py [--json] [--small]`.

Run it on an idle machine; `--small` takes ten texts for the gradients. What is compared takes turns
in one process, and the least processor time of several turns counts. The gains of the gradients
depend on the processor: where PyTorch's usual products use all of it, there is less to gain.
"""

from __future__ import annotations

import sys

from _nlpguard_explaining import gradient_rows, linear_rows
from _nlpguard_matching import matching_rows
from _printing import print_all

if __name__ == "__main__":
    size = {"count": 10, "slow": 2, "repeats": 2} if "--small" in sys.argv[1:] else {}
    print_all(
        {
            "MiniLM by Integrated Gradients, 50 steps where not said otherwise": (
                lambda: gradient_rows(**size)
            ),
            "A bag of words, exactly": linear_rows,
            "Protected words found in posts": matching_rows,
        }
    )
