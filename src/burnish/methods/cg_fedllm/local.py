"""What one client does in a round: fine-tune the adapter on its own blocks of tokens.

One model is in memory; the adapters of clients are put into it and taken out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from peft import PeftModel
from torch import Tensor, nn

from burnish.data.batching import Rows, eval_batches, plan_batches
from burnish.errors import UsageError
from burnish.methods.cg_fedllm.adapters import (
    copy_of,
    init_hash,
    matrices,
    save_adapter,
    write_matrices,
)
from burnish.methods.cg_fedllm.client import Trained
from burnish.methods.cg_fedllm.layout import LoraLayout
from burnish.methods.cg_fedllm.next_token import next_token_loss
from burnish.training import Training, derive, fit
from burnish.training.loop import Precision

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, kw_only=True)
class LocalSettings:
    """How a client trains; every round has an AdamW of its own.

    Attributes:
        epochs: E, over the client's blocks.
        max_steps: in a round, at most; None for all.
        batch_size: blocks of a step, and of a batch that is scored.
        learning_rate: at the first step; it falls linearly to 0 within the round.
        clip: largest norm of a step's gradient.
        precision: of matrix products.
        gradient: whether `Trained.gradient` is wanted: the mean over the steps, before clipping.
        seed: of batches and dropout, with round and client.

    Source: CG-FedLLM, arXiv 2405.13746, table of hyper-parameters; where it is silent (AdamW
    without weight decay, the linear decay, clipping), Shepherd, arXiv 2305.05644, on whose code it
    is built.
    """

    epochs: int = 1
    max_steps: int | None = None
    batch_size: int = 8
    learning_rate: float = 1.5e-4
    clip: float = 1.0
    precision: Precision = "float32"
    gradient: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if self.max_steps is not None and self.max_steps < 1:
            raise UsageError(f"max_steps must be at least 1, got {self.max_steps}")


class LoraTask:
    """Next-token training of a model's LoRA adapter on the blocks of many clients.

    What a client returns depends on the adapter given, its blocks, the settings, round and client
    alone, not on what the model did before.
    """

    def __init__(
        self,
        model: PeftModel,
        blocks: Sequence[Tensor],
        settings: LocalSettings,
        *,
        heldout: Tensor | None = None,
    ) -> None:
        """Take a model whose adapter is the common start of all clients.

        Args:
            model: changed by every call; on a processor and in bfloat16 it is given the plain
                attention, whose backward pass was a tenth of a step faster than the fused one.
            blocks: (n, length) token ids of each client.
            settings: of the training.
            heldout: (m, length) token ids to score on.

        Raises:
            UsageError: a client has no blocks.
            LayoutMismatch: the model trains something beside LoRA matrices.
        """
        for client, own in enumerate(blocks):
            if own.dim() != 2 or not len(own):
                raise UsageError(
                    f"client {client} must have blocks of tokens, got {tuple(own.shape)}"
                )
        self.layout = LoraLayout.from_peft(model)
        self.settings = settings
        self._model = model
        self._matrices = matrices(model)
        self._blocks = tuple(blocks)
        self._heldout = heldout
        self._initial = {name: copy_of(weight) for name, weight in self._matrices.items()}
        self.init = init_hash(self._initial)
        if settings.precision == "bfloat16" and model.device.type == "cpu":
            cast("PreTrainedModel", model.get_base_model()).set_attn_implementation("eager")

    @property
    def clients(self) -> int:
        """How many there are."""
        return len(self._blocks)

    def initial(self) -> dict[str, Tensor]:
        """The adapter that the model came with, float32."""
        return {name: tensor.clone() for name, tensor in self._initial.items()}

    def train(self, adapter: Mapping[str, Tensor], *, client: int, round: int) -> Trained:
        """The adapter after the client's local epochs.

        Args:
            adapter: to start from, of this task's layout.
            client: from 0.
            round: from 1; with the client it seeds batches and dropout.

        Raises:
            UsageError: no such client.
            LayoutMismatch: the adapter is of another layout.
            BurnishError: the loss became NaN or infinite.
        """
        self.put(adapter)
        losses: list[float] = []
        sums = [torch.zeros_like(weight) for weight in self._matrices.values()]

        def gather(_: int) -> None:
            for total, weight in zip(sums, self._matrices.values(), strict=True):
                if weight.grad is not None:
                    total += weight.grad

        plan = self.plan(client, round)
        settings = self.settings
        fit(
            self._model,
            lambda module, rows, step: self.loss(module, self._blocks[client], rows),
            plan,
            Training(
                learning_rate=settings.learning_rate,
                weight_decay=0.0,
                warmup=0.0,
                clip=settings.clip,
                precision=settings.precision,
                seed=derive(settings.seed, "local", round, client),
            ),
            after_backward=gather if settings.gradient else None,
            after_step=lambda _, loss: losses.append(loss),
        )
        mean = {
            name: copy_of(total / len(plan))
            for name, total in zip(self._matrices, sums, strict=True)
        }
        return Trained(
            adapter={name: copy_of(weight) for name, weight in self._matrices.items()},
            examples=len(self._blocks[client]),
            loss=float(np.mean(losses)),
            gradient=mean if settings.gradient else None,
        )

    def evaluate(self, adapter: Mapping[str, Tensor]) -> float | None:
        """Mean loss per held-out token, in nats; None without held-out blocks.

        Raises:
            LayoutMismatch: the adapter is of another layout.
        """
        if self._heldout is None:
            return None
        self.put(adapter)
        heldout = self._heldout
        lengths = np.full(len(heldout), heldout.shape[1])
        batches = eval_batches(lengths, self.settings.batch_size)
        return sum(self.score(heldout, rows) * len(rows) for rows in batches) / len(heldout)

    def put(self, adapter: Mapping[str, Tensor]) -> None:
        """Load an adapter into the model."""
        write_matrices(self._matrices, adapter)

    def save(self, adapter: Mapping[str, Tensor], folder: Path) -> None:
        """Write an adapter as PEFT does, for others to read."""
        self.put(adapter)
        save_adapter(self._model, folder)

    def blocks(self, client: int) -> Tensor:
        """(n, length) token ids of a client; UsageError if there is no such client."""
        if not 0 <= client < self.clients:
            raise UsageError(f"clients are 0 to {self.clients - 1}, got {client}")
        return self._blocks[client]

    def plan(self, client: int, round: int) -> list[Rows]:
        """The rows of each step of a client in a round."""
        own = self.blocks(client)
        generator = np.random.default_rng(derive(self.settings.seed, "plan", round, client))
        batches = plan_batches(
            np.full(len(own), own.shape[1]),
            batch_size=self.settings.batch_size,
            epochs=self.settings.epochs,
            generator=generator,
        )
        return batches[: self.settings.max_steps]

    def loss(self, module: nn.Module, blocks: Tensor, rows: Rows) -> Tensor:
        """Mean loss per token of some blocks, scalar, in nats."""
        tokens = blocks[torch.from_numpy(rows)].long().to(self._model.device)
        return next_token_loss(module(input_ids=tokens, use_cache=False).logits, tokens)

    @torch.no_grad()
    def score(self, blocks: Tensor, rows: Rows) -> float:
        """`loss` of the model as it is, without dropout and gradients."""
        self._model.eval()
        bfloat16 = self.settings.precision == "bfloat16"
        with torch.autocast(self._model.device.type, torch.bfloat16, enabled=bfloat16):
            return float(self.loss(self._model, blocks, rows))
