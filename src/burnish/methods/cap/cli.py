"""`burnish cap VERB`: parses, calls the library, shows."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click
from pydantic import ValidationError

from burnish.console import options, say
from burnish.errors import ConfigError, Interrupted, UsageError
from burnish.methods.cap.config import ArmName, CapConfig, UnitName, WeightName

if TYPE_CHECKING:
    from torch import nn

    from burnish.methods.cap.single import DataChoice

Command = TypeVar("Command", bound=Callable[..., Any])
UNITS, WEIGHTS = get_args(UnitName), get_args(WeightName)
_FIELDS: Mapping[str, Any] = CapConfig.__pydantic_fields__  # type: ignore[attr-defined]
_POSITIVE = click.FloatRange(min=0, min_open=True)
_COUNT = click.IntRange(min=1)
_AT_LEAST_0 = click.FloatRange(min=0)
_SHARE = click.FloatRange(min=0, max=1, min_open=True, max_open=True)

_as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output."
)
_MODELS = click.argument("models", metavar="MODEL...", nargs=-1, required=True)


@click.group()
def cap() -> None:
    """CAP: make a fine-tuned encoder small without it forgetting."""


def _setting(name: str, kind: Any, **more: Any) -> Callable[[Command], Command]:
    """An option for a field of `CapConfig`, with the field's help and default."""
    field = _FIELDS[name]
    return click.option(
        f"--{name.replace('_', '-')}",
        type=kind,
        default=field.default,
        show_default=True,
        help=f"{field.description[0].upper()}{field.description[1:]}.",
        **more,
    )


def _weight_or_auto(ctx: click.Context, param: click.Parameter, value: Any) -> float | str:
    if value == "auto":
        return "auto"
    try:
        weight = float(value)
    except ValueError:
        weight = -1.0
    if not weight >= 0:
        raise click.BadParameter(f"wanted a number of at least 0, or auto, got {value}")
    return weight


_data_options = options(
    click.option(
        "--data", "source", required=True, metavar="SET|FILE|FOLDER|ID",
        help="An embedded set (dreaddit, tweets, spam, bbq, medqa-pairs); a CSV, TSV, JSON Lines "
        "or Parquet file; a folder of datasets.save_to_disk; or a hub id.",
    ),
    click.option("--task", type=click.Choice(["classification", "pairs", "qa"]),
                 help="What the data hold.  [default: classification, or the set's own]"),
    click.option("--text", help='Column of the text.  [default: text, or context for qa]'),
    click.option("--other", help="Column of the second text.  [default: question for qa]"),
    click.option("--label", help="Column of the class.  [default: label]"),
    click.option("--id", "id_column", help="Column of the examples' ids; else rows are counted."),
    click.option("--split", help="Of a hub data set, e.g. train."),
    click.option("--train", type=_COUNT, help="Examples to train on, at most.  [default: all]"),
    click.option("--test", type=_COUNT,
                 help="Examples held out.  [default: 3000; at most a third of your own]"),
)  # fmt: skip


def _choice(values: dict[str, Any]) -> DataChoice:
    """Takes the options of `_data_options` that say which data out of `values`."""
    from burnish.methods.cap.single import DataChoice

    names = ("source", "task", "text", "other", "label", "id_column", "split")
    return DataChoice(**{name: values.pop(name) for name in names})


@cap.command()
@click.argument("model")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, file_okay=False),
              help="The folder to write; empty, or with --resume one that was begun.")  # fmt: skip
@_data_options
@click.option("--teacher", metavar="DIR|ID", help="A fine-tuned model.  [default: MODEL if it is "
              "one, else fine-tuned here first]")  # fmt: skip
@click.option("--criterion", type=click.Choice([*UNITS, *WEIGHTS]), default="first-order",
              show_default=True, help="The first two take heads and units, the others single "
              "weights.")  # fmt: skip
@click.option("--sparsity", "sparsities", type=_SHARE, multiple=True,
              help="Share that goes; given again, a stage each, of heads and units.  [default: "
              f"{', '.join(map(str, CapConfig.stages))}; weights {CapConfig.weight_sparsities[0]}]",
              )  # fmt: skip
@click.option("--objective", type=click.Choice(get_args(ArmName)), default="cap",
              show_default=True, help="Labels alone, with distillation, with the contrast too.",
              )  # fmt: skip
@click.option("--use", type=click.Choice(["pre", "snap", "fine"]), multiple=True,
              default=CapConfig.use, show_default=True, help="View contrasted with; may be given "
              "again.")  # fmt: skip
@_setting("lambda_u", str, callback=_weight_or_auto)
@_setting("lambda_s", _AT_LEAST_0)
@_setting("tau", _POSITIVE)
@_setting("extra", click.IntRange(min=0))
@_setting("reduction", click.Choice(["mean", "reference"]))
@_setting("pooling", click.Choice(["auto", "cls", "mean"]))
@click.option("--projection", is_flag=True, help="Learn a map to the teacher's hidden size.")
@click.option("--epochs", type=_COUNT, help="Of a stage, or of pruning weights.  [default: "
              f"{CapConfig.stage_epochs}; weights {CapConfig.weight_epochs}]")  # fmt: skip
