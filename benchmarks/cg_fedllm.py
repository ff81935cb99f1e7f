"""What a federation costs beside its training: `python benchmarks/cg_fedllm.py [--json]`.

Run it on an idle machine. The same Flower app, whose clients do not train, runs on our grid and in
Flower's simulation on Ray; the two take turns in one process. Rounds are timed by the server, so
that starting Ray does not count.
"""

from __future__ import annotations

import logging
import os
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import torch
from _printing import print_all
from flwr.app import Context, Message, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.simulation import run_simulation
from torch import Tensor

from burnish.codecs.casting import Identity
from burnish.methods.cg_fedllm.client import Trained, client_app
from burnish.methods.cg_fedllm.compressing import CompressMod
from burnish.methods.cg_fedllm.grid import run_in_process
from burnish.methods.cg_fedllm.history import Federated
from burnish.methods.cg_fedllm.layout import LoraLayout
from burnish.methods.cg_fedllm.records import record_of
from burnish.methods.cg_fedllm.rounds import server_app
from burnish.methods.cg_fedllm.strategy import CompressedFedAvg

NODES = 4
ROUNDS = {"ours": 20, "ray": 8}
ADAPTERS = {"one 8 x 8 layer, r=1": (1, 8, 8, 1), "SmolLM2-135M, r=8": (30, 576, 192, 8)}


@dataclass(frozen=True)
class Idle:
    """A task that gives back what it was given."""

    layout: LoraLayout
    init: str = ""

    def initial(self) -> dict[str, Tensor]:
        """Zeros."""
        shapes = zip(self.layout.names, self.layout.shapes, strict=True)
        return {name: torch.zeros(shape) for name, shape in shapes}

    def train(self, adapter: Mapping[str, Tensor], *, client: int, round: int) -> Trained:
        """What came."""
        return Trained(dict(adapter), 1, 0.0)

    def evaluate(self, adapter: Mapping[str, Tensor]) -> float | None:
        """Nothing is held out."""
        return None


def layout_of(layers: int, width: int, narrow: int, rank: int) -> LoraLayout:
    shapes: dict[str, tuple[int, int]] = {}
    for layer in range(layers):
        for module, outer in zip("qkvo", (width, narrow, narrow, width), strict=True):
            stem = f"model.layers.{layer}.self_attn.{module}_proj"
            shapes[f"{stem}.lora_A.weight"] = (rank, width)
            shapes[f"{stem}.lora_B.weight"] = (outer, rank)
    return LoraLayout.from_shapes(shapes)


def apps(layout: LoraLayout, rounds: int, ends: list[Federated]) -> tuple[ServerApp, ClientApp]:
    task, codec = Idle(layout), Identity(size=layout.size)
    mod = CompressMod(codec, layout, task.initial(), init="", error_feedback=False, gain=False)
    strategy = CompressedFedAvg(codec, layout, task.initial(), init="")
    server = server_app(strategy, task, rounds=rounds, on_end=ends.append, nodes=NODES)
    return server, client_app(task, [mod])


def echo(rounds: int, seconds: list[float]) -> tuple[ServerApp, ClientApp]:
    """An app that sends every client a number and waits for it to come back."""
    server, client = ServerApp(), ClientApp()

    @client.train()
    def train(message: Message, context: Context) -> Message:
        return Message(message.content, reply_to=message)

    @server.main()
    def main(grid: Grid, context: Context) -> None:
        while len(list(grid.get_node_ids())) < NODES:
            time.sleep(0.1)
        arrays = record_of({"number": torch.zeros(1)})
        for _ in range(rounds):
            began = time.perf_counter()
            content = RecordDict({"arrays": arrays})
            sent = [Message(content, node, "train") for node in grid.get_node_ids()]
            replies = list(grid.send_and_receive(sent))
            seconds.append(time.perf_counter() - began)
            assert sum(reply.has_content() for reply in replies) == NODES

    return server, client


def echoes(which: str) -> list[float]:
    seconds: list[float] = []
    RUN[which](*echo(ROUNDS[which], seconds))
    return seconds[1:]  # the first round starts workers


def federations(which: str, layout: LoraLayout) -> list[float]:
    ends: list[Federated] = []
    RUN[which](*apps(layout, ROUNDS[which], ends))
    (end,) = ends
    assert all(each.used == NODES for each in end.rounds)
    return [each.seconds for each in end.rounds[1:]]


def on_our_grid(server: ServerApp, client: ClientApp) -> None:
    run_in_process(server, client, nodes=NODES)


def on_ray(server: ServerApp, client: ClientApp) -> None:
    resources = {"num_cpus": 1, "num_gpus": 0.0}
    start = {"include_dashboard": False, "log_to_driver": False}
    backend: dict[str, Any] = {"client_resources": resources, "init_args": start}
    run_simulation(server, client, num_supernodes=NODES, backend_config=backend)


RUN = {"ours": on_our_grid, "ray": on_ray}


def row(name: str, numbers: int, measure: Callable[[str], list[float]]) -> dict[str, Any]:
    """Seconds of a round: ours before and after Ray's."""
    before = measure("ours")
    ray = measure("ray")
    mine = before + measure("ours")
    return {
        "adapter": name,
        "numbers": numbers,
        "ours_median": statistics.median(mine),
        "ours_least": min(mine),
        "ray_median": statistics.median(ray),
        "ray_least": min(ray),
        "ratio_median": statistics.median(ray) / statistics.median(mine),
        "ratio_least": min(ray) / min(mine),
    }


def grid_rows() -> list[dict[str, Any]]:
    return [row("one number, echoed", 1, echoes)]


def federation_rows() -> list[dict[str, Any]]:
    layouts = {name: layout_of(*shape) for name, shape in ADAPTERS.items()}
    return [
        row(name, layout.size, partial(federations, layout=layout))
        for name, layout in layouts.items()
    ]


PARTS = {
    f"Seconds of a round of {NODES} clients that do nothing": grid_rows,
    "With encoding, decoding, joining and the count of bytes, but no training": federation_rows,
}


if __name__ == "__main__":
    logging.getLogger("flwr").setLevel(logging.ERROR)
    torch.set_num_threads(1)
    print_all(PARTS)
