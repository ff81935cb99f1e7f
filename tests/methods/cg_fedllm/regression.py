"""A task that learns in milliseconds: two linear maps of rank two, and clients that see them alike.

Imported by tests through the fixture `regression`, run as a script by others, and copied into
Flower apps.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from burnish.methods.cg_fedllm.adapters import init_hash
from burnish.methods.cg_fedllm.client import Trained
from burnish.methods.cg_fedllm.layout import LoraLayout
from burnish.training import derive

WIDTHS = {"q_proj": 12, "v_proj": 6}
INNER, RANK = 12, 2


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def names(module):
    stem = f"base_model.model.model.layers.0.self_attn.{module}"
    return f"{stem}.lora_A.weight", f"{stem}.lora_B.weight"


def fresh(seed):
    found = {}
    for number, (module, outer) in enumerate(WIDTHS.items()):
        a, b = names(module)
        found[a] = normal(derive(seed, "a", number), RANK, INNER) / INNER**0.5
        found[b] = torch.zeros(outer, RANK)
    return found


@dataclass
class Regression:
    """y = B A x for hidden B A; examples of a client are its own draws, its noise and its count."""

    seed: int = 0
    steps: int = 4
    rate: float = 0.1
    heldout: bool = True
    fails: frozenset[int] = frozenset()
    calls: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self):
        self._initial = fresh(self.seed)
        self.layout = LoraLayout.from_shapes({n: t.shape for n, t in self._initial.items()})
        self.init = init_hash(self._initial)
        self.truth = {
            module: normal(derive(7, module), outer, RANK) @ normal(derive(8, module), RANK, INNER)
            for module, outer in WIDTHS.items()
        }

    def initial(self) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self._initial.items()}

    def train(self, adapter: Mapping[str, Tensor], *, client: int, round: int) -> Trained:
        self.calls.append((client, round))
        if client in self.fails:
            raise RuntimeError(f"the disk of client {client} is full")
        own = {name: tensor.clone().requires_grad_() for name, tensor in adapter.items()}
        examples = 8 + 4 * client
        total = {name: torch.zeros_like(tensor) for name, tensor in adapter.items()}
        losses = []
        for step in range(self.steps):
            inputs = normal(derive(1, client, round, step), examples, INNER)
            loss = self.loss(own, inputs, noise=derive(2, client, round, step))
            grads = dict(zip(own, torch.autograd.grad(loss, list(own.values())), strict=True))
            with torch.no_grad():
                for name, grad in grads.items():
                    total[name] += grad / self.steps
                    own[name] -= self.rate * grad
            losses.append(loss.item())
        ended = {name: tensor.detach() for name, tensor in own.items()}
        return Trained(ended, examples, sum(losses) / len(losses), gradient=total)

    def evaluate(self, adapter: Mapping[str, Tensor]) -> float | None:
        if not self.heldout:
            return None
        with torch.no_grad():
            return self.loss(adapter, normal(99, 64, INNER)).item()

    def loss(self, adapter, inputs, noise=None):
        total = 0.0
        for module, truth in self.truth.items():
            a, b = names(module)
            wanted = inputs @ truth.T
            if noise is not None:
                wanted = wanted + 0.1 * normal(noise, *wanted.shape)
            total = total + (inputs @ adapter[a].T @ adapter[b].T - wanted).square().mean()
        return total


def task(context) -> Regression:
    """What a deployed app's nodes train."""
    return Regression(steps=int(context.run_config.get("steps", 4)))


def parts(codec, own=None, *, nodes=4, mods=(), guarded=True, represent="delta", **options):
    """A strategy and a grid of clients for a task and a codec, and the task."""
    from burnish.codecs.guarded import guarded_as_may_be
    from burnish.methods.cg_fedllm.client import client_app
    from burnish.methods.cg_fedllm.compressing import CompressMod
    from burnish.methods.cg_fedllm.grid import in_process
    from burnish.methods.cg_fedllm.strategy import CompressedFedAvg

    own = own or Regression()
    codec = guarded_as_may_be(codec) if guarded else codec
    common = {"init": own.init, "represent": represent}
    mod = CompressMod(
        codec, own.layout, own.initial(), error_feedback=guarded, gain=guarded, **common
    )
    strategy = CompressedFedAvg(codec, own.layout, own.initial(), **common, **options)
    return strategy, in_process(client_app(own, [mod, *mods]), nodes), own


def main(folder: str, rounds: int) -> None:
    """Federate with memory on both sides; print a line after each round."""
    from burnish.codecs.topk import TopK
    from burnish.methods.cg_fedllm.rounds import federate

    size = Regression().layout.size
    strategy, grid, own = parts(TopK(size=size, k=8), nodes=6, fraction=0.5)
    federate(
        strategy,
        grid,
        own,
        rounds=rounds,
        checkpoint=Path(folder),
        after_round=lambda round, _: print(round.round, flush=True),
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
