"""Several opinions of a word made one, and how far those who gave them agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from burnish.errors import UsageError, nearest
from burnish.evidence import Interval
from burnish.methods.nlpguard.annotation import (
    CATEGORIES,
    NONE,
    UNDECIDED,
    Annotation,
    Annotator,
    check_category,
)
from burnish.methods.nlpguard.lexicon import Lexicon

Rule = Literal["unanimous", "majority", "any"]

RESAMPLES = 9999
PROTECTED = "protected"

Tallies = NDArray[np.float64]


def decide(votes: Sequence[str], rule: Rule = "majority") -> tuple[str, float]:
    """The label that votes add up to, and the share of them on its side.

    First it is decided whether the word is protected, then as what: by the category with most
    votes, the one named first if several have. With "majority" a word is protected if more than
    half of all votes name some category, and not if more than half say "none"; with "any" one
    category is enough; with "unanimous" all must name one. An undecided vote says neither, so
    where it could turn the result, or votes are tied, the label is "undecided".

    Args:
        votes: labels; may be empty.
        rule: how they count.

    Raises:
        UsageError: an unknown label or rule.

    Source: the majority is that of Greco et al.'s repository, version 0.0.7; departure: an
    undecided vote there counts for nothing, so that a word nobody understood is not protected.
    """
    if rule not in get_args(Rule):
        raise UsageError(f"{rule!r} is no rule of voting; {nearest(rule, get_args(Rule))}")
    for vote in votes:
        check_category(vote, known=(*CATEGORIES, NONE, UNDECIDED))
    if not votes:
        return UNDECIDED, 0.0
    named = [vote for vote in votes if vote in CATEGORIES]
    against = votes.count(NONE)
    most = len(votes) // 2 + 1
    # how many votes for a category protect a word, and how many for none settle that it is not
    protecting, settling = {
        "unanimous": (len(votes), 1),
        "majority": (most, most),
        "any": (1, len(votes)),
    }[rule]
    if len(named) >= protecting:
        return Counter(named).most_common(1)[0][0], len(named) / len(votes)
    return (NONE, against / len(votes)) if against >= settling else (UNDECIDED, 0.0)


class VoteAnnotator:
    """Annotators who vote on each word.

    Args:
        voters: at least one; their labels become the votes, in this order.
        rule: see `decide`.
        final: those of the voters whose decision stands, whatever the others say; the first of
            them that is not undecided. By default the lexicons: a language model is heard and its
            disagreement recorded, but it overrides none of them. With `()` all votes count alike.

    Raises:
        UsageError: no voters, an unknown rule, or one in `final` that does not vote.
    """

    def __init__(
        self,
        voters: Sequence[Annotator],
        *,
        rule: Rule = "majority",
        final: Sequence[Annotator] | None = None,
    ) -> None:
        if not voters:
            raise UsageError("a vote needs at least one annotator, got none")
        decide((), rule)  # refuses an unknown rule now
        if final is None:
            final = [voter for voter in voters if isinstance(voter, Lexicon)]
        elif not all(any(each is voter for voter in voters) for each in final):
            raise UsageError("an annotator whose word is final must be one of the voters")
        self._voters = tuple(voters)
        self._rule: Rule = rule
        self._final = tuple(
            index for each in final for index, voter in enumerate(voters) if voter is each
        )

    def annotate(
        self, words: Sequence[str], contexts: Mapping[str, Sequence[str]] | None = None
    ) -> list[Annotation]:
        """See `Annotator.annotate`; `votes` holds one label a voter."""
        by_voter = [voter.annotate(words, contexts) for voter in self._voters]
        return [self._combined(opinions) for opinions in zip(*by_voter, strict=True)]

    def _combined(self, opinions: Sequence[Annotation]) -> Annotation:
        votes = tuple(opinion.category for opinion in opinions)
        label, score = decide(votes, self._rule)
        source = f"vote ({self._rule})"
        for index in self._final:
            if votes[index] != UNDECIDED:
                label, score = votes[index], opinions[index].score
                source = opinions[index].source
                break
        agreeing = [o for o in opinions if o.category == label and o.rationale]
        return Annotation(
            word=opinions[0].word,
            category=label,
            score=score,
            votes=votes,
            source=source,
            rationale=agreeing[0].rationale if agreeing else "",
        )


@dataclass(frozen=True)
class Agreement:
    """How far raters agree beyond chance, each with a 95 % bootstrap interval over words.

    Attributes:
        words: that every rater decided; only they are compared.
        left_out: words of which a rater was undecided or gave no vote.
        fleiss: of all raters; None where it is undefined: fewer than two raters, no words, or one
            label throughout.
        cohen: of each pair of raters.
    """

    words: int
    left_out: int
    fleiss: Interval | None
    cohen: Mapping[tuple[str, str], Interval | None]


def agreement(
    annotations: Sequence[Annotation],
    raters: Sequence[str],
    *,
    seed: int,
    between: Literal["categories", "protected"] = "categories",
) -> Agreement:
    """Fleiss's and Cohen's kappa of the votes of annotations.

    Args:
        annotations: their `votes` hold one label a rater, in the order of `raters`.
        raters: names, at least one, distinct.
        seed: of the 9,999 resamples of words.
        between: compares nine categories and "none", or only whether a word is protected.

    Raises:
        UsageError: no raters, or names that repeat.

    Source: Cohen 1960, Educ. Psychol. Meas. 20:37-46; Fleiss 1971, Psychol. Bull. 76:378-382;
    percentile bootstrap as in Efron and Tibshirani 1993, chapter 13.
    """
    if not raters or len(set(raters)) < len(raters):
        raise UsageError(f"agreement needs raters with distinct names, got {list(raters)}")
    complete = [
        each.votes
        for each in annotations
        if len(each.votes) == len(raters) and UNDECIDED not in each.votes
    ]
    columns: dict[str, int] = {}
    codes = np.array(
        [[columns.setdefault(_level(v, between), len(columns)) for v in row] for row in complete],
        dtype=np.int64,
    ).reshape(len(complete), len(raters))
    rng = np.random.default_rng(seed)
    cohen = {
        (raters[i], raters[j]): _cohen(codes[:, i], codes[:, j], len(columns), rng)
        for i, j in combinations(range(len(raters)), 2)
    }
    left_out = len(annotations) - len(complete)
    return Agreement(len(complete), left_out, _fleiss(codes, len(columns), rng), cohen)


def _level(label: str, between: str) -> str:
    return PROTECTED if between == "protected" and label != NONE else label


def _cohen(
    first: NDArray[np.int64], second: NDArray[np.int64], labels: int, rng: np.random.Generator
) -> Interval | None:
    """Resampling words is drawing the cells of the raters' table from a multinomial."""
    from sklearn.metrics import cohen_kappa_score, confusion_matrix

    if labels < 2 or len({*first.tolist(), *second.tolist()}) < 2:
        return None
    table = confusion_matrix(first, second, labels=range(labels))
    drawn = _resampled(table.ravel(), rng).reshape(RESAMPLES, labels, labels)
    observed = np.trace(drawn, axis1=1, axis2=2) / len(first)
    expected = (drawn.sum(1) * drawn.sum(2)).sum(-1) / len(first) ** 2
    return _interval(float(cohen_kappa_score(first, second)), observed, expected)


