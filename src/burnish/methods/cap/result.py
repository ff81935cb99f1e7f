"""What a pruning gives: the model, how it went, and what one does with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Stage:
    """One stage of a pruning.

    Attributes:
        sparsity: asked for: the share that is gone.
        removed: heads, units or weights that are gone, by kind.
        total: of what there were, by kind.
        before: the metric after removal and before retraining; None without `evaluate`.
        after: the metric after retraining.
        heads: that stay in each layer; empty for unstructured pruning.
        units: that stay in each layer; empty for unstructured pruning.
        digest: SHA-256 of what stays.
    """

    sparsity: float
    removed: Mapping[str, int]
    total: Mapping[str, int]
    before: float | None
    after: float | None
    heads: Sequence[int] = ()
    units: Sequence[int] = ()
    digest: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)

    @property
    def reached(self) -> float:
        """The share that is really gone, of all kinds together, each kind counting alike."""
        shares = [gone / self.total[kind] for kind, gone in self.removed.items()]
        return sum(shares) / len(shares)
