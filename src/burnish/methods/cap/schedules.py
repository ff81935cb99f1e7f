"""How much is pruned when: in stages, or along a cubic curve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from burnish.errors import ConfigError, UsageError


@dataclass(frozen=True)
class Stages:
    """Prune, train, prune further: for structured pruning.

    Attributes:
        sparsities: share REMOVED after each stage, of what there was before the first; in (0, 1),
            each above the one before.
        epochs: of training after each stage.
        final_epochs: of training after the last stage; None is as many as after the others.

    Raises:
        ConfigError: a share or a number is out of its range.

    Source: CAP's released code (CAP-f), which removes 10, 20, ... 90 % with two epochs each.
    """

    sparsities: Sequence[float]
    epochs: int = 1
    final_epochs: int | None = None

    def __post_init__(self) -> None:
        shares = tuple(float(each) for each in self.sparsities)
        object.__setattr__(self, "sparsities", shares)
        if not shares:
            raise ConfigError("sparsities holds one share removed a stage, got none")
        if outside := [each for each in shares if not 0 < each < 1]:
            raise ConfigError(
                f"sparsities are shares removed, above 0 and below 1, got {outside[0]}"
            )
        if any(later <= earlier for earlier, later in pairwise(shares)):
            raise ConfigError(
                "sparsities are counted from the dense model, so each must be above the one "
                f"before, got {', '.join(map(str, shares))}"
            )
        for name, value in (("epochs", self.epochs), ("final_epochs", self.final_epochs)):
            if value is not None and value < 0:
                raise ConfigError(f"{name} must be >= 0, got {value}")

    def __len__(self) -> int:
        """The number of stages."""
        return len(self.sparsities)

    def epochs_after(self, stage: int) -> int:
        """Epochs of training after a stage, counted from 0."""
        last = stage == len(self) - 1
        return self.final_epochs if last and self.final_epochs is not None else self.epochs


@dataclass(frozen=True, kw_only=True)
class Cubic:
    """A value that moves from `initial` to `final`, fast first and slowly in the end.

    The criterion decides what the value is: the share of weights KEPT, so 1 -> 0.1 removes 90 %
    (magnitude, movement, PLATON, oBERT, SMP, Wanda), or the THRESHOLD of soft movement, 0 -> 0.1,
    from which the share kept only follows. It is never a share removed.

    Attributes:
        initial: v_0, in [0, 1].
        final: v_f, in [0, 1].
        warmup_steps: W, the unit of the next two; the papers take the optimiser's warm-up.
        initial_warmup: w_i; the value stays at `initial` for w_i * W steps.
        final_warmup: w_f; the value stays at `final` for the last w_f * W steps.
        total_steps: T_tot.

    Raises:
        ConfigError: a value is out of its range, or no steps are left between the two ends.

    Source: Zhu and Gupta 2017, arXiv 1710.01878, eq. 1; Sanh et al. 2020, arXiv 2005.07683.
    """

    initial: float
    final: float
    warmup_steps: int
    initial_warmup: float
    final_warmup: float
    total_steps: int

    def __post_init__(self) -> None:
        for name in ("initial", "final"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(
                    f"{name} is a share kept or a threshold, from 0 to 1, got {getattr(self, name)}"
                )
        for name in ("warmup_steps", "initial_warmup", "final_warmup"):
            value = getattr(self, name)
            if not (value >= 0 and math.isfinite(value)):
                raise ConfigError(f"{name} must be >= 0, got {value}")
        if not self._moving > 0:
            raise ConfigError(
                f"{self.total_steps} steps leave none to prune in: {self._begin:g} are held at the "
                f"start and {self.final_warmup * self.warmup_steps:g} at the end; train longer or "
                "hold fewer"
            )

    @property
    def _begin(self) -> float:
        return self.initial_warmup * self.warmup_steps

    @property
    def _moving(self) -> float:
        return self.total_steps - self.final_warmup * self.warmup_steps - self._begin

    def at(self, step: int) -> float:
        """The value before step `step`, counted from 0.

        The last step of a training is `total_steps - 1`; without a final warm-up the value gets to
        `final` at `total_steps` only, so prune once more after the last step.

        Raises:
            UsageError: the step is below 0.
        """
        if step < 0:
            raise UsageError(f"steps are counted from 0, got {step}")
        if step <= self._begin:
            return self.initial
        if step > self._begin + self._moving:
            return self.final
        left = 1 - (step - self._begin) / self._moving
        return self.final + (self.initial - self.final) * left**3
