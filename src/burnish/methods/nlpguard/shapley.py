"""Words by Shapley values over a tree of them, within a budget of predictions, for any classifier.

The words are halved again and again. Where a part is halved, its two halves share its worth as two
players do, once with and once without what stands beside the part; the parts whose worth is
largest are halved first, and a part that is never reached shares its worth evenly.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from burnish.errors import UsageError
from burnish.methods.nlpguard.classifier import Attributed, Classifier, Skipped, check_targets
from burnish.methods.nlpguard.occlusion import log_odds, normalised
from burnish.methods.nlpguard.words import word_spans

_AT_ONCE = 8  # parts of a text that are halved between two calls of the classifier
_GROUP = 256  # texts worked on together

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class PartitionShapley:
    """Owen values of the target's log-odds over a balanced tree of the words, which are deleted.

    Attributes:
        classifier: whose predictions are explained.
        budget: most predictions of a text, at least 2. 2 for the ends, then 2 for each halving.

    Raises:
        UsageError: the budget is below 2.

    Source: Owen 1977; Lundberg's partition explainer in SHAP, from which the tree, balanced here,
    and the log-odds depart. Their scores sum to f(text) - f(no words) whatever the budget.
    """

    classifier: Classifier
    budget: int = 64
    name: str = "shapley"

    def __post_init__(self) -> None:
        if self.budget < 2:
            raise UsageError(f"Shapley values need a budget of at least 2, got {self.budget}")

    def explain(
        self, texts: Sequence[str], targets: NDArray[np.int64]
    ) -> list[Attributed | Skipped]:
        """As `Explainer` says."""
        check_targets(texts, targets, self.classifier.classes)
        return [
            result
            for start in range(0, len(texts), _GROUP)
            for result in self._explained(
                texts[start : start + _GROUP], targets[start : start + _GROUP]
            )
        ]

    def _explained(
        self, texts: Sequence[str], targets: NDArray[np.int64]
    ) -> list[Attributed | Skipped]:
        games = [_Game(text, self.budget) for text in texts]
        while True:
            wanted = [game.wanted() for game in games]
            variants = [variant for some in wanted for variant in some]
            if not variants:
                break
            sizes = np.array([len(some) for some in wanted])
            odds = log_odds(self.classifier, variants, np.repeat(targets, sizes))
            parts = np.split(odds, np.cumsum(sizes)[:-1])
            for game, part in zip(games, parts, strict=True):
                game.told(part)
        return [game.result() for game in games]


@dataclass(frozen=True)
class _Part:
    """Words start to end of a text, with the words of `beside`, of worth full - empty."""

    start: int
    end: int
    beside: Mask
    empty: float
    full: float
    weight: float

    @property
    def worth(self) -> float:
        return self.weight * (self.full - self.empty)

    def halves(self) -> tuple[Mask, Mask]:
        """What stands when only the first, or only the second, half is there."""
        middle = (self.start + self.end) // 2
        first, second = self.beside.copy(), self.beside.copy()
        first[self.start : middle] = True
        second[middle : self.end] = True
        return first, second


@dataclass
class _Game:
    """One text: what it wants predicted next, and what its words are worth so far."""

    text: str
    budget: int
    spans: list[tuple[int, int]] = field(init=False)
    scores: NDArray[np.float64] = field(init=False)
    difference: float = 0.0
    _heap: list[tuple[float, int, _Part]] = field(default_factory=list)
    _asked: list[_Part] | None = None
    _pushed: int = 0
    _halved: int = 0

    def __post_init__(self) -> None:
        self.spans = word_spans(self.text)
        self.scores = np.zeros(len(self.spans))

    def wanted(self) -> list[str]:
        """Texts to predict; none when the game is over."""
        if self._asked is None:
            self._asked = []
            return [self._without(np.zeros(len(self.spans), bool)), self.text] if self.spans else []
        count = min(len(self._heap), self.budget // 2 - 1 - self._halved, _AT_ONCE)
        self._asked = [heapq.heappop(self._heap)[-1] for _ in range(max(count, 0))]
        self._halved += len(self._asked)
        return [self._without(mask) for part in self._asked for mask in part.halves()]

    def told(self, odds: NDArray[np.float64]) -> None:
        """Take the log-odds of what was wanted."""
        if not len(odds):
            return
        if not self._asked:
            self.difference = float(odds[1] - odds[0])
            nothing = np.zeros(len(self.spans), bool)
            self._push(_Part(0, len(self.spans), nothing, float(odds[0]), float(odds[1]), 1.0))
            return
        for part, (first, second) in zip(self._asked, odds.reshape(-1, 2).tolist(), strict=True):
            self._halve(part, first, second)

    def result(self) -> Attributed | Skipped:
        """Scores of the words; what was not halved to the end shares its worth evenly."""
        scores = self.scores.copy()
        for _, _, part in self._heap:
            scores[part.start : part.end] += part.worth / (part.end - part.start)
        error = abs(float(scores.sum()) - self.difference) / max(abs(self.difference), 1e-12)
        return normalised(self.text, self.spans, scores, error)

    def _halve(self, part: _Part, first: float, second: float) -> None:
        middle, half = (part.start + part.end) // 2, part.weight / 2
        with_first, with_second = part.halves()
        for start, end, beside, empty, full in (
            (part.start, middle, part.beside, part.empty, first),
            (part.start, middle, with_second, second, part.full),
            (middle, part.end, part.beside, part.empty, second),
            (middle, part.end, with_first, first, part.full),
        ):
            self._push(_Part(start, end, beside, empty, full, half))

    def _push(self, part: _Part) -> None:
        if part.end - part.start == 1:
            self.scores[part.start] += part.worth
            return
        heapq.heappush(self._heap, (-abs(part.worth), self._pushed, part))
        self._pushed += 1

    def _without(self, mask: Mask) -> str:
        """The text with the words of the mask alone; blanks stay."""
        kept, here = [], 0
        for (start, end), there in zip(self.spans, mask.tolist(), strict=True):
            kept.append(self.text[here : end if there else start])
            here = end
        return "".join([*kept, self.text[here:]])
