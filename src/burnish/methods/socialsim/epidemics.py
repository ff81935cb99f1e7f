"""Epidemic comparators: SIR and SEIZ as equations, well mixed by chance, and on a graph.

Rates are per tick. Knows graphs as index arrays, and no agents.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from burnish.errors import UsageError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sir:
    """Rates of the SIR model.

    Attributes:
        contact: infections by one infected among susceptibles only, per tick (beta).
        recovery: share of the infected who stop spreading, per tick (gamma).
    """

    contact: float
    recovery: float

    def __post_init__(self) -> None:
        _non_negative(self)


@dataclass(frozen=True)
class Seiz:
    """Rates and shares of the SEIZ model: susceptible, exposed, infected, sceptic.

    Attributes:
        contact: of susceptibles with the infected (beta).
        sceptic_contact: of susceptibles with sceptics (b).
        incubation: of the exposed with the infected (rho).
        conversion: of the exposed by themselves (epsilon).
        infected_share: of contacts with the infected that infect at once (p).
        sceptic_share: of contacts with sceptics that make one (l).
    """

    contact: float
    sceptic_contact: float
    incubation: float
    conversion: float
    infected_share: float
    sceptic_share: float

    def __post_init__(self) -> None:
        _non_negative(self)
        if self.infected_share > 1 or self.sceptic_share > 1:
            raise UsageError(
                "infected_share and sceptic_share are shares from 0 to 1, got "
                f"{self.infected_share} and {self.sceptic_share}"
            )

    @property
    def ratio(self) -> float:
        """Flow into the exposed over the flow out; high for rumours, low for news.

        Source: Jin et al. 2013, SNAKDD, eq. 5: [(1-p) beta + (1-l) b] / (rho + epsilon).
        """
        inflow = (1 - self.infected_share) * self.contact
        inflow += (1 - self.sceptic_share) * self.sceptic_contact
        outflow = self.incubation + self.conversion
        return inflow / outflow if outflow else float("inf")


def sir_curve(model: Sir, infected: float, times: Floats) -> Floats:
    """Susceptible, infected, recovered shares of a well-mixed population: (3, t).

    Args:
        model: rates.
        infected: share at the first of `times`.
        times: (t,) ascending.

    Source: Kermack and McKendrick 1927.
    """

    def change(_: float, state: Floats) -> tuple[float, ...]:
        s, i, _r = state
        caught, healed = model.contact * s * i, model.recovery * i
        return -caught, caught - healed, healed

    return _solved(change, np.array([1 - infected, infected, 0.0]), times)


def seiz_curve(model: Seiz, start: tuple[float, float, float, float], times: Floats) -> Floats:
    """Susceptible, exposed, infected, sceptic shares: (4, t).

    Args:
        model: rates.
        start: the four shares at the first of `times`, summing to 1.
        times: (t,) ascending.

    Source: Bettencourt et al. 2006, Physica A 364:513; Jin et al. 2013, eqs. 1 to 4.
    """
    if min(start) < 0 or abs(sum(start) - 1) > 1e-9:
        raise UsageError(f"the four shares are at least 0 and sum to 1, got {start}")

    p, share = model.infected_share, model.sceptic_share

    def change(_: float, state: Floats) -> tuple[float, ...]:
        s, e, i, z = state
        met, doubted = model.contact * s * i, model.sceptic_contact * s * z
        turned = model.incubation * e * i + model.conversion * e
        exposed = (1 - p) * met + (1 - share) * doubted
        return -met - doubted, exposed - turned, p * met + turned, share * doubted

    return _solved(change, np.array(start), times)


def fit_seiz(times: Floats, infected: Floats) -> tuple[Seiz, tuple[float, float, float, float]]:
    """Rates and starting shares whose curve comes closest to the one seen, by least squares.

    Args:
        times: (t,) ascending, at least 8.
        infected: (t,) share of the population that has passed the claim on until then.

    Returns:
        The model and the shares at the first of `times`; a local optimum, the best of 3 starts.
    """
    from scipy.optimize import least_squares

    if len(times) < 8 or len(times) != len(infected) or not np.all(np.isfinite(infected)):
        raise UsageError(
            f"a fit needs 8 times with a finite share each, got {len(times)} times and "
            f"{len(infected)} shares"
        )
    scale, first = max(float(np.max(infected)), 1e-12), float(infected[0])

    def unpacked(x: Floats) -> tuple[Seiz, tuple[float, float, float, float]]:
        exposed, sceptic = (float(part) * (1 - first) / 2 for part in x[6:])
        return Seiz(*map(float, x[:6])), (1 - first - exposed - sceptic, exposed, first, sceptic)

    def misfit(x: Floats) -> Floats:
        model, start = unpacked(x)
        return np.asarray((seiz_curve(model, start, times)[2] - infected) / scale)

    low, high = np.zeros(8), np.array([5.0, 5.0, 5.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    starts = ([contact, 0.1, 0.1, 0.01, 0.5, 0.5, 0.1, 0.1] for contact in (0.05, 0.3, 1.0))
    fits = [least_squares(misfit, start, bounds=(low, high), max_nfev=60) for start in starts]
    return unpacked(min(fits, key=lambda fit: float(fit.cost)).x)


def sir_chance(
    model: Sir, infected: int, population: int, ticks: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """SIR of a well-mixed population by chance, in 20 binomial steps a tick.

    Returns:
        (3, ticks + 1) susceptible, infected and recovered people.
    """
    if not 0 <= infected <= population:
        raise UsageError(f"0 to {population} people may be infected, got {infected}")
    steps, state = 20, np.array([population - infected, infected, 0], np.int64)
    healing = -np.expm1(-model.recovery / steps)
    path = [state]
    for _ in range(ticks):
        for _ in range(steps):
            catching = -np.expm1(-model.contact * state[1] / population / steps)
            caught = generator.binomial(state[0], catching)
            healed = generator.binomial(state[1], healing)
            state = state + np.array([-caught, caught - healed, healed])
        path.append(state)
    return np.stack(path, axis=1)


def sir_graph(
    model: Sir,
    indptr: NDArray[np.integer],
    targets: NDArray[np.integer],
    infected: NDArray[np.integer],
    ticks: int,
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """SIR along edges: each infected reaches all its targets once a tick.

    An edge infects with probability 1 - exp(-contact / mean degree), so that on a dense random
    graph this approaches `sir_curve`.

    Args:
        model: rates.
        indptr: (n + 1,) where each node's targets begin.
        targets: (e,) whom a node reaches, such as its followers.
        infected: nodes at the start.
        ticks: to run.
        generator: of all draws.

    Returns:
        (3, ticks + 1) susceptible, infected and recovered nodes.
    """
    n = len(indptr) - 1
    state = np.zeros(n, np.int8)
    state[infected] = 1
    catching = -np.expm1(-model.contact / max(len(targets) / n, 1e-12))
    healing = -np.expm1(-model.recovery)
    path = [np.bincount(state, minlength=3)]
    for _ in range(ticks):
        ill = np.flatnonzero(state == 1)
        reached = neighbours(indptr, targets, ill)
        hit = reached[generator.random(len(reached)) < catching]
        healed = ill[generator.random(len(ill)) < healing]
        state[hit[state[hit] == 0]] = 1
        state[healed] = 2
        path.append(np.bincount(state, minlength=3))
    return np.stack(path, axis=1)


def seiz_graph(
    model: Seiz,
    indptr: NDArray[np.integer],
    targets: NDArray[np.integer],
    infected: NDArray[np.integer],
    sceptics: NDArray[np.integer],
    ticks: int,
    generator: np.random.Generator,
) -> NDArray[np.int64]:
    """SEIZ along edges; contacts as in `sir_graph`, a node that meets both sides takes the first.

    Returns:
        (4, ticks + 1) susceptible, exposed, infected and sceptic nodes.
    """
    n = len(indptr) - 1
    state = np.zeros(n, np.int8)
    state[sceptics], state[infected] = 3, 2
    degree = max(len(targets) / n, 1e-12)
    path = [np.bincount(state, minlength=4)]
    for _ in range(ticks):
        before = state.copy()
        exposed = np.flatnonzero(before == 1)
        met = _met(indptr, targets, before == 2, model.incubation / degree, generator)
        alone = generator.random(len(exposed)) < -np.expm1(-model.conversion)
        state[exposed[np.isin(exposed, met) | alone]] = 2
        plan = ((3, model.sceptic_contact, model.sceptic_share, 3),)
        for side, rate, share, becomes in (*plan, (2, model.contact, model.infected_share, 2)):
            hit = _met(indptr, targets, before == side, rate / degree, generator)
            hit = hit[before[hit] == 0]
            at_once = generator.random(len(hit)) < share
            state[hit] = np.where(at_once, becomes, 1)
        path.append(np.bincount(state, minlength=4))
    return np.stack(path, axis=1)


def neighbours(
    indptr: NDArray[np.integer], targets: NDArray[np.integer], nodes: NDArray[np.integer]
) -> NDArray[np.integer]:
    """All targets of some nodes, one after the other, with repeats."""
    begin = indptr[nodes].astype(np.int64)
    lengths = indptr[nodes + 1] - begin
    offset = np.repeat(begin - np.cumsum(lengths) + lengths, lengths)
    return targets[offset + np.arange(len(offset))]


def _met(
    indptr: NDArray[np.integer],
    targets: NDArray[np.integer],
    chosen: NDArray[np.bool_],
    rate: float,
    generator: np.random.Generator,
) -> NDArray[np.integer]:
    """Nodes that at least one chosen node reached in a tick, each once."""
    reached = neighbours(indptr, targets, np.flatnonzero(chosen))
    return np.unique(reached[generator.random(len(reached)) < -np.expm1(-rate)])


def _solved(
    change: Callable[[float, Floats], tuple[float, ...]], start: Floats, times: Floats
) -> Floats:
    from scipy.integrate import odeint  # several times faster on small systems than solve_ivp

    if len(times) < 2 or np.any(np.diff(times) <= 0):
        raise UsageError("times ascend, and there are at least two")
    return np.asarray(odeint(change, start, times, tfirst=True, rtol=1e-9, atol=1e-12)).T


def _non_negative(model: Sir | Seiz) -> None:
    if not all(np.isfinite(rate) and rate >= 0 for rate in astuple(model)):
        raise UsageError(f"rates are finite and at least 0, got {model}")
