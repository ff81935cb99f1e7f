"""One pass gives logits and the vector; and which teachers can teach."""

import numpy as np
import pytest
import torch

from burnish.errors import DataError, UsageError
from burnish.methods.cap.represent import Represented, check_examples, check_models


def inputs_of(examples):
    inputs = examples.batch(np.arange(len(examples)))
    labels = {name: inputs.pop(name) for name in list(inputs) if "label" in name or "_pos" in name}
    return inputs, labels


def test_vectors_are_the_poolers_or_the_mean_of_tokens_that_are_no_padding(tiny):
    model, (inputs, _) = tiny.classifier(0), inputs_of(tiny.encoded(7))
    plain = tiny.classifier(0)
    with torch.no_grad():
        encoder = plain.bert(**inputs)
        wanted = plain(**inputs).logits
        logits, pooled = Represented(model, "cls", 0.1).eval()(**inputs)
        _, averaged = Represented(model, "mean", 0.1).eval()(**inputs)
    assert logits.shape == (1, 7, 3)
    assert torch.allclose(logits[0], wanted, atol=1e-5)
    assert torch.allclose(pooled, encoder.pooler_output, atol=1e-5)
    for row in range(7):
        length = int(inputs["attention_mask"][row].sum())
        by_hand = encoder.last_hidden_state[row, :length].mean(0)
        assert torch.allclose(averaged[row], by_hand, atol=1e-5)


def test_question_answering_gives_two_heads_and_the_raw_first_token(tiny):
    model, (inputs, _) = tiny.answerer(0), inputs_of(tiny.encoded(7, task="qa"))
    with torch.no_grad():
        wanted = tiny.answerer(0)(**inputs)
        raw = tiny.answerer(0).bert(**inputs).last_hidden_state[:, 0]
        represented = Represented(model, "cls", 0.5)
        logits, vectors = represented.eval()(**inputs)
    inside = inputs["attention_mask"].bool()
    assert logits.shape == (2, *inside.shape)
    assert torch.allclose(logits[0][inside], wanted.start_logits[inside], atol=1e-5)
    assert torch.allclose(logits[1][inside], wanted.end_logits[inside], atol=1e-5)
    assert not inside.all()
    assert (logits[:, ~inside] == -1e4).all()
    assert torch.allclose(vectors, raw, atol=1e-5)


@pytest.mark.parametrize(("pooling", "dropped"), [("cls", True), ("mean", False)])
def test_dropout_on_the_anchor_is_for_the_pooled_vector_in_training(tiny, pooling, dropped):
    model = tiny.classifier(0, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    inputs, _ = inputs_of(tiny.encoded(7))
    represented = Represented(model, pooling, 0.5)
    with torch.no_grad():
        calm = represented.eval()(**inputs)[1]
        trained = represented.train()(**inputs)[1]
    gone = (trained == 0).float().mean()
    assert (0.3 < gone < 0.7) == dropped
    kept = trained != 0
    assert torch.allclose(trained[kept], calm[kept] * (2 if dropped else 1), atol=1e-5)


def test_a_released_model_is_as_it_was(tiny):
    model, before = tiny.classifier(0), tiny.classifier(0).config._attn_implementation
    represented = Represented(model, "cls", 0.0)
    assert model.config._attn_implementation == "eager"
    represented.release()
    assert model.config._attn_implementation == before != "eager"
    assert not model.bert._forward_hooks


def test_a_teacher_of_the_same_kind_is_accepted(tiny):
    check_models(tiny.classifier(0), tiny.classifier(1, num_hidden_layers=1), projection=False)
    wide = tiny.classifier(1, hidden_size=64)
    check_models(tiny.classifier(0), wide, projection=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 41}, "share a tokenizer, but know 40 and 41 tokens; take a teacher"),
        ({"num_labels": 2}, "same classes, but have 3 and 2; give the model a head of 2"),
        ({"hidden_size": 64}, "share a hidden size, but have 32 and 64; set projection=True"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused(tiny, changes, message):
    with pytest.raises(UsageError, match=message):
        check_models(tiny.classifier(0), tiny.classifier(1, **changes), projection=False)


def test_a_teacher_of_another_task_is_refused(tiny):
    model = tiny.classifier(0, num_labels=2)
    with pytest.raises(UsageError, match="heads of one task, but are BertForSequenceClass"):
        check_models(model, tiny.answerer(1), projection=False)


def test_examples_the_head_cannot_learn_are_refused(tiny):
    with pytest.raises(UsageError, match="a head for classification, and the examples are of qu"):
        check_examples(tiny.classifier(0), tiny.encoded(5, task="qa"))
    with pytest.raises(UsageError, match="a head for question answering, and the examples are of"):
        check_examples(tiny.answerer(0), tiny.encoded(5))
    with pytest.raises(DataError, match=r"have class 2, and .* 0 to 1; make .* num_labels=3"):
        check_examples(tiny.classifier(0, num_labels=2), tiny.encoded())
