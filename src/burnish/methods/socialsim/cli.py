"""`burnish socialsim VERB`: parses, calls the library, shows."""

from __future__ import annotations

import json
import math
import shlex
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from burnish.console import options, print_rows, say
from burnish.errors import Interrupted, UsageError
from burnish.methods.socialsim.config import MeasureName, RankerName, SocialsimConfig

if TYPE_CHECKING:
    from burnish.methods.socialsim.loop import Simulation
    from burnish.methods.socialsim.scenario import Scenario
    from burnish.methods.socialsim.twin_effects import Effect
    from burnish.methods.socialsim.world import BlueMeasure

Command = TypeVar("Command", bound=Callable[..., Any])

_as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output."
)
_seed = click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
                     help="Of every draw.")  # fmt: skip
_scenario = click.argument("scenario", metavar="SCENARIO")
_world = options(
    _scenario,
    click.option("--agents", type=click.IntRange(min=100), default=100_000, show_default=True,
                 help="Accounts."),
    click.option("--hours", type=click.IntRange(min=1), help="Of the run.  [default: the "
                 "scenario's]"),
    click.option("--edges", type=click.Path(path_type=Path, exists=True, dir_okay=False),
                 help="Your own graph: CSV or Parquet with columns follower and followee."),
    click.option("--ranker", type=click.Choice(get_args(RankerName)),
                 help="Of the feeds.  [default: the scenario's]"),
    click.option("--names", type=click.Path(path_type=Path, exists=True, dir_okay=False),
                 help="Further names of the real world to refuse, one a line."),
    _seed,
)  # fmt: skip
_run_folder = click.Path(path_type=Path, exists=True, file_okay=False)


@click.group()
def socialsim() -> None:
    """A synthetic social network: campaigns, countermeasures, and what they cost.

    SCENARIO is a YAML file, or harbour_rumour or quiet_vote, which come along. Worlds are
    fictional, and everything written says so.
    """


@socialsim.command()
@_world
@click.option("--no-red", is_flag=True, help="Without the campaign: the twin.")
@click.option("--no-blue", is_flag=True, help="Without the countermeasures.")
@click.option("--rule", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="A rule that `calibrate` wrote.")  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True,
              help="Threads; they change the time and nothing else.")  # fmt: skip
@click.option("--checkpoint", type=click.IntRange(min=1), default=24, show_default=True,
              help="Hours between checkpoints, from which the same command goes on.")  # fmt: skip
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, file_okay=False),
              help="The folder for the tables.")  # fmt: skip
@_as_json
def run(
    no_red: bool,
    no_blue: bool,
    rule: Path | None,
    workers: int,
    checkpoint: int,
    out: Path,
    as_json: bool,
    **world: Any,
) -> None:
    """Run one world and write its tables as Parquet. A run that was killed goes on."""
    from burnish.runs.progress import progress

    scenario, simulation, ticks = _simulation(world)
    simulation = replace(
        simulation.twin() if no_red else simulation,
        workers=workers,
    )
    if no_blue:
        simulation = replace(simulation, world=replace(simulation.world, blue=()))
    if rule is not None:
        simulation = replace(simulation, policy=_rule(rule))
    _make(out)
    with progress(ticks, "hours") as bar:
        done = _going_on(
            lambda: simulation.run(ticks, out, checkpoint=checkpoint, on_tick=lambda: bar.advance())
        )
    for warning in done.warnings:
        click.echo(f"warning: {warning}", err=True)
    posts = done.table("posts").num_rows
    line = f"{done.exposures:,} exposures and {posts:,} posts of {scenario.name}, synthetic: {out}"
    found = {"out": str(out), "exposures": done.exposures, "posts": posts, "ticks": ticks}
    say({**found, "warnings": list(done.warnings)}, as_json, line)


@socialsim.command()
@_world
@click.option("--measure", "measures", type=click.Choice(get_args(MeasureName)), multiple=True,
              help="A countermeasure, alone; may be given again.  [default: label and "
              "downrank]")  # fmt: skip
@click.option("--delay", "delays", type=click.IntRange(min=0), multiple=True,
              help="Hours after a post, for measures that wait; may be given again.")  # fmt: skip
@click.option("--seeds", type=click.IntRange(min=1), default=10, show_default=True,
              help="Twins of each; below 10, intervals are not to be believed.")  # fmt: skip
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True,
              help="Worlds at once.")  # fmt: skip
@click.option("--backend", type=click.Choice(["processes", "ray"]), default="processes",
              show_default=True, help="Where worlds run.")  # fmt: skip
@click.option("--keep", type=click.Path(path_type=Path, file_okay=False),
              help="Keep the tables of every world, as KEEP/NAME/SEED, for `effect`.")  # fmt: skip
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, dir_okay=False),
              help="The page to write, e.g. comparison.html.")  # fmt: skip