def _fleiss(codes: NDArray[np.int64], labels: int, rng: np.random.Generator) -> Interval | None:
    words, raters = codes.shape
    if words == 0 or raters < 2 or labels < 2:
        return None
    counts = np.stack([(codes == label).sum(1) for label in range(labels)], axis=1)
    patterns, times = np.unique(counts, axis=0, return_counts=True)
    alike = ((patterns**2).sum(1) - raters) / (raters * (raters - 1))
    weights = np.concatenate([times[None], _resampled(times, rng)]) / words
    observed = weights @ alike
    expected = ((weights @ patterns / raters) ** 2).sum(1)
    estimate = (observed[0] - expected[0]) / (1 - expected[0])
    return _interval(float(estimate), observed[1:], expected[1:])


def _resampled(counts: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """(resamples, cells): how often each cell is drawn when its words are drawn anew."""
    return rng.multinomial(counts.sum(), counts / counts.sum(), size=RESAMPLES)


def _interval(estimate: float, observed: Tallies, expected: Tallies) -> Interval:
    """A resample with one label throughout has no kappa and is left out."""
    varied = expected < 1 - 1e-12
    kappas = (observed[varied] - expected[varied]) / (1 - expected[varied])
    low, high = np.percentile(kappas, (2.5, 97.5)) if kappas.size else (estimate, estimate)
    return Interval(estimate, float(low), float(high))
