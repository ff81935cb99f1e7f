"""Weights whose loss costs least go, and the others make up for them: second order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from burnish.errors import BurnishError, ConfigError
from burnish.methods.cap.weights.criterion import Ranking, WeightState

_PENDING = 16  # gradients folded into the Fisher at once; one at a time waits for memory
_CHUNK = 512  # blocks worked on at once: 10 MB in double precision at the published size


@dataclass(frozen=True)
class OBert:
    """rho = w^2 / (2 [F^-1]_qq), ranked over all matrices; F is the block-diagonal Fisher.

    F = damp * I + (1/m) * sum over m gradients of g g^T, in blocks of `block` weights that follow
    each other in a matrix, row by row; the last block of a matrix may be smaller. When weights q
    go, the ones that stay in their block change by the sum of -w_q / [F^-1]_qq * F^-1 e_q. A
    weight that is out never comes back: others have made up for it.

    While gradients come in, 4 * (block + 16) bytes a weight are held; after `compensate` nothing.

    Attributes:
        gradients: m, shown before every setting of the masks.
        block: weights in a block.
        damp: > 0.
        refresh: steps from one setting of the masks to the next; each costs m backward passes.

    Source: Kurtic et al. 2022, arXiv 2203.07259, eqs. 3-6. Departure: the blocks are summed up and
    inverted by Cholesky in double precision, which is the same inverse as the paper's m rank-one
    updates with less rounding, and is faster; in a block whose gradients are so large that float32
    cannot hold `damp` beside them, its rounding takes the place of `damp`.
    """

    gradients: int = 1024
    block: int = 50
    damp: float = 1e-7
    refresh: int = 100
    name: str = "obert"
    ranking: Ranking = "global"
    learns_scores: bool = False
    trains_weights: bool = True

    def __post_init__(self) -> None:
        for name in ("gradients", "block", "refresh"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.damp < float("inf"):
            raise ConfigError(f"damp must be > 0, got {self.damp}")

    def estimate(self, state: WeightState) -> None:
        """Take in one gradient, (out, in)."""
        if state.gradient is None:
            raise BurnishError("oBERT needs the gradient of a backward pass, got none")
        memory, size = state.memory, state.weight.numel()
        if "inverse" in memory:
            raise BurnishError("oBERT has scored these gradients already; set the masks first")
        if not memory:
            blocks = -(-size // self.block)
            new = state.weight.detach().new_zeros
            memory["fisher"] = new(blocks, self.block, self.block, dtype=torch.float32)
            memory["pending"] = new(_PENDING, blocks * self.block, dtype=torch.float32)
            memory["seen"] = torch.zeros((), dtype=torch.int64)
        place = int(memory["seen"]) % _PENDING
        memory["pending"][place, :size] = state.gradient.detach().flatten()
        memory["seen"] += 1
        if place + 1 == _PENDING:
            self._fold(memory, _PENDING)

    def score(self, state: WeightState) -> Tensor:
        """See the class; -1 for what is out already."""
        inverse = self._inverse(state)
        weight = state.weight.detach()
        diagonal = inverse.diagonal(dim1=1, dim2=2).reshape(-1)[: weight.numel()]
        cost = weight.float().square() / (2 * diagonal.view(weight.shape))
        return torch.where(state.kept, cost, -1.0)

    def compensate(self, state: WeightState, removed: Tensor) -> Tensor:
        """See the class; what was learnt of the gradients is dropped."""
        inverse, weight = self._inverse(state), state.weight.detach()
        diagonal = inverse.diagonal(dim1=1, dim2=2).reshape(-1)[: weight.numel()]
        going = weight.float() * removed / diagonal.view(weight.shape)
        padded = going.new_zeros(inverse.shape[0] * self.block)
        padded[: weight.numel()] = going.flatten()
        blocks = padded.view(-1, self.block, 1)
        change = torch.cat([inverse[part] @ blocks[part] for part in _chunks(len(blocks))])
        state.memory.clear()
        return -change.flatten()[: weight.numel()].view(weight.shape).to(weight.dtype)

    def _fold(self, memory: dict[str, Tensor], count: int) -> None:
        """Add the outer products of the pending gradients to the sum."""
        fisher = memory["fisher"]
        pending = memory["pending"][:count].view(count, len(fisher), self.block)
        for part in _chunks(len(fisher)):
            rows = pending[:, part].permute(1, 2, 0).contiguous()
            fisher[part].baddbmm_(rows, rows.mT)

    def _inverse(self, state: WeightState) -> Tensor:
        """(blocks, block, block) F^-1, put in the place of the sum it comes from."""
        memory = state.memory
        if "inverse" in memory:
            return memory["inverse"]
        if not memory:
            raise BurnishError(
                f"oBERT needs {self.gradients} gradients before masks are set, got none; show it "
                "some with `collect`"
            )
        seen = int(memory["seen"])
        self._fold(memory, seen % _PENDING)
        memory.pop("pending")
        blocks = memory["fisher"]
        for part in _chunks(len(blocks)):
            blocks[part] = self._inverted(blocks[part].double() / seen)
        memory["inverse"] = memory.pop("fisher")
        return memory["inverse"]

    def _inverted(self, blocks: Tensor) -> Tensor:
        diagonals = blocks.diagonal(dim1=1, dim2=2)
        # The sum is kept in float32; below its rounding, damp could not make it invertible.
        rounding = 2 * torch.finfo(torch.float32).eps * diagonals.sum(1, keepdim=True)
        diagonals.add_(rounding.clamp(min=self.damp))
        factors, info = torch.linalg.cholesky_ex(blocks)
        if int(info.count_nonzero()) or not bool(torch.isfinite(factors).all()):
            raise BurnishError(
                "oBERT cannot invert its Fisher matrix: gradients are not finite; training has "
                "diverged, so lower the learning rate or train in float32"
            )
        return torch.cholesky_inverse(factors)


def _chunks(length: int) -> Iterator[slice]:
    return (slice(start, start + _CHUNK) for start in range(0, length, _CHUNK))
