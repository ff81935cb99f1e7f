"""Only the choice of weights is learnt; the weights stay as pre-trained."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from burnish.methods.cap.weights.criterion import Ranking, WeightState, learnt_scores


@dataclass(frozen=True)
class Smp:
    """Movement's score Z of weights that are frozen; the highest of each matrix stay.

    The masked matrices are frozen while they are masked; everything else (biases, LayerNorm, head)
    is the caller's to freeze. The published head is initialised from label words.

    Source: Jiang et al. 2023, "Pruning Pre-trained Language Models Without Fine-Tuning", arXiv
    2210.06210. Published rate of Z: 2e-2. Departure: equal shares in every matrix, where the
    paper's variants take each matrix's share from a global ranking or a soft threshold.
    """

    name: str = "smp"
    ranking: Ranking = "matrix"
    learns_scores: bool = True
    trains_weights: bool = False
    refresh: int = 1

    def score(self, state: WeightState) -> Tensor:
        """See the class."""
        return learnt_scores(state, self.name)
