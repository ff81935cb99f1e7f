"""Detectors of coordinated accounts that read no text, one that reads nothing but text, and scores.

Features come from a run's tables; a logistic regression turns them into a probability for every
account, always by folds in which that account was not seen. Needs scikit-learn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from burnish.errors import UsageError
from burnish.methods.socialsim.columns import column, rows_of
from burnish.methods.socialsim.schema import PostKind, Role

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

ASSETS = (Role.TROLL, Role.BOT, Role.OPERATOR)
FOLDS = 5
WIDEST = 2000  # accounts on one post; a post of everybody tells nobody apart, and pairs are many
NEIGHBOURS = 5
_BLOCK_ROWS = 512


@dataclass(frozen=True)
class Features:
    """What is known of each account.

    Attributes:
        names: (f,).
        values: (agents, f).
    """

    names: tuple[str, ...]
    values: Floats

    def without(self, prefix: str) -> Features:
        """The same with all features left out whose name begins so."""
        kept = [at for at, name in enumerate(self.names) if not name.startswith(prefix)]
        return Features(tuple(self.names[at] for at in kept), self.values[:, kept])


@dataclass(frozen=True)
class Detection:
    """How well scores tell accounts apart.

    Attributes:
        threshold: at which the next three hold.
        precision: share of the flagged that are guilty; NaN when none is flagged.
        recall: share of the guilty that are flagged.
        f1: harmonic mean of both; 0 when none is flagged.
        auroc: chance that a guilty account scores above another; 0.5 is guessing.
    """

    threshold: float
    precision: float
    recall: float
    f1: float
    auroc: float


def features(posts: pa.Table, agents: pa.Table, *, window: int = 2) -> Features:
    """Features of every account, from graph and timing alone.

    - `repost_similarity`, `reply_similarity`: mean cosine to the 5 most alike accounts, over the
      posts reposted (by root) or replied to (by parent), rare posts weighing more.
    - `repost_burst`, `reply_burst`: mean, over an account's reposts or replies, of log(1 + others
      who did the same to the same post in the same tick).
    - `repost_share`, `reply_share`: mean share of a post's reposts or replies that fall in that
      tick, for posts with at least 3.
    - `creation_density`: log(1 + accounts created within `window` hours).

    Args:
        posts: with schema `POSTS`.
        agents: with schema `AGENTS`, in order of their ids.
        window: hours on either side.

    Source: co-sharing networks and synchrony after Pacheco et al. 2021, ICWSM 15:455.
    """
    ids = column(agents, "agent")
    kind, tick = column(posts, "kind"), column(posts, "tick").astype(np.int64)
    who = rows_of(ids, column(posts, "author"))
    columns: dict[str, Floats] = {}
    for name, wanted, target in (
        ("repost", PostKind.REPOST, column(posts, "root")),
        ("reply", PostKind.REPLY, column(posts, "parent")),
    ):
        rows = np.flatnonzero((kind == wanted) & (who >= 0))
        acted = _Acted.of(who[rows], target[rows], tick[rows], len(ids))
        columns[f"{name}_similarity"] = acted.similarity()
        columns[f"{name}_burst"], columns[f"{name}_share"] = acted.bursts()
    columns["creation_density"] = _density(column(agents, "created"), window)
    return Features(tuple(columns), np.stack(list(columns.values()), axis=1))


def is_asset(agents: pa.Table, roles: Sequence[Role] = ASSETS) -> Flags:
    """(agents,) whether an account has one of these roles: the ground truth."""
    guilty: Flags = np.isin(column(agents, "role"), [int(role) for role in roles])
    return guilty


def scores(found: Features, guilty: Flags, *, seed: int) -> Floats:
    """Probability of guilt of each account, by a regression that was fitted without it.

    Args:
        found: features.
        guilty: (agents,) ground truth, at least 5 of either kind.
        seed: of the five folds.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return _out_of_fold(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        found.values,
        guilty,
        seed,
    )


