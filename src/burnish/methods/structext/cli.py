"""`burnish structext VERB`: parses, calls the library, shows."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from burnish.console import say
from burnish.errors import BurnishError, UsageError

if TYPE_CHECKING:
    from burnish.methods.structext.answerers import Answerer, SimpleAnswerer
    from burnish.methods.structext.results import Evaluation
    from burnish.methods.structext.sample import Difficulty, Sample, Suite

PROFILES = click.Choice(["official", "corrected"])
BASELINES = ("oracle", "document-order-oracle", "constant", "random-typed", "copy-last-shot")
TARGETS = ("inspect", "lm-eval", "datasets")

_as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output."
)
_SUITE = click.argument("suite", metavar="SUITE.jsonl", type=click.Path(path_type=Path))


@click.group()
def structext() -> None:
    """StrucText-Eval: can this LLM read JSON, YAML, XML, CSV, trees and markup."""


def _cells(ctx: click.Context, param: click.Parameter, values: Sequence[str]) -> Any:
    try:
        return tuple(tuple(int(side) for side in value.split("x", 1)) for value in values)
    except ValueError:
        raise click.BadParameter(f"wanted DEPTHxWIDTH such as 2x1, got {values}") from None


def _dials(ctx: click.Context, param: click.Parameter, value: str | None) -> Difficulty | None:
    from burnish.methods.structext.sample import Difficulty

    if value is None:
        return None
    try:
        return Difficulty(*(int(part) for part in value.split("x")))
    except (TypeError, ValueError):
        raise click.BadParameter(f"wanted DEPTHxWIDTHxCOLUMNS such as 2x1x6, got {value}") from None


@structext.command()
@click.option("--language", "languages", multiple=True, help="Of the eight; all if not given.")
@click.option("--rule", "rules", multiple=True, help="Such as json.4; all if not given.")
@click.option(
    "--cell",
    "grid",
    multiple=True,
    default=("1x1", "2x1"),
    show_default=True,
    callback=_cells,
    help="Depth x width of the documents; may be given again.",
)
@click.option("--columns", type=int, default=6, show_default=True, help="Ratio for columns.")
@click.option(
    "--shots",
    multiple=True,
    type=click.IntRange(min=0),
    default=(0,),
    show_default=True,
    help="Worked examples in a prompt; may be given again.",
)
@click.option("--simple-shots", is_flag=True, help="Draw the examples at 2x1, whatever the cell.")
@click.option(
    "--hints",
    type=click.Choice(["without", "with", "both"]),
    default="without",
    show_default=True,
    help="Ask without the rule hint, with it, or both.",
)
@click.option(
    "-n", "--passes", type=click.IntRange(min=1), default=1, show_default=True,
    help="Documents for each language, cell and number of shots.",
)  # fmt: skip
@click.option(
    "--profile", type=PROFILES, default="corrected", show_default=True,
    help="As released, or with the release's defects mended.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of it all.")
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True,
              help="Processes; more than one pays for large documents.")  # fmt: skip
@click.option(
    "--max-nodes", type=click.IntRange(min=1), default=5000, show_default=True,
    help="Largest document, in nodes.",
)  # fmt: skip
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="The file to write."
)
@_as_json
def generate(
    languages: tuple[str, ...],
    rules: tuple[str, ...],
    hints: str,
    passes: int,
    out: Path,
    as_json: bool,
    **dials: Any,
) -> None:
    """Draw a fresh suite and write it as JSON Lines.

    The same seed gives the same bytes, whatever the number of workers.
    """
    from burnish.methods.structext.generate import build

    suite = build(
        languages=languages or None,
        rules=rules or None,
        hints={"without": (False,), "with": (True,), "both": (False, True)}[hints],
        n=passes,
        **dials,
    )
    suite.to_jsonl(out)
    say({"samples": len(suite), "suite": str(out)}, as_json, f"{len(suite)} samples: {out}")


@structext.command()
@click.argument("file", type=click.File("r", encoding="utf-8"))
@click.option("--rule", required=True, help="Such as json.4.")
@click.option("--question", required=True, help="In the benchmark's wording.")
@click.option(
    "--difficulty",
    metavar="DxWxC",
    callback=_dials,
    help="Depth, width and columns; official LaTeX sections cannot be found without.",
)
@click.option("--profile", type=PROFILES, default="official", show_default=True)
@_as_json
def solve(
    file: Iterable[str],
    rule: str,
    question: str,
    difficulty: Difficulty | None,
    profile: Any,
    as_json: bool,
) -> None:
    """Answer one question about a document from its text (FILE, or - for standard input)."""
    from burnish.methods.structext.solver import solve as solve_text

    answer = solve_text("".join(file), question, rule, difficulty, profile=profile)
    click.echo(json.dumps({"answer": answer}, ensure_ascii=False) if as_json else answer)


@structext.command(name="eval")
@_SUITE
@click.option("--model", help="Asset name, hub id, folder, .gguf file, or endpoint.")
@click.option("--baseline", type=click.Choice(BASELINES), help="In place of a model.")
@click.option("--forced-choice", is_flag=True, help="Let the model pick among five answers.")
@click.option(
    "--log", "log_dir", required=True, type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the log; a log that is there is continued.",
)  # fmt: skip
@click.option(
    "--prompt", type=click.Choice(["release", "paper"]), default="release", show_default=True,
    help="Wording of the prompt.",
)  # fmt: skip
@click.option(
    "--style", type=click.Choice(["naive", "cot", "plan"]), default="naive", show_default=True,
    help="Answer at once, think step by step, or plan first.",
)  # fmt: skip
@click.option("--scorer", "scorers", multiple=True, default=("rouge_l_75", "exact"),
              show_default=True, help="May be given again.")  # fmt: skip
@click.option("--judge", help="A model that judges equivalence, named like --model.")
@click.option("--max-new-tokens", type=click.IntRange(min=1), help="[default: fitted]")
@click.option("--temperature", type=click.FloatRange(min=0), default=0.0, show_default=True,
              help="0 is greedy.")  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="Of sampling, baselines and forced choice.")  # fmt: skip
@click.option(
    "--at-once", type=click.IntRange(min=1), default=8, show_default=True,
    help="Prompts in a batch, or requests in flight.",
)  # fmt: skip
@click.option("--budget-tokens", type=click.IntRange(min=1), help="Stop after so many tokens.")
@click.option(
    "--prices", nargs=2, type=click.FloatRange(min=0), metavar="PROMPT REPLY",
    help="Of an endpoint, in dollars per million tokens.",
)  # fmt: skip
@click.option("--budget-usd", type=click.FloatRange(min=0),
              help="Stop after so many dollars; needs --prices.")  # fmt: skip
@click.option("--budget-seconds", type=click.FloatRange(min=0), help="Stop after so long.")
@click.option("--leave-out-skipped", is_flag=True, help="Samples too long to ask do not count.")
@click.option("--by", multiple=True, default=("language",), show_default=True,
              help="Tags to group the table by; may be given again.")  # fmt: skip
@_as_json
def evaluate(
    suite: Path,
    scorers: tuple[str, ...],
    judge: str | None,
    log_dir: Path,
    at_once: int,
    leave_out_skipped: bool,
    by: tuple[str, ...],
    as_json: bool,
    **settings: Any,
) -> None:
    """Ask a model or a baseline every question of a suite, and score the answers.

    A run that was killed goes on with the same command: what has been answered is not asked again.
    """
    from burnish.chat import Budget, connect
    from burnish.methods.structext.evaluation import evaluate as ask
    from burnish.methods.structext.evaluation import reporting
    from burnish.methods.structext.sample import load
    from burnish.methods.structext.scorers import JudgeScorer
    from burnish.runs.progress import progress

    if settings["budget_usd"] and not settings["prices"]:
        raise UsageError("--budget-usd needs --prices, in dollars per million tokens")
    samples = load(suite)
    answerer = _answerer(samples, at_once=at_once, **_without_budget(settings))
    limits = {name: settings[f"budget_{name}"] for name in ("tokens", "usd", "seconds")}
    judges = [JudgeScorer(connect(judge, at_once=at_once))] if judge else []
    with progress(len(samples), "asking") as bar:
        found = ask(
            samples,
            answerer,
            scorers=[*scorers, *judges],
            log_dir=log_dir,
            budget=Budget(**limits) if any(limits.values()) else None,
            count_skipped=not leave_out_skipped,
            progress=reporting(bar),
        )
    _show(found, by, as_json)
    if found.stopped:
        raise BurnishError(
            f"{found.stopped}; {found.unanswered} samples are unanswered: the same command with "
            "another budget goes on"
        )


def _without_budget(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if not name.startswith("budget_")}


def _answerer(
    samples: Suite,
    *,
    model: str | None,
    baseline: str | None,
    forced_choice: bool,
    prompt: str,
    style: Any,
    max_new_tokens: int | None,
    temperature: float,
    seed: int,
    at_once: int,
    prices: tuple[float, float] | None,
) -> Answerer | SimpleAnswerer:
    from burnish.chat import ContinuationScorer, Prices, connect
    from burnish.methods.structext.answerers import ChatAnswerer, ForcedChoice

    if (model is None) == (baseline is None):
        raise UsageError("give either --model or --baseline")
    if model is None:
        return _baseline(str(baseline), samples, seed)
    named = Prices(prompt=prices[0], completion=prices[1]) if prices else None
    chat = connect(model, at_once=at_once, prices=named)
    if forced_choice:
        if not isinstance(chat, ContinuationScorer):
            raise UsageError(
                f"{model} cannot score given answers; --forced-choice needs a model in process "
                "(asset name, hub id or folder)"
            )
        return ForcedChoice(chat, prompt=prompt, seed=seed)
    return ChatAnswerer(
        chat,
        prompt=prompt,
        style=style,
        max_tokens=max_new_tokens,
        temperature=temperature,
        seed=seed,
    )


def _baseline(name: str, samples: Suite, seed: int) -> SimpleAnswerer:
    from burnish.methods.structext import answerers

    made: dict[str, Callable[[], SimpleAnswerer]] = {
        "oracle": answerers.Oracle,
        "document-order-oracle": answerers.DocumentOrderOracle,
        "constant": lambda: answerers.Constant(_another_draw(samples, seed)),
        "random-typed": lambda: answerers.RandomTyped(seed=seed),
        "copy-last-shot": answerers.CopyLastShot,
    }
    return made[name]()


def _another_draw(samples: Sequence[Sample], seed: int) -> Suite:
    """The same kinds of question from a seed that no suite is likely to have."""
    from burnish.methods.structext.generate import build

    return build(
        rules=tuple(sorted({sample.rule for sample in samples})),
        grid=tuple(sorted({(s.difficulty.depth, s.difficulty.width) for s in samples})),
        columns=samples[0].difficulty.columns,
        n=20,
        seed=seed + 1_000_003,
        profile=samples[0].profile,
    )


@structext.command()
@click.argument("log", type=click.Path(path_type=Path))
@click.option("--scorer", "scorers", multiple=True, required=True, help="May be given again.")
@click.option("--by", multiple=True, default=("language",), show_default=True,
              help="Tags to group the table by; may be given again.")  # fmt: skip
@_as_json
def rescore(log: Path, scorers: tuple[str, ...], by: tuple[str, ...], as_json: bool) -> None:
    """Score the answers of a log with other metrics; no model is called."""
    from burnish.methods.structext.results import load_log

    _show(load_log(log).rescore(scorers), by, as_json)


@structext.command()
@click.argument("ours", type=click.Path(path_type=Path))
@click.argument("theirs", type=click.Path(path_type=Path))
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@_as_json
def compare(ours: Path, theirs: Path, seed: int, as_json: bool) -> None:
    """Difference of two logs on the questions they share: paired bootstrap, 95 % interval."""
    from burnish.methods.structext.results import load_log

    found = load_log(ours).compare(load_log(theirs), seed=seed)
    rows = [
        {
            "metric": metric,
            "n": row.n,
            "ours": row.ours,
            "theirs": row.theirs,
            "difference": row.difference.estimate,
            "low": row.difference.low,
            "high": row.difference.high,
        }
        for metric, row in found.items()
    ]
    _print_rows(rows, as_json, {"ours": str(ours), "theirs": str(theirs)})


@structext.command()
@_SUITE
@click.option("--to", "target", type=click.Choice(TARGETS), required=True)
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write.",
)  # fmt: skip
@_as_json
def export(suite: Path, target: str, out: Path, as_json: bool) -> None:
    """Write a suite as a task or data set of another tool."""
    from burnish.methods.structext import exports
    from burnish.methods.structext.sample import load

    write = getattr(exports, f"export_{target.replace('-', '_')}")
    samples = load(suite)
    write(samples, out)
    say({"samples": len(samples), "out": str(out)}, as_json, f"{len(samples)} samples: {out}")


@structext.command()
@click.argument("folder", type=click.Path(path_type=Path))
@_as_json
def conformance(folder: Path, as_json: bool) -> None:
    """Check the solver against released answers.

    FOLDER is a clone of the official repository, or holds `visible.jsonl`.
    """
    from burnish.methods.structext.conformance import check

    report = check(folder)
    _print_conformance(report, as_json)


def _print_conformance(report: Any, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report.as_dict(), ensure_ascii=False))
    else:
        click.echo(str(report))
    if not report.passed:
        raise BurnishError("the solver disagrees with released answers; see above")


def _show(found: Evaluation, by: Sequence[str], as_json: bool) -> None:
    rows: list[dict[str, Any]] = [group.flat() for group in found.table(by)]
    if by:
        rows += [{**dict.fromkeys(by, "all"), **group.flat()} for group in found.table()]
    _print_rows(
        rows,
        as_json,
        {
            "answerer": found.answerer,
            "unanswered": found.unanswered,
            "tokens": found.tokens,
            "usd": found.usd,
        },
    )


def _print_rows(rows: Sequence[Mapping[str, Any]], as_json: bool, about: Mapping[str, Any]) -> None:
    """Rows as JSON, or as a table on standard output."""
    if as_json:
        click.echo(json.dumps({**about, "rows": list(rows)}, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(caption=", ".join(f"{name}: {value}" for name, value in about.items()))
    idle = {name for name in ("skipped", "errors") if not any(row.get(name) for row in rows)}
    shown = [_with_bounds({k: v for k, v in row.items() if k not in idle}) for row in rows]
    for name in shown[0] if shown else ():
        table.add_column(name, justify="left" if isinstance(rows[0][name], str) else "right")
    for row in shown:
        table.add_row(*row.values())
    Console(file=sys.stdout).print(table)


def _with_bounds(row: Mapping[str, Any]) -> dict[str, str]:
    """Cells of a row for people: a mean and its bounds are one."""
    found = {}
    for name, value in row.items():
        if name.removesuffix("_low").removesuffix("_high") != name:
            continue
        low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
        text = f"{value:.2f}" if isinstance(value, float) else "-" if value is None else str(value)
        found[name] = text if low is None else f"{text} [{low:.2f}, {high:.2f}]"
    return found
