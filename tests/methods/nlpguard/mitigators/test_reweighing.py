"""Weighted rows show no link between label and group."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from burnish.errors import UsageError
from burnish.methods.nlpguard.annotation import Protected
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.mitigators import Reweighing, independent
from burnish.methods.nlpguard.rows import Rows

MATCHER = Matcher({"he": "sex", "thai": "race"})
NOBODY = Protected({})


def rows(*pairs):
    return Rows.of([{"text": text, "label": label} for text, label in pairs])


def test_weights_are_the_formula():
    data = rows(("he", 1), ("he", 1), ("he", 0), ("x", 1), ("x", 0))
    weights = Reweighing().fit(data, NOBODY, MATCHER).weights.weights
    # P(he) = 3/5, P(1) = 3/5, P(he, 1) = 2/5 and so on
    expected = [9 / 10, 9 / 10, 6 / 5, 6 / 5, 4 / 5]
    np.testing.assert_allclose(weights, expected)


def test_groups_and_labels_become_independent():
    rng = np.random.default_rng(0)
    groups, labels = rng.integers(0, 3, 500), rng.integers(0, 4, 500)
    labels[groups == 1] = np.maximum(labels[groups == 1], rng.integers(0, 4, (groups == 1).sum()))
    weights, missing = independent(groups.tolist(), labels.tolist())
    assert missing == 0
    table = np.zeros((3, 4))
    np.add.at(table, (groups, labels), weights)
    assert mutual_info_score(groups, labels) > 0.01
    np.testing.assert_allclose(table, np.outer(table.sum(1), table.sum(0)) / 500)
    np.testing.assert_allclose(table.sum(1), np.bincount(groups))
    np.testing.assert_allclose(table.sum(0), np.bincount(labels))


def test_a_group_is_the_pattern_of_the_categories_that_count():
    data = rows(("he thai", 1), ("he", 0), ("thai", 1), ("x", 0), ("x", 1), ("he", 1))
    every = Reweighing().fit(data, NOBODY, MATCHER).weights
    assert every.notes == ("2 pairs of group and label have no row, so weights cannot make them",)
    race = Reweighing(categories=("race",)).fit(data, NOBODY, MATCHER).weights.weights
    expected, _ = independent([1, 0, 1, 0, 0, 0], data.labels)
    np.testing.assert_allclose(race, expected)


def test_known_groups_take_the_place_of_words():
    data = rows(("he", 1), ("x", 0), ("x", 1))
    weights = Reweighing(groups=["a", "a", "b"]).fit(data, NOBODY, MATCHER).weights.weights
    np.testing.assert_allclose(weights, [4 / 3, 2 / 3, 2 / 3])
    with pytest.raises(UsageError, match="pair up row by row, got 2 and 3"):
        Reweighing(groups=["a", "b"]).fit(data, NOBODY, MATCHER)


def test_no_rows_are_refused():
    with pytest.raises(UsageError, match="got 0 and 0; give one of each for every row"):
        independent([], [])


def test_unknown_categories_are_refused():
    with pytest.raises(UsageError, match="did you mean 'race'"):
        Reweighing(categories=("races",))
    with pytest.raises(UsageError, match="needs a category at least"):
        Reweighing(categories=())
