"""Which rows share a batch. Knows lengths only; the tokens are elsewhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from burnish.errors import UsageError

Rows = NDArray[np.int64]
_WINDOW = 50  # batches; wider windows pad less, narrower ones mix the rows more


def plan_batches(
    lengths: ArrayLike, *, batch_size: int, epochs: int, generator: np.random.Generator
) -> list[Rows]:
    """Random batches of rows of like length: every row once an epoch.

    An epoch's random order is cut into windows of 50 batches, each window is sorted by length
    and cut into batches, and the batches are shuffled. So little is padded, and no length has a
    time of its own in the epoch.

    Args:
        lengths: (n,) tokens of each row.
        batch_size: rows of a batch; one batch an epoch is smaller if it does not divide n.
        epochs: how often every row comes.
        generator: of the order; the same state gives the same plan.

    Returns:
        epochs * ceil(n / batch_size) arrays of row numbers, epoch after epoch.

    Raises:
        UsageError: batch_size or epochs is not positive.
    """
    if epochs < 1:
        raise UsageError(f"epochs must be at least 1, got {epochs}")
    sizes = _checked(lengths, batch_size)
    plan: list[Rows] = []
    for _ in range(epochs):
        order = generator.permutation(len(sizes))
        window = np.arange(len(sizes)) // (_WINDOW * batch_size)
        batches = _cut(order[np.lexsort((sizes[order], window))], batch_size)
        plan.extend(batches[i] for i in generator.permutation(len(batches)))
    return plan


def eval_batches(lengths: ArrayLike, batch_size: int) -> list[Rows]:
    """Every row once, the longest first, so that padding is least and memory runs out at once.

    Args:
        lengths: (n,) tokens of each row.
        batch_size: rows of a batch; the last may be smaller.

    Raises:
        UsageError: batch_size is not positive.
    """
    sizes = _checked(lengths, batch_size)
    return _cut(np.argsort(-sizes, kind="stable"), batch_size)


def _checked(lengths: ArrayLike, batch_size: int) -> NDArray[np.int64]:
    if batch_size < 1:
        raise UsageError(f"batch_size must be at least 1, got {batch_size}")
    return np.asarray(lengths, dtype=np.int64)


def _cut(order: Rows, batch_size: int) -> list[Rows]:
    return [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
