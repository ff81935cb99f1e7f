"""How well a classifier answers, and how sure a difference is: over test items and over seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from burnish.errors import UsageError
from burnish.evidence import Interval
from burnish.methods.nlpguard.classifier import Classifier

METRICS = ("accuracy", "macro_f1", "auc")
_CELLS = 4_000_000  # numbers held at once while resampling

Weights = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answers:
    """What one trained classifier answered on its test items.

    Attributes:
        items: (n,) numbers that tell the items apart; the same number is the same item in the
            answers of another seed.
        labels: (n,) indices of the true classes.
        probabilities: (n, C).

    Raises:
        UsageError: they do not pair up, an item is there twice, or a probability is not finite.
    """

    items: NDArray[np.int64]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    def __post_init__(self) -> None:
        n = len(self.items)
        shapes = (self.labels.shape, self.probabilities.shape[:1], self.items.shape)
        if not n or set(shapes) != {(n,)} or self.probabilities.ndim != 2:
            raise UsageError(
                f"answers are items (n,), labels (n,), probabilities (n, C), n > 0, got "
                f"{self.items.shape}, {self.labels.shape}, {self.probabilities.shape}"
            )
        if len(np.unique(self.items)) < n:
            raise UsageError("a test item was answered twice; give each item a number of its own")
        if not np.isfinite(self.probabilities).all():
            raise UsageError("a probability is not finite; leave the item out and count it")
        if self.labels.min() < 0 or self.labels.max() >= self.probabilities.shape[1]:
            raise UsageError(
                f"labels are 0 to {self.probabilities.shape[1] - 1}, got {self.labels.min()} to "
                f"{self.labels.max()}"
            )

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(n,) the likeliest classes."""
        found: NDArray[np.int64] = self.probabilities.argmax(1)
        return found


def answers(
    classifier: Classifier,
    texts: Sequence[str],
    labels: ArrayLike,
    items: ArrayLike | None = None,
) -> Answers:
    """What a classifier answers on test texts; items are numbered from 0 if they have no numbers.

    Args:
        classifier: whose answers.
        texts: n texts, unedited.
        labels: (n,) indices of the true classes.
        items: (n,) whole numbers.
    """
    numbers = np.arange(len(texts)) if items is None else np.asarray(items)
    return Answers(numbers, np.asarray(labels, np.int64), classifier.probabilities(texts))


def measure(found: Answers) -> dict[str, float | None]:
    """Accuracy, macro F1 and AUC, 0 to 1, by scikit-learn.

    Macro F1 is over the classes that are true or predicted somewhere. AUC is the mean over classes
    of one against the rest, over the classes that have both; for two classes it is the ordinary
    one. None where no class has both.
    """
    labels, predicted = found.labels, found.predicted
    areas = [
        float(roc_auc_score(labels == label, found.probabilities[:, label]))
        for label in range(found.probabilities.shape[1])
        if 0 < np.count_nonzero(labels == label) < len(labels)
    ]
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "macro_f1": float(f1_score(labels, predicted, average="macro", zero_division=0)),
        "auc": float(np.mean(areas)) if areas else None,
    }


def averaged(runs: Sequence[Answers], *, seed: int, resamples: int = 2000) -> dict[str, Interval]:
    """Each metric's mean over training seeds, with its bootstrap interval.

    Args:
        runs: answers of a classifier trained with each seed.
        seed: of the resamples.
        resamples: how many.

    Raises:
        UsageError: no runs.
    """
    return _bootstrap(runs, None, seed, resamples)


def compared(
    before: Sequence[Answers], after: Sequence[Answers], *, seed: int, resamples: int = 2000
) -> dict[str, Interval]:
    """Each metric's mean difference, after minus before, with its paired bootstrap interval.

    Args:
        before: answers of the classifier as it was, one for each training seed.
        after: of the mitigated one; run s has the seed and the test items of run s of `before`.
        seed: of the resamples.
        resamples: how many.

    Returns:
        Intervals at 95 %. In each resample test items are drawn with replacement, the same for
        both classifiers and for all seeds, and so are the seeds; so both kinds of chance are in
        the interval. A metric that is undefined for a run is left out.

    Raises:
        UsageError: no runs, or runs that do not pair up.
    """
    if len(before) != len(after):
        raise UsageError(
            f"runs pair up seed by seed, got {len(before)} before and {len(after)} after"
        )
    for number, (one, other) in enumerate(zip(before, after, strict=True)):
        same = np.array_equal(one.items, other.items) and np.array_equal(one.labels, other.labels)
        if not same:
            raise UsageError(
                f"runs {number} before and after were not tested on the same items with the same "
                "labels; test both on the unedited test set"
            )
    return _bootstrap(after, before, seed, resamples)


