"""Time the matcher on real posts: ours, and one regular expression of all terms, in turns.

The other is what a user would write: all spellings in one alternation, longest first, between word
boundaries, case ignored. The minimum processor time counts, since noise only ever adds. Functions
return plain rows, which `python benchmarks/nlpguard.py` prints.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import islice

from burnish.data import load_set
from burnish.methods.nlpguard.lexicon import Lexicon
from burnish.methods.nlpguard.matching import Matcher

Row = dict[str, str | int | float | None]

SIZES = (800, None)  # spellings; None for the whole lexicon
TARGET = 1.0  # MB/s


def matching_rows(sizes: Sequence[int | None] = SIZES, *, repeats: int = 5) -> list[Row]:
    """Megabytes a second of text, by the number of spellings looked for."""
    texts = list(load_set("dreaddit").train.texts)
    terms = Lexicon().terms
    return [
        row for size in sizes for row in _rows(texts, dict(islice(terms.items(), size)), repeats)
    ]


def _rows(texts: Sequence[str], terms: Mapping[str, str], repeats: int) -> list[Row]:
    matcher, pattern = Matcher(terms), _alternation(terms)
    candidates: dict[str, Callable[[str], object]] = {
        "Matcher.find": matcher.find,
        "one regular expression": lambda text: [match.span() for match in pattern.finditer(text)],
    }
    best = dict.fromkeys(candidates, float("inf"))
    for _ in range(repeats):
        for name, find in candidates.items():
            start = time.process_time()
            for text in texts:
                find(text)
            best[name] = min(best[name], time.process_time() - start)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    slowest = max(best.values())
    return [
        {
            "matcher": name,
            "spellings": len(terms),
            "MB": megabytes,
            "MB/s": megabytes / seconds,
            "texts/s": len(texts) / seconds,
            "ratio": slowest / seconds,
            "promised MB/s": TARGET if name == "Matcher.find" else None,
        }
        for name, seconds in best.items()
    ]


def _alternation(terms: Mapping[str, str]) -> re.Pattern[str]:
    longest_first = sorted(terms, key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, longest_first))})\b", re.IGNORECASE)