@_setting("final_epochs", _COUNT)
@_setting("batch_size", _COUNT)
@click.option("--learning-rate", type=_POSITIVE, help="Peak, of weights.  [default: "
              f"{CapConfig.learning_rate}; pruning weights {CapConfig.weight_learning_rate}]",
              )  # fmt: skip
@_setting("teacher_epochs", _COUNT)
@_setting("teacher_learning_rate", _POSITIVE)
@_setting("max_length", click.IntRange(min=8))
@click.option("--stride", type=click.IntRange(min=0), default=0, show_default=True,
              help="Tokens by which the parts of a long context overlap, for qa; 0 keeps its "
              "beginning alone.")  # fmt: skip
@_setting("precision", click.Choice(["auto", "float32", "bfloat16"]))
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of it all.")
@click.option("--resume", is_flag=True, help="Go on with the pruning in the folder.")
@_as_json
def prune(out: Path, resume: bool, as_json: bool, **options: Any) -> None:
    """Prune MODEL, an encoder or a fine-tuned classifier or QA model, on labelled data.

    Writes the model in its dense shape with zeros to OUT/pruned, what stays to
    OUT/keep.safetensors, and how it went to OUT/history.json. `burnish cap compact OUT` makes it
    small. A pruning that was killed goes on with the same command and --resume.
    """
    from burnish.methods.cap.folder import PruningFolder

    PruningFolder(out).check_free(resume=resume)

    from burnish.methods.cap.single import prune_into
    from burnish.runs.progress import progress

    order = _order(options)
    try:
        done = prune_into(order, out, resume=resume, bars=progress, say=_tell)
    except KeyboardInterrupt:
        again = shlex.join(["burnish", *(part for part in sys.argv[1:] if part != "--resume")])
        raise Interrupted(f"interrupted; go on with: {again} --resume") from None
    if as_json:
        click.echo(json.dumps({"out": str(out), **done}, ensure_ascii=False))
        return
    kept = done["retained"]
    of = f" of {kept['denominator']:.1f} = {kept['ratio']:.1%}" if kept["ratio"] else ""
    structured = done["settings"]["criterion"] in UNITS
    more = f"; make it small: burnish cap compact {out} -o SMALL" if structured else ""
    _tell(f"{done['metric']} {kept['numerator']:.1f}{of}: {out / 'pruned'}{more}")


def _order(options: dict[str, Any]) -> Any:
    from burnish.methods.cap.single import Order

    criterion, given = options.pop("criterion"), options.pop("sparsities")
    epochs, rate = options.pop("epochs"), options.pop("learning_rate")
    sparsity, stages = CapConfig.weight_sparsities[0], CapConfig.stages
    if criterion in UNITS:
        stages = given or stages
        settings = {"stages": stages, "stage_epochs": epochs, "learning_rate": rate}
    else:
        if criterion == "soft-movement" and given:
            raise UsageError(
                "soft-movement prunes below a threshold and the share follows from the scores; "
                "leave --sparsity out"
            )
        if len(given) > 1:
            raise ConfigError(
                f"{criterion} prunes weights along one curve to one --sparsity, got "
                f"{', '.join(map(str, given))}; give the last alone"
            )
        sparsity = given[0] if given else sparsity
        settings = {"weight_epochs": epochs, "weight_learning_rate": rate}
    own = ("objective", "teacher", "train", "test", "stride", "seed", "projection")
    ours = {name: options.pop(name) for name in own}
    data = _choice(options)
    chosen = {name: value for name, value in settings.items() if value is not None}
    return Order(
        config=_config(options | chosen), criterion=criterion, sparsity=sparsity, data=data, **ours
    )


def _config(values: Mapping[str, Any]) -> CapConfig:
    try:
        return CapConfig(**values)
    except ValidationError as failure:  # NaN slips through the ranges of click
        first = failure.errors()[0]
    name = str(first["loc"][0]).replace("_", "-")
    raise ConfigError(f"--{name}: {first['msg'].lower()}, got {first['input']}")


@cap.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, file_okay=False),
              help="The folder to write; empty.")  # fmt: skip
@_as_json
def compact(folder: Path, out: Path, as_json: bool) -> None:
    """Cut what is gone out of the model that `prune` left in DIR.

    Plain transformers loads the result where all layers ended alike; otherwise
    burnish.models.AutoPruned does, and every verb here.
    """
    if out.exists() and any(out.iterdir()):
        raise UsageError(f"{out} is not empty; name another folder")

    from burnish.methods.cap.folder import PruningFolder
    from burnish.models.pruned import needs_auto_pruned, save_pruned

    pruned, tokenizer = PruningFolder(folder).read()
    small = pruned.compact()
    save_pruned(small, out, tokenizer)
    before, after = _parameters(pruned.masked()), _parameters(small)
    plain = not needs_auto_pruned(out)
    loads = "loads in plain transformers" if plain else "loads with burnish.models.AutoPruned"
    say(
        {
            "out": str(out),
            "parameters_before": before,
            "parameters_after": after,
            "plain_transformers": plain,
        },
        as_json,
        f"{before:,} parameters are now {after:,} ({after / before:.1%}); {loads}: {out}",
    )


