"""`burnish cg_fedllm VERB`: parses, calls the library, shows."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_args

import click

from burnish.console import options, print_rows, say
from burnish.errors import Interrupted, UsageError
from burnish.methods.cg_fedllm.config import LEARNED, CgFedllmConfig, CodecName, Represent
from burnish.runs.settings import build_config

Command = TypeVar("Command", bound=Callable[..., Any])
TINY = CgFedllmConfig.model
_OF_OTHERS = "learning_rate=1e-3"  # the quick preset's rate is for the tiny Llama

_as_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on standard output."
)
_seed = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True,
    help="Of it all: clients, LoRA initialisation, batches.",
)  # fmt: skip


@click.group()
def cg_fedllm() -> None:
    """CG-FedLLM: federated LoRA fine-tuning that sends a fraction of the bytes."""


_ground = options(
    click.option("--model", metavar="ASSET|ID|DIR|FILE.gguf",
                 help=f"Causal language model.  [default: {TINY}, made on the spot]"),
    click.option("--data", metavar="FILE|DIR|ID",
                 help="Texts: CSV, TSV, JSON Lines, Parquet, a folder of datasets.save_to_disk or "
                 "a hub id.  [default: the embedded corpus]"),
    click.option("--text", help="Column of the text.  [default: text]"),
    click.option("--group", help="Column of the group a text belongs to; groups are spread "
                 "unevenly over clients.  [default: group]"),
    click.option("--split", help="Of a hub data set, e.g. train."),
    click.option("--set", "overrides", metavar="KEY=VALUE", multiple=True,
                 help="Any other setting, e.g. clients=8 or learning_rate=1e-3; may be given "
                 "again. `burnish show cg_fedllm` lists them."),
    _seed,
)  # fmt: skip


def _config(values: dict[str, Any], **direct: Any) -> CgFedllmConfig:
    """Takes the options of `_ground` but the seed out of `values`."""
    overrides = list(values.pop("overrides"))
    given = {name: values.pop(name) for name in ("model", "data", "text", "group", "split")}
    if given["model"] not in (None, TINY):
        overrides.insert(0, _OF_OTHERS)
    config: CgFedllmConfig = build_config(
        CgFedllmConfig, "quick", None, overrides, {**given, **direct}
    )
    return config


@cg_fedllm.command()
@_ground
@click.option("--rounds", type=click.IntRange(min=2), help="To collect.  [default: 10]")
@click.option("--alone", is_flag=True, help="Clients train alone, not in a federation.")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, file_okay=False),
              help="The folder to write.")  # fmt: skip
@_as_json
def collect(
    seed: int, rounds: int | None, alone: bool, out: Path, as_json: bool, **values: Any
) -> None:
    """Federate on a first share of every client's data and keep each update, for fit-codec.

    A collection that was killed goes on with the same command. The updates are made from private
    data: fit codecs on public data, or where the updates may be seen.
    """
    config = _config(values, collect_rounds=rounds, federated=False if alone else None)
    from burnish.methods.cg_fedllm.verbs import collect_into
    from burnish.runs.progress import progress

    found = _going_on(lambda: collect_into(config, seed, out, progress))
    line = f"{found['updates']} updates of {found['numbers']:,} numbers: {out}"
    say({"out": str(out), **found}, as_json, line)


@cg_fedllm.command("fit-codec")
@click.argument("updates", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--codec", type=click.Choice(LEARNED), default="autoencoder", show_default=True)
@click.option("--of", "represent", type=click.Choice(get_args(Represent)), default="delta",
              show_default=True, help="Fit to changes, whole adapters or gradients; gradients must "
              "have been collected as such.")  # fmt: skip
@click.option("--steps", type=click.IntRange(min=1), default=3000, show_default=True,
              help="Of the AutoEncoder.")  # fmt: skip
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, dir_okay=False),
              help="The file to write, e.g. codec.safetensors.")  # fmt: skip
@_seed
@_as_json
def fit_codec(
    updates: Path, codec: str, represent: str, steps: int, out: Path, seed: int, as_json: bool
) -> None:
    """Fit a codec to the collected UPDATES and print its certificate.

    The first 80 % of the rounds train it, the rest judge it. Exit code 0 also when the certificate
    says that the codec is not viable: `train` then refuses it without safeguards.
    """
    config = build_config(
        CgFedllmConfig, "quick", None, (), {"codec_steps": steps, "represent": represent}
    )
    from burnish.methods.cg_fedllm.verbs import fit_codec_into
    from burnish.runs.progress import progress

    found = _going_on(lambda: fit_codec_into(config, seed, updates, codec, out, progress))
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False))
        return
    rows = [
        {"measure": name.replace("_", " "), "value": found[name]}
        for name in (
            "update_cosine",
            "aggregate_cosine",
            "b_norm_ratio",
            "matched_share",
            "energy_over_error",
            "energy_over_mean_error",
        )
    ]
    errors = found["relative_errors"].items()
    rows += [{"measure": f"relative error of {name}", "value": each} for name, each in errors]
    print_rows(rows)
    verdict = "viable" if found["viable"] else "not viable: " + "; ".join(found["reasons"])
    click.echo(f"{out}: {found['payload_bytes']:,} bytes an update, {verdict}", err=True)


@cg_fedllm.command()
@_ground
@click.option("--codec", default="int8", show_default=True, metavar="NAME|FILE",
              help="A codec's name, or a file that fit-codec wrote.")  # fmt: skip
@click.option("--rounds", type=click.IntRange(min=1), help="Of federated training.  [default: 4]")
@click.option("--plain", is_flag=True, help="Without error feedback and gain.")
@click.option("--allow-unviable", is_flag=True,
              help="With --plain, also a codec whose certificate speaks against it.")  # fmt: skip
@click.option("--epsilon", type=click.FloatRange(min=0, min_open=True),
              help="Clip and add secret noise for this privacy budget.")  # fmt: skip
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, file_okay=False),
              help="The folder to write.")  # fmt: skip
@_as_json
def train(
    seed: int,
    codec: str,
    rounds: int | None,
    plain: bool,
    allow_unviable: bool,
    epsilon: float | None,
    out: Path,
    as_json: bool,
    **values: Any,
) -> None:
    """Federate in this process and write the adapter to OUT/adapter, as PEFT keeps it.

    Every client trains on the share of its data that `collect` leaves alone. Federations that were
    killed go on with the same command, and end with the same bytes, unless noise was added.
    """
    config = _config(values, rounds=rounds)
    from burnish.methods.cg_fedllm.verbs import train_into
    from burnish.runs.progress import progress

    found = _going_on(
        lambda: train_into(
            config,
            seed,
            codec,
            out,
            progress,
            guarded=not plain,
            allow_unviable=allow_unviable,
            epsilon=epsilon or 0.0,
        )
    )
    moved = f"held-out loss {found['start_loss']:.4f} to {found['losses'][-1]:.4f} nats"
    sent = f"{found['up_bytes'] / 1e6:.2f} MB up, {found['down_bytes'] / 1e6:.2f} MB down"
    say(found, as_json, f"{moved}, {sent}: {found['adapter']}")
    if "privacy" in found and not as_json:
        told = found["privacy"]
        covers = "covers" if told["covers_codec"] else "does not cover"
        click.echo(
            f"privacy: epsilon {told['epsilon_gdp']:.3g} by closed form, {told['epsilon_rdp']:.3g} "
            f"by RDP, at delta {told['delta']:g}; {covers} the codec: {told['reasons'][0]}",
            err=True,
        )


@cg_fedllm.command()
@_ground
@click.option("--codec", "codecs", type=click.Choice(get_args(CodecName)), multiple=True,
              help="May be given again.  [default: those of the quick preset]")  # fmt: skip
@click.option("--rounds", type=click.IntRange(min=1), help="Of federated training.  [default: 4]")
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path, file_okay=False),
              help="The run folder to write.")  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with the comparison in the folder.")
@_as_json
def compare(
    seed: int,
    codecs: tuple[str, ...],
    rounds: int | None,
    out: Path,
    resume: bool,
    as_json: bool,
    **values: Any,
) -> None:
    """Federate with each codec, print loss, bytes and what is recovered, and write a run folder.

    `burnish report OUT` makes the page with charts and certificates.
    """
    config = _config(values, codecs=list(codecs) or None, rounds=rounds)
    from burnish.evidence import find
    from burnish.registry import method
    from burnish.runs import execute

    done = _going_on(
        lambda: execute(
            method("cg_fedllm"), config, preset="quick", seed=seed, out=out, resume=resume
        )
    )
    points = done.points()

    def value(name: str, arm: str) -> float | None:
        return next((point.value for point in find(points, name, arm=arm)), None)

    rows = [
        {
            "codec": arm,
            "payload_bytes": value("payload_bytes", arm),
            "traffic_mb": (value("total_bytes", arm) or 0.0) / 1e6,
            "final_loss": value("final_heldout_loss", arm),
            "recovered": point.value,
        }
        for point in find(points, "recovered_ratio")
        for arm in [str(point.tags["arm"])]
    ]
    if as_json:
        click.echo(json.dumps({"out": str(out), "rows": rows}, ensure_ascii=False))
    else:
        print_rows(rows)
        click.echo(f"the page: burnish report {shlex.quote(str(out))} -o report.html", err=True)


@cg_fedllm.command("serve-app")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@click.option("--model", required=True, metavar="ASSET|ID|DIR", help="The same on every node.")
@click.option("--codec", default="int8", show_default=True, metavar="NAME|file",
              help="A codec's name; file: each side names its own, see the page.")  # fmt: skip
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--nodes", type=click.IntRange(min=1), default=2, show_default=True,
              help="Wait until so many SuperNodes are there.")  # fmt: skip
@click.option(
    "--clip",
    type=click.FloatRange(min=0),
    default=0.0,
    show_default=True,
    help="Largest norm of an update, for privacy; 0 is none.",
)
@click.option("--sigma", type=click.FloatRange(min=0), default=0.0, show_default=True,
              help="Noise on it, times --clip.")  # fmt: skip
@click.option("--heldout", default="", metavar="FILE", help="On the server: texts to score on.")
@click.option("--text", default="text", show_default=True,
              help="Column of the texts, where a SuperNode does not say its own.")  # fmt: skip
@click.option("--output", default="", metavar="DIR",
              help="On the server: where checkpoints and the adapter go.")  # fmt: skip
@_as_json
def serve_app(
    folder: Path,
    model: str,
    codec: str,
    rounds: int,
    nodes: int,
    clip: float,
    sigma: float,
    heldout: str,
    text: str,
    output: str,
    as_json: bool,
) -> None:
    """Write a Flower app to FOLDER, for `flwr run` on a SuperLink and SuperNodes.

    Each SuperNode names its texts in its node config: --node-config 'partition-id=0
    data="notes.csv" text="body"'.
    """
    from burnish.codecs.named import NAMES
    from burnish.methods.cg_fedllm.deploying import Deployment, write_flower_app

    if codec != "file" and (codec not in NAMES or codec in LEARNED):
        known = ", ".join(name for name in NAMES if name not in LEARNED)
        raise UsageError(f"--codec {codec}: give file, or one of {known}")
    deployment = Deployment(
        model=model,
        codec="" if codec == "file" else codec,
        rounds=rounds,
        nodes=nodes,
        clip=clip,
        sigma=sigma,
        heldout=heldout,
        text=text,
        output=output,
    )
    write_flower_app(folder, deployment)
    say({"app": str(folder)}, as_json, f"{folder}: run it with: flwr run {folder} FEDERATION")


def _going_on(work: Callable[[], Any]) -> Any:
    """What the work gives; Ctrl-C says how to go on."""
    try:
        return work()
    except KeyboardInterrupt:
        line = [part for part in sys.argv[1:] if part != "--resume"]
        again = shlex.join(["burnish", *line, *(["--resume"] if "compare" in line[:2] else [])])
        raise Interrupted(f"interrupted; go on with: {again}") from None