@_as_json
def sweep(
    measures: tuple[MeasureName, ...],
    delays: tuple[int, ...],
    seeds: int,
    workers: int,
    backend: Any,
    keep: Path | None,
    out: Path,
    as_json: bool,
    **world: Any,
) -> None:
    """Compare countermeasures with none, each alone, on the same accounts and draws."""
    from burnish.methods.socialsim.comparing import compare, write_page

    scenario, simulation, ticks = _simulation(world)
    plans = _plans(measures or ("label", "downrank"), delays)
    for folder in (out.parent, *([keep] if keep else [])):
        _make(folder)
    found = compare(
        simulation, ticks, plans, seeds=seeds, workers=workers, backend=backend, keep=keep
    )
    write_page(scenario.name, found, out)
    told = found.effects.items()
    if as_json:
        rows = [row for name, own in told for row in _effect_rows(own, world=name)]
        click.echo(json.dumps({"out": str(out), "effects": rows}))
        return
    print_rows([row for name, own in told for row in _short_rows(own, world=name)])
    click.echo(f"the page: {out}", err=True)


@socialsim.command()
@click.argument("folder", metavar="RUN", type=_run_folder)
@click.option("--falsity", type=click.FloatRange(min=0, min_open=True), default=1.7,
              show_default=True, help="Factor by which falsity raised the odds of "
              "sharing.")  # fmt: skip
@_as_json
def validate(folder: Path, falsity: float, as_json: bool) -> None:
    """Hold a RUN against stylised facts of real networks. Best for runs made with --no-red.

    Exit code 1 when a fact is missed: reports on such a world are stamped unvalidated.
    """
    from burnish.methods.socialsim.kept import KeptRun
    from burnish.methods.socialsim.stylised_facts import stamp

    found = KeptRun.at(folder).facts(falsity_factor=falsity)
    rows = [
        {
            "fact": fact.name if as_json else fact.name.replace("_", " "),
            "measured": _number(fact.value),
            "from": fact.low,
            "to": _number(fact.high),
            "holds": "yes" if fact.holds else "no",
            "source": fact.source,
        }
        for fact in found
    ]
    missed = stamp(found)
    if as_json:
        click.echo(json.dumps({"facts": rows, "stamp": missed}))
    else:
        print_rows(rows)
        click.echo(missed or "every fact holds", err=True)
    if missed:
        sys.exit(1)


@socialsim.command()
@_scenario
@click.option("--model", default=SocialsimConfig.model, show_default=True,
              metavar="ASSET|ID|DIR|FILE.gguf|scripted", help="Of the core agents.")  # fmt: skip
@click.option("--personas", type=click.IntRange(min=6), default=50, show_default=True,
              help="Who is probed.")  # fmt: skip
@click.option("--items", type=click.IntRange(min=1), default=100, show_default=True,
              help="Posts each is probed with.")  # fmt: skip
@_seed
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, file_okay=False),
              help="The folder for calibration.json and the kept calls.")  # fmt: skip
@_as_json
def calibrate(
    scenario: str, model: str, personas: int, items: int, seed: int, out: Path, as_json: bool
) -> None:
    """Probe a model as core agents and fit the rule of ordinary accounts to it.

    Calls are kept: a calibration that was killed goes on with the same command.
    """
    from burnish.methods.socialsim.core_work import calibration_file, probe_and_fit, thinker_of
    from burnish.runs.settings import build_config

    given = {"scenario": scenario, "model": model, "personas": personas, "probe_items": items}
    config: SocialsimConfig = build_config(SocialsimConfig, "quick", None, (), given)
    _make(out)
    found = _going_on(lambda: probe_and_fit(config, seed, out, thinker_of(config)))
    line = (
        f"{found['probes']} probes: divergence {found['js_nats']:.4f} nats on personas not met "
        f"(role alone {found['marginal_js_nats']:.4f}), calibration error {found['ece']:.4f}: "
        f"{calibration_file(out)}"
    )
    say({"rule": str(calibration_file(out)), **found}, as_json, line)


@socialsim.command()
@click.argument("folder", metavar="RUN", type=_run_folder)
@click.option("--twin", type=_run_folder, help="The same world without the campaign.")
@click.option("--title", default="", help="Of the page.  [default: the folder's name]")
@click.option("--max-nodes", type=click.IntRange(min=1, max=20_000), default=5000,
              show_default=True, help="Accounts shown one by one.")  # fmt: skip
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, dir_okay=False),
              help="The page to write, e.g. replay.html.")  # fmt: skip
@_as_json
def replay(
    folder: Path, twin: Path | None, title: str, max_nodes: int, out: Path, as_json: bool
) -> None:
    """Write one page that plays a RUN: timeline, cascades, feeds. It needs no network."""
    from burnish.methods.socialsim.kept import KeptRun
    from burnish.methods.socialsim.replay import Captions, write_replay

    kept = KeptRun.at(folder)
    _make(out.parent)
    captions = Captions(
        title=title or folder.resolve().name,
        claims={
            code: "true" if true else "false"
            for code, true in zip(kept.claims, kept.claims_true, strict=True)
        },
        twin="the twin run",
    )
    write_replay(folder, out, captions, twin=twin, max_nodes=max_nodes)
    size = out.stat().st_size
    say({"out": str(out), "bytes": size}, as_json, f"{out}, {size / 1e6:.1f} MB: open in a browser")


