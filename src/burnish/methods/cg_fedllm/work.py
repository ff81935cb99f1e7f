"""Each job of a run: TGAP (collect updates, fit and certify codecs) and FAF (federate with one)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from burnish.codecs.autoencoder import ResNetCodec
from burnish.codecs.certificate import certify
from burnish.codecs.constant import Mean, Zero
from burnish.codecs.frequency import BestFrequencies, LowPass
from burnish.codecs.guarded import guarded_as_may_be
from burnish.codecs.kseed import KSeed
from burnish.codecs.named import codec_named
from burnish.codecs.pca import Pca
from burnish.codecs.protocol import Codec, Context
from burnish.codecs.saving import load_codec, save_codec
from burnish.codecs.snapshots import Records, Snapshots
from burnish.codecs.wire import to_bytes
from burnish.methods.cg_fedllm.arms import Arm, Certify, Collect, Couple, Fit, Job
from burnish.methods.cg_fedllm.client import LocalTask, client_app
from burnish.methods.cg_fedllm.collecting import collect
from burnish.methods.cg_fedllm.compressing import CompressMod
from burnish.methods.cg_fedllm.config import LEARNED, CgFedllmConfig, Represent
from burnish.methods.cg_fedllm.grid import in_process
from burnish.methods.cg_fedllm.grounds import first_task, precision_of, second_task
from burnish.methods.cg_fedllm.history import Federated
from burnish.methods.cg_fedllm.layout import LoraLayout
from burnish.methods.cg_fedllm.local import LoraTask
from burnish.methods.cg_fedllm.privacy import sigma_for
from burnish.methods.cg_fedllm.private import ClipAndNoiseMod
from burnish.methods.cg_fedllm.remembering import Remembered
from burnish.methods.cg_fedllm.rounds import AfterRound, federate
from burnish.methods.cg_fedllm.strategy import CompressedFedAvg
from burnish.methods.cg_fedllm.zeroth_order import ZerothOrderTask
from burnish.training import Checkpoint, derive

NOISES = (0.04, 400.0)
"""Of the paper's noise table, 5e-5 and 5e-1, over the spread of its updates, about 1.3e-3."""
VARIANTS = {"autoencoder": "paper", "autoencoder-wide": "wide"}
_CURVE = 50  # points of a training curve


def do(config: CgFedllmConfig, seed: int, job: Job, home: Path) -> dict[str, Any]:
    """Do one job; what it found, as JSON has it."""
    if isinstance(job, Collect):
        return _collect(config, seed, job, home)
    if isinstance(job, Fit):
        return _fit(config, seed, job, home)
    if isinstance(job, Certify):
        return _certify(config, seed, job, home)
    if isinstance(job, Couple):
        return _couple(job, home)
    return _federate(config, seed, job, home)


# ------------------------------------------------------------------------------------------ TGAP


def snapshots_folder(home: Path, init: int) -> Path:
    """Where the updates under an initialisation are kept."""
    return home / "updates" / f"init-{init}"


def codec_file(home: Path, codec: str, represent: str) -> Path:
    """Where a fitted codec is kept."""
    return home / "codecs" / f"{codec}-{represent}.safetensors"


def _collect(config: CgFedllmConfig, seed: int, job: Collect, home: Path) -> dict[str, Any]:
    begun = time.perf_counter()
    task = first_task(config, seed, job.init)
    done = collect(
        task,
        snapshots_folder(home, job.init),
        clients=task.clients,
        fraction=config.fraction,
        rounds=config.collect_rounds,
        represent="grad" if config.represent == "grad" else "state",
        federated=config.federated,
        seed=derive(seed, "collect", job.init),
    )
    return {
        "records": len(done.all),
        "rounds": len(done.rounds),
        "seconds": time.perf_counter() - begun,
    }


def collected(home: Path, init: int, represent: Represent) -> Snapshots:
    """The updates under an initialisation, in a representation."""
    return Snapshots.open(snapshots_folder(home, init)).seen_as(represent)