def _parameters(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


@cap.command()
@click.argument("folder", metavar="MODEL")
@click.option("-o", "--out", required=True, metavar="FILE.onnx", help="The fp32 file to write.",
              type=click.Path(path_type=Path, dir_okay=False))  # fmt: skip
@click.option("--int8/--no-int8", default=True, show_default=True,
              help="Write FILE-int8.onnx beside it, for processors like this one.")  # fmt: skip
@_as_json
def export(folder: str, out: Path, int8: bool, as_json: bool) -> None:
    """Write MODEL, as `compact` made it or dense, as ONNX."""
    from burnish.methods.cap.named import load_any, zeros_in
    from burnish.models.onnx_export import export_onnx, quantize_int8

    if out.suffix != ".onnx":
        raise UsageError(f"the file to write ends in .onnx, got {out}")
    loaded = load_any(folder)
    if zeros_in(folder):
        _tell(f"warning: the zeros in {folder} are exported too and make nothing smaller or "
              "faster; of heads and units, burnish cap compact frees it")  # fmt: skip
    names = [name for name in loaded.tokenizer.model_input_names if name.endswith(("ids", "mask"))]
    written = {"onnx": export_onnx(loaded.model, out, inputs=names)}
    if int8:
        written["int8"] = quantize_int8(out)
    sizes = {f"{name}_bytes": path.stat().st_size for name, path in written.items()}
    say(
        {name: str(path) for name, path in written.items()} | sizes,
        as_json,
        ", ".join(
            f"{path}: {path.stat().st_size / 1e6:.1f} MB" for path in written.values()
        ),
    )  # fmt: skip


@cap.command()
@_MODELS
@click.option("--batch", type=_COUNT, default=1, show_default=True, help="Texts.")
@click.option("--tokens", type=_COUNT, default=128, show_default=True, help="Length of each.")
@click.option("--repeats", type=_COUNT, default=50, show_default=True, help="Rounds that count.")
@_as_json
def latency(models: Sequence[str], as_json: bool, **shape: int) -> None:
    """Time models side by side on one thread; speed-ups are over the first.

    MODEL is a folder or an .onnx file. The figures are processor time of the whole process; the
    least is the one to quote. A model pruned by single weights is timed with its matrices as CSR.
    """
    from burnish.methods.cap.serving import compare_speed

    _print_rows(compare_speed(models, **shape), as_json, shape)


@cap.command()
@_MODELS
@_data_options
@click.option("--pooling", type=click.Choice(["cls", "mean"]), default="mean", show_default=True,
              help="The vector that is classified.")  # fmt: skip
@_setting("max_length", click.IntRange(min=8))
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="Of the training examples drawn.")  # fmt: skip
@_as_json
def probe(
    models: Sequence[str],
    train: int | None,
    test: int | None,
    pooling: Any,
    max_length: int,
    seed: int,
    as_json: bool,
    **options: Any,
) -> None:
    """What encoders still know: logistic regression on their frozen vectors, on another set."""
    from burnish.methods.cap.knowledge import compare_knowledge
    from burnish.methods.cap.single import load_examples

    parts = load_examples(_choice(options), train=train, test=test, seed=seed)
    found = compare_knowledge(models, *parts, pooling=pooling, max_length=max_length)
    first = next(iter(found.values()))
    about = {"train": first.train, "test": first.test, "majority_percent": first.majority}
    rows = [
        {
            "model": name,
            "accuracy_percent": each.accuracy,
            "above_majority_percent": each.accuracy - each.majority,
        }
        for name, each in found.items()
    ]
    _print_rows(rows, as_json, about)


def _print_rows(rows: Sequence[Mapping[str, Any]], as_json: bool, about: Mapping[str, Any]) -> None:
    """Rows as JSON, or as a table on standard output."""
    if as_json:
        click.echo(json.dumps({**about, "rows": list(rows)}, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(caption=", ".join(f"{name}: {_cell(value)}" for name, value in about.items()))
    for name, value in rows[0].items():
        text = isinstance(value, str)
        title = name.replace("_", " ")
        table.add_column(title, justify="left" if text else "right", overflow="fold")
    for row in rows:
        table.add_row(*map(_cell, row.values()))
    Console(file=sys.stdout).print(table)


def _cell(value: object) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _tell(line: str) -> None:
    click.echo(f"burnish: {line}" if line.startswith("warning") else line, err=True)
