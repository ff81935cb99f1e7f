"""LEACE against its theorem: nothing linear is left, and no smaller change does it."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import fractional_matrix_power
from sklearn.linear_model import LinearRegression, LogisticRegression

from burnish.errors import UsageError
from burnish.methods.nlpguard.mitigators import fit_leace


def sample(n=400, d=6, k=2, seed=0):
    """Correlated vectors that know the concepts."""
    rng = np.random.default_rng(seed)
    z = (rng.random((n, k)) < 0.4).astype(float)
    mixing = rng.normal(size=(d, d))
    h = rng.normal(size=(n, d)) @ mixing + z @ rng.normal(size=(k, d)) + 3
    return h, z


def by_hand(h, z):
    """Equation by equation, for a covariance of full rank."""
    mean = h.mean(0)
    sigma = np.cov(h.T, bias=True)
    sigma_hz = (h - mean).T @ (z - z.mean(0)) / len(h)
    w = fractional_matrix_power(sigma, -0.5)
    whitened = w @ sigma_hz
    projector = whitened @ np.linalg.pinv(whitened)
    return h - (h - mean) @ (np.linalg.inv(w) @ projector @ w).T


@pytest.mark.parametrize("k", [1, 2, 3])
def test_it_is_the_formula(k):
    h, z = sample(k=k)
    np.testing.assert_allclose(fit_leace(h, z)(h), by_hand(h, z), atol=1e-9)
    assert fit_leace(h, z).rank == k


def test_no_covariance_is_left_and_no_linear_probe_beats_the_constant():
    h, z = sample()
    erased = fit_leace(h, z)(h)
    crossed = (erased - erased.mean(0)).T @ (z - z.mean(0)) / len(h)
    assert abs(crossed).max() < 1e-12
    assert LinearRegression().fit(h, z).score(h, z) > 0.3
    assert LinearRegression().fit(erased, z).score(erased, z) == pytest.approx(0, abs=1e-12)
    for concept in z.T:
        majority = max(concept.mean(), 1 - concept.mean())
        assert LogisticRegression(C=1e6).fit(h, concept).score(h, concept) > majority + 0.05
        probe = LogisticRegression(C=1e6, tol=1e-8).fit(erased, concept)
        constant = np.log(concept.mean() / (1 - concept.mean()))
        np.testing.assert_allclose(probe.decision_function(erased), constant, atol=1e-3)


def test_erasing_twice_is_erasing_once_and_the_mean_stays():
    h, z = sample()
    eraser = fit_leace(h, z)
    np.testing.assert_allclose(eraser(eraser(h)), eraser(h), atol=1e-9)
    np.testing.assert_allclose(eraser.matrix @ eraser.matrix, eraser.matrix, atol=1e-9)
    np.testing.assert_allclose(eraser(h).mean(0), h.mean(0), atol=1e-9)


def test_no_other_map_that_erases_changes_less():
    h, z = sample()
    eraser = fit_leace(h, z)
    least = np.square(eraser(h) - h).sum(1).mean()
    mean, sigma_hz = h.mean(0), (h - h.mean(0)).T @ (z - z.mean(0)) / len(h)
    rng = np.random.default_rng(1)
    for scale in (1e-3, 0.1, 1.0):
        # what may be added without the concept coming back: rows that are blind to sigma_hz
        blind = np.eye(6) - sigma_hz @ np.linalg.pinv(sigma_hz)
        other = eraser.matrix + scale * rng.normal(size=(6, 6)) @ blind
        moved = (h - mean) @ other.T + mean
        assert abs((moved - mean).T @ (z - z.mean(0))).max() < 1e-9
        assert np.square(moved - h).sum(1).mean() > least
    orthogonal = np.eye(6) - sigma_hz @ np.linalg.pinv(sigma_hz)
    assert np.square((h - mean) @ (orthogonal - np.eye(6))).sum(1).mean() > least


def test_directions_without_variance_stay_as_they_are():
    h, z = sample()
    flat = np.concatenate([h, h[:, :2] @ np.ones((2, 1)), np.full((len(h), 2), 7.0)], axis=1)
    eraser = fit_leace(flat, z)
    assert eraser.rank == 2
    erased = eraser(flat)
    np.testing.assert_allclose(erased[:, -2:], 7.0, atol=1e-6)
    crossed = (erased - erased.mean(0)).T @ (z - z.mean(0)) / len(h)
    assert abs(crossed).max() < 1e-6
    np.testing.assert_allclose(erased[:, 6], erased[:, 0] + erased[:, 1], atol=1e-6)


@pytest.mark.parametrize("z", [np.zeros((400, 0)), np.ones(400), np.zeros((400, 3))])
def test_a_concept_that_never_varies_changes_nothing(z):
    h, _ = sample()
    eraser = fit_leace(h, z)
    assert eraser.rank == 0
    np.testing.assert_allclose(eraser(h), h, atol=1e-12)


def test_repeated_concepts_and_few_rows():
    h, z = sample(n=4)
    eraser = fit_leace(h, np.concatenate([z, z, 1 - z], axis=1))
    assert eraser.rank <= 2
    assert abs((eraser(h) - h.mean(0)).T @ (z - z.mean(0))).max() < 1e-9
    constant = fit_leace(np.ones((5, 3)), np.arange(5))
    np.testing.assert_allclose(constant(np.ones((5, 3))), 1.0)


def test_scale_does_not_matter():
    h, z = sample()
    np.testing.assert_allclose(
        fit_leace(1e-6 * h, z)(1e-6 * h), 1e-6 * fit_leace(h, z)(h), atol=1e-14
    )
    assert fit_leace(h.astype(np.float32), z.astype(bool))(h).dtype == np.float64


@pytest.mark.parametrize(
    ("h", "z", "message"),
    [
        (np.ones((3, 2)), np.ones((4, 1)), r"pair up, n at least 2, got \(3, 2\) and \(4, 1\)"),
        (np.ones((1, 2)), np.ones(1), r"got \(1, 2\) and \(1, 1\)"),
        (np.ones(3), np.ones(3), r"got \(3,\) and \(3, 1\)"),
        (np.array([[1.0], [np.nan]]), np.ones(2), "vectors and concepts are finite"),
    ],
)
def test_wrong_samples_are_refused(h, z, message):
    with pytest.raises(UsageError, match=message):
        fit_leace(h, z)


def test_a_linear_head_swallows_the_map():
    h, z = sample()
    eraser = fit_leace(h, z)
    rng = np.random.default_rng(2)
    weight, bias = rng.normal(size=(3, 6)), rng.normal(size=3)
    new_weight, new_bias = eraser.folded(weight, bias)
    np.testing.assert_allclose(h @ new_weight.T + new_bias, eraser(h) @ weight.T + bias, atol=1e-10)
