"""How much a classifier leans on protected words: in its explanations, and in its answers.

Knows nothing of how words were ranked or found to be protected. Words are compared by their
`annotation.key`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from burnish.errors import UsageError
from burnish.evidence import Interval, bootstrap_mean
from burnish.methods.nlpguard.aggregation import WordTable
from burnish.methods.nlpguard.annotation import CATEGORIES, key
from burnish.methods.nlpguard.classifier import Classifier

Swap = Callable[[Sequence[str], int], Sequence[str]]
POOLED = "all classes"


class Attribution(NamedTuple):
    """What a corpus says of one word for one class: mean score over its n occurrences."""

    label: str
    word: str
    n: int
    mean: float


@dataclass(frozen=True)
class Share:
    """PA@N: how many of the words that drive a class are protected.

    Attributes:
        protected: words of the list that are protected.
        listed: words of the list; fewer than N where fewer speak for the class.
        by_category: protected words of each category that has some.
    """

    protected: int
    listed: int
    by_category: Mapping[str, int] = field(default_factory=dict)

    @property
    def value(self) -> float | None:
        """From 0 to 1; None where no word speaks for the class."""
        return self.protected / self.listed if self.listed else None


@dataclass(frozen=True)
class WordReliance:
    """How far explanations rest on protected words.

    Attributes:
        shares: PA@N by class, and of all lists together under "all classes".
        mass: of all positive attribution, the part on protected words, 0 to 1, by class and under
            "all classes"; None where a class has no positive attribution. Does not depend on N.
        top: the lists, best first, by class.
        identified: category of each protected word in the lists.
    """

    shares: Mapping[str, Share]
    mass: Mapping[str, float | None]
    top: Mapping[str, tuple[str, ...]]
    identified: Mapping[str, str]

    @property
    def pa(self) -> float | None:
        """PA@N of all lists together, 0 to 1."""
        return self.shares[POOLED].value


def word_reliance(
    top: Mapping[str, Sequence[str]],
    attributions: Iterable[Attribution],
    protected: Mapping[str, str],
) -> WordReliance:
    """PA@N by class and pooled, and the share of attribution mass.

    Args:
        top: the first N words by class that speak for it, best first; may be fewer.
        attributions: of every word, listed or not; those with a mean of 0 or less do not count.
        protected: category by word, of all words that are to count: after a mitigation it must
            come from a new identification, of the new lists, or substitutes are overlooked. The
            mass is only of words that somebody has looked at; a lexicon looks at all.

    Returns:
        |P ∩ Top_N| / |Top_N|, and M = Σ_{w∈P} n·S⁺ / Σ_w n·S⁺. A word in the lists of several
        classes counts in each.

    Raises:
        UsageError: a class has the name "all classes", or a category is unknown.
    """
    if POOLED in top:
        raise UsageError(f"a class may not be called {POOLED!r}; rename it")
    by_word = {key(word): category for word, category in protected.items()}
    if unknown := set(by_word.values()) - set(CATEGORIES):
        raise UsageError(f"{min(unknown)!r} is no category; there are: {', '.join(CATEGORIES)}")
    shares = {label: _share(words, by_word) for label, words in top.items()}
    shares[POOLED] = _share([word for words in top.values() for word in words], by_word)
    listed = {key(word) for words in top.values() for word in words}
    return WordReliance(
        shares=shares,
        mass=_mass(attributions, by_word, top),
        top={label: tuple(words) for label, words in top.items()},
        identified={word: by_word[word] for word in sorted(listed & by_word.keys())},
    )


def table_reliance(table: WordTable, protected: Mapping[str, str], count: int) -> WordReliance:
    """`word_reliance` of a corpus's table, with N = `count`."""
    rows = table.frame[["class", "word", "n", "mean"]].itertuples(index=False, name=None)
    top = {label: table.top(label, count) for label in table.classes}
    return word_reliance(top, (Attribution(*row) for row in rows), protected)


def _share(words: Sequence[str], by_word: Mapping[str, str]) -> Share:
    found = [by_word[name] for name in map(key, words) if name in by_word]
    counts = {category: found.count(category) for category in CATEGORIES if category in found}
    return Share(len(found), len(words), counts)


def _mass(
    attributions: Iterable[Attribution], by_word: Mapping[str, str], classes: Iterable[str]
) -> dict[str, float | None]:
    labels = (*classes, POOLED)
    protected, everything = dict.fromkeys(labels, 0.0), dict.fromkeys(labels, 0.0)
    for row in attributions:
        if row.mean <= 0:
            continue
        held = row.n * row.mean
        for label in (row.label, POOLED):
            everything[label] = everything.get(label, 0.0) + held
            if key(row.word) in by_word:
                protected[label] = protected.get(label, 0.0) + held
    return {
        label: protected.get(label, 0.0) / whole if whole else None
        for label, whole in everything.items()
    }


def relative_reduction(before: float | None, after: float | None) -> float | None:
    """R = 1 - after/before, of PA@N or of mass; below 0 where it grew.

    None where a value is missing or there was nothing to reduce.
    """
    if before is None or after is None or before == 0:
        return None
    return 1 - after / before


