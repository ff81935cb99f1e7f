"""Bounded confidence against the published numbers of clusters."""

from __future__ import annotations

import numpy as np
import pytest

from burnish.errors import UsageError
from burnish.methods.socialsim.opinions import clusters, deffuant, hegselmann_krause


def settled(confidence, seed=0):
    generator = np.random.default_rng(seed)
    return deffuant(generator.random(1000), confidence=confidence, generator=generator)


@pytest.mark.parametrize(("confidence", "expected"), [(0.5, {1}), (0.2, {2}), (0.1, {4, 5})])
@pytest.mark.parametrize("seed", range(3))
def test_deffuant_ends_in_the_published_number_of_clusters(confidence, expected, seed):
    ended = settled(confidence, seed)
    assert ended.converged
    assert len(clusters(ended.opinions, gap=confidence / 2, least=0.02)) in expected


def test_deffuant_keeps_the_mean_and_its_range():
    start = np.random.default_rng(1).random(500)
    ended = deffuant(start, confidence=0.3, generator=np.random.default_rng(2))
    assert ended.opinions.mean() == pytest.approx(start.mean())
    assert start.min() <= ended.opinions.min()
    assert ended.opinions.max() <= start.max()


def test_nobody_moves_without_confidence():
    start = np.array([0.0, 0.5, 1.0])
    ended = deffuant(start, confidence=0.1, generator=np.random.default_rng(0))
    assert ended.opinions.tolist() == start.tolist()


def test_too_few_sweeps_are_said_not_to_converge():
    generator = np.random.default_rng(0)
    start = generator.random(100)
    assert not deffuant(start, confidence=0.5, sweeps=2, generator=generator).converged
    assert not hegselmann_krause(start, confidence=0.2, sweeps=1).converged


def slow_hegselmann_krause(x, confidence):
    return np.array([x[np.abs(x - own) <= confidence + 1e-12].mean() for own in x])


def test_one_round_of_hegselmann_krause_is_the_definition():
    start = np.random.default_rng(4).random(200)
    fast = hegselmann_krause(start, confidence=0.15, sweeps=1).opinions
    np.testing.assert_allclose(fast, slow_hegselmann_krause(start, 0.15), atol=1e-12)


def test_hegselmann_krause_converges_to_clusters_further_apart_than_its_confidence():
    ended = hegselmann_krause(np.random.default_rng(5).random(2000), confidence=0.1)
    assert ended.converged
    centres = clusters(ended.opinions, gap=1e-6)
    assert 2 <= len(centres) <= 6
    assert np.diff(centres).min() > 0.1


def test_hegselmann_krause_reaches_consensus_at_a_wide_confidence():
    ended = hegselmann_krause(np.linspace(0, 1, 500), confidence=0.5)
    assert ended.converged
    assert np.ptp(ended.opinions) < 1e-9


def test_small_clusters_are_left_out_on_request():
    opinions = np.array([0.0] * 97 + [1.0] * 3)
    assert clusters(opinions, gap=0.5, least=0.02) == [0.0, 1.0]
    assert clusters(opinions, gap=0.5, least=0.03) == [0.0]


@pytest.mark.parametrize("opinions", [[0.5], [0.1, np.nan]])
def test_what_are_no_opinions_is_refused(opinions):
    with pytest.raises(UsageError, match="at least two finite numbers"):
        hegselmann_krause(np.array(opinions), confidence=0.1)


def test_wrong_settings_are_refused():
    with pytest.raises(UsageError, match=r"step is above 0 and up to 0\.5, got 0\.7"):
        deffuant(np.zeros(2), confidence=1, step=0.7, generator=np.random.default_rng(0))
    with pytest.raises(UsageError, match="confidence is a distance of at least 0, got nan"):
        hegselmann_krause(np.zeros(2), confidence=float("nan"))
