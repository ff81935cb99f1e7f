import copy
import re

import numpy as np
import pytest
import torch
from torch import nn
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertModel,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from burnish.errors import UsageError
from burnish.methods.nlpguard.classifier import Attributed, Skipped
from burnish.methods.nlpguard.hf import EncoderWithHead, HfClassifier
from burnish.methods.nlpguard.integrated import IntegratedGradients
from burnish.methods.nlpguard.peers import CaptumIntegratedGradients
from burnish.training import seeded

TEXTS = [
    "the king was a poet",
    "She was a nurse!",
    "",
    "unbelievable women, the french doctor and his writer . . . of the king",
    "king",
]


def alone(hf, text):
    inputs = hf.tokenizer(text, return_tensors="pt", truncation=True, max_length=hf.max_length)
    with torch.no_grad():
        return torch.softmax(hf.model(**inputs).logits[0], -1).numpy()


@pytest.mark.parametrize("budget", [1, 20, 4096])
def test_probabilities_are_those_of_each_text_alone_in_the_order_given(bert, tokenizer, budget):
    hf = HfClassifier(bert, tokenizer, max_length=24, tokens_per_pass=budget)
    found = hf.probabilities(TEXTS)
    assert hf.classes == ("care", "state", "art")
    assert found.dtype == np.float32
    for row, text in enumerate(TEXTS):
        assert np.allclose(found[row], alone(hf, text), atol=1e-5)


def test_no_texts_have_no_probabilities(hf):
    assert hf.probabilities([]).shape == (0, 3)


@pytest.mark.parametrize("count", [127, 128, 129, 256])
def test_defect_4_a_multiple_of_the_batch_is_predicted_and_explained_once(bert, tokenizer, count):
    calls = []
    hf = HfClassifier(bert, tokenizer, max_length=24, tokens_per_pass=128 * 3)
    seen = bert.register_forward_pre_hook(
        lambda _, __, kwargs: calls.append(len(next(v for v in kwargs.values() if v is not None))),
        with_kwargs=True,
    )
    found = hf.probabilities(["king"] * count)
    seen.remove()
    assert sum(calls) == count
    assert found.shape == (count, 3)
    assert len(IntegratedGradients(hf, steps=1).explain(["king"] * count, np.ones(count, int))) == (
        count
    )


def test_defect_5_prediction_and_explanation_cut_a_text_at_the_same_place(bert, tokenizer):
    hf = HfClassifier(bert, tokenizer, max_length=6)
    long, short = "she was a nurse and the king of the french", "she was a nurse"
    assert np.array_equal(hf.probabilities([long]), hf.probabilities([short]))
    found = IntegratedGradients(hf, steps=4).explain([long, short], np.array([0, 0]))
    assert found[0].words == found[1].words == ("she", "was", "a", "nurse")
    assert np.allclose(found[0].scores, found[1].scores, atol=1e-6)


def test_the_model_is_left_as_it_was(bert, tokenizer):
    model = copy.deepcopy(bert).train()
    model.bert.embeddings.requires_grad_(False).eval()
    modes = [part.training for part in model.modules()]
    before = [weight.requires_grad for weight in model.parameters()]
    hf = HfClassifier(model, tokenizer)
    with hf.ready():
        assert not model.training
        assert not any(weight.requires_grad for weight in model.parameters())
    assert [part.training for part in model.modules()] == modes
    assert len(set(modes)) == 2
    assert [weight.requires_grad for weight in model.parameters()] == before
    assert all(weight.grad is None for weight in model.parameters())


def test_identity_changes_with_weights_cut_and_classes(bert, tokenizer):
    other = copy.deepcopy(bert)
    first = HfClassifier(bert, tokenizer).identity()
    assert HfClassifier(other, tokenizer).identity() == first
    other.classifier.bias.data[0] += 1e-3
    made = {
        first,
        HfClassifier(other, tokenizer).identity(),
        HfClassifier(bert, tokenizer, max_length=7).identity(),
        HfClassifier(bert, tokenizer, ["x", "y", "z"]).identity(),
    }
    assert len(made) == 4


def test_identity_changes_with_pooling_configuration_and_tokenizer(bert, tokenizer):
    encoder, head = BertModel(bert.config, add_pooling_layer=False), nn.Linear(16, 2)
    one_head = copy.deepcopy(bert)
    one_head.config = copy.deepcopy(bert.config)
    one_head.config.num_attention_heads = 1
    one_head.bert.config = one_head.config
    cased = copy.deepcopy(tokenizer)
    cased.backend_tokenizer.normalizer.lowercase = False
    made = [
        HfClassifier(EncoderWithHead(encoder, head, pooling="mean"), tokenizer, ["a", "b"]),
        HfClassifier(EncoderWithHead(encoder, head, pooling="first"), tokenizer, ["a", "b"]),
        HfClassifier(bert, tokenizer),
        HfClassifier(one_head, tokenizer),
        HfClassifier(bert, cased),
    ]
    assert len({one.identity() for one in made}) == len(made)


