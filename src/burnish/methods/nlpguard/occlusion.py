"""Words by what the prediction loses without them, for any classifier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from burnish.methods.nlpguard.classifier import Attributed, Classifier, Skipped, check_targets
from burnish.methods.nlpguard.words import Span, word_spans

_CHUNK = 4096  # variants of texts in one call of the classifier
_CHARACTERS = 2**25  # of them, so that long texts come in smaller calls
_LEAST = 1e-7  # float32 probabilities say no more near 0 and 1


@dataclass(frozen=True)
class Occlusion:
    """Log-odds of the target with a word, less without that occurrence of it.

    Attributes:
        classifier: whose predictions are explained.
    """

    classifier: Classifier
    name: str = "occlusion"

    def explain(
        self, texts: Sequence[str], targets: NDArray[np.int64]
    ) -> list[Attributed | Skipped]:
        """As `Explainer` says; one prediction a word, and no promise of completeness."""
        check_targets(texts, targets, self.classifier.classes)
        spans = [word_spans(text) for text in texts]
        variants = (  # made as they are asked for: all together are the square of a long text
            variant
            for text, places in zip(texts, spans, strict=True)
            for variant in chain((text,), (f"{text[:start]}{text[end:]}" for start, end in places))
        )
        sizes = np.array([len(places) + 1 for places in spans], dtype=np.int64)
        odds = log_odds(self.classifier, variants, np.repeat(targets, sizes))
        parts = np.split(odds, np.cumsum(sizes)[:-1]) if len(texts) else []
        return [
            normalised(text, places, part[0] - part[1:], None)
            for text, places, part in zip(texts, spans, parts, strict=True)
        ]


def log_odds(
    classifier: Classifier, texts: Iterable[str], targets: NDArray[np.int64]
) -> NDArray[np.float64]:
    """(n,) log-odds of a class each, with probabilities kept 1e-7 from 0 and 1."""
    found = np.zeros(len(targets))
    end = 0
    for some in _chunks(texts):
        part = slice(end, end := end + len(some))
        probabilities = classifier.probabilities(some).astype(np.float64)
        wanted = np.take_along_axis(probabilities, targets[part, None], axis=1)[:, 0]
        found[part] = logit(np.clip(wanted, _LEAST, 1 - _LEAST))
    return found


def _chunks(texts: Iterable[str]) -> Iterator[list[str]]:
    some: list[str] = []
    characters = 0
    for text in texts:
        if some and (len(some) == _CHUNK or characters + len(text) > _CHARACTERS):
            yield some
            some, characters = [], 0
        some.append(text)
        characters += len(text)
    if some:
        yield some


def normalised(
    text: str, spans: Sequence[Span], scores: NDArray[np.float64], error: float | None
) -> Attributed | Skipped:
    """Raw scores of words as an explanation; a text without words, or finite scores, is skipped."""
    if not spans:
        return Skipped("it has no words")
    if not np.isfinite(scores).all():
        return Skipped("its probabilities are not finite")
    whole = float(np.abs(scores).sum())
    words = tuple(text[start:end] for start, end in spans)
    return Attributed(words, tuple(spans), scores / whole if whole > 0 else scores, error)
