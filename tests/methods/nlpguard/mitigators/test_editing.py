"""Editing for training, and texts a classifier is not shown."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from burnish.errors import UsageError
from burnish.methods.nlpguard.annotation import Protected
from burnish.methods.nlpguard.mitigators import Editing, Unawareness
from burnish.methods.nlpguard.moderating import MitigationError
from burnish.methods.nlpguard.rows import Rows
from burnish.methods.nlpguard.strategies import SentenceRemoval, WordRemoval
from burnish.methods.nlpguard.training import train


def linear(rows):
    return train("linear", rows.texts, rows.labels, ("writer", "player"), 0)


def words(texts):
    return set(CountVectorizer(token_pattern=r"\w+").fit(texts).vocabulary_)


def test_editing_gives_rows_to_train_on(biased):
    mitigation = Editing(WordRemoval()).fit(biased.rows, biased.protected, biased.matcher)
    assert (mitigation.weights, mitigation.penalty, mitigation.wrap) == (None, None, None)
    edited = Rows.of(mitigation.data.data)
    assert {"he", "she"} <= words(biased.rows.texts)
    assert words(edited.texts) == words(biased.rows.texts) - {"he", "she"}
    assert edited.labels == biased.rows.labels


def test_editing_by_label_leaves_other_labels_alone(biased):
    by_label = {0: Protected({"she": "sex"})}
    editing = Editing(WordRemoval(), by_label=by_label)
    edited = Rows.of(editing.fit(biased.rows, biased.protected, biased.matcher).data.data)
    for old, new, label in zip(biased.rows.texts, edited.texts, edited.labels, strict=True):
        assert new == (old.removeprefix("she ") if label == 0 else old)


def test_losses_are_guarded(biased):
    editing = Editing(SentenceRemoval())
    with pytest.raises(MitigationError, match="sentence_removal would leave no row of the class"):
        editing.fit(biased.rows, biased.protected, biased.matcher)


@pytest.mark.parametrize(("moment", "trains", "wraps"), [
    ("train", True, False), ("inference", False, True), ("both", True, True),
])  # fmt: skip
def test_unawareness_is_applied_when_it_is_told(biased, moment, trains, wraps):
    mitigation = Unawareness(moment).fit(biased.rows, biased.protected, biased.matcher)
    assert (mitigation.data is not None, mitigation.wrap is not None) == (trains, wraps)


def test_an_unaware_classifier_cannot_tell_protected_words_apart(biased):
    classifier = linear(biased.rows)
    wrap = Unawareness().fit(biased.rows, biased.protected, biased.matcher).wrap
    unaware = wrap(classifier)
    texts = ["She wrote well", "He wrote well", "wrote well"]
    seen = classifier.probabilities(texts)
    assert abs(seen[0] - seen[1]).max() > 0.05
    blind = unaware.probabilities(texts)
    np.testing.assert_array_equal(blind, np.tile(seen[2], (3, 1)))
    assert unaware.classes == classifier.classes
    assert unaware.probabilities([]).shape == (0, 2)


def test_another_moment_is_refused():
    with pytest.raises(UsageError, match="apply_at is train, inference or both, got 'later'"):
        Unawareness("later")
