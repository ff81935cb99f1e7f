"""What decides which single weights stay: one protocol, and three things a criterion may also do.

Every criterion scores matrices. One that is also `Observing` looks at every backward pass, one
that is `Estimating` looks at some gradients before masks are set and then moves the weights that
stay, and one that is `Thresholded` has a threshold in place of a share, with a penalty that drives
scores below it. A criterion that is `Calibrated` wants the norms of the inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor

from burnish.errors import BurnishError

Ranking = Literal["matrix", "global", "row", "threshold"]


@dataclass(frozen=True)
class WeightState:
    """One matrix, as a criterion sees it; nothing is a copy.

    Attributes:
        weight: (out, in) W, dense.
        kept: (out, in) bool, the mask M of now.
        gradient: (out, in) of the last backward pass, before clipping: dL/dW' of all weights for
            `observe`, M * dL/dW' for `estimate`; else None.
        scores: (out, in) Z, or None where none are learnt.
        input_norm: (in,) L2 norm of each input over the calibration tokens, or None.
        memory: the criterion's own tensors, kept with the masks.
    """

    weight: Tensor
    kept: Tensor
    gradient: Tensor | None
    scores: Tensor | None
    input_norm: Tensor | None
    memory: dict[str, Tensor]


class WeightCriterion(Protocol):
    """Scores the weights of a matrix."""

    @property
    def name(self) -> str:
        """For tables."""

    @property
    def ranking(self) -> Ranking:
        """What competes with a weight: its "matrix", its "row", all matrices ("global"), or
        nothing, where scores above a "threshold" stay.
        """

    @property
    def learns_scores(self) -> bool:
        """Whether there is a Z, which the optimiser trains."""

    @property
    def trains_weights(self) -> bool:
        """Whether W is trained."""

    @property
    def refresh(self) -> int:
        """Steps from one setting of the masks to the next, where the caller does not say."""

    def score(self, state: WeightState) -> Tensor:
        """(out, in), higher is kept; finite."""


@runtime_checkable
class Observing(Protocol):
    """Looks at the gradients of every training step."""

    def observe(self, state: WeightState) -> None:
        """Take in `state.gradient`, which is dense; changes `state.memory` alone."""


@runtime_checkable
class Estimating(Protocol):
    """Looks at `gradients` gradients without training steps between, then moves the weights."""

    @property
    def gradients(self) -> int:
        """How many to show it before every setting of the masks."""

    def estimate(self, state: WeightState) -> None:
        """Take in `state.gradient`; changes `state.memory` alone."""

    def compensate(self, state: WeightState, removed: Tensor) -> Tensor:
        """(out, in) change of W that makes up for weights that are going.

        Args:
            state: of the matrix; `kept` still holds what is going.
            removed: (out, in) bool, what is going.
        """


@runtime_checkable
class Calibrated(Protocol):
    """Scores with `state.input_norm`."""

    @property
    def sequences(self) -> int:
        """How many to calibrate on."""


@runtime_checkable
class Thresholded(Protocol):
    """Keeps scores above a threshold; a penalty pushes them down."""

    @property
    def least_kept(self) -> float:
        """Share of each matrix that stays whatever it scores."""

    def penalty(self, scores: Tensor) -> Tensor:
        """Scalar in [0, 1] of one matrix's Z, with gradient."""

    def penalty_weight(self, threshold: float) -> float:
        """What the mean penalty over matrices is multiplied with at this threshold."""


def learnt_scores(state: WeightState, name: str) -> Tensor:
    """Z of a matrix.

    Raises:
        BurnishError: none was attached.
    """
    if state.scores is None:
        raise BurnishError(f"{name} ranks learnt scores, and this matrix has none")
    return state.scores.detach()
