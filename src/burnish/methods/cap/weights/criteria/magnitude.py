"""Large weights stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from burnish.errors import ConfigError
from burnish.methods.cap.weights.criterion import WeightState


@dataclass(frozen=True)
class Magnitude:
    """|W|, the baseline.

    A weight that is out gets no gradient, so it comes back only when others shrink below it.

    Attributes:
        ranking: what competes: all matrices together, or each by itself.

    Source: Han et al. 2015, arXiv 1506.02626; gradually, Zhu and Gupta 2017, arXiv 1710.01878.
    """

    ranking: Literal["matrix", "global"] = "matrix"
    name: str = "magnitude"
    learns_scores: bool = False
    trains_weights: bool = True
    refresh: int = 1

    def __post_init__(self) -> None:
        if self.ranking not in ("matrix", "global"):
            raise ConfigError(f"ranking is matrix or global, got {self.ranking!r}")

    def score(self, state: WeightState) -> Tensor:
        """See the class."""
        return state.weight.detach().abs()
