"""Weights that move away from zero stay."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from burnish.methods.cap.weights.criterion import Ranking, WeightState, learnt_scores


@dataclass(frozen=True)
class Movement:
    """The learnt score Z itself; the highest of each matrix stay.

    Z starts at 0 and its straight-through gradient is dL/dW' * W, so under plain gradient descent
    it is -lr * sum(dL/dW' * W): the higher, the more training pushed the weight from zero.

    Source: Sanh et al. 2020, arXiv 2005.07683, section 4 (CAP-m). Published rate of Z: 1e-2.
    """

    name: str = "movement"
    ranking: Ranking = "matrix"
    learns_scores: bool = True
    trains_weights: bool = True
    refresh: int = 1

    def score(self, state: WeightState) -> Tensor:
        """See the class."""
        return learnt_scores(state, self.name)
