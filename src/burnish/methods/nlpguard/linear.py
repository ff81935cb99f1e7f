"""Linear scikit-learn pipelines over words, explained exactly."""

from __future__ import annotations

import hashlib
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.special import softmax
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MaxAbsScaler, Normalizer

from burnish.errors import UsageError
from burnish.methods.nlpguard.classifier import Attributed, Skipped, check_targets
from burnish.methods.nlpguard.words import Span, align

_KEEP_COLUMNS = (TfidfTransformer, MaxAbsScaler, Normalizer)  # weigh features, mix none
_CHUNK = 4096  # texts; bounds what the arrays of their words take


class LinearClassifier:
    """A pipeline of a word vectorizer, transformers that weigh features, and a linear model.

    Args:
        pipeline: fitted. First a CountVectorizer or TfidfVectorizer of words or word n-grams, last
            a model with `coef_`, such as LogisticRegression or LinearSVC.
        classes: names of all C classes, if the pipeline was fitted on indices of them; None takes
            its own labels. A class that it never saw has probability 0.

    Raises:
        UsageError: it is not such a pipeline, or its labels are no indices of the classes.
    """

    def __init__(self, pipeline: Pipeline, classes: Sequence[str] | None = None) -> None:
        _check(pipeline)
        self.pipeline = pipeline
        known = pipeline[-1].classes_
        self.classes = tuple(map(str, known if classes is None else classes))
        self.columns = np.arange(len(known)) if classes is None else _columns(known, self.classes)

    @property
    def vectorizer(self) -> CountVectorizer:
        """Counts the words."""
        return self.pipeline[0]

    @property
    def coefficients(self) -> NDArray[np.float64]:
        """(C, F), what each feature adds to the score of each class; nan for one never seen."""
        known = np.asarray(self.pipeline[-1].coef_, dtype=np.float64)
        if len(known) == 1:  # two classes: the score of the second, less that of the first
            known = np.concatenate([-known, known])
        found = np.full((len(self.classes), known.shape[1]), np.nan)
        found[self.columns] = known
        return found

    def identity(self) -> str:
        """A hash of vocabulary, weights and steps, which tells its results from others'."""
        words = sorted((word, int(place)) for word, place in self.vectorizer.vocabulary_.items())
        steps = [repr(step) for _, step in self.pipeline.steps]
        found = hashlib.sha256(f"{self.classes} {steps} {words}".encode())
        weighing = self.features(
            [" ".join(word for word, _ in words)]
        )  # what the steps make of all
        for values in (self.coefficients, weighing.data, np.asarray(self.pipeline[-1].intercept_)):
            found.update(np.ascontiguousarray(values).tobytes())
        return found.hexdigest()

    def features(self, texts: Sequence[str]) -> sparse.csr_matrix:
        """(n, F), what the linear model reads."""
        return sparse.csr_matrix(self.pipeline[:-1].transform(list(texts)))

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, C), as `Classifier` says; softmax of the scores where the model has no own."""
        found = np.zeros((len(texts), len(self.classes)), dtype=np.float32)
        if len(texts):
            features, model = self.features(texts), self.pipeline[-1]
            if hasattr(model, "predict_proba"):
                found[:, self.columns] = model.predict_proba(features)
            else:
                scores = model.decision_function(features)
                scores = scores if scores.ndim == 2 else np.stack([-scores, scores], 1)
                found[:, self.columns] = softmax(scores, axis=1)
        return found


@dataclass(frozen=True)
class LinearExplainer:
    """Weight times feature, which is Integrated Gradients from the empty text, exactly.

    A feature's score is shared by the occurrences of its word, and of an n-gram by its words. A
    word that the vectorizer does not know, or drops, scores 0.

    Attributes:
        classifier: whose predictions are explained.
    """

    classifier: LinearClassifier
    name: str = "linear"

    def explain(
        self, texts: Sequence[str], targets: NDArray[np.int64]
    ) -> list[Attributed | Skipped]:
        """As `Explainer` says; the words are the vectorizer's, and completeness is exact."""
        check_targets(texts, targets, self.classifier.classes)
        coefficients, find = self.classifier.coefficients, _Finder(self.classifier.vectorizer)
        return [
            result
            for start in range(0, len(texts), _CHUNK)
            for result in self._explained(
                texts[start : start + _CHUNK],
                targets[start : start + _CHUNK],
                coefficients,
                find,
            )
        ]

    def _explained(
        self,
        texts: Sequence[str],
        targets: NDArray[np.int64],
        coefficients: NDArray[np.float64],
        find: _Finder,
    ) -> Iterator[Attributed | Skipped]:
        features = self.classifier.features(texts)
        features.sort_indices()
        rows = np.repeat(np.arange(len(texts)), np.diff(features.indptr))
        values = features.data * coefficients[targets[rows], features.indices]
        spans = [find(text) for text in texts]
        scores = _by_word(features, rows, values, [words for words, _ in spans], find)
        counts = np.array([len(words) for words, _ in spans], dtype=np.int64)
        text_of = np.repeat(np.arange(len(texts)), counts)
        whole = np.bincount(text_of, np.abs(scores), minlength=len(texts))
        scores /= np.where(whole > 0, whole, 1.0)[text_of]
        totals = np.bincount(rows, values, minlength=len(texts))
        sums = whole * np.bincount(text_of, scores, minlength=len(texts))
        errors = (np.abs(sums - totals) / np.maximum(np.abs(totals), 1e-12)).tolist()
        finite = np.isfinite(coefficients).all(axis=1).take(targets) & np.isfinite(totals)
        ends = np.cumsum(counts).tolist()
        for text, (_, places), good, end, error in zip(
            texts, spans, finite.tolist(), ends, errors, strict=True
        ):
            if not good:
                yield Skipped("the scores of its class are not finite")
                continue
            words = tuple([text[start:end] for start, end in places])
            yield Attributed(words, tuple(places), scores[end - len(places) : end], error)


