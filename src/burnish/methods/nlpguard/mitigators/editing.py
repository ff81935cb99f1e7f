"""Mitigators that edit texts: for training, for inference, or both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from burnish.errors import UsageError
from burnish.methods.nlpguard.annotation import Protected
from burnish.methods.nlpguard.classifier import Classifier
from burnish.methods.nlpguard.ledger import applied
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.mitigators.base import Mitigation
from burnish.methods.nlpguard.moderating import Strategy, moderate
from burnish.methods.nlpguard.rows import Rows
from burnish.methods.nlpguard.strategies.removal import WordRemoval, removals

Moment = Literal["train", "inference", "both"]


@dataclass(frozen=True)
class Editing:
    """Train on rows that a strategy has rewritten: MS1 to MS5, mask, CDA, CDS.

    Attributes:
        strategy: what is done with a text that holds protected words.
        by_label: words by label, to edit each row only for those of its own label; None takes the
            words given to `fit` for every row.
        seed, allow_loss: as in `moderate`.
    """

    strategy: Strategy
    by_label: Mapping[Any, Protected] | None = None
    seed: int = 0
    allow_loss: bool = False

    @property
    def name(self) -> str:
        """That of the strategy."""
        return self.strategy.name

    def fit(self, rows: Rows, protected: Protected, matcher: Matcher) -> Mitigation:
        """The rewritten rows.

        Raises:
            UsageError, MitigationError: as `moderate`.
        """
        words = protected if self.by_label is None else self.by_label
        made = moderate(rows, words, self.strategy, seed=self.seed, allow_loss=self.allow_loss)
        return Mitigation(data=made)


@dataclass(frozen=True)
class Unawareness:
    """The classifier does not see protected words: delete them from the texts it is given.

    Attributes:
        apply_at: "inference" leaves training alone, "train" is MS2, "both" does either.
        allow_loss: as in `moderate`.
    """

    apply_at: Moment = "inference"
    allow_loss: bool = False

    def __post_init__(self) -> None:
        if self.apply_at not in ("train", "inference", "both"):
            raise UsageError(f"apply_at is train, inference or both, got {self.apply_at!r}")

    @property
    def name(self) -> str:
        """With the moment it is applied at."""
        return f"unawareness_{self.apply_at}"

    def fit(self, rows: Rows, protected: Protected, matcher: Matcher) -> Mitigation:
        """Edited rows, a wrapper, or both.

        Raises:
            MitigationError: as `moderate`.
        """
        data = None
        if self.apply_at != "inference":
            data = moderate(rows, protected, WordRemoval(), allow_loss=self.allow_loss)
        if self.apply_at == "train":
            return Mitigation(data=data)
        words = Matcher(protected)
        return Mitigation(data=data, wrap=lambda classifier: Unaware(classifier, words))


@dataclass(frozen=True)
class Unaware:
    """A classifier that is shown texts without certain words.

    Attributes:
        classifier: the one that is asked.
        words: what is deleted first.
    """

    classifier: Classifier
    words: Matcher

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of the classifier."""
        return self.classifier.classes

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, C) for the texts without the words."""
        return self.classifier.probabilities(self.shown(texts))

    def shown(self, texts: Sequence[str]) -> list[str]:
        """What the classifier is shown of each text."""
        found = zip(texts, self.words.find_all(texts), strict=True)
        return [applied(text, removals(text, matches)) for text, matches in found]
