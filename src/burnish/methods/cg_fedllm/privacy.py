"""Differential privacy of clients: clip and noise what is sent, and account for it.

The unit is a client: whether its update of a round is there, or zeros in its place. A fixed codec
after the noise is post-processing and costs nothing; a codec that was itself trained on clients'
updates may tell of them.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from scipy.optimize import brentq
from scipy.special import log_ndtr
from torch import Tensor

from burnish.codecs.errors import NotFinite
from burnish.errors import UsageError

CodecData = Literal["none", "public", "noised", "private"]
"""What a codec was trained on: nothing, public data, updates after noise, updates as they were."""

_WIDEST = 1e6  # no budget or noise worth asking for is larger
_PAST_USE = 500.0  # beyond, loss distributions take gigabytes, and no budget is left to speak of
_REASONS: dict[CodecData, str] = {
    "none": "the codec is not trained, so it tells nothing of anyone",
    "public": "the codec was trained on public data alone",
    "noised": "the codec was trained on updates that were clipped and noised before: those rounds "
    "must be counted too",
    "private": "the codec was trained on clients' updates as they were (D1) and may tell of them; "
    "train it on public data, on noised updates, or take one that is not trained",
}
_ALWAYS = (
    "the unit is a client's update of a round against zeros in its place; to exchange it for "
    "another one, count with half the noise",
    "every budget takes clients to be drawn by independent coins (Poisson); a draw of fixed size "
    "needs an analysis of its own",
    "sampling protects from those who cannot tell who was drawn; for a server that sees every "
    "single update, count with a rate of 1",
    "the closed form is a limit for many rounds, and no bound; the library's figures are bounds",
)


def clip_and_noise(
    vector: Tensor, *, clip: float, sigma: float, generator: torch.Generator
) -> Tensor:
    """An update that may be sent: norm at most `clip`, and normal noise on every number.

    Args:
        vector: (n,), before encoding.
        clip: C, largest 2-norm.
        sigma: noise is N(0, (sigma C)^2); 0 clips only, which is not private.
        generator: of the noise; what is secret about it must not be known to the receiver.

    Raises:
        UsageError: clip is not positive, or sigma is negative.
        NotFinite: the vector holds NaN or infinity.

    Source: CG-FedLLM, arXiv 2405.13746, v3, section on differential privacy; where the noise goes
    is not stated there consistently, here it is before the encoder.
    """
    if not (0 < clip < math.inf and 0 <= sigma < math.inf):
        raise UsageError(f"needs clip > 0 and sigma >= 0, got {clip} and {sigma}")
    norm = float(torch.linalg.vector_norm(vector, dtype=torch.float64))
    if not math.isfinite(norm):
        raise NotFinite(
            "the update must hold finite numbers, but has NaN or infinity; the training that made "
            "it has diverged: lower its learning rate"
        )
    scale = min(1.0, clip / norm) if norm else 1.0
    clipped = vector * scale
    while float(torch.linalg.vector_norm(clipped, dtype=torch.float64)) > clip:
        scale = math.nextafter(scale * (1 - 1e-7), 0.0)  # float32 products may round up
        clipped = vector * scale
    if not sigma:
        return clipped
    noise = torch.empty_like(clipped).normal_(0.0, sigma * clip, generator=generator)
    return clipped.add_(noise)


def gaussian_mu(sigma: float, *, rate: float, rounds: int) -> float:
    """Mu of Gaussian differential privacy: q sqrt(T (exp(1 / sigma^2) - 1)).

    Args:
        sigma: noise multiplier, > 0.
        rate: q, the chance of a client to be drawn in a round, in (0, 1].
        rounds: T, at least 1.

    Raises:
        UsageError: a number is out of range.

    Source: Bu et al. 2020, arXiv 1911.11607, corollary 4, a central limit theorem: exact only as
    rounds grow and q sqrt(T) stays.
    """
    _check(sigma, rate, rounds)
    try:
        return rate * math.sqrt(rounds * math.expm1(sigma**-2))
    except OverflowError:
        return math.inf


def delta_of(epsilon: float, mu: float) -> float:
    """Delta at which mu-GDP is (epsilon, delta)-private.

    Phi(-epsilon / mu + mu / 2) - exp(epsilon) Phi(-epsilon / mu - mu / 2).

    Source: Dong, Roth and Su 2022, arXiv 1905.02383, corollary 2.13.
    """
    if epsilon < 0 or mu < 0:
        raise UsageError(f"epsilon and mu are 0 or more, got {epsilon} and {mu}")
    if mu in (0.0, math.inf):
        return float(mu > 0)
    first = math.exp(log_ndtr(-epsilon / mu + mu / 2))
    return max(0.0, first - math.exp(epsilon + log_ndtr(-epsilon / mu - mu / 2)))


def epsilon_of(delta: float, mu: float) -> float:
    """The inverse of `delta_of` in epsilon, to 1e-9; infinite where mu is past all use."""
    _check_delta(delta)
    if delta_of(0.0, mu) <= delta:
        return 0.0
    if delta_of(_WIDEST, mu) > delta:
        return math.inf
    found = brentq(lambda epsilon: delta_of(epsilon, mu) - delta, 0.0, _WIDEST, xtol=1e-10)
    return float(found)


def sigma_for(epsilon: float, *, delta: float, rate: float, rounds: int) -> float:
    """The least noise multiplier with which the closed form gives this budget.

    Raises:
        UsageError: a number is out of range, or no noise is enough.
    """
    if not 0 < epsilon <= _WIDEST:
        raise UsageError(f"epsilon must be above 0 and at most {_WIDEST:g}, got {epsilon}")
    _check_delta(delta)

    def over(log_sigma: float) -> float:
        mu = gaussian_mu(math.exp(log_sigma), rate=rate, rounds=rounds)
        return delta_of(epsilon, mu) - delta

    low, high = -4.0, math.log(_WIDEST)
    if over(high) > 0:
        raise UsageError(f"no noise gives epsilon {epsilon:g} at delta {delta:g}; ask for less")
    if over(low) <= 0:
        return math.exp(low)
    return math.exp(float(brentq(over, low, high, xtol=1e-12)))


@dataclass(frozen=True)
class PrivacyReport:
    """What clients' updates cost in privacy, and what that does not tell.

    Attributes:
        sigma, clip, rate, rounds, delta: as accounted for.
        mu: of Gaussian differential privacy.
        epsilon_gdp: closed form, a limit.
        epsilon_rdp: bound by Renyi divergences (Opacus).
        epsilon_prv: tighter bound by privacy loss distributions (Opacus), to 0.01; None where the
            other bound is above 500.
        covers_codec: whether the figures hold for the codec too.
        reasons: why, and what is assumed.
    """

    sigma: float
    clip: float
    rate: float
    rounds: int
    delta: float
    mu: float
    epsilon_gdp: float
    epsilon_rdp: float
    epsilon_prv: float | None
    covers_codec: bool
    reasons: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; what is infinite is None."""
        found = asdict(self) | {"reasons": list(self.reasons)}
        return {
            name: None if isinstance(value, float) and math.isinf(value) else value
            for name, value in found.items()
        }