def text_scores(texts: Sequence[str], guilty: Flags, *, seed: int) -> Floats:
    """The same from words alone: TF-IDF of words and pairs of words. (n,), one a text."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    pipeline = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\S+"),  # noqa: S106
        LogisticRegression(max_iter=1000),
    )
    return _out_of_fold(pipeline, np.asarray(texts, dtype=object), guilty, seed)


def detection(score: Floats, guilty: Flags, *, threshold: float | None = None) -> Detection:
    """Precision, recall, F1 and AUROC of scores.

    Args:
        score: (n,) higher is more suspicious.
        guilty: (n,) ground truth, both kinds present.
        threshold: flagged at or above it; None for the one with the best F1, which flatters a
            detector a little.
    """
    from sklearn.metrics import precision_recall_curve, roc_auc_score

    _check_labels(score, guilty, 1)
    if threshold is None:
        precision, recall, cuts = precision_recall_curve(guilty, score)
        f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
        threshold = float(cuts[int(np.argmax(f1[:-1]))])
    flagged = score >= threshold
    hits = int(np.count_nonzero(flagged & guilty))
    total = int(np.count_nonzero(flagged))
    return Detection(
        threshold,
        hits / total if total else float("nan"),
        hits / int(guilty.sum()),
        2 * hits / (total + int(guilty.sum())),
        float(roc_auc_score(guilty, score)),
    )


def ticks_to_detection(
    score: Floats, ticks: NDArray[np.integer], start: int, threshold: float
) -> Floats:
    """Ticks from `start` until an account is first flagged.

    Args:
        score: (t, n) at each of `ticks`.
        ticks: (t,) ascending.
        start: of the campaign.
        threshold: flagged at or above it.

    Returns:
        (n,), NaN for accounts never flagged from `start` on.
    """
    late = ticks >= start
    flagged = score[late] >= threshold
    ever = flagged.any(axis=0) if len(flagged) else np.zeros(score.shape[1], np.bool_)
    first = ticks[late][flagged.argmax(axis=0)] if len(flagged) else np.zeros(score.shape[1])
    waited: Floats = np.where(ever, first - start, np.nan)
    return waited


@dataclass(frozen=True)
class _Acted:
    """Who acted on which post and when: m rows."""

    who: NDArray[np.int64]
    post: NDArray[np.int64]  # renumbered
    cell: NDArray[np.int64]  # one number a post and tick
    agents: int

    @classmethod
    def of(
        cls,
        who: NDArray[np.int64],
        target: NDArray[Any],
        tick: NDArray[np.int64],
        agents: int,
    ) -> _Acted:
        _, post = np.unique(target, return_inverse=True)
        span = int(tick.max()) + 1 if len(tick) else 1
        _, cell = np.unique(post * span + tick, return_inverse=True)
        return cls(who, post, cell, agents)

    def bursts(self) -> tuple[Floats, Floats]:
        """Means of log(1 + companions) and of the share of a post's acts in that tick."""
        together = np.bincount(self.cell)[self.cell]
        whole = np.bincount(self.post)[self.post]
        enough = whole >= 3
        return (
            self._mean(np.log1p(together - 1.0), np.ones(len(self.who), np.bool_)),
            self._mean(together / np.maximum(whole, 1), enough),
        )

    def similarity(self) -> Floats:
        """Mean cosine to the most alike accounts, 0 for accounts that act on nothing shared."""
        crowd = np.bincount(self.post)
        kept = (crowd[self.post] > 1) & (crowd[self.post] <= WIDEST)
        who, rows = np.unique(self.who[kept], return_inverse=True)
        result = np.zeros(self.agents)
        if len(who) == 0:
            return result
        weight = np.log(self.agents / crowd[self.post[kept]])
        matrix = sparse.csr_array(
            (weight, (rows, self.post[kept])), shape=(len(who), len(crowd)), dtype=np.float32
        )
        lengths = np.sqrt(matrix.multiply(matrix).sum(axis=1))
        unit = (sparse.diags_array(1 / np.maximum(lengths, 1e-12)) @ matrix).tocsr()
        back = unit.T.tocsr()
        for begin in range(0, len(who), _BLOCK_ROWS):
            block = (unit[begin : begin + _BLOCK_ROWS] @ back).tocoo()
            result[who[begin : begin + _BLOCK_ROWS]] = _mean_of_top(block, begin)
        return result

    def _mean(self, value: Floats, kept: Flags) -> Floats:
        total = np.bincount(self.who[kept], weights=value[kept], minlength=self.agents)
        count = np.bincount(self.who[kept], minlength=self.agents)
        return np.asarray(total / np.maximum(count, 1))


def _mean_of_top(block: sparse.coo_array, begin: int) -> Floats:
    """Mean of the largest few entries of each row, without the account itself."""
    other = block.row + begin != block.col
    row, value = block.row[other], block.data[other]
    order = np.lexsort((-value, row))
    row, value = row[order], value[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    top = place < NEIGHBOURS
    total = np.bincount(row[top], weights=value[top], minlength=block.shape[0])
    return np.asarray(total / NEIGHBOURS)


def _density(created: NDArray[np.integer], window: int) -> Floats:
    ordered = np.sort(created)
    low = np.searchsorted(ordered, created - window, side="left")
    high = np.searchsorted(ordered, created + window, side="right")
    return np.asarray(np.log(high - low))  # the account itself is the 1 +


def _out_of_fold(pipeline: Any, values: NDArray[Any], guilty: Flags, seed: int) -> Floats:
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    _check_labels(values, guilty, FOLDS)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    predicted = cross_val_predict(pipeline, values, guilty, cv=folds, method="predict_proba")
    return np.asarray(predicted[:, 1], np.float64)


def _check_labels(values: NDArray[Any], guilty: Flags, least: int) -> None:
    positive, total = int(np.count_nonzero(guilty)), len(guilty)
    if len(values) != total or min(positive, total - positive) < least:
        raise UsageError(
            f"wanted a label for each of {len(values)} rows and at least {least} of either kind, "
            f"got {total} labels, {positive} of them guilty; run more accounts"
        )