@socialsim.command()
@click.argument("changed", type=_run_folder)
@click.argument("unchanged", type=_run_folder)
@_seed
@_as_json
def effect(changed: Path, unchanged: Path, seed: int, as_json: bool) -> None:
    """What CHANGED did against its twin UNCHANGED: two runs, or two folders of runs by seed."""
    from burnish.methods.socialsim.kept import effect_between, runs_in

    found = effect_between(runs_in(changed), runs_in(unchanged), seed=seed)
    if as_json:
        click.echo(json.dumps({"effects": _effect_rows(found)}))
        return
    print_rows(_short_rows(found))
    if found[0].seeds == 1:
        click.echo("one pair: no interval can be given; run more seeds", err=True)


def _simulation(world: dict[str, Any]) -> tuple[Scenario, Simulation, int]:
    """The scenario, its world and its hours, from the options of `_world`."""
    from burnish.methods.socialsim.loop import Simulation
    from burnish.methods.socialsim.name_gate import NameGate
    from burnish.methods.socialsim.scenario import Scenario
    from burnish.methods.socialsim.world import RankerKind

    gate = NameGate.default(extra=world["names"])
    scenario = Scenario.from_yaml(world["scenario"], gate=gate)
    if world["edges"] is not None:
        scenario = scenario.with_edges(world["edges"])
    told = scenario.world
    if world["ranker"] is not None:
        told = replace(told, feed=replace(told.feed, ranker=RankerKind(world["ranker"])))
    simulation = Simulation(world=told, n_agents=world["agents"], seed=world["seed"])
    return scenario, simulation, world["hours"] or scenario.ticks


def _rule(path: Path) -> Any:
    from burnish.methods.socialsim.calibration import load_calibration
    from burnish.methods.socialsim.rule_policy import RulePolicy

    return RulePolicy(coefficients=load_calibration(path).coefficients())


def _plans(measures: Sequence[MeasureName], delays: Sequence[int]) -> dict[str, BlueMeasure]:
    from burnish.methods.socialsim.techniques import counter
    from burnish.methods.socialsim.world import BlueMeasure

    found: dict[str, BlueMeasure] = {}
    for name in dict.fromkeys(measures):
        what = counter(name)
        measure = BlueMeasure(kind=what.kind, **dict(what.defaults))
        if delays and "delay" in what.fields:
            found |= {f"{name} at {d} h": replace(measure, delay=d) for d in dict.fromkeys(delays)}
        else:
            found[name] = measure
    return found


def _effect_rows(found: Sequence[Effect], **first: str) -> list[dict[str, Any]]:
    return [
        {
            **first,
            "outcome": effect.metric,
            "changed": _number(effect.changed),
            "unchanged": _number(effect.unchanged),
            "change": _number(effect.difference.estimate),
            "low": _number(effect.difference.low) if effect.seeds > 1 else None,
            "high": _number(effect.difference.high) if effect.seeds > 1 else None,
            "change_percent": None if effect.relative is None else effect.relative.estimate,
            "pairs": effect.seeds,
        }
        for effect in found
    ]


def _short_rows(found: Sequence[Effect], **first: str) -> list[dict[str, Any]]:
    """What fits on a screen: in percent of the unchanged world where that is not 0.

    Raises:
        UsageError: nothing was measured in both worlds.
    """
    if not found:
        raise UsageError("nothing was measured in both runs; run longer worlds")
    rows = []
    for effect in found:
        told, unit = (effect.relative, " %") if effect.relative else (effect.difference, "")
        bounds = f" [{told.low:+.3g}, {told.high:+.3g}]" if effect.seeds > 1 else ""
        rows.append(
            {
                **first,
                "outcome": effect.metric.replace("_", " "),
                "changed": effect.changed,
                "unchanged": effect.unchanged,
                "change": f"{told.estimate:+.3g}{unit}{bounds}",
            }
        )
    return rows


def _number(value: float) -> float | None:
    """JSON has no infinity and no NaN."""
    return value if math.isfinite(value) else None


def _make(folder: Path) -> None:
    """Make a folder, and try it, before long work that would write there.

    Raises:
        UsageError: nothing can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}; give another") from None


def _going_on(work: Callable[[], Any]) -> Any:
    """What the work gives; Ctrl-C says how to go on."""
    try:
        return work()
    except KeyboardInterrupt:
        again = shlex.join(["burnish", *sys.argv[1:]])
        raise Interrupted(f"interrupted; go on with: {again}") from None
