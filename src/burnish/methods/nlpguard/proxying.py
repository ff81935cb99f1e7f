"""What still tells of protected attributes once protected words are gone."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import xlogy
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from burnish.errors import UsageError
from burnish.methods.nlpguard.annotation import CATEGORIES, key

_WORD = r"\b\w+\b"
_FOLDS = 5


@dataclass(frozen=True)
class Proxy:
    """A word that goes with texts of which a category's words were removed.

    Attributes:
        word: in lower case.
        category: that it tells of.
        information: mutual information of the word and the category's presence, in nats.
        texts: how many hold the word.
        share: of them, how many held a word of the category.
        base_share: of all texts.
        significant: whether chance alone is refused at a false discovery rate of 5 % over all
            words and categories (G test, Benjamini-Yekutieli).
    """

    word: str
    category: str
    information: float
    texts: int
    share: float
    base_share: float
    significant: bool


def proxies(
    texts: Sequence[str],
    presence: ArrayLike,
    *,
    categories: Sequence[str] = CATEGORIES,
    most: int = 20,
    least: int = 3,
    exclude: Collection[str] = (),
) -> list[Proxy]:
    """The remaining words that tell most of each category.

    Args:
        texts: n texts as they are trained on, after the edit.
        presence: (n, K) whether the text held a word of each category before the edit.
        categories: K names.
        most: words to give for each category.
        least: texts that a word must be in.
        exclude: words that are not looked at.

    Returns:
        By category, most information first, equal ones in alphabetical order; words that make a
        category less likely than it is anyhow are no proxies of it and left out.

    Raises:
        UsageError: texts and presence do not pair up.
    """
    held = _checked(texts, presence, categories)
    words, there = _words(texts, least, exclude)
    if not words:
        return []
    both = np.asarray(there.T @ held.astype(np.float64))  # (V, K) texts with word and category
    with_word = np.asarray(there.sum(0), np.float64).reshape(-1, 1)
    information = _information(both, with_word, held.sum(0).astype(np.float64), len(texts))
    sure = _significant(information, len(texts))
    base = held.mean(0)
    share = both / with_word
    found = []
    for place, category in enumerate(categories):
        toward = np.flatnonzero((share[:, place] > base[place]) & (information[:, place] > 0))
        order = toward[np.argsort(-information[toward, place], kind="stable")][:most]
        found += [
            Proxy(
                words[row],
                category,
                float(information[row, place]),
                int(with_word[row, 0]),
                float(share[row, place]),
                float(base[place]),
                bool(sure[row, place]),
            )
            for row in order
        ]
    return found


def predictability(
    texts: Sequence[str],
    presence: ArrayLike,
    *,
    categories: Sequence[str] = CATEGORIES,
    seed: int = 0,
) -> dict[str, float | None]:
    """How well the texts tell whether each category was there: AUC of a linear model on words.

    Args:
        texts: n texts, after the edit.
        presence: (n, K) whether the text held a word of each category before the edit.
        categories: K names.
        seed: of the folds.

    Returns:
        Cross-validated in 5 folds; 0.5 is chance, 1 means that nothing is hidden. None where fewer
        than 5 texts had, or lacked, a word of the category.

    Raises:
        UsageError: texts and presence do not pair up.
    """
    held = _checked(texts, presence, categories)
    found: dict[str, float | None] = {}
    for place, category in enumerate(categories):
        z = held[:, place]
        if min(z.sum(), len(z) - z.sum()) < _FOLDS:
            found[category] = None
            continue
        model = make_pipeline(
            CountVectorizer(binary=True, token_pattern=_WORD), LogisticRegression(max_iter=1000)
        )
        folds = StratifiedKFold(_FOLDS, shuffle=True, random_state=seed)
        scores = cross_val_predict(model, list(texts), z, cv=folds, method="decision_function")
        found[category] = float(roc_auc_score(z, scores))
    return found


def _checked(
    texts: Sequence[str], presence: ArrayLike, categories: Sequence[str]
) -> NDArray[np.bool_]:
    held = np.asarray(presence, bool)
    if held.shape != (len(texts), len(categories)) or not len(texts):
        raise UsageError(
            f"presence has a row for each of the {len(texts)} texts and a column for each of the "
            f"{len(categories)} categories, got {held.shape}"
        )
    return held


def _words(texts: Sequence[str], least: int, exclude: Collection[str]) -> tuple[list[str], Any]:
    """Words (V) in alphabetical order and which texts hold them, sparse (n, V)."""
    vectorizer = CountVectorizer(binary=True, token_pattern=_WORD, dtype=np.float64)
    try:
        there = vectorizer.fit_transform(texts)
    except ValueError:  # scikit-learn's way to say that no text has a word
        return [], None
    words = vectorizer.get_feature_names_out()
    out = {key(word) for word in exclude}
    kept = (np.asarray(there.sum(0)).ravel() >= least) & [key(word) not in out for word in words]
    return words[kept].tolist(), there[:, np.flatnonzero(kept)]


def _information(
    both: NDArray[np.float64], word: NDArray[np.float64], category: NDArray[np.float64], n: int
) -> NDArray[np.float64]:
    """(V, K) mutual information in nats of two binary variables, from their counts.

    Equal to `sklearn.metrics.mutual_info_score`, for all pairs at once.
    """
    total = np.zeros_like(both)
    for count, one, other in (
        (both, word, category),
        (word - both, word, n - category),
        (category - both, n - word, category),
        (n - word - category + both, n - word, n - category),
    ):
        total += xlogy(count, count) - xlogy(count, one * other / n)
    return np.maximum(total / n, 0)


def _significant(information: NDArray[np.float64], n: int) -> NDArray[np.bool_]:
    chances = stats.chi2.sf(2 * n * information, 1)
    adjusted = stats.false_discovery_control(chances.ravel(), method="by")
    found: NDArray[np.bool_] = (adjusted <= 0.05).reshape(information.shape)
    return found
