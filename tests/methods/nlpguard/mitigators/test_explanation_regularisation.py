"""A loss term on input times gradient of protected words, with a second derivative."""

from __future__ import annotations

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast

from burnish.errors import UsageError
from burnish.methods.nlpguard.mitigators import (
    ExplanationRegularisation,
    InputGradientPenalty,
    TokenMatcher,
)

TEXTS = ["She wrote well, the woman", "they wrote today", "Sri-Lankan he", "he played"]
LABELS = torch.tensor([0, 0, 1, 1])


def batch(tokenizer, texts=TEXTS, labels=LABELS):
    return {**tokenizer(texts, padding=True, return_tensors="pt"), "labels": labels}


def penalty(tiny, biased, strength=1.0):
    regularisation = ExplanationRegularisation(tiny.tokenizer, strength)
    return regularisation.fit(biased.rows, biased.protected, biased.matcher).penalty


def found(tokenizer, words, text):
    ids = tokenizer(text, return_tensors="pt")["input_ids"]
    marked = TokenMatcher(tokenizer, words).find(ids)[0]
    return tokenizer.convert_ids_to_tokens(ids[0][marked])


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("the woman wrote", ["wo", "##man"]),
        ("man woman man", ["wo", "##man"]),
        ("Woman, WOMAN.", ["wo", "##man", "wo", "##man"]),
        ("Sri Lankan sri-lankan sri lanka", ["sri", "lanka", "##n", "sri", "-", "lanka", "##n"]),
        ("she shely", ["she"]),
        ("man", []),
    ],
)  # fmt: skip
def test_words_are_found_as_they_are_cut(tiny, text, tokens):
    assert found(tiny.tokenizer, ["woman", "she", "sri lankan"], text) == tokens


def test_words_are_found_among_byte_level_tokens():
    words = ["\u0120he", "he", "t", "s", "\u0120", "She", "she", "\u0120She", "\u0120t", ","]
    backend = Tokenizer(
        models.BPE(vocab={word: at for at, word in enumerate(words)}, merges=[], unk_token=None)
    )
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    ids = {word: at for at, word in enumerate(words)}
    matcher = TokenMatcher(tokenizer, [])
    matcher._by_length = {1: torch.tensor([[ids["he"]], [ids["\u0120he"]]])}
    text = ["he", "\u0120t", "he", ",", "he", "s", "\u0120he", "she", "\u0120he", ","]
    marked = matcher.find(torch.tensor([[ids[each] for each in text]]))[0]
    assert marked.nonzero()[:, 0].tolist() == [0, 8]


def test_it_is_the_sum_of_squared_input_times_gradient(tiny, biased):
    model, inputs = tiny.copy(), batch(tiny.tokenizer)
    protected = {"she", "he", "wo", "##man", "sri", "-", "lanka", "##n"}
    total = 0.0
    for row in range(len(TEXTS)):
        ids = inputs["input_ids"][row : row + 1]
        vectors = model.get_input_embeddings()(ids).detach().requires_grad_()
        mask = inputs["attention_mask"][row : row + 1]
        logits = model(inputs_embeds=vectors, attention_mask=mask).logits
        (slope,) = torch.autograd.grad(logits[0, LABELS[row]], vectors)
        tokens = tiny.tokenizer.convert_ids_to_tokens(ids[0])
        phi = (vectors * slope).sum(-1)[0].detach()
        total += sum(float(phi[at]) ** 2 for at, token in enumerate(tokens) if token in protected)
    value = penalty(tiny, biased, 0.5)(model, inputs)
    assert value.item() == pytest.approx(0.5 * total / len(TEXTS), rel=1e-4)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_it_has_the_gradient_of_finite_differences(tiny, biased, attention):
    model, inputs = tiny.copy().double(), batch(tiny.tokenizer)
    model.set_attn_implementation(attention)
    term = penalty(tiny, biased)
    weight = model.bert.encoder.layer[0].attention.self.query.weight
    (slope,) = torch.autograd.grad(term(model, inputs), weight)
    direction = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)).double()
    values = []
    for step in (1e-3, -1e-3):
        with torch.no_grad():
            weight.add_(step * direction)
        values.append(term(model, inputs).item())
        with torch.no_grad():
            weight.sub_(step * direction)
    assert (slope * direction).sum().item() == pytest.approx(
        (values[0] - values[1]) / 2e-3, rel=1e-2
    )


def test_training_with_it_takes_attributions_down(tiny, biased):
    inputs = batch(tiny.tokenizer)
    measured = {}
    for strength in (0.0, 1.0):
        model = tiny.copy()
        model.train(False)  # no dropout, so that the two runs differ in the term alone
        term, after = penalty(tiny, biased, strength), penalty(tiny, biased, 1.0)
        optimiser = torch.optim.Adam(model.parameters(), lr=3e-3)
        for _ in range(30):
            optimiser.zero_grad()
            rest = {name: value for name, value in inputs.items() if name != "labels"}
            loss = cross_entropy(model(**rest).logits, LABELS) + term(model, inputs)
            loss.backward()
            optimiser.step()
        predicted = model(**rest).logits.argmax(1)
        assert (predicted == LABELS).all()
        measured[strength] = after(model, inputs).item()
    assert measured[1.0] < 0.2 * measured[0.0]


def test_a_batch_without_protected_words_costs_nothing(tiny, biased):
    model = tiny.copy()
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))
    inputs = batch(tiny.tokenizer, ["they wrote", "played"], LABELS[:2])
    assert penalty(tiny, biased)(model, inputs).item() == 0
    assert penalty(tiny, biased, 0.0)(model, batch(tiny.tokenizer)).item() == 0
    assert not calls


def test_frozen_embeddings_will_do(tiny, biased):
    model = tiny.copy()
    model.get_input_embeddings().weight.requires_grad_(False)
    term = penalty(tiny, biased)
    assert isinstance(term, InputGradientPenalty)
    value = term(model, batch(tiny.tokenizer))
    value.backward()
    assert model.classifier.weight.grad.abs().sum() > 0


def test_a_negative_strength_is_refused(tiny):
    with pytest.raises(UsageError, match="strength is at least 0, got -1"):
        ExplanationRegularisation(tiny.tokenizer, -1)
