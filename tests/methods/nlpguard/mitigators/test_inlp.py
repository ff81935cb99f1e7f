"""INLP: a projection after which logistic regression guesses the majority."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from burnish.errors import UsageError
from burnish.methods.nlpguard.mitigators import fit_inlp


def sample(n=400, seed=0):
    """Two concepts in the first dimensions of eight, and nothing of them in the rest."""
    rng = np.random.default_rng(seed)
    z = (rng.random((n, 2)) < [0.5, 0.3]).astype(float)
    h = rng.normal(size=(n, 8))
    h[:, :2] += 4 * z
    h[:, 2] += z[:, 0]
    return 5 + h, z


def accuracy(h, concept):
    return LogisticRegression(max_iter=500).fit(h, concept).score(h, concept)


def test_a_probe_falls_to_the_majority():
    h, z = sample()
    eraser = fit_inlp(h, z)
    for concept in z.T:
        majority = max(concept.mean(), 1 - concept.mean())
        assert accuracy(h, concept) > 0.95
        assert accuracy(eraser(h), concept) <= majority + 0.02
    assert 2 <= eraser.rank < 8


def test_it_is_an_orthogonal_projection():
    h, z = sample()
    eraser = fit_inlp(h, z)
    np.testing.assert_allclose(eraser.matrix, eraser.matrix.T, atol=1e-12)
    np.testing.assert_allclose(eraser.matrix @ eraser.matrix, eraser.matrix, atol=1e-12)
    assert np.trace(eraser.matrix) == pytest.approx(8 - eraser.rank)
    assert not eraser.offset.any()


def test_one_round_takes_out_the_direction_of_one_classifier():
    h, z = sample()
    eraser = fit_inlp(h, z[:, 0], most_rounds=1)
    assert eraser.rank == 1
    normal = np.linalg.svd(np.eye(8) - eraser.matrix)[0][:, 0]
    assert abs(normal[0]) > 0.9  # where the concept is


def test_what_is_not_there_is_not_erased():
    h, _ = sample()
    for concepts in (np.zeros((400, 2)), np.ones(400)):
        assert fit_inlp(h, concepts).rank == 0
    noise = (np.random.default_rng(7).random(400) < 0.1).astype(float)
    assert fit_inlp(h, noise).rank == 0  # nine in ten: no probe beats the majority by 0.5 points


def test_everything_may_have_to_go():
    h = np.random.default_rng(0).normal(size=(60, 2))
    z = (h[:, 0] + 0.2 * h[:, 1] ** 3 > 0).astype(float)
    assert fit_inlp(h, z, tolerance=0.0).rank <= 2


def test_other_concepts_are_refused():
    with pytest.raises(UsageError, match="concepts of INLP are 0 or 1"):
        fit_inlp(np.ones((3, 2)), [0, 1, 2])
