"""From the scores of start and end tokens to answers, and how good they are.

Source of the measures: Rajpurkar et al. 2016, arXiv:1606.05250, section 6.1, whose evaluation
leaves out case, punctuation, articles and spaces before it compares.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from burnish.data.encoding import Encoded
from burnish.data.examples import Examples
from burnish.errors import UsageError

_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


@dataclass(frozen=True)
class AnswerScores:
    """How well answers match.

    Attributes:
        exact: (n,) whether the answer of each example is the wanted one.
        f1: (n,) F1 of its words, 0 to 1.
    """

    exact: NDArray[np.bool_]
    f1: NDArray[np.float64]

    @property
    def exact_percent(self) -> float:
        """Mean of `exact`, in percent."""
        return 100 * float(self.exact.mean())

    @property
    def f1_percent(self) -> float:
        """Mean of `f1`, in percent."""
        return 100 * float(self.f1.mean())


def best_answers(
    examples: Examples,
    encoded: Encoded,
    start_logits: ArrayLike,
    end_logits: ArrayLike,
    *,
    max_tokens: int = 30,
) -> tuple[str, ...]:
    """The span of each example's context with the highest sum of start and end score.

    All rows of an example compete; a span lies within one row's part of the context.

    Args:
        examples: what was encoded.
        encoded: its rows, n of them.
        start_logits: (n, T) scores, T at least the longest row; what lies behind a row's end does
            not count.
        end_logits: (n, T) likewise.
        max_tokens: longest span.

    Returns:
        One answer for each example; "" if none of its rows has a token of the context.

    Raises:
        UsageError: the scores do not fit the rows, or max_tokens is not positive.
    """
    starts, ends = np.asarray(start_logits, np.float32), np.asarray(end_logits, np.float32)
    longest = int(encoded.lengths.max())
    fits = starts.shape == ends.shape and starts.ndim == 2 and len(starts) == len(encoded)
    if not fits or starts.shape[1] < longest or max_tokens < 1:
        raise UsageError(
            f"{len(encoded)} rows of up to {longest} tokens need start and end scores "
            f"({len(encoded)}, {longest} or more) and max_tokens of 1 or more, got {starts.shape}, "
            f"{ends.shape} and {max_tokens}"
        )
    best = np.full(len(examples), -np.inf, np.float32)
    answers = [""] * len(examples)
    for first in range(0, len(encoded), _ROWS):
        rows = np.arange(first, min(first + _ROWS, len(encoded)))
        spans = encoded.context_spans(rows)
        width = spans.shape[1]
        outside = spans[:, :, 0] < 0
        begin = np.where(outside, -np.inf, starts[rows, :width])
        end = np.where(outside, -np.inf, ends[rows, :width])
        values, token, last = _best_spans(begin, end, max_tokens)
        for i, source in enumerate(encoded.sources[rows]):
            if values[i] > best[source]:
                best[source] = values[i]
                span = slice(spans[i, token[i], 0], spans[i, last[i], 1])
                answers[source] = examples.texts[source][span]
    return tuple(answers)


_ROWS = 512  # looked at together; bounds the memory


def _best_spans(
    begin: NDArray[np.float32], end: NDArray[np.float32], most: int
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """The highest begin[i, s] + end[i, e] with s <= e < s + most in each row, and its s and e."""
    value, size = begin + end, np.zeros(begin.shape, np.int64)
    for more in range(1, min(most, begin.shape[1])):
        longer = begin[:, :-more] + end[:, more:]
        better = longer > value[:, :-more]
        value[:, :-more][better] = longer[better]
        size[:, :-more][better] = more
    row, token = np.arange(len(value)), value.argmax(axis=1)
    return value[row, token], token, token + size[row, token]


def exact_match(predicted: str, wanted: str) -> bool:
    """Whether two answers are the same, but for case, punctuation, articles and spaces."""
    return _words(predicted) == _words(wanted)


def token_f1(predicted: str, wanted: str) -> float:
    """F1, 0 to 1, of the words that two answers share; 1 if neither has any."""
    ours, theirs = _words(predicted), _words(wanted)
    shared = (Counter(ours) & Counter(theirs)).total()
    if not ours or not theirs:
        return float(ours == theirs)
    return 2 * shared / (len(ours) + len(theirs))


def score_answers(predicted: Sequence[str], wanted: Sequence[str]) -> AnswerScores:
    """Exact match and F1 of each predicted answer with the wanted one.

    Raises:
        UsageError: there are no answers, or not equally many.
    """
    if len(predicted) != len(wanted) or not wanted:
        raise UsageError(
            f"answers are compared one to one, got {len(predicted)} for {len(wanted)} wanted"
        )
    pairs = list(zip(predicted, wanted, strict=True))
    return AnswerScores(
        exact=np.array([exact_match(ours, theirs) for ours, theirs in pairs]),
        f1=np.array([token_f1(ours, theirs) for ours, theirs in pairs]),
    )


def _words(answer: str) -> list[str]:
    return _ARTICLE.sub(" ", answer.lower().translate(_NO_PUNCTUATION)).split()
