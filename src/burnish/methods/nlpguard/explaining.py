"""A whole corpus explained: shard by shard, each text for its predicted class, and resumed."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from burnish.errors import DataError, UsageError
from burnish.methods.nlpguard.aggregation import WordSums
from burnish.methods.nlpguard.classifier import Attributed, Classifier, Explainer, Skipped

_NOTES = ("predicted", "explained", "incomplete", "skipped")
COMPLETE = 0.02  # the largest completeness error of a text that counts as explained in full


class SkippedText(NamedTuple):
    """A text that is not in the table: its place in the corpus, and why."""

    row: int
    reason: str


@dataclass(frozen=True)
class Explained:
    """What a corpus says of a classifier.

    Attributes:
        sums: of the words; `sums.table()` ranks them.
        predicted: texts by predicted class, those of classes that were not asked for included.
        explained: texts that are in the sums.
        skipped: texts that should be, and are not.
        incomplete: explained texts with a completeness error of 2 % or more.
        reused: shards that an earlier run had written.
    """

    sums: WordSums
    predicted: dict[str, int]
    explained: int
    skipped: tuple[SkippedText, ...]
    incomplete: int
    reused: int


@dataclass(frozen=True)
class Checkpoint:
    """Where finished shards are kept, and what they are of.

    Attributes:
        folder: made if it is not there; several corpora, models and processes may share it.
        identity: what tells this explainer's settings and weights from all others, such as
            `HfClassifier.identity()` with steps and granularity.
        process: which of `processes` this is, from 0. It works on every `processes`-th shard; a
            last call with one process finds all done and puts them together.
        processes: how many share the work.

    Raises:
        UsageError: identity is empty, or there is no such process.
    """

    folder: Path
    identity: str
    process: int = 0
    processes: int = 1

    def __post_init__(self) -> None:
        if not self.identity:
            raise UsageError("a checkpoint needs an identity, or another model's shards are taken")
        if not 0 <= self.process < self.processes:
            raise UsageError(
                f"process must lie between 0 and {self.processes - 1}, got {self.process}"
            )


@dataclass
class _Shard:
    """Sums of some consecutive texts; rows count from the first of them."""

    sums: WordSums
    predicted: list[int]
    explained: int = 0
    incomplete: int = 0
    skipped: list[tuple[int, str]] = field(default_factory=list)

    def add(self, other: _Shard, start: int) -> None:
        """Take in a shard whose first text is number `start` of this one."""
        self.sums.merge(other.sums)
        self.predicted = [a + b for a, b in zip(self.predicted, other.predicted, strict=True)]
        self.explained += other.explained
        self.incomplete += other.incomplete
        self.skipped += [(start + row, reason) for row, reason in other.skipped]


def explain_corpus(
    classifier: Classifier,
    explainer: Explainer,
    texts: Sequence[str],
    *,
    classes: Sequence[str] | None = None,
    shard_size: int = 1000,
    checkpoint: Checkpoint | None = None,
    advance: Callable[[int], None] | None = None,
) -> Explained:
    """Predict every text, explain it for the class predicted, and add up its words.

    Args:
        classifier: predicts.
        explainer: of the same classifier.
        texts: the corpus, no labels needed.
        classes: explain texts of these predicted classes alone; None takes all.
        shard_size: texts that are worked on, and kept, together.
        checkpoint: where shards are kept; one that is there is not explained again. A shard is
            found by its texts, not by its place, so a corpus may grow at its end.
        advance: told of texts as they are done, for a progress bar.

    Raises:
        UsageError: there are no texts, or no such class, or no text could be explained.

    Warns:
        UserWarning: a class has no predicted texts, so its table is empty.
    """
    wanted = _wanted(classifier.classes, classes)
    if not len(texts):
        raise UsageError("there are no texts to explain; give at least one")
    if shard_size < 1:
        raise UsageError(f"shard_size must be at least 1, got {shard_size}")
    total, reused = _Shard(WordSums(classifier.classes), [0] * len(classifier.classes)), 0
    for start, part in _own_shards(texts, shard_size, checkpoint):
        path = _path(checkpoint, part, classifier.classes, wanted, explainer.name)
        shard = _read(path)
        reused += shard is not None
        if shard is None:
            shard = _explained(classifier, explainer, part, wanted)
            _keep(path, shard)
        total.add(shard, start)
        if advance:
            advance(len(part))
    if total.skipped and not total.explained:
        raise UsageError(
            f"none of {len(total.skipped)} texts could be explained; "
            f"the first: {total.skipped[0][1]}"
        )
    if checkpoint is None or checkpoint.processes == 1:
        _warn_of_empty(classifier.classes, wanted, total.predicted)
    return Explained(
        total.sums,
        dict(zip(classifier.classes, total.predicted, strict=True)),
        total.explained,
        tuple(SkippedText(row, reason) for row, reason in total.skipped),
        total.incomplete,
        reused,
    )


def _wanted(known: Sequence[str], classes: Sequence[str] | None) -> list[int]:
    if classes is None:
        return list(range(len(known)))
    unknown = [name for name in classes if name not in known]
    if unknown:
        raise UsageError(f"there is no class {unknown[0]!r}; there are: {', '.join(known)}")
    return sorted({list(known).index(name) for name in classes})


def _own_shards(
    texts: Sequence[str], size: int, checkpoint: Checkpoint | None
) -> Iterator[tuple[int, list[str]]]:
    first, step = (checkpoint.process, checkpoint.processes) if checkpoint else (0, 1)
    for start in range(first * size, len(texts), step * size):
        yield start, list(texts[start : start + size])


def _explained(
    classifier: Classifier, explainer: Explainer, texts: list[str], wanted: Sequence[int]
) -> _Shard:
    probabilities = classifier.probabilities(texts)
    predicted = probabilities.argmax(1).astype(np.int64)
    finite = np.isfinite(probabilities).all(1)
    shard = _Shard(
        WordSums(classifier.classes),
        np.bincount(predicted[finite], minlength=len(classifier.classes)).tolist(),
        skipped=[(int(row), "its probabilities are not finite") for row in np.flatnonzero(~finite)],
    )
    rows = np.flatnonzero(finite & np.isin(predicted, wanted))
    results = explainer.explain([texts[row] for row in rows], predicted[rows])
    good: list[Attributed] = []
    targets: list[int] = []
    for row, result in zip(rows.tolist(), results, strict=True):
        if isinstance(result, Skipped):
            shard.skipped.append((row, result.reason))
            continue
        good.append(result)
        targets.append(int(predicted[row]))
        shard.incomplete += (result.completeness_error or 0.0) >= COMPLETE
    shard.explained = len(good)
    shard.skipped.sort()
    shard.sums.add(targets, good)
    return shard


def _path(
    checkpoint: Checkpoint | None,
    texts: Sequence[str],
    classes: Sequence[str],
    wanted: Sequence[int],
    name: str,
) -> Path | None:
    if checkpoint is None:
        return None
    key = json.dumps([checkpoint.identity, name, list(classes), list(wanted), list(texts)])
    checkpoint.folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(key.encode()).hexdigest()
    return checkpoint.folder / f"words-{digest[:32]}.parquet"


def _keep(path: Path | None, shard: _Shard) -> None:
    if path is not None:
        shard.sums.to_parquet(path, {name: getattr(shard, name) for name in _NOTES})


def _read(path: Path | None) -> _Shard | None:
    """A shard that was kept; one that cannot be read is made anew."""
    if path is None or not path.exists():
        return None
    try:
        sums, notes = WordSums.from_parquet(path)
        lacking = [name for name in _NOTES if name not in notes]
        if lacking:
            raise DataError(f"{path} does not say what is {', '.join(lacking)}")
    except DataError as error:
        warnings.warn(f"a kept shard is made anew: {error}", stacklevel=3)
        return None
    return _shard(sums, notes)


def _shard(sums: WordSums, notes: dict[str, Any]) -> _Shard:
    return _Shard(
        sums,
        notes["predicted"],
        notes["explained"],
        notes["incomplete"],
        [(row, reason) for row, reason in notes["skipped"]],
    )


def _warn_of_empty(known: Sequence[str], wanted: Sequence[int], predicted: Sequence[int]) -> None:
    empty = [known[index] for index in wanted if not predicted[index]]
    if empty:
        warnings.warn(
            f"no text is predicted to be of class {', '.join(map(repr, empty))}; "
            "its list of words is empty",
            stacklevel=3,
        )
