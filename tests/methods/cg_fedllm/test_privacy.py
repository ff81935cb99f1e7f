from __future__ import annotations

import json
import math

import mpmath
import pytest
import torch

from burnish.codecs.errors import NotFinite
from burnish.errors import UsageError
from burnish.methods.cg_fedllm.privacy import (
    clip_and_noise,
    delta_of,
    epsilon_of,
    gaussian_mu,
    privacy_report,
    sigma_for,
)

CASES = [(1.0, 0.2, 4), (0.6, 0.05, 20), (3.0, 1.0, 5), (20.0, 0.3, 100)]


def exact_mu(sigma: float, rate: float, rounds: int) -> mpmath.mpf:
    return rate * mpmath.sqrt(rounds * (mpmath.exp(1 / mpmath.mpf(sigma) ** 2) - 1))


def exact_delta(epsilon: float, mu: mpmath.mpf) -> mpmath.mpf:
    e = mpmath.mpf(epsilon)
    return mpmath.ncdf(-e / mu + mu / 2) - mpmath.exp(e) * mpmath.ncdf(-e / mu - mu / 2)


@pytest.mark.parametrize(("sigma", "rate", "rounds"), CASES)
def test_mu_is_the_closed_form(sigma, rate, rounds):
    with mpmath.workdps(50):
        wanted = float(exact_mu(sigma, rate, rounds))
    assert gaussian_mu(sigma, rate=rate, rounds=rounds) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("epsilon", [0.0, 0.25, 2.0, 8.0])
@pytest.mark.parametrize(("sigma", "rate", "rounds"), CASES)
def test_delta_is_the_closed_form(epsilon, sigma, rate, rounds):
    with mpmath.workdps(50):
        wanted = float(exact_delta(epsilon, exact_mu(sigma, rate, rounds)))
    mu = gaussian_mu(sigma, rate=rate, rounds=rounds)
    assert delta_of(epsilon, mu) == pytest.approx(wanted, abs=1e-12, rel=1e-6)


@pytest.mark.parametrize("delta", [1e-2, 1e-5, 1e-8])
@pytest.mark.parametrize(("sigma", "rate", "rounds"), CASES)
def test_epsilon_is_the_root_of_the_closed_form(delta, sigma, rate, rounds):
    mu = gaussian_mu(sigma, rate=rate, rounds=rounds)
    found = epsilon_of(delta, mu)
    with mpmath.workdps(50):
        exact = exact_mu(sigma, rate, rounds)
        if exact_delta(0, exact) <= delta:
            assert found == 0
            return
        wanted = mpmath.findroot(
            lambda epsilon: exact_delta(epsilon, exact) - delta, (found, found + 1e-3)
        )
    assert found == pytest.approx(float(wanted), abs=1e-6)


@pytest.mark.parametrize("epsilon", [0.25, 2.0, 8.0])
@pytest.mark.parametrize(("rate", "rounds"), [(0.2, 4), (0.05, 20), (1.0, 5)])
def test_the_noise_for_a_budget_gives_that_budget(epsilon, rate, rounds):
    sigma = sigma_for(epsilon, delta=1e-5, rate=rate, rounds=rounds)
    mu = gaussian_mu(sigma, rate=rate, rounds=rounds)
    assert epsilon_of(1e-5, mu) == pytest.approx(epsilon, abs=1e-6)


def test_more_noise_fewer_rounds_and_rarer_draws_are_more_private():
    def epsilon(sigma: float = 1.0, rate: float = 0.2, rounds: int = 10) -> float:
        return epsilon_of(1e-5, gaussian_mu(sigma, rate=rate, rounds=rounds))

    assert epsilon(sigma=0.5) > epsilon() > epsilon(sigma=2.0)
    assert epsilon(rounds=20) > epsilon() > epsilon(rounds=5)
    assert epsilon(rate=0.4) > epsilon() > epsilon(rate=0.1)
    assert delta_of(1.0, 0.5) > delta_of(2.0, 0.5) > 0


def test_the_ends_of_the_range():
    assert gaussian_mu(1e-3, rate=0.1, rounds=1) == math.inf
    assert epsilon_of(1e-5, math.inf) == math.inf
    assert (delta_of(1.0, 0.0), delta_of(1.0, math.inf)) == (0.0, 1.0)
    assert epsilon_of(0.5, 1e-6) == 0.0


