"""How fast StrucText-Eval documents are generated and solved, on one core, by its CPU time.

`generation` and `solving` return plain rows, which `python benchmarks/structext.py` prints.
The published figures are samples per second of the official generator, as measured for the
specification this package was written to: 85,000 to 230,000 at (1, 1) depending on the language,
and the ones below at (3, 3).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from burnish.methods.structext.generate import iter_build
from burnish.methods.structext.rules import LANGUAGES, RULES
from burnish.methods.structext.sample import Profile
from burnish.methods.structext.solver import solve

CELLS = ((1, 1), (2, 1), (2, 2), (3, 1), (3, 3))
PUBLISHED_SMALL = (85_000, 230_000)
PUBLISHED_LARGE = {"json": 270, "xml": 213, "yaml": 245, "markdown": 435, "tree": 1_600}


def generation(
    languages: Sequence[str] = LANGUAGES,
    cells: Sequence[tuple[int, int]] = CELLS,
    profile: Profile = "official",
    seconds: float = 0.5,
) -> list[dict[str, Any]]:
    """Samples generated per second, answers included, for each cell and language.

    Args:
        languages: to measure.
        cells: pairs of depth and width.
        profile: of the generator.
        seconds: CPU time to spend on each row, in three runs; the fastest counts.
    """
    return [
        {
            "profile": profile,
            "depth": depth,
            "width": width,
            "language": language,
            "samples_per_second": round(_rate(language, (depth, width), profile, seconds / 3)),
            "published_samples_per_second": _published(language, (depth, width)),
        }
        for depth, width in cells
        for language in languages
    ]


def solving(
    cells: Sequence[tuple[int, int]] = ((1, 1), (2, 1), (3, 1)),
    profile: Profile = "official",
    documents: int = 20,
) -> list[dict[str, Any]]:
    """Samples solved from their text per second, for each cell and rule."""
    rows = []
    for depth, width in cells:
        for rule in RULES:
            samples = list(
                iter_build(rules=[rule], grid=[(depth, width)], profile=profile, n=documents)
            )
            started = time.process_time()
            for sample in samples:
                solve(sample.text, sample.question, rule, sample.difficulty, profile=profile)
            taken = time.process_time() - started
            rows.append(
                {
                    "profile": profile,
                    "depth": depth,
                    "width": width,
                    "rule": rule,
                    "samples_per_second": round(len(samples) / taken),
                }
            )
    return rows


def _published(language: str, cell: tuple[int, int]) -> str | None:
    if cell == (1, 1):
        return "{:,} to {:,}".format(*PUBLISHED_SMALL)
    return (
        f"{PUBLISHED_LARGE[language]:,}" if cell == (3, 3) and language in PUBLISHED_LARGE else None
    )


def _rate(language: str, cell: tuple[int, int], profile: Profile, seconds: float) -> float:
    """The fastest of three runs; a run keeps nothing but the sample in hand."""
    count, best = 1, 0.0
    for _ in range(3):
        taken = 0.0
        while True:
            started = time.process_time()
            made = sum(
                1 for _ in iter_build(languages=[language], grid=[cell], profile=profile, n=count)
            )
            taken = time.process_time() - started
            if taken >= seconds:
                break
            count = max(count + 1, int(count * min(10.0, 1.2 * seconds / max(taken, 1e-6))))
        best = max(best, made / taken)
    return best
