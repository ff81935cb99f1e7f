"""TGAP: collect updates, make codecs from them, and certify what they lose."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from burnish.codecs.autoencoder import ResNetCodec
from burnish.codecs.certificate import Certificate, certify
from burnish.codecs.constant import Mean, Zero
from burnish.codecs.frequency import BestFrequencies, LowPass
from burnish.codecs.named import codec_named
from burnish.codecs.pca import Pca
from burnish.codecs.protocol import Codec, Context
from burnish.codecs.resnet import Variant
from burnish.codecs.saving import save_codec
from burnish.codecs.snapshots import Records, Snapshots
from burnish.methods.cg_fedllm.arms import Certify, Collect, Couple, Fit
from burnish.methods.cg_fedllm.collecting import collect
from burnish.methods.cg_fedllm.config import LEARNED, CgFedllmConfig, Represent
from burnish.methods.cg_fedllm.grounds import first_task, precision_of
from burnish.training import Checkpoint, derive

NOISES = (0.04, 400.0)
"""Of the paper's noise table, 5e-5 and 5e-1, over the spread of its updates, about 1.3e-3."""
_VARIANTS: dict[str, Variant] = {"autoencoder": "paper", "autoencoder-wide": "wide"}
_CURVE = 50  # points of a training curve
_CHECKPOINT_SECONDS = 20.0


def snapshots_folder(home: Path, init: int) -> Path:
    """Where the updates under an initialisation are kept."""
    return home / "updates" / f"init-{init}"


def codec_file(home: Path, codec: str, represent: str) -> Path:
    """Where a fitted codec is kept."""
    return home / "codecs" / f"{codec}-{represent}.safetensors"


def collect_updates(
    config: CgFedllmConfig,
    seed: int,
    init: int,
    folder: Path,
    after_round: Callable[[int], None] | None = None,
) -> Snapshots:
    """Keep every update of `collect_rounds` rounds on D1, under an initialisation.

    States are kept, which also tell changes; gradients where the config sends those. A killed
    collection goes on.

    Raises:
        UsageError, DataError, AssetMissing: model or data are not to be had.
    """
    task = first_task(config, seed, init)
    return collect(
        task,
        folder,
        clients=task.clients,
        fraction=config.fraction,
        rounds=config.collect_rounds,
        represent="grad" if config.represent == "grad" else "state",
        federated=config.federated,
        seed=derive(seed, "collect", init),
        after_round=after_round,
    )


def do_collect(config: CgFedllmConfig, seed: int, job: Collect, home: Path) -> dict[str, Any]:
    """Do a job; what it found, as JSON has it."""
    begun = time.perf_counter()
    done = collect_updates(config, seed, job.init, snapshots_folder(home, job.init))
    return {
        "records": len(done.all),
        "rounds": len(done.rounds),
        "seconds": time.perf_counter() - begun,
    }


def collected(home: Path, init: int, represent: Represent) -> Snapshots:
    """The updates under an initialisation, in a representation."""
    return Snapshots.open(snapshots_folder(home, init)).seen_as(represent)


