"""Made-up updates that a codec can be trained on in place of clients' own."""

from __future__ import annotations

import torch
from torch import Tensor

from burnish.errors import UsageError


def gaussian_updates(
    updates: Tensor, matrix: Tensor, *, count: int, generator: torch.Generator
) -> Tensor:
    """Normal numbers with the mean and variance that each matrix had in a round.

    These two numbers for each matrix are all that is taken from the updates; they are private
    themselves, so give updates that went through `clip_and_noise` where that matters.

    Args:
        updates: (m, n), of the clients of one round.
        matrix: (n,) int: the matrix each number is of, as `LoraLayout.matrix`.
        count: how many to make.
        generator: of the numbers.

    Returns:
        (count, n), float32.

    Raises:
        UsageError: a shape does not fit, or count is not positive.

    Source: DR-Encoder, arXiv 2412.17053: Gaussian samples from the mean and variance of each
    layer in each round. Departure: A and B of each adapted module have their own.
    """
    if updates.dim() != 2 or not len(updates) or matrix.shape != updates.shape[1:] or count < 1:
        raise UsageError(
            f"needs updates (m, n), a matrix for each of the n, and count >= 1; got "
            f"{tuple(updates.shape)}, {tuple(matrix.shape)} and {count}"
        )
    index = matrix.long()
    kinds = int(index.max()) + 1
    numbers = len(updates) * torch.bincount(index, minlength=kinds)
    mean = _sums(updates, index, kinds) / numbers
    apart = updates.double() - mean[index]
    spread = (_sums(apart.square(), index, kinds) / numbers).sqrt()
    drawn = torch.empty(count, updates.shape[1]).normal_(generator=generator)
    return drawn.mul_(spread[index].float()).add_(mean[index].float())


def _sums(values: Tensor, index: Tensor, kinds: int) -> Tensor:
    """Of each kind, over all rows, in float64."""
    totals = torch.zeros(kinds, dtype=torch.float64)
    return totals.index_add_(0, index, values.double().sum(0))
