from __future__ import annotations

import numpy as np
import pytest

from burnish.data import Examples, best_answers, encode, exact_match, score_answers, token_f1
from burnish.errors import UsageError

CONTEXT = "the man met the woman in the park who was late in the park"


@pytest.fixture
def asked(tokenizer):
    examples = Examples(
        "qa", (0, 1), ("the man left", CONTEXT), ("who", "who"), (), ((4, "man"), (4, "man"))
    )
    return examples, encode(examples, tokenizer, max_length=11, stride=3)


def by_hand(examples, encoded, starts, ends, most) -> list[str]:
    """The best span of each example, by trying all."""
    best = [(-np.inf, "")] * len(examples)
    for row, source in enumerate(encoded.sources):
        spans = encoded.context_spans([row])[0]
        for s in range(len(spans)):
            for e in range(s, min(s + most, len(spans))):
                if spans[s, 0] >= 0 and spans[e, 0] >= 0:
                    text = examples.texts[source][spans[s, 0] : spans[e, 1]]
                    best[source] = max(best[source], (starts[row, s] + ends[row, e], text))
    return [text for _, text in best]


@pytest.mark.parametrize("most", [1, 2, 30])
@pytest.mark.parametrize("seed", range(3))
def test_the_best_span_is_found(asked, monkeypatch, seed, most):
    examples, encoded = asked
    monkeypatch.setattr("burnish.data.answers._ROWS", 2)
    starts, ends = np.random.default_rng(seed).normal(size=(2, len(encoded), 13))
    found = best_answers(examples, encoded, starts, ends, max_tokens=most)
    assert list(found) == by_hand(examples, encoded, starts.astype("f4"), ends.astype("f4"), most)


def test_the_gold_positions_give_the_gold_answers(asked):
    examples, encoded = asked
    starts, ends = np.zeros((2, len(encoded), 11))
    rows = np.arange(len(encoded))
    starts[rows, encoded.positions[:, 0]] = ends[rows, encoded.positions[:, 1]] = 5
    found = best_answers(examples, encoded, starts, ends)
    assert found == ("man", "man")
    assert score_answers(found, ["man", "man"]).exact_percent == 100


@pytest.mark.parametrize(("shape", "most"), [((4, 5), 30), ((3, 11), 30), ((4, 11), 0), ((4,), 30)])
def test_scores_that_do_not_fit_are_refused(asked, shape, most):
    with pytest.raises(UsageError, match="4 rows of up to 11 tokens need start and end scores"):
        best_answers(*asked, np.zeros(shape), np.zeros(shape), max_tokens=most)


@pytest.mark.parametrize(
    ("predicted", "wanted", "exact", "f1"),
    [
        ("The  Man.", "man", True, 1.0),
        ("the tall man", "a man", False, 2 / 3),
        ("man man", "man", False, 2 / 3),
        ("dog", "cat", False, 0.0),
        ("", "cat", False, 0.0),
        ("the", "", True, 1.0),
        ("theatre", "atre", False, 0.0),
    ],
)
def test_answers_are_compared_as_squad_does(predicted, wanted, exact, f1):
    assert exact_match(predicted, wanted) is exact
    assert token_f1(predicted, wanted) == pytest.approx(f1)


def test_scores_are_means_in_percent():
    scores = score_answers(["the man", "tall man"], ["man", "man"])
    assert scores.exact.tolist() == [True, False]
    assert (scores.exact_percent, scores.f1_percent) == pytest.approx((50, 100 * (1 + 2 / 3) / 2))
    with pytest.raises(UsageError, match="got 1 for 2 wanted"):
        score_answers(["a"], ["a", "b"])
