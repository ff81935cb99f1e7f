"""Run a method's `cpu` preset and keep what it measured: `python benchmarks/acceptance.py NAME`.

Resumable: an interrupted run goes on where it stopped. The result file holds what
`burnish run --json` prints, every point, and the versions and hardware it was measured on.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from burnish.registry import method
from burnish.runs import execute, summary
from burnish.runs.settings import build_config

HERE = Path(__file__).parent


def main(name: str) -> int:
    record = method(name)
    config = build_config(record.config, "cpu")
    out = HERE.parent / "runs" / f"acceptance-{name}"
    run = execute(record, config, preset="cpu", seed=0, out=out, resume=out.exists())
    manifest = json.loads((out / "manifest.json").read_text())
    result = summary(run) | {
        "run": out.name,
        "config": manifest["config"],
        "versions": manifest["versions"],
        "hardware": manifest["hardware"],
        "points": [
            {"name": point.name, "step": point.step, "value": point.value, **point.tags}
            for point in run.points()
        ],
    }
    target = HERE / "results" / f"{name}.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    for claim in result["claims"]:
        print(f"{claim['verdict']:>10}  {claim['measured']} {claim['unit']}  {claim['statement']}")
    print(target)
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit("usage: python benchmarks/acceptance.py METHOD")
    raise SystemExit(main(sys.argv[1]))