def privacy_report(
    *, sigma: float, clip: float, rate: float, rounds: int, delta: float, codec_data: CodecData
) -> PrivacyReport:
    """Account for a federation, in three ways.

    Args:
        sigma: noise multiplier, > 0.
        clip: C; the figures do not depend on it.
        rate: share of the clients that is drawn in a round.
        rounds: of fine-tuning, and of noised collecting.
        delta: chance of failing.
        codec_data: what the codec was trained on.

    Raises:
        UsageError: a number is out of range.
    """
    _check(sigma, rate, rounds)
    _check_delta(delta)
    mu = gaussian_mu(sigma, rate=rate, rounds=rounds)
    rdp, prv = _bounds(sigma, rate, rounds, delta)
    return PrivacyReport(
        sigma=sigma,
        clip=clip,
        rate=rate,
        rounds=rounds,
        delta=delta,
        mu=mu,
        epsilon_gdp=epsilon_of(delta, mu),
        epsilon_rdp=rdp,
        epsilon_prv=prv,
        covers_codec=codec_data != "private",
        reasons=(_REASONS[codec_data], *_ALWAYS),
    )


def _bounds(sigma: float, rate: float, rounds: int, delta: float) -> tuple[float, float | None]:
    """Opacus' epsilons: Renyi, and privacy loss distributions."""
    from opacus.accountants import PRVAccountant, RDPAccountant

    renyi, distributions = RDPAccountant(), PRVAccountant()
    renyi.history = distributions.history = [(sigma, rate, rounds)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the best order is at the end of the list
        bound = float(renyi.get_epsilon(delta=delta))
        if bound > _PAST_USE:
            return bound, None
        return bound, float(distributions.get_epsilon(delta=delta))


def _check(sigma: float, rate: float, rounds: int) -> None:
    if not (0 < sigma < math.inf and 0 < rate <= 1 and rounds >= 1):
        raise UsageError(
            "needs sigma > 0, a rate above 0 and at most 1, and 1 round or more, got "
            f"{sigma}, {rate} and {rounds}"
        )


def _check_delta(delta: float) -> None:
    if not 0 < delta < 1:
        raise UsageError(f"delta must be above 0 and below 1, got {delta}")
