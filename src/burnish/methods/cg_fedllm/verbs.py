"""What the verbs of the command line do: collect, fit a codec, train one federation."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from burnish.codecs.errors import LayoutMismatch
from burnish.codecs.guarded import guarded_as_may_be
from burnish.codecs.named import NAMES, codec_named
from burnish.codecs.protocol import Codec
from burnish.codecs.saving import load_codec
from burnish.codecs.snapshots import Snapshots
from burnish.errors import UsageError, nearest
from burnish.methods.cg_fedllm.arms import Arm
from burnish.methods.cg_fedllm.config import LEARNED, CgFedllmConfig
from burnish.methods.cg_fedllm.federating import federation, privacy_of, task_of
from burnish.methods.cg_fedllm.fitting import collect_updates, fit_codec
from burnish.methods.cg_fedllm.grounds import first_task, second_task
from burnish.methods.cg_fedllm.layout import LoraLayout
from burnish.runs.progress import Progress
from burnish.training import derive

Bars = Callable[[int, str], AbstractContextManager[Progress]]
_ORDER = "order.json"


def collect_into(config: CgFedllmConfig, seed: int, out: Path, bars: Bars) -> dict[str, Any]:
    """Keep every update of `collect_rounds` rounds on D1; a killed collection goes on.

    Raises:
        UsageError: the folder is of another collection, or model or data are not to be had.
    """
    order = {"seed": seed, **_ordered(config)}
    _same_order(out, order)
    layout = first_task(config, seed, 0).layout  # what is wrong shows before a file is written
    _begin(out, order)
    with bars(config.collect_rounds, "collecting") as progress:
        done = collect_updates(config, seed, 0, out, lambda _: progress.advance())
    return {"updates": len(done.all), "rounds": len(done.rounds), "numbers": layout.numbers}


def fit_codec_into(
    config: CgFedllmConfig, seed: int, updates: Path, name: str, out: Path, bars: Bars
) -> dict[str, Any]:
    """Fit a codec to collected updates and write it with its certificate.

    The AutoEncoder's training leaves a checkpoint beside `out`, from which a killed one goes on.

    Raises:
        DataError: the folder has no updates.
        UsageError: the codec is not one that is fitted.
    """
    if name not in LEARNED:
        raise UsageError(f"{name} needs no fitting; those that do are {', '.join(LEARNED)}")
    snapshots = Snapshots.open(updates).seen_as(config.represent)
    steps = 1 if name == "pca" else config.codec_steps
    losses: list[float] = []
    with bars(steps, f"fitting {name}") as progress:
        done = [0]

        def on_step(step: int) -> None:
            progress.advance(step - done[0])
            done[0] = step

        codec, certificate = fit_codec(config, seed, name, snapshots, out, losses, on_step)
    return {"codec": str(out), "payload_bytes": codec.nbytes(), **certificate.as_dict()}


def train_into(
    config: CgFedllmConfig,
    seed: int,
    codec: str,
    out: Path,
    bars: Bars,
    *,
    guarded: bool,
    allow_unviable: bool,
    epsilon: float,
) -> dict[str, Any]:
    """Federate on D2 with one codec; OUT/adapter is a PEFT folder.

    Args:
        config: of it all.
        seed: likewise; a fitted codec's collection must have had the same.
        codec: a name, or a file that `fit_codec_into` wrote.
        out: with a checkpoint after every round, from which a killed federation goes on.
        bars: progress.
        guarded: error feedback and gain.
        allow_unviable: also without them a codec whose certificate speaks against it.
        epsilon: privacy budget; 0 for none. Noise is drawn anew each time: two such federations
            differ.

    Raises:
        UnviableCodec: see above.
        LayoutMismatch: the codec was fitted under another model, rank or seed.
        UsageError: the folder is of another federation; no such codec.
    """
    order = {"seed": seed, "codec": codec, "guarded": guarded, "epsilon": epsilon}
    order |= _ordered(config)
    _same_order(out, order)
    read = _codec_file(codec)
    task = second_task(config, seed, 0)
    plain = read or codec_named(codec, task.layout.image)
    _check_made_for(plain, task.layout, task.init)
    sent = guarded_as_may_be(plain) if guarded else plain
    _begin(out, order)
    with bars(config.rounds, "federating") as progress:
        done = federation(
            config,
            task_of(config, task, plain),
            sent,
            arm=Arm(codec, 0, config.represent, guarded=guarded, epsilon=epsilon),
            clients=task.clients,
            seed=derive(seed, "federate", 0),
            noise_seed=None,
            checkpoint=out / "checkpoint",
            allow_unviable=allow_unviable,
            after_round=lambda *_: progress.advance(),
        )
    task.save(done.adapter, out / "adapter")
    found: dict[str, Any] = {
        "codec": codec,
        "start_loss": done.start,
        "losses": [each.heldout for each in done.rounds],
        "rounds": [asdict(each) for each in done.rounds],
        "up_bytes": done.traffic.up,
        "down_bytes": done.traffic.down,
        "adapter": str(out / "adapter"),
    }
    if epsilon:
        found["privacy"] = privacy_of(config, epsilon, learned=read is not None).as_dict()
    (out / "federation.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return found


def _codec_file(codec: str) -> Codec | None:
    """The codec in a file; None if it is a name.

    Raises:
        UsageError: it is neither, or the name of one that must be fitted first.
    """
    if codec in LEARNED:
        raise UsageError(
            f"{codec} is made from past updates; run collect and fit-codec, and give the file"
        )
    if codec in NAMES:
        return None
    if not Path(codec).is_file():
        raise UsageError(f"{codec} is no file and no codec's name; {nearest(codec, NAMES)}")
    return load_codec(Path(codec))


def _check_made_for(codec: Codec, layout: LoraLayout, init: str) -> None:
    made_for = getattr(codec, "init", "")
    if codec.size != layout.size or (made_for and made_for != init):
        raise LayoutMismatch(
            "the codec was fitted to updates of another model, rank or initialisation; collect and "
            "fit with the same --model, --set rank and --seed"
        )


def _ordered(config: CgFedllmConfig) -> dict[str, Any]:
    """The settings, as JSON has them."""
    told: dict[str, Any] = json.loads(json.dumps(asdict(config)))
    return told


def _same_order(out: Path, order: dict[str, Any]) -> None:
    """Refuse a folder with other files or another order, before anything is loaded."""
    path = out / _ORDER
    if not path.is_file():
        if out.exists() and any(out.iterdir()):
            raise UsageError(f"{out} has files of something else; name a new folder")
        return
    there = json.loads(path.read_text(encoding="utf-8"))
    odd = [name for name in order if there.get(name) != order[name]]
    if odd:
        raise UsageError(
            f"{out} was begun with {odd[0]}={there.get(odd[0])!r}, not {order[odd[0]]!r}; name "
            "another folder or take the old settings"
        )


def _begin(out: Path, order: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / _ORDER).write_text(json.dumps(order, indent=1) + "\n", encoding="utf-8")
