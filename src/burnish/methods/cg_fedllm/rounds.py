"""The server's rounds: sample, send, join, score, write down; killed between rounds, they go on."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from flwr.app import ConfigRecord, MetricRecord
from flwr.app import Context as FlowerContext
from flwr.serverapp import Grid, ServerApp
from torch import Tensor

from burnish.errors import BurnishError
from burnish.methods.cg_fedllm import records
from burnish.methods.cg_fedllm.client import LocalTask
from burnish.methods.cg_fedllm.grid import traffic
from burnish.methods.cg_fedllm.history import Checkpoint, Federated, Round
from burnish.methods.cg_fedllm.strategy import CompressedFedAvg

AfterRound = Callable[[Round, Mapping[str, Tensor]], None]
"""Told of a round and of the adapter after it."""


def federate(
    strategy: CompressedFedAvg,
    grid: Grid,
    task: LocalTask,
    *,
    rounds: int,
    after_round: AfterRound | None = None,
    checkpoint: Path | None = None,
    nodes: int = 1,
    timeout: float = 3600.0,
) -> Federated:
    """Run rounds until there were `rounds` of them.

    Args:
        strategy: fresh; whom to ask and how to join.
        grid: what reaches the clients.
        task: whose held-out data scores adapters, and whose initial adapter all start from.
        rounds: in all, those of the checkpoint among them.
        after_round: told of every round that is done now, after it was written down.
        checkpoint: a folder. After every round it has the adapter and what the server and, in
            process, clients remember; if it has them already, it is gone on from there, bit for
            bit as if nothing had happened. Under SuperLink clients' memory lives on their
            SuperNodes, for one run: error feedback starts anew.
        nodes: wait until so many are there.
        timeout: seconds to wait for nodes, and for the replies of a round.

    Raises:
        UsageError: the checkpoint is of another federation.
        BurnishError: too few nodes came, or the checkpoint cannot be read.
    """
    kept = Checkpoint(checkpoint, strategy, grid) if checkpoint else None
    done = kept.load() if kept else None
    if done is None:
        initial = task.initial()
        done = Federated(initial, task.evaluate(initial))
    _await(grid, nodes, timeout)
    for number in range(len(done.rounds) + 1, rounds + 1):
        done, asked = _round(strategy, grid, task, done, number, timeout)
        if kept:
            kept.save(done, asked)
        if after_round:
            after_round(done.rounds[-1], done.adapter)
    return done


def server_app(
    strategy: CompressedFedAvg,
    task: LocalTask,
    *,
    rounds: int,
    on_end: Callable[[Federated], None],
    checkpoint: Path | None = None,
    nodes: int = 1,
    timeout: float = 3600.0,
) -> ServerApp:
    """`federate` as a Flower app; `on_end` is given the result."""
    app = ServerApp()

    @app.main()
    def main(grid: Grid, context: FlowerContext) -> None:
        on_end(
            federate(
                strategy,
                grid,
                task,
                rounds=rounds,
                checkpoint=checkpoint,
                nodes=nodes,
                timeout=timeout,
            )
        )

    return app


def _round(
    strategy: CompressedFedAvg,
    grid: Grid,
    task: LocalTask,
    done: Federated,
    number: int,
    timeout: float,
) -> tuple[Federated, list[int]]:
    """The federation after one more round, and the nodes that were asked."""
    began = time.perf_counter()
    arrays = records.record_of(done.adapter)
    sent = strategy.configure_train(number, arrays, ConfigRecord(), grid)
    replies = list(grid.send_and_receive(sent, timeout=timeout))
    weight = traffic(sent, replies)
    new, metrics = strategy.aggregate_train(number, replies)
    seconds = time.perf_counter() - began
    adapter = records.tensors_of(new) if new is not None else done.adapter
    loss = _number(metrics, records.LOSS)
    this = Round(
        round=number,
        asked=len(sent),
        used=int(_number(metrics, "clients") or 0),
        loss=loss,
        heldout=task.evaluate(adapter),
        traffic=weight,
        seconds=seconds,
    )
    asked = [message.metadata.dst_node_id for message in sent]
    return Federated(adapter, done.start, (*done.rounds, this)), asked


def _number(metrics: MetricRecord | None, key: str) -> float | None:
    value = metrics.get(key) if metrics is not None else None
    return float(value) if isinstance(value, (int, float)) else None


def _await(grid: Grid, nodes: int, timeout: float) -> None:
    """Until enough nodes are there; in process they always are."""
    end = time.monotonic() + timeout
    while (there := len(list(grid.get_node_ids()))) < nodes:
        if time.monotonic() > end:
            raise BurnishError(
                f"{nodes} nodes were to come within {timeout:g} s, {there} did; start more "
                "SuperNodes"
            )
        time.sleep(min(1.0, timeout))
