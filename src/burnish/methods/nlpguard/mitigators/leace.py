"""LEACE: the least change after which no linear probe finds the concept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.methods.nlpguard.mitigators.affine import Affine, checked

_TINY = 1e-10  # of the largest eigenvalue or singular value: what is below is taken for nothing


def fit_leace(vectors: NDArray[Any], concepts: NDArray[Any]) -> Affine:
    """The map after which vectors and concepts are uncorrelated on this sample.

    So no linear probe beats the best constant on it, for any convex loss; and among affine maps
    with that property, this one changes the vectors least in mean squared distance.

    Args:
        vectors: (n, D).
        concepts: (n, K), or (n,).

    Raises:
        UsageError: they do not pair up, n is below 2, or a value is not finite.

    Source: LEACE, arXiv 2306.03819, theorem 4.3: h' = h - W^+ P W (h - E h), where W is the
    pseudo-inverse of the square root of Cov(h) and P projects onto the columns of W Cov(h, z).
    """
    h, z = checked(vectors, concepts)
    mean = h.mean(0)
    centred = h - mean
    values, axes = np.linalg.eigh(centred.T @ centred / len(h))
    # columns that are constant but for rounding have a covariance of nothing
    floor = _TINY * max(float(values[-1]), 0.0) + np.finfo(np.float64).tiny
    held = values > floor
    roots, axes = np.sqrt(values[held]), axes[:, held]
    # all in the axes of Cov(h), where W is a division by the roots
    crossed = (axes.T @ (centred.T @ (z - z.mean(0)) / len(h))) / roots[:, None]
    directions = _columns(crossed, z.std(0))
    taken = (axes * roots) @ directions @ directions.T @ (axes / roots).T
    return Affine(np.eye(h.shape[1]) - taken, taken @ mean, directions.shape[1])


def _columns(crossed: NDArray[np.float64], spreads: NDArray[np.float64]) -> NDArray[np.float64]:
    """An orthonormal basis (r, k) of the columns of correlations; without those of rounding.

    Whitened vectors have length one, so an entry is at most the concept's spread.
    """
    varied = spreads > 0
    basis, sizes, _ = np.linalg.svd(crossed[:, varied] / spreads[varied], full_matrices=False)
    kept: NDArray[np.float64] = basis[:, sizes > _TINY]
    return kept
