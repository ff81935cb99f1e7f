"""INLP: project out, again and again, what a linear classifier finds of the concept."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from burnish.errors import UsageError
from burnish.methods.nlpguard.mitigators.affine import Affine, Floats, checked


def fit_inlp(
    vectors: NDArray[Any],
    concepts: NDArray[Any],
    *,
    most_rounds: int = 50,
    tolerance: float = 0.005,
    seed: int = 0,
) -> Affine:
    """The orthogonal projection after which logistic regression is no better than the majority.

    Each round fits a classifier for each concept on the projected vectors and takes its direction
    out; a concept is done when its classifier is.

    Args:
        vectors: (n, D).
        concepts: (n, K) or (n,) of 0 and 1; a constant one is passed over.
        most_rounds: at most so many.
        tolerance: accuracy above the majority's that still counts as none, as a share.
        seed: of the classifiers.

    Raises:
        UsageError: they do not pair up, a value is not finite, or a concept is not 0 or 1.

    Source: INLP, arXiv 2004.07667, algorithm 1.
    """
    h, z = checked(vectors, concepts)
    if not np.isin(z, (0, 1)).all():
        raise UsageError("concepts of INLP are 0 or 1; give each value of another a column")
    open_ = [concept for concept in z.T if 0 < concept.mean() < 1]
    centred = h - h.mean(0)  # helps the solver; an intercept takes up the difference
    scale = float(centred.std()) or 1.0
    basis = np.zeros((h.shape[1], 0))
    for _ in range(most_rounds):
        projected = (centred - centred @ basis @ basis.T) / scale
        found = [_direction(projected, concept, tolerance, seed) for concept in open_]
        open_ = [c for c, direction in zip(open_, found, strict=True) if direction is not None]
        if not open_:
            break
        basis = _extended(basis, np.column_stack([each for each in found if each is not None]))
    return Affine(np.eye(h.shape[1]) - basis @ basis.T, np.zeros(h.shape[1]), basis.shape[1])


def _direction(h: Floats, concept: Floats, tolerance: float, seed: int) -> Floats | None:
    """The normal (D,) of the classifier's plane; None if it finds nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # any direction that helps will do
        probe = LogisticRegression(max_iter=500, random_state=seed).fit(h, concept)
    share = concept.mean()
    if probe.score(h, concept) <= max(share, 1 - share) + tolerance:
        return None
    normal: Floats = probe.coef_[0]
    return normal


def _extended(basis: Floats, directions: Floats) -> Floats:
    """An orthonormal basis of what the columns of both span."""
    fresh = directions - basis @ (basis.T @ directions)
    left, sizes, _ = np.linalg.svd(fresh, full_matrices=False)
    new = left[:, sizes > 1e-9 * max(float(sizes[0]), np.finfo(np.float64).tiny)]
    joined: Floats = np.linalg.qr(np.column_stack([basis, new]))[0]
    return joined
