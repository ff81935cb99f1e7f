"""FAF: federate with one codec, and measure what that takes."""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median
from typing import Any

from burnish.codecs.guarded import guarded_as_may_be
from burnish.codecs.kseed import KSeed
from burnish.codecs.named import codec_named
from burnish.codecs.protocol import Codec, Context
from burnish.codecs.saving import load_codec
from burnish.codecs.wire import to_bytes
from burnish.methods.cg_fedllm.arms import Arm
from burnish.methods.cg_fedllm.client import LocalTask, client_app
from burnish.methods.cg_fedllm.compressing import CompressMod
from burnish.methods.cg_fedllm.config import LEARNED, CgFedllmConfig
from burnish.methods.cg_fedllm.fitting import codec_file
from burnish.methods.cg_fedllm.grid import in_process
from burnish.methods.cg_fedllm.grounds import second_task
from burnish.methods.cg_fedllm.history import Federated
from burnish.methods.cg_fedllm.layout import LoraLayout
from burnish.methods.cg_fedllm.local import LoraTask
from burnish.methods.cg_fedllm.privacy import PrivacyReport, privacy_report, sigma_for
from burnish.methods.cg_fedllm.private import ClipAndNoiseMod
from burnish.methods.cg_fedllm.remembering import Remembered
from burnish.methods.cg_fedllm.rounds import AfterRound, federate
from burnish.methods.cg_fedllm.strategy import CompressedFedAvg
from burnish.methods.cg_fedllm.zeroth_order import ZerothOrderTask
from burnish.training import derive


def do_federate(config: CgFedllmConfig, seed: int, arm: Arm, home: Path) -> dict[str, Any]:
    """Do a job; what it found, as JSON has it."""
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
        noise_seed=derive(seed, "federate", arm.seed),
        checkpoint=home / "federations" / arm.key,
        allow_unviable=True,
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
    noise_seed: int | None,
    checkpoint: Path,
    allow_unviable: bool,
    after_round: AfterRound | None = None,
) -> Federated:
    """Federate in this process; a killed one goes on from its checkpoint.

    Args:
        config: of rounds, fraction, aggregation and privacy.
        task: what clients train.
        codec: guarded or not, as it shall be used.
        arm: what is sent, under which privacy budget.
        clients: how many there are.
        seed: of who is asked.
        noise_seed: of noise that shall repeat; None for noise that nobody can guess.
        checkpoint: a folder.
        allow_unviable: also use a codec whose certificate speaks against it.
        after_round: told of every round.
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
        sigma = _sigma(config, arm.epsilon)
        mods.append(ClipAndNoiseMod(task.layout, clip=config.clip, sigma=sigma, seed=noise_seed))
    grid = in_process(client_app(task, mods), clients)
    return federate(
        strategy,
        grid,
        task,
        rounds=config.rounds,
        checkpoint=checkpoint,
        after_round=after_round,
    )


def _rate(config: CgFedllmConfig) -> float:
    """The share of clients that a round asks."""
    return max(int(config.fraction * config.clients), 1) / config.clients


def _sigma(config: CgFedllmConfig, epsilon: float) -> float:
    return sigma_for(epsilon, delta=config.delta, rate=_rate(config), rounds=config.rounds)


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
    seconds, body = [], codec.nbytes(config.rounds)
    for _ in range(3):
        context = Context(
            round=config.rounds, client=0, layout=layout.hash, init=task.init, trace=trained.trace
        )
        begun = time.perf_counter()
        payload = codec.encode(change, context)
        codec.decode(payload)
        seconds.append(time.perf_counter() - begun)
    return {
        "payload_bytes": body,
        "header_bytes": len(to_bytes(payload)) - body,
        "codec_seconds": median(seconds),
    }


def privacy_of(config: CgFedllmConfig, epsilon: float, *, learned: bool) -> PrivacyReport:
    """What the noise of a budget costs, by closed form and by the library.

    Args:
        config: of rounds, fraction, clip and delta.
        epsilon: the budget.
        learned: whether the codec was made from clients' own updates.
    """
    return privacy_report(
        sigma=_sigma(config, epsilon),
        clip=config.clip,
        rate=_rate(config),
        rounds=config.rounds,
        delta=config.delta,
        codec_data="private" if learned else "none",
    )
