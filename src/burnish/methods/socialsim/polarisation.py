"""How divided a society is. Takes numbers and edges; knows no agents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from burnish.errors import UsageError

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class Polarisation:
    """Measures of one set of opinions.

    Attributes:
        variance: of the opinions, divided by n.
        bimodality: Sarle's coefficient; 5/9 for a uniform spread, above it for two camps. NaN when
            all opinions are alike or there are fewer than four.
        esteban_ray: over `bins` of equal width.
    """

    variance: float
    bimodality: float
    esteban_ray: float


def polarisation(opinions: Floats, *, bins: int = 20, alpha: float = 1.3) -> Polarisation:
    """All measures of opinions in [-1, 1], (n,).

    Raises:
        UsageError: no opinions, or one that is NaN or outside the range.
    """
    if len(opinions) == 0 or not np.all(np.abs(opinions) <= 1):
        raise UsageError(
            f"opinions are numbers from -1 to 1, at least one; got {len(opinions)} of them, "
            f"{int(np.sum(~(np.abs(opinions) <= 1)))} outside"
        )
    mass, edges = np.histogram(opinions, bins=bins, range=(-1, 1))
    centres = (edges[:-1] + edges[1:]) / 2
    return Polarisation(
        float(np.var(opinions, dtype=np.float64)),
        bimodality(opinions),
        esteban_ray(centres, mass / mass.sum(), alpha=alpha),
    )


def bimodality(values: Floats) -> float:
    """Sarle's coefficient (g^2 + 1) / (k + 3(n-1)^2 / ((n-2)(n-3))).

    g and k are sample skewness and excess kurtosis with the usual corrections for bias.

    Args:
        values: (n,).

    Returns:
        About 0 to 1, or NaN for fewer than four values or values that are all alike.

    Source: SAS/STAT user's guide, cluster procedure; Pfister et al. 2013, Front. Psychol. 4:700.
    """
    n = len(values)
    centred = np.asarray(values, np.float64) - np.mean(values, dtype=np.float64)
    second = float(np.mean(centred**2))
    if n < 4 or second == 0:
        return float("nan")
    skew = float(np.mean(centred**3)) / second**1.5 * np.sqrt(n * (n - 1)) / (n - 2)
    excess = float(np.mean(centred**4)) / second**2 - 3
    kurtosis = ((n + 1) * excess + 6) * (n - 1) / ((n - 2) * (n - 3))
    return float((skew**2 + 1) / (kurtosis + 3 * (n - 1) ** 2 / ((n - 2) * (n - 3))))


def esteban_ray(positions: Floats, masses: Floats, *, alpha: float = 1.3) -> float:
    """Sum over i, j of p_i^(1+a) p_j |y_i - y_j|, in O(k log k).

    Args:
        positions: (k,) of the groups.
        masses: (k,) shares of the population, >= 0.
        alpha: weight of identification, 0 to 1.6.

    Source: Esteban and Ray 1994, Econometrica 62:819, eq. 3 with K = 1.
    """
    if len(positions) != len(masses) or np.any(np.asarray(masses) < 0):
        raise UsageError(
            f"each position has a mass of at least 0, got {len(positions)} positions and "
            f"{len(masses)} masses"
        )
    if not 0 <= alpha <= 1.6:
        raise UsageError(f"alpha is 0 to 1.6, got {alpha}")
    order = np.argsort(positions, kind="stable")
    y, p = np.asarray(positions, np.float64)[order], np.asarray(masses, np.float64)[order]
    below, moment = np.cumsum(p), np.cumsum(p * y)  # of those up to i
    distance = y * below - moment + (moment[-1:] - moment) - y * (below[-1:] - below)
    return float(np.sum(p ** (1 + alpha) * distance))


def e_i_index(
    source: NDArray[np.integer], target: NDArray[np.integer], group: NDArray[np.integer]
) -> float:
    """(external - internal) / all edges: -1 when nobody follows outside, 1 when only outside.

    Args:
        source: (e,) rows of `group`.
        target: (e,) the same.
        group: (n,) labels.

    Source: Krackhardt and Stern 1988, Soc. Psychol. Q. 51:123.
    """
    if len(source) == 0:
        return float("nan")
    external = np.count_nonzero(group[source] != group[target])
    return (2 * external - len(source)) / len(source)


def assortativity(source: NDArray[np.integer], target: NDArray[np.integer], value: Floats) -> float:
    """Pearson correlation of a number at both ends of directed edges; NaN without spread.

    Source: Newman 2003, Phys. Rev. E 67:026126, eq. 21.
    """
    if len(source) < 2:
        return float("nan")
    x, y = (np.asarray(value[end], np.float64) for end in (source, target))
    x, y = x - x.mean(), y - y.mean()
    spread = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / spread) if spread > 0 else float("nan")
