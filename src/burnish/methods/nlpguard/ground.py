"""The texts of a run and how they are parted, the lexicon, and how encoders are trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

from burnish.data import SETS, Examples, load_set, read_examples
from burnish.data.sets.parts import spread, text_key
from burnish.errors import DataError
from burnish.methods.nlpguard.config import KindName, NlpguardConfig
from burnish.methods.nlpguard.lexicon import Lexicon
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.rows import Rows
from burnish.methods.nlpguard.swaps import Swaps, counterfactuals
from burnish.methods.nlpguard.training import EncoderSettings
from burnish.training import derive

_FOLDS = 10


@dataclass(frozen=True)
class Ground:
    """One split of the texts.

    Attributes:
        classes: names of the C classes.
        train: rows with the columns text and label, an index of `classes`.
        test: texts that nothing is trained on and nothing is edited in.
        labels: (n,) of the test texts.
        items: (n,) ids of the test texts, the same in every split.
        note: what the texts are.
    """

    classes: tuple[str, ...]
    train: Rows
    test: tuple[str, ...]
    labels: NDArray[np.int64]
    items: NDArray[np.int64]
    note: str

    @property
    def targets(self) -> list[int]:
        """(n,) of the training texts."""
        return [int(label) for label in self.train.labels]


def ground_of(config: NlpguardConfig, seed: int, number: int, kind: KindName) -> Ground:
    """The texts, parted for one seed.

    Args:
        config: names the texts, and how many each kind of classifier gets.
        seed: of the run.
        number: of the split, from 0.
        kind: of classifier.

    Raises:
        DataError: the data cannot be read, or a class has too few texts to be parted.
    """
    examples, note = _examples(config)
    size = (config.encoder_examples if kind == "minilm" else 0) or config.examples
    if 0 < size < len(examples):
        rng = np.random.default_rng(derive(seed, "drawn"))
        examples = examples.take(np.sort(spread(examples.labels, rng)[:size]))
    groups = _groups(examples, grouped=config.grouped)
    _check_sizes(examples, groups)
    folds = StratifiedGroupKFold(
        _FOLDS, shuffle=True, random_state=derive(seed, "split", number) % 2**32
    )
    tested = min(max(round(config.test_share * _FOLDS), 1), _FOLDS - 1)
    parts = [held for _, held in folds.split(groups, examples.labels, groups)]
    test = np.sort(np.concatenate(parts[:tested]))
    train = np.setdiff1d(np.arange(len(examples)), test)
    rows = [{"text": examples.texts[row], "label": examples.labels[row]} for row in train]
    return Ground(
        examples.label_names,
        Rows.of(rows),
        tuple(examples.texts[row] for row in test),
        np.asarray(examples.labels, np.int64)[test],
        np.asarray(examples.ids, np.int64)[test],
        note,
    )


@lru_cache(maxsize=1)
def lexicon_of() -> Lexicon:
    """The Equality Act's words."""
    return Lexicon()


@lru_cache(maxsize=1)
def matcher_of() -> Matcher:
    """Finds every word of the lexicon."""
    return Matcher(lexicon_of().terms)


@lru_cache(maxsize=1)
def _swaps() -> Swaps:
    return Swaps.of_lexicon(lexicon_of())


def swapped(texts: list[str], seed: int) -> list[str]:
    """Every protected word swapped for another of its kind, where there is one."""
    return counterfactuals(texts, matcher_of(), _swaps(), seed=seed)


def encoder_settings(config: NlpguardConfig) -> EncoderSettings:
    """How an encoder is fine-tuned."""
    return EncoderSettings(
        encoder=config.encoder,
        learning_rate=config.learning_rate,
        head_rate=10 * config.learning_rate,
        epochs=config.epochs,
        batch_size=config.batch_size,
        max_length=config.max_length,
    )


def _groups(examples: Examples, *, grouped: bool) -> list[str]:
    """(n,) names of what must not be parted: texts of the same words, or each text."""
    alone = list(map(str, range(len(examples))))
    if not grouped:
        return alone
    return [text_key(text) or own for text, own in zip(examples.texts, alone, strict=True)]


def _check_sizes(examples: Examples, groups: Sequence[str]) -> None:
    different = Counter(label for label, _ in set(zip(examples.labels, groups, strict=True)))
    for label, name in enumerate(examples.label_names):
        if 0 < different[label] < _FOLDS:
            raise DataError(
                f"the class {name!r} has {different[label]} different texts, and {_FOLDS} are "
                "needed to part them; label more, join it with another class, or use more "
                "`examples`"
            )
    if len(different) < 2:
        raise DataError("texts of at least two classes are wanted, got one; give others as well")


@lru_cache(maxsize=2)
def _examples(config: NlpguardConfig) -> tuple[Examples, str]:
    """All of them, and what they are."""
    if config.data in SETS:
        found = load_set(config.data)
        return _joined(found.train, found.test), f"{found.name}: {found.note} ({found.licence})"
    examples = read_examples(
        config.data,
        task="classification",
        text=config.text,
        label=config.label,
        split=config.split or None,
    )
    return examples, Path(config.data).name


def _joined(first: Examples, second: Examples) -> Examples:
    return Examples(
        task="classification",
        ids=(*first.ids, *second.ids)
        if not set(first.ids) & set(second.ids)
        else tuple(range(len(first) + len(second))),
        texts=(*first.texts, *second.texts),
        labels=(*first.labels, *second.labels),
        label_names=first.label_names,
    )
