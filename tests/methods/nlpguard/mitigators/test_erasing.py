"""Concepts are erased from the vectors of a real encoder, and the head is learnt anew."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression
from torch import nn

from burnish.errors import DataError, UsageError
from burnish.methods.nlpguard.mitigators import ConceptErasure
from burnish.methods.nlpguard.rows import Rows
from burnish.methods.nlpguard.training import TrainedEncoder, train


@pytest.fixture
def erased(tiny, biased, request):
    erasure = ConceptErasure(getattr(request, "param", "leace"))
    return erasure.fit(biased.rows, biased.protected, biased.matcher).wrap(tiny.classifier)


def known(vectors, rows, matcher):
    """How much of a category a linear probe explains."""
    z = matcher.presence(rows.texts)[:, 7].astype(float)
    return LinearRegression().fit(vectors, z).score(vectors, z)


def test_leace_leaves_nothing_of_the_category_and_the_classes_stay(tiny, biased, erased):
    texts = biased.rows.texts
    assert known(tiny.classifier.embed(texts), biased.rows, biased.matcher) > 0.9
    assert known(erased.embed(texts), biased.rows, biased.matcher) < 1e-3
    shares = erased.probabilities(texts)
    assert shares.shape == (40, 2)
    assert shares.dtype == np.float32
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-5)
    assert (shares.argmax(1) == biased.rows.labels).mean() > 0.8  # "wrote" or "played" says it
    assert erased.probabilities([]).shape == (0, 2)
    assert erased.classes == tiny.classifier.classes


@pytest.mark.parametrize("erased", ["leace", "inlp"], indirect=True)
def test_the_map_folds_into_the_model_and_leaves_the_original(tiny, biased, erased):
    original = tiny.classifier.model
    before = {name: value.clone() for name, value in original.state_dict().items()}
    folded = TrainedEncoder(erased.model(original), tiny.tokenizer, erased.classes)
    texts = biased.rows.texts
    np.testing.assert_allclose(folded.probabilities(texts), erased.probabilities(texts), atol=2e-5)
    assert all(torch.equal(before[name], value) for name, value in original.state_dict().items())
    assert erased.affine.rank >= 1


def test_three_classes_by_name_of_which_one_has_no_row(tiny, biased):
    classes = ("writer", "nobody", "player")
    model = tiny.copy(num_labels=3)
    pairs = zip(biased.rows.texts, biased.rows.labels, strict=True)
    rows = Rows.of([{"text": text, "label": classes[2 * label]} for text, label in pairs])
    wrap = ConceptErasure().fit(rows, biased.protected, biased.matcher).wrap
    found = wrap(TrainedEncoder(model, tiny.tokenizer, classes)).probabilities(rows.texts)
    assert found[:, 1].max() < 1e-6
    assert (found.argmax(1) == 2 * np.array(biased.rows.labels)).mean() > 0.8


def test_what_cannot_be_erased_from_is_refused(tiny, biased):
    wrap = ConceptErasure().fit(biased.rows, biased.protected, biased.matcher).wrap
    linear = train("linear", biased.rows.texts, biased.rows.labels, ("a", "b"), 0)
    with pytest.raises(UsageError, match="a TrainedLinear has none"):
        wrap(linear)
    strange = Rows.of([{"text": "he", "label": "x"}, {"text": "she", "label": "writer"}])
    wrap = ConceptErasure().fit(strange, biased.protected, biased.matcher).wrap
    with pytest.raises(DataError, match="the label of row 0 is 'x'"):
        wrap(tiny.classifier)
    one = Rows.of([{"text": "he", "label": 0}, {"text": "she", "label": 0}])
    with pytest.raises(UsageError, match="at least two classes, got one"):
        ConceptErasure().fit(one, biased.protected, biased.matcher).wrap(tiny.classifier)
    with pytest.raises(UsageError, match="eraser is leace or inlp, got 'pca'"):
        ConceptErasure("pca")


def test_a_model_without_such_a_head_is_refused(tiny, erased):
    with pytest.raises(UsageError, match="Linear has no linear head named classifier or score"):
        erased.model(nn.Linear(2, 2))
    with pytest.raises(UsageError, match=r"head is of shape \(3, 16\) and the erased one of \(2"):
        erased.model(tiny.copy(num_labels=3))