def _bootstrap(
    runs: Sequence[Answers], base: Sequence[Answers] | None, seed: int, resamples: int
) -> dict[str, Interval]:
    if not runs:
        raise UsageError("there are no runs to average; train with at least one seed")
    rng = np.random.default_rng(seed)
    everything = np.unique(np.concatenate([run.items for run in runs]))
    places = [np.searchsorted(everything, run.items) for run in runs]
    chunk = max(1, _CELLS // len(everything))
    found: dict[str, list[NDArray[np.float64]]] = {name: [] for name in METRICS}
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        counts = rng.multinomial(
            len(everything), np.full(len(everything), 1 / len(everything)), size=size
        ).astype(np.float64)
        seeds = rng.multinomial(len(runs), np.full(len(runs), 1 / len(runs)), size=size)
        for name in METRICS:
            each = np.stack(
                [
                    _RESAMPLED[name](run, counts[:, place])
                    - (_RESAMPLED[name](base[number], counts[:, place]) if base else 0)
                    for number, (run, place) in enumerate(zip(runs, places, strict=True))
                ],
                axis=1,
            )
            drawn = np.where(seeds > 0, each * seeds, 0)  # a run not drawn may be undefined
            found[name].append(drawn.sum(1) / len(runs))
    return _intervals(runs, base, {name: np.concatenate(parts) for name, parts in found.items()})


def _intervals(
    runs: Sequence[Answers],
    base: Sequence[Answers] | None,
    resampled: dict[str, NDArray[np.float64]],
) -> dict[str, Interval]:
    plain = [measure(run) for run in runs]
    against = [measure(run) for run in base] if base else []
    intervals = {}
    for name, values in resampled.items():
        ours = [row[name] for row in plain]
        theirs = [row[name] for row in against] or [0.0] * len(ours)
        if None in ours or None in theirs or np.isnan(values).all():
            continue
        estimate = float(np.mean(np.array(ours, float) - np.array(theirs, float)))
        low, high = np.percentile(values[~np.isnan(values)], [2.5, 97.5])
        intervals[name] = Interval(estimate, float(low), float(high))
    return intervals


def _accuracy(run: Answers, weights: Weights) -> NDArray[np.float64]:
    right = (run.predicted == run.labels).astype(np.float64)
    return _ratio(weights @ right, weights.sum(1))


def _macro_f1(run: Answers, weights: Weights) -> NDArray[np.float64]:
    classes = np.arange(run.probabilities.shape[1])
    true = (run.labels[:, None] == classes).astype(np.float64)
    guessed = (run.predicted[:, None] == classes).astype(np.float64)
    both = weights @ (true * guessed)
    return _mean_of_defined(_ratio(2 * both, weights @ true + weights @ guessed))


def _auc(run: Answers, weights: Weights) -> NDArray[np.float64]:
    areas = np.stack(
        [
            _area(run.probabilities[:, label], run.labels == label, weights)
            for label in range(run.probabilities.shape[1])
        ],
        axis=1,
    )
    return _mean_of_defined(areas)


def _area(
    scores: NDArray[np.float32], positive: NDArray[np.bool_], weights: Weights
) -> NDArray[np.float64]:
    """Weighted area under the ROC curve, one for each row of weights; ties count half."""
    order = np.argsort(scores, kind="stable")
    _, starts = np.unique(scores[order], return_index=True)
    ordered = weights[:, order]
    up = np.add.reduceat(ordered * positive[order], starts, axis=1)
    down = np.add.reduceat(ordered * ~positive[order], starts, axis=1)
    below = np.cumsum(down, axis=1) - down / 2
    return _ratio((up * below).sum(1), up.sum(1) * down.sum(1))


def _mean_of_defined(values: NDArray[np.float64]) -> NDArray[np.float64]:
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0).sum(1), defined.sum(1).astype(np.float64))


def _ratio(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """NaN where the whole is 0."""
    found: NDArray[np.float64] = np.divide(
        part, whole, out=np.full_like(part, np.nan), where=whole > 0
    )
    return found


_RESAMPLED: dict[str, Callable[[Answers, Weights], NDArray[np.float64]]] = {
    "accuracy": _accuracy,
    "macro_f1": _macro_f1,
    "auc": _auc,
}
