"""TGAP: federate without compression, and keep every update for codecs to learn from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from burnish.codecs.casting import Identity
from burnish.codecs.snapshots import Represent, Snapshots, Source
from burnish.errors import ConfigError
from burnish.methods.cg_fedllm.client import LocalTask, Trained, client_app
from burnish.methods.cg_fedllm.compressing import CompressMod
from burnish.methods.cg_fedllm.grid import in_process
from burnish.methods.cg_fedllm.layout import LoraLayout
from burnish.methods.cg_fedllm.rounds import federate
from burnish.methods.cg_fedllm.strategy import CompressedFedAvg

_CHECKPOINT = "federation"


def collect(
    task: LocalTask,
    folder: Path,
    *,
    clients: int,
    fraction: float,
    rounds: int,
    represent: Represent,
    federated: bool = True,
    seed: int = 0,
    after_round: Callable[[int], None] | None = None,
) -> Snapshots:
    """Run rounds of federated LoRA and keep what every client made of every round's start.

    A killed collection goes on after the last round that is there.

    Args:
        task: training on D1, the share that the codec is made from.
        folder: of the snapshots.
        clients: how many there are.
        fraction: of them, asked in a round.
        rounds: T0.
        represent: what to keep; states also give changes later.
        federated: False is the paper's first version: clients never hear of each other, each goes
            on from where it stopped, and all of them train in every round.
        seed: of who is asked.
        after_round: told the number of every round that is done now.

    Raises:
        ConfigError: changes are asked for; keep states, which tell them.

    Source: CG-FedLLM, arXiv 2405.13746, algorithm 1, "TGAP".
    """
    if represent == "delta":
        raise ConfigError("states are kept, from which changes follow; ask for represent='state'")
    source = Source(task.layout.image, represent, task.layout.hash, task.init)
    snapshots = Snapshots.create(folder, source)
    if federated:
        _federated(task, snapshots, clients, fraction, rounds, seed, after_round)
    else:
        _alone(task, snapshots, clients, rounds, after_round)
    return snapshots


class _Recording:
    """A task whose clients' results are kept when the round's adapter is scored.

    A round is scored before it is written down, so a federation that was killed between the two
    does the round again and finds its updates there.
    """

    def __init__(self, task: LocalTask, snapshots: Snapshots) -> None:
        self.layout, self.init = task.layout, task.init
        self._task, self._snapshots = task, snapshots
        self._round, self._start = 0, torch.zeros(0)
        self._vectors: dict[int, Tensor] = {}

    def initial(self) -> dict[str, Tensor]:
        return self._task.initial()

    def train(self, adapter: Mapping[str, Tensor], *, client: int, round: int) -> Trained:
        trained = self._task.train(adapter, client=client, round=round)
        self._round, self._start = round, self.layout.to_vector(adapter)
        vector = vector_of(trained, self.layout, self._snapshots.source.represent)
        self._vectors[client] = vector
        return trained

    def evaluate(self, adapter: Mapping[str, Tensor]) -> float | None:
        if self._vectors and self._round not in self._snapshots.rounds:
            self._snapshots.append(self._round, self._start, self._vectors)
        self._vectors = {}
        return None


def vector_of(trained: Trained, layout: LoraLayout, represent: Represent) -> Tensor:
    """What a client would send, (size,): its adapter, or its mean gradient."""
    if represent == "state":
        return layout.to_vector(trained.adapter)
    if trained.gradient is None:
        raise ConfigError("gradients were asked for, but the task gives none; set gradient=True")
    return layout.to_vector(trained.gradient)


def _federated(
    task: LocalTask,
    snapshots: Snapshots,
    clients: int,
    fraction: float,
    rounds: int,
    seed: int,
    after_round: Callable[[int], None] | None,
) -> None:
    recording = _Recording(task, snapshots)
    initial, codec = task.initial(), Identity(task.layout.size)
    strategy = CompressedFedAvg(
        codec, task.layout, initial, init=task.init, fraction=fraction, represent="state", seed=seed
    )
    mod = CompressMod(
        codec,
        task.layout,
        initial,
        init=task.init,
        represent="state",
        error_feedback=False,
        gain=False,
    )
    grid = in_process(client_app(recording, [mod]), clients)

    federate(
        strategy,
        grid,
        recording,
        rounds=rounds,
        checkpoint=snapshots.folder / _CHECKPOINT,
        after_round=lambda done, _: after_round(done.round) if after_round else None,
    )


def _alone(
    task: LocalTask,
    snapshots: Snapshots,
    clients: int,
    rounds: int,
    after_round: Callable[[int], None] | None,
) -> None:
    """Every client trains by itself, round after round; the rounds' start is the initialisation."""
    start = task.initial()
    adapters = dict.fromkeys(range(clients), start)
    for number in range(1, rounds + 1):
        trained = {
            client: task.train(adapters[client], client=client, round=number) for client in adapters
        }
        adapters = {client: each.adapter for client, each in trained.items()}
        if number not in snapshots.rounds:
            vectors = {
                client: vector_of(each, task.layout, snapshots.source.represent)
                for client, each in trained.items()
            }
            snapshots.append(number, task.layout.to_vector(start), vectors)
        if after_round:
            after_round(number)
