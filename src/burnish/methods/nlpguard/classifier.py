"""What a text classifier is here, and what it means to explain one of its predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from burnish.errors import UsageError


class Classifier(Protocol):
    """A model that gives each text a probability for every class."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the C classes, in the order of the columns of `probabilities`."""
        ...

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, C), rows in the order of the texts; no texts give (0, C).

        An implementation batches and sorts by length inside.
        """
        ...


@dataclass(frozen=True, eq=False)
class Attributed:
    """How much each word of a text speaks for a class.

    Attributes:
        words: as they stand in the text, in its order; with token granularity the tokens, where
            "##" begins one that continues a word.
        spans: (start, end) of each word in the text, in characters, end excluded.
        scores: float64, one a word; positive ones speak for the class. Divided by the sum of
            absolute scores of everything that was scored, special tokens included, which are not
            among the words. So their absolute values sum to 1 at most.
        completeness_error: |sum of the raw scores - (f(text) - f(baseline))| relative to
            |f(text) - f(baseline)|; None where the explainer promises no such sum.
    """

    words: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    scores: NDArray[np.float64]
    completeness_error: float | None = None


@dataclass(frozen=True)
class Skipped:
    """A text that could not be explained, and why; the reason quotes nothing of the text."""

    reason: str


class Explainer(Protocol):
    """Scores the words of texts for a class each; one text's failure is its own."""

    @property
    def name(self) -> str:
        """What it is called in tables and in the settings of a run."""
        ...

    def explain(
        self, texts: Sequence[str], targets: NDArray[np.int64]
    ) -> list[Attributed | Skipped]:
        """One result a text, in the order of the texts.

        Args:
            texts: n texts of any lengths; they are batched and sorted by length inside.
            targets: (n,), the index of the class to explain for each text.

        Raises:
            UsageError: the targets do not pair up with the texts, or name no class.
        """
        ...


def check_targets(texts: Sequence[str], targets: NDArray[np.int64], classes: Sequence[str]) -> None:
    """UsageError unless the targets pair up with the texts and are indices of classes."""
    if targets.shape != (len(texts),):
        raise UsageError(
            f"there must be one target a text, got {len(texts)} texts and targets of shape "
            f"{targets.shape}"
        )
    if len(targets) and not 0 <= targets.min() <= targets.max() < len(classes):
        raise UsageError(
            f"targets must be indices of {len(classes)} classes, got "
            f"{targets.min()} to {targets.max()}"
        )
