"""How unequally something is shared out, such as exposure. Takes amounts; knows no agents."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burnish.errors import UsageError


def gini(amounts: NDArray[np.number]) -> float:
    """Gini coefficient: 0 when all have the same, (n - 1) / n when one has everything.

    Args:
        amounts: (n,), >= 0, at least one.

    Returns:
        NaN when nobody has anything.

    Source: Gini 1912, as sums over ranks; no small-sample correction.
    """
    sorted_amounts = np.sort(_checked(amounts))
    n, total = len(sorted_amounts), float(sorted_amounts.sum())
    if total == 0:
        return float("nan")
    ranks = 2.0 * np.arange(1, n + 1) - n - 1
    return float(ranks @ sorted_amounts / (n * total))


def top_share(amounts: NDArray[np.number], *, top: float = 0.01) -> float:
    """What the `top` share of holders has of everything; at least one holder counts.

    Returns:
        0 to 1, NaN when nobody has anything.
    """
    checked = _checked(amounts)
    if not 0 < top <= 1:
        raise UsageError(f"top is a share above 0 and up to 1, got {top}")
    count = max(1, round(top * len(checked)))
    total = float(checked.sum())
    if total == 0:
        return float("nan")
    return float(np.partition(checked, len(checked) - count)[-count:].sum() / total)


def _checked(amounts: NDArray[np.number]) -> NDArray[np.float64]:
    values = np.asarray(amounts, np.float64)
    if len(values) == 0 or not np.all(np.isfinite(values) & (values >= 0)):
        raise UsageError(
            f"amounts are finite numbers of at least 0, at least one; got {len(values)} of them"
        )
    return values
