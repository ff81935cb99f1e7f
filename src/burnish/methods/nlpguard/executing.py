"""A whole run from Python, in one call."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from burnish.methods.nlpguard.config import NlpguardConfig
from burnish.methods.nlpguard.method import METHOD
from burnish.runs import Run, execute


def run(
    config: NlpguardConfig,
    *,
    out: str | PathLike[str] = "runs/nlpguard",
    seed: int = 0,
    preset: str = "quick",
) -> Run:
    """Train, explain, identify, moderate, train again and audit, as `burnish run nlpguard` does.

    Args:
        config: everything that is done.
        out: the run folder; a run of the same settings in it that was killed goes on.
        seed: of everything drawn at random.
        preset: "quick", "cpu" or "paper"; what the manifest's
            command tells the settings as changes of.

    Returns:
        The finished run: `points()`, and claims in its manifest. `burnish report OUT` makes a page.

    Raises:
        UsageError: `out` holds something else, or a run of other settings.
        BurnishError: a text file, model or asset is missing or wrong.
    """
    return execute(METHOD, config, preset=preset, seed=seed, out=Path(out), resume=True)
