"""A linear classifier on the frozen vectors of an encoder."""

import numpy as np
import pytest
import torch

from burnish.errors import UsageError
from burnish.methods.cap.probing import probe, vectors_of


def test_a_probe_finds_classes_that_the_text_tells(tiny):
    """The second token says the class, and even a random encoder passes some of it on."""
    found = probe(tiny.classifier(0), tiny.encoded(300), tiny.encoded(200, seed=1))
    assert (found.train, found.test) == (300, 200)
    assert 25 < found.majority < 45
    assert found.accuracy > found.majority + 20


def test_a_probe_finds_nothing_where_there_is_nothing(tiny):
    model = tiny.classifier(0)
    with torch.no_grad():
        model.bert.pooler.dense.weight.zero_()
    found = probe(model, tiny.encoded(300), tiny.encoded(200, seed=1))
    assert found.accuracy == found.majority


def test_vectors_lie_at_the_rows_of_their_examples_and_the_model_stays(tiny):
    model, examples = tiny.classifier(0), tiny.encoded(70)
    found = vectors_of(model, examples, "cls")
    inputs = examples.batch(np.arange(70))
    inputs.pop("labels")
    with torch.no_grad():
        wanted = tiny.classifier(0).bert(**inputs).pooler_output
    assert np.abs(found - wanted.numpy()).max() < 1e-5
    assert tiny.same_weights(model, tiny.classifier(0))
    assert not model.bert._forward_hooks


def test_the_head_has_no_say(tiny):
    parts = tiny.encoded(60), tiny.encoded(40, seed=1)
    model = tiny.classifier(0)
    before = probe(model, *parts)
    with torch.no_grad():
        model.classifier.weight.normal_(generator=torch.Generator().manual_seed(0))
    assert probe(model, *parts) == before


def test_questions_and_a_single_class_are_refused(tiny):
    questions = tiny.encoded(10, task="qa")
    with pytest.raises(UsageError, match="a probe classifies; give it classification or pairs"):
        probe(tiny.answerer(0), questions, questions)
    alone = tiny.encoded(10, classes=1)
    with pytest.raises(UsageError, match="training examples of at least two classes, got one"):
        probe(tiny.classifier(0), alone, tiny.encoded(10))
