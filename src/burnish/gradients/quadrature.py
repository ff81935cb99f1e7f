"""Nodes and weights to integrate a function from 0 to 1."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from burnish.errors import UsageError


@dataclass(frozen=True, eq=False)
class Quadrature:
    """The integral from 0 to 1 is about the sum of weights * f(nodes).

    Attributes:
        nodes: (k,) float64, ascending, within [0, 1].
        weights: (k,) float64, positive; their sum is 1.
    """

    nodes: NDArray[np.float64]
    weights: NDArray[np.float64]


@lru_cache(maxsize=64)
def gauss_legendre(steps: int) -> Quadrature:
    """The rule of `steps` nodes that is exact for polynomials of degree 2 * steps - 1.

    Raises:
        UsageError: steps is below 1.
    """
    if steps < 1:
        raise UsageError(f"a quadrature needs at least 1 step, got {steps}")
    nodes, weights = np.polynomial.legendre.leggauss(steps)
    return Quadrature((nodes + 1) / 2, weights / 2)


@lru_cache(maxsize=64)
def clenshaw_curtis(intervals: int) -> Quadrature:
    """The rule of `intervals` + 1 nodes, ends included, that shares nodes with its doubling.

    Node i of `intervals` is node 2 i of 2 * `intervals`, so what was evaluated is used again.
    Exact for polynomials of degree `intervals`.

    Args:
        intervals: even, at least 2.

    Raises:
        UsageError: intervals is odd or below 2.

    Source: Clenshaw and Curtis 1960; Trefethen 2008, "Is Gauss quadrature better than
    Clenshaw-Curtis?", on why it needs hardly more nodes than Gauss for what is not entire.
    """
    if intervals < 2 or intervals % 2:
        raise UsageError(f"intervals must be even and at least 2, got {intervals}")
    angles = np.pi * np.arange(intervals + 1) / intervals
    orders = np.arange(1, intervals // 2 + 1)
    factors = np.where(orders == intervals // 2, 1.0, 2.0) / (4.0 * orders**2 - 1)
    ends = np.where(np.arange(intervals + 1) % intervals == 0, 1.0, 2.0)
    weights = ends / intervals * (1 - np.cos(2 * np.outer(angles, orders)) @ factors)
    return Quadrature((1 - np.cos(angles)) / 2, weights / 2)