class _Finder:
    """The words that a vectorizer counts in a text, as it counts them, and where they stand."""

    def __init__(self, vectorizer: CountVectorizer) -> None:
        self.vocabulary: dict[str, int] = vectorizer.vocabulary_
        self.sizes = range(vectorizer.ngram_range[0], vectorizer.ngram_range[1] + 1)
        self._prepare: Callable[[str], str] = vectorizer.build_preprocessor()
        self._split: Callable[[str], list[str]] = vectorizer.build_tokenizer()
        self._stop = vectorizer.get_stop_words() or frozenset()
        plain = vectorizer.preprocessor is None and vectorizer.strip_accents is None
        pattern = re.compile(vectorizer.token_pattern or "")
        own = vectorizer.tokenizer is None and pattern.groups == 0
        self._lower = vectorizer.lowercase
        self._pattern = pattern if plain and own else None
        if self._pattern is None:
            warnings.warn(
                "the vectorizer changes or cuts texts in its own way, so its words are looked for "
                "in the text, which may go wrong",
                stacklevel=4,
            )

    def __call__(self, text: str) -> tuple[list[str], list[Span]]:
        if self._pattern is None:
            words = self._split(self._prepare(text))
            spans = [(start, end) for start, end in align(words, text).tolist()]
        else:
            plain = text.lower() if self._lower else text
            matches = list(self._pattern.finditer(plain))
            words = [match.group() for match in matches]
            spans = [match.span() for match in matches]
            if len(plain) != len(text):  # "İ" has two characters in lower case
                spans = _moved(spans, text)
        if not self._stop:
            return words, spans
        kept = [place for place, word in enumerate(words) if word not in self._stop]
        return [words[place] for place in kept], [spans[place] for place in kept]


def _by_word(
    features: sparse.csr_matrix,
    rows: NDArray[np.int64],
    values: NDArray[np.float64],
    words: Sequence[list[str]],
    find: _Finder,
) -> NDArray[np.float64]:
    """Values of features, shared by the words of the texts, all texts one after the other.

    Args:
        features: (n, F), indices sorted.
        rows: (m,), the text of each stored feature.
        values: (m,), its score.
        words: of each text, as the vectorizer counts them.
        find: made them.
    """
    counts = np.array([len(some) for some in words], dtype=np.int64)
    ends = np.cumsum(counts)
    scores = np.zeros(int(counts.sum()))
    text_of = np.repeat(np.arange(len(words)), counts)
    last = np.repeat(ends, counts)  # where the text of each word ends
    flat = list(chain.from_iterable(words))
    places, columns, sizes = [], [], []
    for size in find.sizes:
        at = np.flatnonzero(np.arange(len(flat)) + size <= last)
        grams = flat if size == 1 else [" ".join(flat[i : i + size]) for i in at.tolist()]
        found = np.array([find.vocabulary.get(gram, -1) for gram in grams], dtype=np.int64)
        places.append(at[found >= 0])
        columns.append(found[found >= 0])
        sizes.append(np.full(int((found >= 0).sum()), size))
    place, column, size_of = map(np.concatenate, (places, columns, sizes))
    width = features.shape[1]
    key, stored = text_of[place] * width + column, rows * width + features.indices
    there = np.searchsorted(stored, key)
    hit = there < len(stored)
    hit[hit] = stored[there[hit]] == key[hit]
    there, place, size_of = there[hit], place[hit], size_of[hit]
    share = values[there] / (np.bincount(there, minlength=len(stored))[there] * size_of)
    for inside in range(int(size_of.max(initial=0))):
        covers = size_of > inside
        np.add.at(scores, place[covers] + inside, share[covers])
    return scores


def _moved(spans: Sequence[Span], text: str) -> list[Span]:
    """Places in the lower case of a text as places in the text."""
    origin = [place for place, char in enumerate(text) for _ in char.lower()]
    return [(origin[start], origin[end - 1] + 1) for start, end in spans]


def _check(pipeline: Any) -> None:
    if not isinstance(pipeline, Pipeline) or not isinstance(pipeline[0], CountVectorizer):
        raise UsageError(
            "an exact explanation needs a Pipeline that begins with a CountVectorizer or "
            f"TfidfVectorizer, got {type(pipeline).__name__}; use the occlusion explainer"
        )
    if pipeline[0].analyzer != "word":
        raise UsageError(
            f"an exact explanation needs a vectorizer of words, got analyzer "
            f"{pipeline[0].analyzer!r}; use the occlusion explainer"
        )
    mixing = [
        type(step).__name__
        for _, step in pipeline.steps[1:-1]
        if step not in (None, "passthrough") and not isinstance(step, _KEEP_COLUMNS)
    ]
    if mixing or not hasattr(pipeline[-1], "coef_"):
        raise UsageError(
            "an exact explanation needs a fitted linear model right behind the words, got "
            f"{', '.join(mixing) or type(pipeline[-1]).__name__}; use the occlusion explainer"
        )


def _columns(known: NDArray[Any], classes: Sequence[str]) -> NDArray[np.int64]:
    """Which class each label of the model is: by name, or by index."""
    labels = known.tolist()
    if all(label in classes for label in labels):
        return np.array([classes.index(label) for label in labels], dtype=np.int64)
    if all(isinstance(label, int) and 0 <= label < len(classes) for label in labels):
        return np.array(labels, dtype=np.int64)
    raise UsageError(f"the model's labels {labels} are neither names nor indices of {classes}")
