"""Sensitivity, with what is uncertain counted up."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from burnish.errors import BurnishError, ConfigError
from burnish.methods.cap.weights.criterion import Ranking, WeightState


@dataclass(frozen=True)
class Platon:
    """Smoothed |W * g| times its smoothed deviation, ranked over all matrices.

    After every backward pass, with g = dL/dW': I = |W * g|;
    mean <- sensitivity_decay * mean + (1 - sensitivity_decay) * I, then
    spread <- uncertainty_decay * spread + (1 - uncertainty_decay) * |I - mean|, with the new mean;
    both start at 0. The score is mean * spread.

    Source: Zhang et al. 2022, arXiv 2206.12562, eqs. 4-7. Departures: a weight that is out keeps
    its value, so its sensitivity goes on being measured and it may come back, where the released
    code sets it to 0; every step enters the averages by itself, where the released code averages I
    over `refresh` steps first.
    """

    sensitivity_decay: float = 0.85
    uncertainty_decay: float = 0.95
    name: str = "platon"
    ranking: Ranking = "global"
    learns_scores: bool = False
    trains_weights: bool = True
    refresh: int = 10

    def __post_init__(self) -> None:
        for name in ("sensitivity_decay", "uncertainty_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} lies from 0 to below 1, got {getattr(self, name)}")

    def observe(self, state: WeightState) -> None:
        """See the class."""
        if state.gradient is None:
            raise BurnishError("PLATON needs the gradient of a backward pass, got none")
        memory, weight = state.memory, state.weight.detach()
        if not memory:
            memory["mean"] = torch.zeros_like(weight)
            memory["spread"] = torch.zeros_like(weight)
        sensitivity = torch.mul(weight, state.gradient).abs_()
        memory["mean"].lerp_(sensitivity, 1 - self.sensitivity_decay)
        deviation = sensitivity.sub_(memory["mean"]).abs_()
        memory["spread"].lerp_(deviation, 1 - self.uncertainty_decay)

    def score(self, state: WeightState) -> Tensor:
        """See the class; 0 everywhere before the first backward pass."""
        if not state.memory:
            return torch.zeros_like(state.weight)
        return state.memory["mean"] * state.memory["spread"]
