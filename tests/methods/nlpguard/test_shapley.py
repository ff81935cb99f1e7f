import math
from itertools import permutations

import numpy as np
import pytest
from scipy.special import expit, logit

from burnish.errors import UsageError
from burnish.methods.nlpguard.classifier import Skipped
from burnish.methods.nlpguard.shapley import PartitionShapley
from burnish.methods.nlpguard.words import word_spans


class Game:
    """A classifier whose log-odds of class 1 are a given worth of the set of words in a text."""

    classes = ("no", "yes")

    def __init__(self, worth):
        self.worth, self.calls = worth, []

    def probabilities(self, texts):
        self.calls.append(len(texts))
        odds = [
            self.worth(frozenset(text[start:end] for start, end in word_spans(text)))
            for text in texts
        ]
        return np.stack([expit(-np.array(odds)), expit(odds)], 1)


def weights(words):
    return 0.4 * ("a" in words) - 0.2 * ("b" in words) + 0.1 * ("c" in words)


def tangled(words):
    pairs = ("a" in words and "b" in words) * 0.5 - ("b" in words and "d" in words) * 0.3
    return weights(words) + pairs + 0.6 * (words >= {"a", "c", "d"}) + math.tanh(len(words) / 3)


def shapley(words, worth):
    """By definition: the mean, over all orders, of what each word adds when it comes."""
    total = dict.fromkeys(words, 0.0)
    orders = list(permutations(words))
    for order in orders:
        for place, word in enumerate(order):
            total[word] += worth(frozenset(order[: place + 1])) - worth(frozenset(order[:place]))
    return np.array([total[word] for word in words]) / len(orders)


def owen(words, worth, tree):
    """Mean over the orders that a tree of words allows: its halves go in either order, whole."""

    def orders(node):
        if isinstance(node, str):
            return [(node,)]
        first, second = map(orders, node)
        return [x + y for a, b in ((first, second), (second, first)) for x in a for y in b]

    total = dict.fromkeys(words, 0.0)
    every = orders(tree)
    for order in every:
        for place, word in enumerate(order):
            total[word] += worth(frozenset(order[: place + 1])) - worth(frozenset(order[:place]))
    return np.array([total[word] for word in words]) / len(every)


def explained(worth, text, budget):
    (found,) = PartitionShapley(Game(worth), budget).explain([text], np.array([1]))
    return found


def normal(values):
    return values / np.abs(values).sum()


def test_additive_worth_is_given_to_each_word_exactly():
    found = explained(weights, "a b c d", 100)
    assert found.words == ("a", "b", "c", "d")
    assert np.allclose(found.scores, normal(np.array([0.4, -0.2, 0.1, 0])), atol=1e-5)


def test_two_words_have_their_shapley_values():
    found = explained(tangled, "a b", 100)
    assert np.allclose(found.scores, normal(shapley(["a", "b"], tangled)), atol=1e-5)


def test_more_words_have_the_owen_values_of_the_balanced_tree():
    found = explained(tangled, "a b c d", 100)
    wanted = owen(["a", "b", "c", "d"], tangled, (("a", "b"), ("c", "d")))
    assert np.allclose(found.scores, normal(wanted), atol=1e-5)
    assert not np.allclose(found.scores, normal(shapley(["a", "b", "c", "d"], tangled)), atol=1e-3)


@pytest.mark.parametrize("budget", [2, 3, 4, 7, 12, 200])
def test_scores_sum_to_the_whole_difference_within_any_budget(budget):
    game = Game(tangled)
    (found,) = PartitionShapley(game, budget).explain(["a b c d b a"], np.array([1]))
    assert found.completeness_error < 1e-9
    assert sum(game.calls) <= budget


def test_a_budget_for_the_ends_alone_shares_evenly():
    found = explained(tangled, "a b c d", 2)
    assert np.allclose(found.scores, 0.25)


def test_the_part_with_the_largest_worth_is_halved_first():
    def worth(words):
        return float("d" in words)

    # ends, the two halves of all, and once those of "c d" alone: 2 + 2 + 2
    found = explained(worth, "a b c d", 6)
    assert found.scores[3] > found.scores[2] > 0
    assert found.scores[:2].tolist() == pytest.approx([0, 0], abs=1e-6)


def test_texts_share_calls_and_keep_their_own_results(linear):
    texts = ["she was a nurse", "", "the king of the french , the king", "poet"]
    targets = np.array([1, 0, 2, 0])
    together = PartitionShapley(linear).explain(texts, targets)
    assert together[1] == Skipped("it has no words")
    for row in (0, 2, 3):
        (one,) = PartitionShapley(linear).explain(texts[row : row + 1], targets[row : row + 1])
        assert np.allclose(one.scores, together[row].scores, atol=1e-9)
    game = Game(weights)
    PartitionShapley(game).explain(["a b c"] * 50, np.ones(50, dtype=int))
    assert len(game.calls) <= 4


def test_the_worth_of_a_single_word_is_the_whole(linear):
    (found,) = PartitionShapley(linear).explain(["king!"[:4]], np.array([2]))
    raw = logit(linear.probabilities(["king", ""])[:, 2].astype(float))
    assert found.scores.tolist() == [np.sign(raw[0] - raw[1])]


def test_a_budget_without_both_ends_is_refused(linear):
    with pytest.raises(UsageError, match="at least 2, got 1"):
        PartitionShapley(linear, budget=1)
