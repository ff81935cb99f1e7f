"""What the readers of the embedded sets share: near-duplicates and fixed, balanced draws."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from burnish.data.examples import Examples

TEST_SEED = 20210712  # of every set's test part, so that it is the same whatever the user's seed
_NOISE = re.compile(r"https?://\S*|www\.\S*|@\w+|\brt\b|[\W_]")


@dataclass(frozen=True)
class Parts:
    """A data set as its reader leaves it: no text is in both parts.

    Attributes:
        train, test: the examples.
        note: what they are, what is synthetic, what was dropped.
    """

    train: Examples
    test: Examples
    note: str


def text_key(text: str) -> str:
    """What near-duplicates share: the letters and digits, without case, addresses and handles."""
    return _NOISE.sub("", text.lower())


def distinct(keys: Iterable[str], labels: Sequence[int]) -> list[tuple[int, int]]:
    """The first row of each non-empty key, with the label that most rows of the key have.

    Of labels that are equally frequent the one that comes first counts.
    """
    first: dict[str, int] = {}
    votes: dict[str, Counter[int]] = {}
    for row, key in enumerate(keys):
        if key:
            first.setdefault(key, row)
            votes.setdefault(key, Counter())[labels[row]] += 1
    return [(row, votes[key].most_common(1)[0][0]) for key, row in first.items()]


def spread(labels: ArrayLike, generator: np.random.Generator) -> NDArray[np.int64]:
    """All rows in random order, so that every beginning of it has the classes' own shares.

    Each class is shuffled and laid out evenly over the whole, from a random offset.

    Args:
        labels: (n,) class indices; all alike where there are no classes.
        generator: of the order.
    """
    classes = np.asarray(labels)
    place = np.empty(len(classes))
    for label in np.unique(classes):
        rows = np.flatnonzero(classes == label)
        ranks = generator.permutation(len(rows)) + generator.random()
        place[rows] = ranks / len(rows)
    return np.argsort(place, kind="stable")


def split(
    examples: Examples, share: float, groups: Sequence[str] | None = None
) -> tuple[Examples, Examples]:
    """Training part and a stratified test part that is the same every time.

    Args:
        examples: what to part.
        share: of the examples that are tested, at most.
        groups: (n,) what keeps examples together in one part; a group counts as of the class of
            its first example. None if every example is on its own.
    """
    names = groups if groups is not None else [str(row) for row in range(len(examples))]
    _, first, group, sizes = np.unique(
        names, return_index=True, return_inverse=True, return_counts=True
    )
    classes = np.array(examples.labels)[first]
    tested = np.zeros(len(first), dtype=bool)
    generator = np.random.default_rng(TEST_SEED)
    for label in np.unique(classes):
        order = generator.permutation(np.flatnonzero(classes == label))
        taken = np.cumsum(sizes[order])
        tested[order[taken <= share * taken[-1]]] = True
    in_test = tested[group]
    return examples.take(np.flatnonzero(~in_test)), examples.take(np.flatnonzero(in_test))