def test_identity_stays_when_the_classifier_is_used_and_when_its_folder_moves(
    bert, tokenizer, tmp_path
):
    hf = HfClassifier(bert, tokenizer, max_length=24)
    before = hf.identity()
    hf.probabilities(TEXTS)
    IntegratedGradients(hf, 2).explain(TEXTS, np.zeros(len(TEXTS), dtype=int))
    assert hf.identity() == before
    found = set()
    for name in ("here", "there"):
        bert.save_pretrained(tmp_path / name)
        tokenizer.save_pretrained(tmp_path / name)
        found.add(
            HfClassifier(
                AutoModelForSequenceClassification.from_pretrained(tmp_path / name),
                AutoTokenizer.from_pretrained(tmp_path / name),
            ).identity()
        )
    assert len(found) == 1


def test_a_text_is_cut_at_what_the_model_has_positions_for(bert, tokenizer):
    hf = HfClassifier(bert, tokenizer)
    assert hf.max_length == bert.config.max_position_embeddings == 40
    long = ["king " * 100]
    assert np.array_equal(hf.probabilities(long), hf.probabilities(["king " * 38]))
    (found,) = IntegratedGradients(hf, 2).explain(long, np.array([0]))
    assert found.words == ("king",) * 38


def test_positions_that_begin_behind_padding_are_fewer(tokenizer):
    config = RobertaConfig(
        vocab_size=40, hidden_size=8, num_hidden_layers=1, num_attention_heads=1,
        intermediate_size=8, max_position_embeddings=20, num_labels=2, pad_token_id=0,
    )  # fmt: skip
    with seeded(1):
        hf = HfClassifier(RobertaForSequenceClassification(config).eval(), tokenizer)
    assert hf.max_length == 19
    assert np.isfinite(hf.probabilities(["king " * 100])).all()


class Scaled(nn.Embedding):
    """Word vectors that the model makes larger than its table holds, as BART does."""

    def forward(self, ids):
        return 3 * super().forward(ids)


def test_word_vectors_are_those_that_the_model_makes(bert, tokenizer):
    model = copy.deepcopy(bert)
    old = model.get_input_embeddings()
    model.set_input_embeddings(Scaled(*old.weight.shape, _weight=old.weight.data))
    hf = HfClassifier(model, tokenizer)
    (tokens,) = hf.tokens(["the king"])
    with torch.no_grad():
        logits = hf.logits(inputs_embeds=hf.embedded(tokens.ids[None]))
    assert np.allclose(torch.softmax(logits, -1).numpy(), hf.probabilities(["the king"]), atol=1e-6)
    assert not hf.embedded(tokens.ids).requires_grad


def test_a_model_that_names_no_classes_and_a_tokenizer_without_pads_are_refused(bert, tokenizer):
    with pytest.raises(UsageError, match="does not name its classes; pass classes="):
        HfClassifier(nn.Linear(2, 2), tokenizer)
    bare = copy.deepcopy(tokenizer)
    bare.pad_token = None
    with pytest.raises(UsageError, match="needs a tokenizer with a pad token"):
        HfClassifier(bert, bare)
    with pytest.raises(UsageError, match="max_length 2 leaves no room"):
        HfClassifier(bert, tokenizer, max_length=2)


@pytest.mark.parametrize("pooling", ["mean", "first"])
def test_an_encoder_with_a_head_is_explained_as_captum_does(bert, tokenizer, pooling):
    with seeded(1):
        encoder = BertModel(bert.config, add_pooling_layer=False)
        model = EncoderWithHead(encoder, nn.Linear(16, 2), pooling=pooling)
    hf = HfClassifier(model, tokenizer, ["no", "yes"], max_length=24)
    for row, text in enumerate(TEXTS):  # padded together, and alone
        together = hf.probabilities(TEXTS)[row]
        assert np.allclose(together, hf.probabilities([text])[0], atol=1e-5)
    targets = np.array([0, 1, 0, 1, 1])
    ours = IntegratedGradients(hf, steps=50).explain(TEXTS, targets)
    theirs = CaptumIntegratedGradients(hf, steps=50).explain(TEXTS, targets)
    for one, other in zip(ours, theirs, strict=True):
        assert one.words == other.words
        assert np.allclose(one.scores, other.scores, atol=1e-5)


@pytest.mark.parametrize("granularity", ["word", "token"])
def test_scores_are_those_of_captum(hf, granularity):
    targets = hf.probabilities(TEXTS).argmax(1)
    ours = IntegratedGradients(hf, 50, granularity).explain(TEXTS, targets)
    theirs = CaptumIntegratedGradients(hf, 50, granularity).explain(TEXTS, targets)
    for one, other in zip(ours, theirs, strict=True):
        assert one.words == other.words
        assert np.abs(one.scores - other.scores).max(initial=0) <= 1e-4 * np.abs(other.scores).max(
            initial=0
        )
        if one.words:
            assert one.completeness_error == pytest.approx(other.completeness_error, abs=1e-3)


