"""Community notes: a note is shown when people who usually disagree call it helpful.

Matrix factorisation of ratings r = mu + i_u + i_n + f_u f_n (Wojcik et al. 2022, arXiv 2210.15723):
what raters' one viewpoint explains goes into f, so only agreement across it raises i_n.
Penalties count once a rating, on mu too, so a constant is shared out between mu, i_u and i_n: the
published 0.40 asks for less than it seems. Departures: alternating ridge regression instead of
gradient descent, one factor, and one note for each rated post.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burnish.methods.socialsim.compiled import compiled

_INTERCEPT_PENALTY, _FACTOR_PENALTY = 0.15, 0.03
_SWEEPS = 60


@dataclass(frozen=True)
class Factors:
    """What ratings come to.

    Attributes:
        notes: (k,) ids, ascending.
        note_intercept: (k,) f64, helpfulness beyond viewpoint; shown from 0.40 on.
        note_factor: (k,) f64, whose side a note is on.
        ratings: (k,) how many each has.
        mean: mu.
    """

    notes: NDArray[np.uint32]
    note_intercept: NDArray[np.float64]
    note_factor: NDArray[np.float64]
    ratings: NDArray[np.int64]
    mean: float


def factorise(
    rater: NDArray[np.uint32],
    note: NDArray[np.uint32],
    value: NDArray[np.float32],
    lean: NDArray[np.float32],
) -> Factors:
    """Fit the model to m ratings.

    Args:
        rater: (m,) accounts.
        note: (m,) notes.
        value: (m,) from 0, not helpful, to 1, helpful.
        lean: (m,) of the rater, where its factor starts, so that the fit depends on no draw.
    """
    raters, row = np.unique(rater, return_inverse=True)
    notes, column = np.unique(note, return_inverse=True)
    user_factor = np.zeros(len(raters))
    user_factor[row] = lean
    intercept, factor, mean = _alternate(
        row, column, value.astype(np.float64), user_factor, len(notes)
    )
    return Factors(notes, intercept, factor, np.bincount(column, minlength=len(notes)), mean)


@compiled
def _alternate(
    row: NDArray[np.int64],
    column: NDArray[np.int64],
    value: NDArray[np.float64],
    user_factor: NDArray[np.float64],
    notes: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    mean = 0.0
    user = np.zeros(len(user_factor))
    note, note_factor = np.zeros(notes), np.zeros(notes)
    for _ in range(_SWEEPS):
        left_over = 0.0
        for e in range(len(value)):
            i, j = column[e], row[e]
            left_over += value[e] - user[j] - note[i] - user_factor[j] * note_factor[i]
        mean = left_over / len(value) / (1.0 + _INTERCEPT_PENALTY)
        for side in range(2):
            mine, other = (column, row) if side == 0 else (row, column)
            intercepts, factors = (note, note_factor) if side == 0 else (user, user_factor)
            their, their_factors = (user, user_factor) if side == 0 else (note, note_factor)
            # each has two unknowns, an intercept and a factor: normal equations of size 2
            n = len(intercepts)
            a00, a01, a11 = np.full(n, 1e-12), np.zeros(n), np.full(n, 1e-12)
            b0, b1 = np.zeros(n), np.zeros(n)
            for e in range(len(value)):
                i, j = mine[e], other[e]
                x, left = their_factors[j], value[e] - mean - their[j]
                a00[i] += 1.0
                a01[i] += x
                a11[i] += x * x
                b0[i] += left
                b1[i] += left * x
            for i in range(n):
                c00 = a00[i] * (1.0 + _INTERCEPT_PENALTY)
                c11 = a11[i] + a00[i] * _FACTOR_PENALTY
                determinant = c00 * c11 - a01[i] * a01[i]
                intercepts[i] = (b0[i] * c11 - b1[i] * a01[i]) / determinant
                factors[i] = (b1[i] * c00 - b0[i] * a01[i]) / determinant
    return note, note_factor, mean
