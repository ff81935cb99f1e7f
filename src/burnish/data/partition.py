"""Who gets which item: groups spread unevenly over clients, parts that share nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from burnish.data.sets.parts import spread
from burnish.errors import DataError, UsageError

Rows = NDArray[np.int64]
_TRIES = 1_000


def dirichlet(
    groups: Sequence[str],
    *,
    clients: int,
    alpha: float,
    generator: np.random.Generator,
    sizes: ArrayLike | None = None,
    least: int = 1,
) -> list[Rows]:
    """Spread items over clients so that each client has groups of its own in large part.

    For each group, shares of the clients are drawn from a symmetric Dirichlet distribution, and
    each of its items goes to a client with those probabilities. A draw that leaves a client with
    too few items is thrown away.

    Args:
        groups: (n,) the group of each item.
        clients: how many.
        alpha: > 0; small values give a group to few clients, large ones spread it evenly.
        generator: of the draws.
        sizes: (n,) how much each item counts, such as its tokens; 1 each if None.
        least: what the items of every client must count together.

    Returns:
        Row numbers of each client, ascending; together every row once.

    Raises:
        UsageError: clients, alpha or least is out of range.
        DataError: every draw left a client with too little.

    Source: Hsu et al. 2019, arXiv:1909.06335, with the parts of groups and clients exchanged, as
    has become usual, so that a client's number of items varies too.
    """
    if clients < 1 or least < 1 or not (0 < alpha < np.inf):
        raise UsageError(
            f"needs clients >= 1, alpha > 0 and least >= 1, got {clients}, {alpha} and {least}"
        )
    counts = np.ones(len(groups)) if sizes is None else np.asarray(sizes, dtype=np.float64)
    if counts.shape != (len(groups),):
        raise UsageError(f"sizes must have the shape ({len(groups)},), got {counts.shape}")
    names, group = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    for _ in range(_TRIES):
        shares = generator.dirichlet(np.full(clients, alpha), size=len(names))
        owner = _drawn(np.cumsum(shares, axis=1)[group], generator)
        if np.bincount(owner, counts, minlength=clients).min() >= least:
            return [np.flatnonzero(owner == client) for client in range(clients)]
    raise DataError(
        f"{len(groups)} texts in {len(names)} groups, {counts.sum():g} together, cannot be spread "
        f"over {clients} clients with alpha {alpha:g} so that each has {least} or more; take fewer "
        "clients, a larger alpha or more texts"
    )


def _drawn(cumulative: NDArray[np.float64], generator: np.random.Generator) -> Rows:
    """One column of each row, with the probabilities that the row has summed up."""
    draws = generator.random(len(cumulative)) * cumulative[:, -1]
    columns: Rows = (cumulative <= draws[:, None]).sum(axis=1)
    last: Rows = np.minimum(columns, cumulative.shape[1] - 1)
    return last


def two_parts(
    items: ArrayLike, *, share: float, generator: np.random.Generator
) -> tuple[Rows, Rows]:
    """Random parts, at least one item in each; both keep the order of the items.

    Args:
        items: (n,) numbers, such as rows.
        share: of the items that are in the first part, above 0 and below 1.
        generator: of the draw.

    Raises:
        UsageError: the share is out of range.
        DataError: there are fewer than two items.
    """
    numbers = np.asarray(items, dtype=np.int64)
    if not 0 < share < 1:
        raise UsageError(f"share must be above 0 and below 1, got {share}")
    if len(numbers) < 2:
        raise DataError(f"two parts need two items at least, got {len(numbers)}; give more data")
    size = min(max(round(share * len(numbers)), 1), len(numbers) - 1)
    first = np.zeros(len(numbers), dtype=bool)
    first[generator.permutation(len(numbers))[:size]] = True
    return numbers[first], numbers[~first]


def held_out(
    groups: Sequence[str], *, share: float, generator: np.random.Generator
) -> tuple[Rows, Rows]:
    """Rows that stay, and whole items that are held out, of as many groups as possible.

    The items are put in an order in which every beginning has the groups in their own shares; its
    beginning is held out.

    Args:
        groups: (n,) the group of each item.
        share: of the items that are held out, above 0 and below 1.
        generator: of the order.

    Raises:
        UsageError: the share is out of range.
        DataError: there are fewer than two items.
    """
    if not 0 < share < 1:
        raise UsageError(f"share must be above 0 and below 1, got {share}")
    n = len(groups)
    if n < 2:
        raise DataError(f"holding texts out needs two at least, got {n}; give more data")
    _, labels = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    order = spread(labels, generator)
    size = min(max(round(share * n), 1), n - 1)
    return np.sort(order[size:]), np.sort(order[:size])
