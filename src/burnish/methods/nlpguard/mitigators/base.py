"""What a mitigator takes and gives; every peer of the moderator stands behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from burnish.methods.nlpguard.annotation import Protected
from burnish.methods.nlpguard.classifier import Classifier
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.moderating import MitigatedData
from burnish.methods.nlpguard.rows import Rows

Penalty = Callable[[nn.Module, Mapping[str, Tensor]], Tensor]
ModelWrapper = Callable[[Classifier], Classifier]


@dataclass(frozen=True)
class SampleWeights:
    """How much each row counts in training.

    Attributes:
        weights: (n,) float64, at least 0.
        notes: what a reader of the results should know, a line each.
    """

    weights: NDArray[np.float64]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mitigation:
    """What to do otherwise; a part that is None stays as it was.

    Attributes:
        data: rows to train on in place of those given.
        weights: of the rows given.
        penalty: a term of the loss; called with the model and a batch as it goes into the model,
            `labels` included.
        wrap: turns the trained classifier into the mitigated one.
    """

    data: MitigatedData | None = None
    weights: SampleWeights | None = None
    penalty: Penalty | None = None
    wrap: ModelWrapper | None = None


class Mitigator(Protocol):
    """A way to make a classifier lean less on protected words."""

    @property
    def name(self) -> str:
        """What it is called in tables."""
        ...

    def fit(self, rows: Rows, protected: Protected, matcher: Matcher) -> Mitigation:
        """Prepare the mitigation.

        Args:
            rows: the training set.
            protected: the words that the classifier was found to lean on; texts are edited for
                these.
            matcher: finds every word the identifier knows; a row's attributes are the categories
                of which it holds a word.
        """
        ...
