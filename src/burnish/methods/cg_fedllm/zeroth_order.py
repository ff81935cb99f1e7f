"""A client that trains without gradients, along directions that everyone can draw again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from burnish.codecs.errors import IncompatibleCodec
from burnish.codecs.protocol import Context
from burnish.errors import BurnishError, UsageError
from burnish.methods.cg_fedllm.client import Trained
from burnish.training import derive

if TYPE_CHECKING:
    from burnish.codecs.kseed import KSeed
    from burnish.methods.cg_fedllm.local import LoraTask


class ZerothOrderTask:
    """Plain steps along random directions of a public pool, each scaled by a difference of losses.

    A step costs two forward passes and no backward pass. The update is a sum of amounts of the
    pool's directions, so it travels as those amounts, without loss.

    Source: FedKSeed, Qin et al., arXiv 2312.06353, algorithm 1 and eq. 3. Departures: the
    adapter's numbers are moved, not all of the model's; seeds are drawn evenly.
    """

    def __init__(
        self, task: LoraTask, pool: KSeed, *, learning_rate: float, epsilon: float = 1e-3
    ) -> None:
        """Take a task whose model, blocks and plan are used, and whose gradients are not.

        Args:
            task: what is trained.
            pool: of directions, as long as the task's vector; the codec of the update.
            learning_rate: of plain descent.
            epsilon: how far from the adapter the two losses are taken.

        Raises:
            IncompatibleCodec: the pool is for vectors of another size.
            UsageError: a number is not positive.
        """
        if pool.size != task.layout.size:
            raise IncompatibleCodec(
                f"directions must have {task.layout.size} numbers, as the adapter, got {pool.size}"
            )
        if not (learning_rate > 0 and epsilon > 0):
            raise UsageError(
                f"learning_rate and epsilon must be positive, got {learning_rate} and {epsilon}"
            )
        self.layout, self.init = task.layout, task.init
        self._task, self._pool = task, pool
        self._rate, self._epsilon = learning_rate, epsilon

    def initial(self) -> dict[str, Tensor]:
        """The adapter that the model came with, float32."""
        return self._task.initial()

    def evaluate(self, adapter: Mapping[str, Tensor]) -> float | None:
        """Mean loss per held-out token, in nats; None without held-out blocks."""
        return self._task.evaluate(adapter)

    def train(self, adapter: Mapping[str, Tensor], *, client: int, round: int) -> Trained:
        """The adapter after the steps, and in `trace` the amount of each direction in the change.

        The change is exactly what the pool decodes from the trace. Arguments and errors as in
        `LoraTask.train`.
        """
        seed = self._task.settings.seed
        draw = np.random.default_rng(derive(seed, "directions", round, client))
        blocks = self._task.blocks(client)
        start = self.layout.to_vector(adapter)
        here = start.clone()
        trace: dict[int, float] = {}
        losses = []
        for step, rows in enumerate(self._task.plan(client, round)):
            number = int(draw.integers(self._pool.seeds))
            direction = self._pool.direction(number)
            above, below = (
                self._loss(torch.add(here, direction, alpha=way * self._epsilon), blocks, rows)
                for way in (1, -1)
            )
            amount = -self._rate * (above - below) / (2 * self._epsilon)
            if not math.isfinite(amount):
                raise BurnishError(
                    f"the losses became {above} and {below} at step {step + 1}; lower the learning "
                    "rate, or train in float32"
                )
            here.add_(direction, alpha=amount)
            trace[number] = trace.get(number, 0.0) + amount
            losses.append((above + below) / 2)
        context = Context(round=round, client=client, trace=trace)
        change = self._pool.decode(self._pool.encode(torch.zeros_like(start), context))
        return Trained(
            adapter=self.layout.to_tensors(start + change),
            examples=len(blocks),
            loss=float(np.mean(losses)),
            trace=trace,
        )

    def _loss(self, vector: Tensor, blocks: Tensor, rows: np.ndarray) -> float:
        self._task.put(self.layout.to_tensors(vector))
        return self._task.score(blocks, rows)
