"""Run a method and let what it measured judge its claims."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from burnish.evidence import Claim, Point
from burnish.registry import Method, load, method_imports
from burnish.runs.record import Finding
from burnish.runs.run import Run


def execute(
    method: Method, config: object, *, preset: str, seed: int, out: Path, resume: bool = False
) -> Run:
    """Run `method` in the folder `out` and return the finished run, closed.

    A run that had finished already is not run again; its claims are judged anew.

    Raises:
        UsageError: `out` is not empty, or is not the run to go on with.
        MissingExtra: what the method needs is not installed.
        BurnishError: whatever the method raises; the manifest then says "failed" and why.
    """
    story = load(method, method.run)
    claims = load(method, method.claims)
    with Run.open(out, method, config, preset=preset, seed=seed, resume=resume) as run:
        if run.manifest.status != "finished":
            with method_imports(method):
                story(config, run)
        run.conclude(judge(claims, run.points()))
    return run


def judge(claims: Sequence[Claim], points: Sequence[Point]) -> list[Finding]:
    """What the points say of each claim."""
    verdicts = [(claim, claim.check(points)) for claim in claims]
    return [
        Finding(
            id=claim.id,
            statement=claim.statement,
            source=claim.source,
            paper=claim.paper_value,
            measured=verdict.measured,
            unit=claim.unit,
            interval=verdict.interval,
            verdict=verdict.status,
            note=verdict.note,
        )
        for claim, verdict in verdicts
    ]


def summary(run: Run) -> dict[str, Any]:
    """What `burnish run --json` prints: times in seconds, memory in MB, a verdict a claim."""
    manifest = run.manifest
    return {
        "method": manifest.method,
        "preset": manifest.preset,
        "seed": manifest.seed,
        "run": str(run.folder),
        "seconds": manifest.seconds,
        "peak_mb": manifest.peak_mb,
        "claims": [claim.model_dump(mode="json", exclude={"note"}) for claim in manifest.claims],
    }