def do_fit(config: CgFedllmConfig, seed: int, job: Fit, home: Path) -> dict[str, Any]:
    """Do a job; what it found, as JSON has it."""
    begun = time.perf_counter()
    snapshots = collected(home, 0, job.represent)
    losses: list[float] = []
    codec, certificate = fit_codec(
        config,
        seed,
        job.codec,
        snapshots,
        codec_file(home, job.codec, job.represent),
        losses,
        lambda _: None,
    )
    every = max(1, len(losses) // _CURVE)
    return {
        "certificate": certificate.as_dict(),
        "losses": [(step, losses[step - 1]) for step in range(every, len(losses) + 1, every)],
        "noise": _noise(codec, snapshots.heldout, _generator(seed, "noise")),
        "latent_share": _latent_share(codec),
        "seconds": time.perf_counter() - begun,
    }


def fit_codec(
    config: CgFedllmConfig,
    seed: int,
    name: str,
    snapshots: Snapshots,
    target: Path,
    losses: list[float],
    on_step: Callable[[int], None],
) -> tuple[Codec, Certificate]:
    """Make a codec from the first 80 % of the rounds, judge it by the rest, and write it.

    A killed training of the AutoEncoder goes on from a checkpoint beside `target`.

    Args:
        config: of the AutoEncoder's steps, batch, rate and precision.
        seed: of the run.
        name: in `LEARNED`.
        snapshots: what was collected.
        target: the file to write.
        losses: the AutoEncoder's, of every step, are put here; also those before a kill.
        on_step: told the AutoEncoder's steps, from 1.

    Returns:
        The codec as it was written, and its certificate.
    """
    checkpoint = Checkpoint(
        target.with_name(f"{target.name}.checkpoint"),
        seconds=_CHECKPOINT_SECONDS,
        extra=lambda: {"losses": losses},
        restore=lambda extra: losses.extend(extra["losses"]),
    )

    def after(step: int, loss: float) -> None:
        losses.append(loss)
        on_step(step)

    codec = _made(config, derive(seed, "codec"), name, snapshots, after, checkpoint)
    certificate = certify(codec, snapshots.heldout, _generator(seed, "certify"))
    if isinstance(codec, ResNetCodec):
        codec = codec.certified(certificate)
    save_codec(codec, target)
    checkpoint.path.unlink(missing_ok=True)
    return codec, certificate


def _made(
    config: CgFedllmConfig,
    seed: int,
    name: str,
    snapshots: Snapshots,
    after_step: Callable[[int, float], None],
    checkpoint: Checkpoint,
) -> Codec:
    if name == "pca":
        return _pca(snapshots)
    return ResNetCodec(image=snapshots.source.image, variant=_VARIANTS[name], seed=seed).fit(
        snapshots,
        steps=config.codec_steps,
        batch_size=config.codec_batch,
        learning_rate=config.codec_learning_rate,
        precision=precision_of(config),
        on_step=after_step,
        checkpoint=checkpoint,
    )


def _pca(snapshots: Snapshots) -> Pca:
    source = snapshots.source
    return Pca.fit(snapshots.train.vectors, layout=source.layout, init=source.init)


def _latent_share(codec: Codec) -> float | None:
    """Numbers in the latent over those in the padded image."""
    if not isinstance(codec, ResNetCodec):
        return None
    height, width = codec.image.padded
    return torch.Size(codec.template(1)["latent"].shape).numel() / (height * width)


def _noise(codec: Codec, records: Records, generator: torch.Generator) -> dict[str, float]:
    """Relative squared error against the clean vectors when the input has noise."""
    context = Context(1, 0, records.source.layout, records.source.init)
    found = {}
    for factor in NOISES:
        error = energy = 0.0
        for record in records:
            spread = float(record.vector.square().mean().sqrt())
            noise = torch.randn(record.vector.shape, generator=generator) * (factor * spread)
            decoded = codec.decode(codec.encode(record.vector + noise, context))
            error += float((decoded - record.vector).double().square().sum())
            energy += float(record.vector.double().square().sum())
        found[f"{factor:g}"] = error / energy
    return found


def do_certify(config: CgFedllmConfig, seed: int, job: Certify, home: Path) -> dict[str, Any]:
    """Do a job; what it found, as JSON has it."""
    snapshots = collected(home, 0, job.represent)
    found = {}
    for name, codec in _references(config, snapshots):
        certificate = certify(codec, snapshots.heldout, _generator(seed, "certify"))
        found[name] = certificate.as_dict()
    return {"certificates": found}


def _references(config: CgFedllmConfig, snapshots: Snapshots) -> Iterator[tuple[str, Codec]]:
    """What the AutoEncoder's certificate is read beside, and every codec that is compared."""
    image = snapshots.source.image
    latent = image.padded[0] * image.padded[1] // 64
    yield "zero", Zero(image.size)
    yield "mean", Mean.fit(snapshots.train.vectors)
    yield "low-pass", LowPass(image=image, k=latent)
    yield "best-frequencies", BestFrequencies(image=image, k=latent // 2)
    if "pca" not in config.codecs or snapshots.source.represent != config.represent:
        yield "pca", _pca(snapshots)
    for name in dict.fromkeys(("sign", *config.codecs)):
        # projecting on 4,096 drawn directions takes half a minute a vector, and keeps 0.4 %
        if name not in (*LEARNED, "kseed"):
            yield name, codec_named(name, image)


def do_couple(job: Couple, home: Path) -> dict[str, Any]:
    """Update cosines of PCA on updates of this initialisation, fitted under it and under the first.

    Both bases are cut to the same number of directions.
    """
    here, first = collected(home, job.init, "delta"), collected(home, 0, "delta")
    own, other = Pca.fit(here.train.vectors), Pca.fit(first.train.vectors)
    count = min(len(own.basis), len(other.basis))
    return {
        "own": _mean_cosine(own.basis[:count], here.heldout),
        "other": _mean_cosine(other.basis[:count], here.heldout),
        "components": count,
    }


def _mean_cosine(basis: Tensor, records: Records) -> float:
    cosines = [
        float(torch.cosine_similarity(basis.T @ (basis @ each.update), each.update, dim=0))
        for each in records
    ]
    return sum(cosines) / len(cosines)


def _generator(seed: int, name: str) -> torch.Generator:
    return torch.Generator().manual_seed(derive(seed, name))