def test_defect_1_split_words_come_back_whole_and_pieces_add_up(hf):
    text, target = ["unbelievable women"], np.array([1])
    (words,) = IntegratedGradients(hf, 20).explain(text, target)
    (tokens,) = IntegratedGradients(hf, 20, "token").explain(text, target)
    assert words.words == ("unbelievable", "women")
    assert tokens.words == ("un", "##believ", "##able", "wo", "##men")
    sums = np.array([tokens.scores[:3].sum(), tokens.scores[3:].sum()])
    # the same raw sums, each divided by its own total
    assert sums[0] / sums[1] == pytest.approx(words.scores[0] / words.scores[1], rel=1e-5)


def test_special_tokens_count_for_the_total_but_are_not_among_the_words(bert, tokenizer):
    """They score nothing by themselves, since the baseline keeps them: positions do not move."""
    hf = HfClassifier(bert, tokenizer)
    (found,) = IntegratedGradients(hf, 20).explain(["king, poet"], np.array([0]))
    assert found.words == ("king", ",", "poet")
    assert np.abs(found.scores).sum() == pytest.approx(1)


def test_auto_is_complete(hf):
    texts = [text for text in TEXTS if text]
    targets = hf.probabilities(texts).argmax(1)
    for one in IntegratedGradients(hf).explain(texts, targets):
        assert one.completeness_error < 0.02


def test_order_and_company_of_texts_do_not_matter(hf):
    targets = np.array([0, 1, 0, 2, 1])
    together = IntegratedGradients(hf).explain(TEXTS, targets)
    for row, text in enumerate(TEXTS):
        (one,) = IntegratedGradients(hf).explain([text], targets[row : row + 1])
        assert np.allclose(one.scores, together[row].scores, atol=1e-5)
    turned = IntegratedGradients(hf).explain(TEXTS[::-1], targets[::-1].copy())
    assert [one.words for one in turned[::-1]] == [one.words for one in together]


def test_a_text_whose_gradients_are_not_finite_is_skipped_alone(bert, tokenizer):
    model = copy.deepcopy(bert)
    model.get_input_embeddings().weight.data[tokenizer.convert_tokens_to_ids("her")] = float("nan")
    hf = HfClassifier(model, tokenizer)
    texts = ["his king", "her king", "his poet"]
    found = IntegratedGradients(hf).explain(texts, np.array([0, 1, 2]))
    assert found[1] == Skipped("its gradients are not finite")
    clean = IntegratedGradients(HfClassifier(bert, tokenizer)).explain(texts, np.array([0, 1, 2]))
    for row in (0, 2):
        assert np.allclose(found[row].scores, clean[row].scores, atol=1e-5)


class Choosy(EncoderWithHead):
    """Raises on any batch that holds the embedding of "her"."""

    def forward(self, input_ids=None, attention_mask=None, inputs_embeds=None):
        if inputs_embeds is not None and (inputs_embeds == self.banned).all(-1).any():
            raise RuntimeError("out of range: her secret")
        return super().forward(input_ids, attention_mask, inputs_embeds)


def test_defect_5_a_text_on_which_the_model_raises_does_not_take_its_batch_along(bert, tokenizer):
    with seeded(1):
        model = Choosy(BertModel(bert.config, add_pooling_layer=False), nn.Linear(16, 2))
    table = model.get_input_embeddings().weight
    model.banned = table[tokenizer.convert_tokens_to_ids("her")].detach().clone()
    hf = HfClassifier(model, tokenizer, ["no", "yes"])
    texts = [f"{word} king" for word in ["his", "her", "the", "french", "a"]]
    found = IntegratedGradients(hf).explain(texts, np.ones(5, dtype=int))
    assert [type(one) for one in found] == [Attributed, Skipped, Attributed, Attributed, Attributed]
    assert found[1].reason == "the model raised RuntimeError"


class SlowTokenizer:
    """A tokenizer without offsets."""

    is_fast = False

    def __init__(self, inner):
        self._inner = inner
        self.pad_token_id = inner.pad_token_id

    def __call__(self, texts, *, return_offsets_mapping, **options):
        assert not return_offsets_mapping
        return self._inner(texts, **options)

    def __getattr__(self, name):
        return getattr(self._inner, name)


def test_a_tokenizer_without_offsets_is_warned_of_and_its_words_are_found(bert, tokenizer):
    slow = HfClassifier(bert, SlowTokenizer(tokenizer), max_length=24)
    text = ["Unbelievable women, the king!"]
    with pytest.warns(UserWarning, match=re.escape("does not say where its tokens stand")):
        (found,) = IntegratedGradients(slow, 8).explain(text, np.array([1]))
    fast = HfClassifier(bert, tokenizer, max_length=24)
    (wanted,) = IntegratedGradients(fast, 8).explain(text, np.array([1]))
    assert found.words == wanted.words
    assert found.spans == wanted.spans
    assert np.array_equal(found.scores, wanted.scores)
