"""`burnish run`."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from burnish.errors import BurnishError, Interrupted, UsageError
from burnish.registry import Method, method, methods
from burnish.runs.settings import build_config

ALL = "all"
RUNS = Path("runs")


def _complete(ctx: click.Context, param: click.Parameter, text: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in [*methods(), ALL] if name.startswith(text)]


@click.command("run")
@click.argument("name", metavar="NAME|all", shell_complete=_complete)
@click.option("--preset", default="quick", show_default=True, help="quick, cpu or paper.")
@click.option("--model", help="The setting `model`: what to work on, in place of the default.")
@click.option("--data", help="The setting `data`: your own file, in place of the default.")
@click.option(
    "--config",
    "config_file",
    metavar="FILE.yaml",
    type=click.Path(path_type=Path),
    help="Settings that win over the preset's.",
)
@click.option(
    "--set",
    "overrides",
    metavar="KEY=VALUE",
    multiple=True,
    help="One setting, a YAML scalar or list; wins over --config. May be given again.",
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The run folder; for all, the folder above them.  [default: runs/NAME-PRESET-seedN]",
)
@click.option("--resume", is_flag=True, help="Go on with the run that is in the folder.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on standard output.")
def command(
    name: str,
    preset: str,
    model: str | None,
    data: str | None,
    config_file: Path | None,
    overrides: tuple[str, ...],
    seed: int,
    out: Path | None,
    resume: bool,
    as_json: bool,
) -> None:
    """Run a method, or all of them, and check its claims.

    Settings come from the preset, then --config, then --set; `burnish show NAME` lists them.
    """
    try:
        if name == ALL:
            if config_file or overrides or model or data:
                raise UsageError("run all takes presets as they are; name one method to change it")
            _run_all(preset, seed, out or RUNS, resume, as_json)
            return
        chosen = method(name)
        direct = {"model": model, "data": data}
        config = build_config(chosen.config, preset, config_file, overrides, direct)
        result = _run_one(chosen, config, preset, seed, out or _folder(name, preset, seed), resume)
    except KeyboardInterrupt:
        raise Interrupted(f"interrupted; go on with: {_run_line()} --resume") from None
    if as_json:
        click.echo(json.dumps(result, ensure_ascii=False))


def _folder(name: str, preset: str, seed: int) -> Path:
    return RUNS / f"{name}-{preset}-seed{seed}"


def _run_one(
    chosen: Method, config: object, preset: str, seed: int, out: Path, resume: bool
) -> dict[str, Any]:
    from burnish.runs import execute, summary

    result = summary(execute(chosen, config, preset=preset, seed=seed, out=out, resume=resume))
    for claim in result["claims"]:
        measured = (
            "" if claim["measured"] is None else f" [{claim['measured']:.4g} {claim['unit']}]"
        )
        click.echo(f"{claim['verdict']:>10}  {claim['statement']}{measured}", err=True)
    click.echo(f"run: {out} ({result['seconds']} s, peak {result['peak_mb']:.0f} MB)", err=True)
    return result


def _run_line() -> str:
    """The command that is running, without `--resume`, as one would type it."""
    return shlex.join(["burnish", *(part for part in sys.argv[1:] if part != "--resume")])


def _run_all(preset: str, seed: int, home: Path, resume: bool, as_json: bool) -> None:
    """Every method in a process of its own, so that none inherits another's memory or failure."""
    from burnish.runs import write_report

    for each in methods().values():
        build_config(each.config, preset)
    folders = {name: home / _folder(name, preset, seed).name for name in methods()}
    taken = [str(folder) for folder in folders.values() if folder.exists()]
    if taken and not resume:
        raise UsageError(
            f"{', '.join(taken)} {'is' if len(taken) == 1 else 'are'} there already; add --resume "
            "to go on, or name another folder with --out"
        )
    results, failed = [], []
    for name, folder in folders.items():
        click.echo(f"== {name}", err=True)
        options = ["--preset", preset, "--seed", str(seed), "--out", str(folder), "--json"]
        result = _in_process([name, *options, *(["--resume"] if resume else [])])
        if result is None:
            failed.append(name)
        else:
            results.append(result)
    begun = [folder for folder in folders.values() if (folder / "manifest.json").exists()]
    report = write_report(begun, home / "report.html") if begun else None
    if report:
        click.echo(f"report: {report}", err=True)
    if as_json:
        page = str(report) if report else None
        click.echo(json.dumps({"runs": results, "report": page}, ensure_ascii=False))
    if failed:
        raise BurnishError(f"{', '.join(failed)} failed; what it says is above and in the report")


def _in_process(arguments: Sequence[str]) -> dict[str, Any] | None:
    """What `burnish run ... --json` printed, or None where it failed."""
    line = [sys.executable, "-m", "burnish.cli.main", "run", *arguments]
    done = subprocess.run(line, stdout=subprocess.PIPE, text=True, encoding="utf-8", check=False)
    if done.returncode == Interrupted.exit_code:
        raise KeyboardInterrupt
    result: dict[str, Any] | None = json.loads(done.stdout) if done.returncode == 0 else None
    return result