def substitutes(after: WordReliance, first: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Protected words that a mitigated model leans on and that were not among those edited.

    Args:
        after: of the mitigated model, newly identified.
        first: the protected words that the training set was edited for.

    Returns:
        Of each class with some, those in its list, best first.
    """
    edited = {key(word) for word in first}
    found = {
        label: tuple(
            word for word in words if key(word) in after.identified and key(word) not in edited
        )
        for label, words in after.top.items()
    }
    return {label: words for label, words in found.items() if words}


@dataclass(frozen=True)
class Sensitivity:
    """How answers change when protected words are swapped for others of their category.

    Attributes:
        flip_rate: share of swapped texts whose predicted class changes.
        gap: token-fairness gap, mean |p_c(x) - p_c(swapped x)| over swapped texts, where c is the
            class predicted for x.
        swapped: texts that hold a word with a swap; only these count.
        texts: all texts.
        by_class: flip rate by predicted class, for classes with a swapped text.
    """

    flip_rate: Interval | None
    gap: Interval | None
    swapped: int
    texts: int
    by_class: Mapping[str, float]


def sensitivity(
    classifier: Classifier, texts: Sequence[str], swap: Swap, *, swaps: int = 1, seed: int = 0
) -> Sensitivity:
    """Swap protected words and compare the answers.

    Args:
        classifier: whose answers.
        texts: n texts.
        swap: gives n texts for n texts and a seed, in which words are swapped for others of the
            same category; a text without such a word comes back as it is.
        swaps: how often each text is swapped, with a seed each. The swaps of one text are drawn
            together for the intervals, since they are no independent samples.
        seed: of swaps and intervals.

    Returns:
        Intervals at 95 %, None where no text was swapped. Source: counterfactual token fairness,
        arXiv 1809.10610, definition 1 and section 3.2; CheckList's invariance test.

    Raises:
        UsageError: `swap` gave another number of texts, or swaps is not positive.
    """
    if swaps < 1:
        raise UsageError(f"swaps must be at least 1, got {swaps}")
    kept, others = _swapped(texts, swap, swaps, seed)
    rows = sorted(set(kept))
    if not rows:
        return Sensitivity(None, None, 0, len(texts), {})
    plain = classifier.probabilities([texts[row] for row in rows])
    index = np.searchsorted(rows, kept)
    swapped = classifier.probabilities(others)
    return _compared(plain[index], swapped, kept, len(texts), classifier.classes, seed)


def paired_sensitivity(
    classifier: Classifier,
    texts: Sequence[str],
    others: Sequence[str],
    groups: Sequence[int],
    *,
    seed: int = 0,
) -> Sensitivity:
    """As `sensitivity`, for pairs of wordings that somebody else made.

    Args:
        classifier: whose answers.
        texts: n wordings.
        others: their counterparts.
        groups: (n,) which question a pair belongs to; drawn together for the intervals.
        seed: of the intervals.

    Raises:
        UsageError: the columns do not pair up.
    """
    if not len(texts) == len(others) == len(groups):
        raise UsageError(
            f"pairs of wordings and their groups pair up, got {len(texts)} texts, {len(others)} "
            f"others, {len(groups)} groups"
        )
    rows = [row for row in range(len(texts)) if texts[row] != others[row]]
    if not rows:
        return Sensitivity(None, None, 0, len(texts), {})
    plain = classifier.probabilities([texts[row] for row in rows])
    swapped = classifier.probabilities([others[row] for row in rows])
    return _compared(
        plain,
        swapped,
        [groups[row] for row in rows],
        len(texts),
        classifier.classes,
        seed,
        swapped_texts=len(rows),
    )


def _swapped(
    texts: Sequence[str], swap: Swap, swaps: int, seed: int
) -> tuple[list[int], list[str]]:
    """Rows and their swapped texts, for each time that a swap changed something."""
    kept: list[int] = []
    others: list[str] = []
    for time in range(swaps):
        made = swap(texts, seed * swaps + time)
        if len(made) != len(texts):
            raise UsageError(f"swap gave {len(made)} texts for {len(texts)}; give one for each")
        changed = [row for row, text in enumerate(texts) if made[row] != text]
        kept += changed
        others += [made[row] for row in changed]
    return kept, others


def _compared(
    plain: NDArray[np.float32],
    swapped: NDArray[np.float32],
    clusters: Sequence[int],
    n: int,
    classes: Sequence[str],
    seed: int,
    swapped_texts: int | None = None,
) -> Sensitivity:
    before, after = plain.argmax(1), swapped.argmax(1)
    flips = (before != after).astype(np.float64)
    rows = np.arange(len(plain))
    gaps = np.abs(plain[rows, before].astype(np.float64) - swapped[rows, before])
    names = list(clusters)
    return Sensitivity(
        flip_rate=bootstrap_mean(flips.tolist(), seed=seed, clusters=names),
        gap=bootstrap_mean(gaps.tolist(), seed=seed, clusters=names),
        swapped=len(set(names)) if swapped_texts is None else swapped_texts,
        texts=n,
        by_class={
            classes[label]: float(flips[before == label].mean()) for label in np.unique(before)
        },
    )