def _fit(config: CgFedllmConfig, seed: int, job: Fit, home: Path) -> dict[str, Any]:
    begun = time.perf_counter()
    snapshots = collected(home, 0, job.represent)
    losses: list[tuple[int, float]] = []
    checkpoint = Checkpoint(home / "codecs" / f"{job.codec}-{job.represent}.checkpoint")
    codec = fitted(config, job.codec, snapshots, derive(seed, "codec"), losses.append, checkpoint)
    certificate = certify(codec, snapshots.heldout, _generator(seed, "certify"))
    if isinstance(codec, ResNetCodec):
        codec = codec.certified(certificate)
    save_codec(codec, codec_file(home, job.codec, job.represent))
    every = max(1, len(losses) // _CURVE)
    return {
        "certificate": certificate.as_dict(),
        "losses": losses[every - 1 :: every],
        "noise": _noise(codec, snapshots.heldout, _generator(seed, "noise")),
        "latent_share": _latent_share(codec),
        "seconds": time.perf_counter() - begun,
    }


def fitted(
    config: CgFedllmConfig,
    name: str,
    snapshots: Snapshots,
    seed: int,
    on_step: Any = None,
    checkpoint: Checkpoint | None = None,
) -> Codec:
    """A codec made from collected updates.

    Args:
        config: for the AutoEncoder's steps, batch, rate and precision.
        name: in `LEARNED`.
        snapshots: of which the first 80 % of the rounds are used.
        seed: of the AutoEncoder.
        on_step: told (step, loss) of the AutoEncoder.
        checkpoint: of the AutoEncoder's training.
    """
    if name == "pca":
        return Pca.fit(snapshots.train.vectors)
    variant = "wide" if VARIANTS[name] == "wide" else "paper"
    return ResNetCodec(image=snapshots.source.image, variant=variant, seed=seed).fit(  # type: ignore[arg-type]
        snapshots,
        steps=config.codec_steps,
        batch_size=config.codec_batch,
        learning_rate=config.codec_learning_rate,
        precision=precision_of(config),
        on_step=(lambda step, loss: on_step((step, loss))) if on_step else None,
        checkpoint=checkpoint,
    )


def _latent_share(codec: Codec) -> float | None:
    """Numbers in the latent over those in the padded image."""
    if not isinstance(codec, ResNetCodec):
        return None
    height, width = codec.image.padded
    return torch.Size(codec.template(1)["latent"].shape).numel() / (height * width)


def _noise(codec: Codec, records: Records, generator: torch.Generator) -> dict[str, float]:
    """Relative squared error against the clean vectors when the input has noise."""
    found = {}
    for factor in NOISES:
        error = energy = 0.0
        for record in records:
            spread = float(record.vector.square().mean().sqrt())
            noise = torch.randn(record.vector.shape, generator=generator) * (factor * spread)
            decoded = codec.decode(codec.encode(record.vector + noise, _context(records)))
            error += float((decoded - record.vector).double().square().sum())
            energy += float(record.vector.double().square().sum())
        found[f"{factor:g}"] = error / energy
    return found


def _context(records: Records, client: int = 0) -> Context:
    return Context(round=1, client=client, layout=records.source.layout, init=records.source.init)


def _certify(config: CgFedllmConfig, seed: int, job: Certify, home: Path) -> dict[str, Any]:
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
        yield "pca", Pca.fit(snapshots.train.vectors)
    for name in dict.fromkeys(("sign", *config.codecs)):
        # projecting on 4,096 drawn directions takes half a minute a vector, and keeps 0.4 %
        if name not in (*LEARNED, "kseed"):
            yield name, codec_named(name, image)


def _couple(job: Couple, home: Path) -> dict[str, Any]:
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


# ------------------------------------------------------------------------------------------- FAF


def _federate(config: CgFedllmConfig, seed: int, arm: Arm, home: Path) -> dict[str, Any]:
    base = second_task(config, seed, arm.seed)
    codec = _codec_of(arm, base.layout, home)
    task = Remembered(
        task_of(config, base, codec), home / "first-round", f"seed-{arm.seed}-{_kind(codec)}"
    )
    sent = guarded_as_may_be(codec) if arm.guarded else codec
    begun = time.perf_counter()
    done = federation(
        config,
        task,
        sent,
        arm=arm,
        clients=base.clients,
        seed=derive(seed, "federate", arm.seed),
        checkpoint=home / "federations" / arm.key,
    )
    sizes = _sizes(config, codec, base.layout, task)
    return {
        "losses": [done.start, *(each.heldout for each in done.rounds)],
        "up_bytes": [each.traffic.up for each in done.rounds],
        "down_bytes": [each.traffic.down for each in done.rounds],
        "failures": [each.asked - each.used for each in done.rounds],
        "numbers": base.layout.numbers,
        "seconds": time.perf_counter() - begun,
        **sizes,
    }


def federation(
    config: CgFedllmConfig,
    task: LocalTask,
    codec: Codec,
    *,
    arm: Arm,
    clients: int,
    seed: int,
    checkpoint: Path,
    after_round: AfterRound | None = None,
    allow_unviable: bool = True,
) -> Federated:
    """Federate in this process; a killed one goes on from its checkpoint.

    Args:
        config: of rounds, fraction, aggregation and privacy.
        task: what clients train.
        codec: guarded or not, as it shall be used.
        arm: what is sent, under which privacy budget.
        clients: how many there are.
        seed: of who is asked, and of noise.
        checkpoint: a folder.
        after_round: told of every round.
        allow_unviable: also use a codec whose certificate speaks against it.
    """
    initial = task.initial()
    strategy = CompressedFedAvg(
        codec,
        task.layout,
        initial,
        init=task.init,
        fraction=config.fraction,
        represent=arm.represent,
        aggregate=config.aggregate,
        downlink=config.downlink,
        seed=seed,
    )
    mods: list[Any] = [
        CompressMod(
            codec,
            task.layout,
            initial,
            init=task.init,
            represent=arm.represent,
            error_feedback=False,
            gain=False,
            allow_unviable=allow_unviable,
        )
    ]
    if arm.epsilon:
        sigma = sigma_for(
            arm.epsilon, delta=config.delta, rate=_rate(config, clients), rounds=config.rounds
        )
        mods.append(ClipAndNoiseMod(task.layout, clip=config.clip, sigma=sigma, seed=seed))
    grid = in_process(client_app(task, mods), clients)
    return federate(
        strategy,
        grid,
        task,
        rounds=config.rounds,
        checkpoint=checkpoint,
        after_round=after_round,
    )


def _rate(config: CgFedllmConfig, clients: int) -> float:
    """The share of clients that a round asks."""
    return max(int(config.fraction * clients), 1) / clients


def _codec_of(arm: Arm, layout: LoraLayout, home: Path) -> Codec:
    if arm.codec in LEARNED:
        return load_codec(codec_file(home, arm.codec, arm.represent))
    return codec_named(arm.codec, layout.image)


def _kind(codec: Codec) -> str:
    return "zeroth-order" if isinstance(codec, KSeed) else "adamw"


def task_of(config: CgFedllmConfig, task: LoraTask, codec: Codec) -> LocalTask:
    """What clients do for a codec: AdamW, or for kseed steps along its directions."""
    if not isinstance(codec, KSeed):
        return task
    return ZerothOrderTask(task, codec, learning_rate=config.zeroth_order_rate)


def _sizes(
    config: CgFedllmConfig, codec: Codec, layout: LoraLayout, task: LocalTask
) -> dict[str, Any]:
    """Bytes of a payload and its header in the last round, and seconds to encode and decode."""
    trained = task.train(task.initial(), client=0, round=1)
    change = layout.to_vector(trained.adapter) - layout.to_vector(task.initial())
    seconds, body = [], 0
    for _ in range(3):
        context = Context(
            round=config.rounds, client=0, layout=layout.hash, init=task.init, trace=trained.trace
        )
        begun = time.perf_counter()
        payload = codec.encode(change, context)
        codec.decode(payload)
        seconds.append(time.perf_counter() - begun)
        body = codec.nbytes(config.rounds)
    return {
        "payload_bytes": body,
        "header_bytes": len(to_bytes(payload)) - body,
        "codec_seconds": median(seconds),
    }


def privacy_of(config: CgFedllmConfig, *, learned: bool) -> list[Mapping[str, Any]]:
    """The noise that each budget asks for, and what the library says of it."""
    from burnish.methods.cg_fedllm.privacy import privacy_report

    rate = _rate(config, config.clients)
    found: list[Mapping[str, Any]] = []
    for epsilon in config.epsilons:
        sigma = sigma_for(epsilon, delta=config.delta, rate=rate, rounds=config.rounds)
        report = privacy_report(
            sigma=sigma,
            clip=config.clip,
            rate=rate,
            rounds=config.rounds,
            delta=config.delta,
            codec_data="private" if learned else "none",
        )
        found.append({"wanted": epsilon, **report.as_dict()})
    return found
