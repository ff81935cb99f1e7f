from __future__ import annotations

import numpy as np
import pytest

from burnish.methods.socialsim.notes import factorise

RATERS = 200
LEAN = np.where(np.arange(RATERS) % 2, 0.6, -0.6).astype(np.float32)


def rated(*chances):
    """Every rater rates every note; a chance for each side of each note."""
    rng = np.random.default_rng(0)
    rater, note, value = [], [], []
    for n, (left, right) in enumerate(chances):
        chance = np.where(LEAN < 0, left, right)
        rater.append(np.arange(RATERS))
        note.append(np.full(RATERS, 10 + n))
        value.append(rng.random(RATERS) < chance)
    ids = [np.concatenate(part).astype(np.uint32) for part in (rater, note)]
    return factorise(*ids, np.concatenate(value).astype(np.float32), LEAN[ids[0]])


def test_agreement_across_sides_raises_the_intercept_and_one_side_the_factor():
    fit = rated((0.95, 0.95), (0.95, 0.1), (0.1, 0.95), (0.05, 0.05))
    assert fit.notes.tolist() == [10, 11, 12, 13]
    assert fit.note_intercept.argmax() == 0
    assert fit.note_intercept[0] >= 0.4
    assert (fit.note_intercept[1:3] < 0.2).all()
    assert np.sign(fit.note_factor[1]) == -np.sign(fit.note_factor[2])
    assert abs(fit.note_factor[1:3]).min() > 3 * abs(fit.note_factor[[0, 3]]).max()


def test_the_order_of_ratings_does_not_matter():
    rng = np.random.default_rng(1)
    rater = rng.integers(0, RATERS, 500).astype(np.uint32)
    note = rng.integers(0, 20, 500).astype(np.uint32)
    value = rng.random(500).astype(np.float32)
    order = rng.permutation(500)
    first = factorise(rater, note, value, LEAN[rater])
    second = factorise(rater[order], note[order], value[order], LEAN[rater[order]])
    assert first.note_intercept == pytest.approx(second.note_intercept, abs=1e-8)
    assert first.ratings.sum() == 500
