"""Large weights on large inputs stay."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from burnish.errors import BurnishError, ConfigError
from burnish.methods.cap.weights.criterion import Ranking, WeightState


@dataclass(frozen=True)
class Wanda:
    """|W_ij| * ||X_j||_2, the highest of each output row i stay.

    X_j is input j over all calibration tokens, padding left out.

    Attributes:
        sequences: how many to calibrate on.
        refresh: steps from one setting of the masks to the next; each wants inputs measured anew.

    Source: Sun et al. 2023, arXiv 2306.11695, eq. 1. The paper prunes once, without training;
    here weights may be trained and masks set again.
    """

    sequences: int = 128
    name: str = "wanda"
    ranking: Ranking = "row"
    learns_scores: bool = False
    trains_weights: bool = True
    refresh: int = 100

    def __post_init__(self) -> None:
        for name in ("sequences", "refresh"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, got {getattr(self, name)}")

    def score(self, state: WeightState) -> Tensor:
        """See the class."""
        if state.input_norm is None:
            raise BurnishError("Wanda needs the norms of the inputs; call `calibrate` first")
        return state.weight.detach().abs() * state.input_norm
