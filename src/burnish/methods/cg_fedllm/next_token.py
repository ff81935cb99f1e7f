"""Cross-entropy of the next token for large vocabularies, a few rows of logits at a time.

The usual way makes a float32 copy of all logits and two more for the gradient; with a vocabulary
of 49,152 that took a third of a training step on a processor.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

_NUMBERS = 1 << 20  # logits at once: what fits in a processor's cache


def next_token_loss(logits: Tensor, tokens: Tensor) -> Tensor:
    """Mean loss of predicting each token but the first from those before it, in nats.

    The gradient has the type of the logits; sums are in float32.

    Args:
        logits: (b, l, v).
        tokens: (b, l), l >= 2; no padding.
    """
    targets = torch.roll(tokens, -1, dims=1)
    rows = torch.ones_like(targets, dtype=torch.bool)
    rows[:, -1] = False  # nothing follows the last token
    apply: Any = _Loss.apply
    loss = apply(logits.flatten(0, 1), targets.flatten(), rows.flatten())
    return cast("Tensor", loss)


class _Loss(torch.autograd.Function):
    """Loss and gradient in one pass over the logits."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, targets: Tensor, rows: Tensor) -> Tensor:
        needed = ctx.needs_input_grad[0]
        gradient = torch.empty_like(logits) if needed else logits
        share = rows.float() / rows.sum()
        total = logits.new_zeros((), dtype=torch.float32)
        step = max(1, _NUMBERS // logits.shape[1])
        for start in range(0, len(logits), step):
            part = slice(start, start + step)
            scores, weight = logits[part].float(), share[part, None]
            scores = scores - scores.amax(1, keepdim=True)
            own = scores.gather(1, targets[part, None])
            odds = scores.exp_()
            mass = odds.sum(1, keepdim=True)
            total += ((mass.log() - own) * weight).sum()
            if needed:
                odds *= weight / mass
                odds.scatter_add_(1, targets[part, None], -weight)
                gradient[part] = odds
        ctx.save_for_backward(gradient if needed else None)
        return total

    @staticmethod
    def backward(ctx: Any, *outer: Any) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * outer[0].to(gradient.dtype), None, None