@pytest.mark.parametrize("norm", [0.0, 1e-6, 0.3, 0.7, 1.0, 50.0, 1e30])
def test_the_clip_holds_and_short_updates_keep_their_length(norm):
    draw = torch.Generator().manual_seed(0)
    vector = torch.randn(5000, generator=draw)
    vector = vector / vector.norm() * norm
    before = vector.clone()
    clipped = clip_and_noise(vector, clip=0.7, sigma=0.0, generator=draw)
    assert torch.equal(vector, before)
    length = float(torch.linalg.vector_norm(clipped, dtype=torch.float64))
    assert length <= 0.7
    assert length == pytest.approx(min(norm, 0.7), rel=1e-5)
    if 0 < norm < 0.7:
        assert torch.equal(clipped, vector)


def test_noise_has_the_spread_told_and_a_seed_repeats_it():
    def sent() -> torch.Tensor:
        draw = torch.Generator().manual_seed(4)
        return clip_and_noise(torch.zeros(200_000), clip=0.5, sigma=3.0, generator=draw)

    noise = sent()
    assert torch.equal(noise, sent())
    assert float(noise.std()) == pytest.approx(1.5, rel=0.01)
    assert abs(float(noise.mean())) < 0.02
    tail = float((noise.abs() > 1.5 * 1.96).float().mean())
    assert tail == pytest.approx(0.05, abs=0.003)


def test_what_is_not_finite_is_not_sent():
    draw = torch.Generator()
    with pytest.raises(NotFinite, match="must hold finite numbers"):
        clip_and_noise(torch.tensor([1.0, math.nan]), clip=1.0, sigma=1.0, generator=draw)


def report(codec_data: str = "none", **changes):
    settings = {"sigma": 1.0, "clip": 1.0, "rate": 0.2, "rounds": 10, "delta": 1e-5} | changes
    return privacy_report(**settings, codec_data=codec_data)


def test_the_bounds_of_the_library_are_ordered_and_the_closed_form_is_no_bound():
    found = report()
    assert found.epsilon_prv < found.epsilon_rdp
    assert found.epsilon_gdp < found.epsilon_prv
    assert any("no bound" in reason for reason in found.reasons)


def test_with_all_clients_the_library_agrees_with_the_exact_composition():
    """Without sampling, T rounds are one Gaussian mechanism with mu = sqrt(T) / sigma."""
    found = report(sigma=5.0, rate=1.0, rounds=9)
    exact = epsilon_of(1e-5, 3.0 / 5.0)
    assert exact <= found.epsilon_prv <= exact + 0.03
    assert exact <= found.epsilon_rdp <= exact * 1.2


@pytest.mark.parametrize(
    ("data", "covered"), [("none", True), ("public", True), ("noised", True), ("private", False)]
)
def test_the_report_says_whether_the_codec_is_covered(data, covered):
    found = report(data)
    assert found.covers_codec is covered
    assert ("may tell of them" in found.reasons[0]) is not covered


def test_a_report_is_plain_json_and_infinity_is_none():
    found = report(sigma=0.03).as_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["epsilon_gdp"] is None
    assert found["epsilon_rdp"] > 100


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"sigma": 0.0}, "needs sigma > 0"),
        ({"rate": 1.5}, "a rate above 0 and at most 1"),
        ({"rounds": 0}, "1 round or more"),
        ({"delta": 1.0}, "delta must be above 0 and below 1"),
    ],
)
def test_numbers_out_of_range_are_refused(change, complaint):
    with pytest.raises(UsageError, match=complaint):
        report(**change)


def test_what_no_noise_can_do_is_told():
    with pytest.raises(UsageError, match="epsilon must be above 0"):
        sigma_for(0.0, delta=1e-5, rate=0.5, rounds=2)
    with pytest.raises(UsageError, match="no noise gives epsilon 1e-06 at delta 1e-300"):
        sigma_for(1e-6, delta=1e-300, rate=1.0, rounds=10**9)
    with pytest.raises(UsageError, match="needs clip > 0 and sigma >= 0"):
        clip_and_noise(torch.ones(2), clip=0.0, sigma=1.0, generator=torch.Generator())
