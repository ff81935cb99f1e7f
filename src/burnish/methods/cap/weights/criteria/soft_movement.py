"""Movement with a threshold in place of a share: every matrix finds its own sparsity."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from burnish.errors import ConfigError
from burnish.methods.cap.weights.criterion import Ranking, WeightState, learnt_scores


@dataclass(frozen=True)
class SoftMovement:
    """sigmoid(Z); what is above the threshold stays.

    The level of a schedule is the threshold v(t), from 0 to `final_threshold`. Z starts at 0, where
    sigmoid is 0.5, so nothing goes until the penalty has pushed scores down. The share kept in the
    end is whatever results, and must be reported.

    The gradient of Z is straight-through, dL/dW' * W, without the slope of the sigmoid, plus that
    of the penalty, which has it.

    Attributes:
        final_threshold: v_f, which the penalty's weight is measured against.
        final_penalty: lambda_final; published are 190 for about 10 % kept and 550 for 3 % (QQP).
        least_kept: share of each matrix that stays whatever it scores.

    Source: Sanh et al. 2020, arXiv 2005.07683, section 4 (CAP-soft).
    """

    final_penalty: float
    final_threshold: float = 0.1
    least_kept: float = 0.005
    name: str = "soft-movement"
    ranking: Ranking = "threshold"
    learns_scores: bool = True
    trains_weights: bool = True
    refresh: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.final_threshold < 1:
            raise ConfigError(
                "final_threshold is compared with a sigmoid and lies above 0 and below 1, got "
                f"{self.final_threshold}"
            )
        if not 0 <= self.final_penalty < float("inf"):
            raise ConfigError(
                f"final_penalty weighs a loss and must be >= 0, got {self.final_penalty}"
            )
        if not 0 <= self.least_kept <= 1:
            raise ConfigError(f"least_kept is a share from 0 to 1, got {self.least_kept}")

    def score(self, state: WeightState) -> Tensor:
        """See the class."""
        return torch.sigmoid(learnt_scores(state, self.name))

    def penalty(self, scores: Tensor) -> Tensor:
        """||sigmoid(Z)||_1 / numel of one matrix."""
        return torch.sigmoid(scores).mean()

    def penalty_weight(self, threshold: float) -> float:
        """lambda(t) = lambda_final * v(t) / v_final."""
        return self.final_penalty * threshold / self.final_threshold
