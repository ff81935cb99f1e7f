"""Cascade comparators: independent cascade and linear threshold. Knows graphs as index arrays.

Many runs go side by side: a run and a node are one number, so NumPy does all of them at once.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from burnish.errors import UsageError
from burnish.methods.socialsim.epidemics import neighbours

Ints = NDArray[np.integer]
_CELLS = 32_000_000  # runs times nodes at once: 32 MB of flags


def independent_cascade(
    indptr: Ints,
    targets: Ints,
    probability: NDArray[np.floating] | float,
    seeds: Ints,
    *,
    runs: int,
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """Nodes reached when each new one tries each of its edges once.

    Args:
        indptr: (n + 1,) where each node's targets begin.
        targets: (e,) whom a node reaches, such as its followers.
        probability: of an edge, one for all or (e,).
        seeds: nodes that begin.
        runs: independent repetitions.
        generator: of all draws.

    Returns:
        (runs,) nodes reached, seeds included.

    Source: Kempe, Kleinberg and Tardos 2003, KDD, section 2.
    """
    chance = np.broadcast_to(np.asarray(probability, np.float64), targets.shape)
    if np.any(~((chance >= 0) & (chance <= 1))):
        raise UsageError("probability of an edge is from 0 to 1")
    n, edges = len(indptr) - 1, np.arange(len(targets))
    return np.concatenate(
        [
            _spread(indptr, targets, edges, chance, _seeded(seeds, n, batch), n, generator)
            for batch in _batches(runs, n)
        ]
    )


def linear_threshold(
    indptr: Ints,
    targets: Ints,
    seeds: Ints,
    *,
    runs: int,
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """Nodes reached when one joins once the active share of its sources passes its threshold.

    Thresholds are uniform in [0, 1), new in each run; all sources of a node weigh the same.

    Args:
        indptr: (n + 1,) where each node's targets begin.
        targets: (e,) whom a node reaches.
        seeds: nodes that begin.
        runs: independent repetitions.
        generator: of the thresholds.

    Returns:
        (runs,) nodes reached, seeds included.

    Source: Kempe, Kleinberg and Tardos 2003, KDD, section 2, with weights 1 / in-degree.
    """
    n = len(indptr) - 1
    sources = np.maximum(np.bincount(targets, minlength=n), 1)
    sizes = []
    for batch in _batches(runs, n):
        active = _seeded(seeds, n, batch)
        needed = generator.random((batch, n)).ravel() * np.tile(sources, batch)
        count = np.zeros(batch * n, np.int64)
        new = np.flatnonzero(active)
        while len(new):
            hit = _hits(indptr, targets, new, n)
            np.add.at(count, hit, 1)
            hit = np.unique(hit)
            new = hit[~active[hit] & (count[hit] > needed[hit])]
            active[new] = True
        sizes.append(active.reshape(batch, n).sum(axis=1))
    return np.concatenate(sizes)


def _spread(
    indptr: Ints,
    targets: Ints,
    edges: Ints,
    chance: NDArray[np.float64],
    active: NDArray[np.bool_],
    n: int,
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    new = np.flatnonzero(active)
    while len(new):
        odds = chance[neighbours(indptr, edges, new % n)]
        hit = _hits(indptr, targets, new, n)[generator.random(len(odds)) < odds]
        new = np.unique(hit[~active[hit]])
        active[new] = True
    sizes: NDArray[np.int64] = active.reshape(-1, n).sum(axis=1)
    return sizes


def _hits(indptr: Ints, targets: Ints, new: Ints, n: int) -> Ints:
    """Whom newly active nodes reach, as number run * n + node."""
    node = new % n
    return neighbours(indptr, targets, node) + np.repeat(new - node, np.diff(indptr)[node])


def _seeded(seeds: Ints, n: int, batch: int) -> NDArray[np.bool_]:
    if len(seeds) == 0 or np.any((seeds < 0) | (seeds >= n)):
        raise UsageError(f"at least one seed, each a node from 0 to {n - 1}")
    active = np.zeros((batch, n), np.bool_)
    active[:, seeds] = True
    return active.ravel()


def _batches(runs: int, n: int) -> Iterator[int]:
    if runs < 1:
        raise UsageError(f"at least one run, got {runs}")
    most = max(1, _CELLS // max(n, 1))
    for begin in range(0, runs, most):
        yield min(most, runs - begin)
