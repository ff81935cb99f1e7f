"""Both classifiers, on texts of which some words alone tell the class."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from burnish.data import load_set
from burnish.errors import AssetMissing, DataError, UsageError
from burnish.methods.nlpguard.training import (
    EncoderSettings,
    LinearSettings,
    class_indices,
    load_encoder_classifier,
    load_linear,
    train,
)
from burnish.training import seeded

CLASSES = ("sea", "field", "sky")
TELLING = {"sea": ["boat", "wave"], "field": ["cow", "barn"], "sky": ["cloud", "wing"]}
FILLING = ["the", "old", "man", "woman", "saw", "one", "near", "home"]


def sample(n, seed=0):
    rng = np.random.default_rng(seed)
    labels = [CLASSES[row % 3] for row in range(n)]
    texts = [
        " ".join(rng.permutation([*rng.choice(FILLING, 2), str(rng.choice(TELLING[label]))]))
        for label in labels
    ]
    return texts, labels


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    """A folder with a tiny encoder and its tokenizer."""
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *FILLING, *chain(*TELLING.values())]
    vocabulary = {word: index for index, word in enumerate(words)}
    inner = Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]"))
    inner.normalizer = normalizers.BertNormalizer(lowercase=True)
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]"
    )
    with seeded(1):
        model = BertModel(
            BertConfig(
                vocab_size=len(words),
                hidden_size=32,
                num_hidden_layers=2,
                num_attention_heads=2,
                intermediate_size=48,
                max_position_embeddings=16,
                initializer_range=0.2,
            )
        )
    folder = tmp_path_factory.mktemp("encoder")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def settings(encoder):
    return EncoderSettings(
        encoder=str(encoder),
        learning_rate=3e-3,
        head_rate=1e-2,
        epochs=12,
        batch_size=8,
        max_length=16,
        validation=0.15,
        precision="float32",
    )


@pytest.fixture(scope="module")
def tuned(settings):
    return train("minilm", *sample(90), CLASSES, 3, encoder=settings)


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one.values(), other.values(), strict=True))


def test_both_learn_what_tells(tuned):
    rows, unseen = sample(90), sample(60, seed=9)
    linear = train("linear", *rows, CLASSES, 0)
    # the tiny encoder has nothing to generalise with; the real one is below
    for trained, (texts, labels), least in ((linear, unseen, 0.99), (tuned, rows, 0.85)):
        found = trained.probabilities(texts)
        assert found.dtype == np.float32
        assert found.shape == (len(texts), 3)
        np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
        assert (found.argmax(1) == class_indices(labels, CLASSES)).mean() > least
        assert trained.probabilities([]).shape == (0, 3)


def test_a_seed_gives_the_same_bytes_and_leaves_global_randomness_alone(tuned, settings):
    before = torch.random.get_rng_state()
    again = train("minilm", *sample(90), CLASSES, 3, encoder=settings)
    assert torch.equal(before, torch.random.get_rng_state())
    assert same(again.model.state_dict(), tuned.model.state_dict())
    other = train("minilm", *sample(90), CLASSES, 4, encoder=settings)
    assert not same(other.model.state_dict(), tuned.model.state_dict())


def test_rows_keep_their_order_whatever_their_length(tuned):
    texts = ["boat", "the old man saw one cow near home", "", "cloud wing"] * 30
    found = tuned.probabilities(texts)
    np.testing.assert_allclose(found[:4], found[-4:], atol=1e-6)
    one_by_one = np.concatenate([tuned.probabilities([text]) for text in texts[:4]])
    np.testing.assert_allclose(found[:4], one_by_one, atol=1e-5)


def test_the_head_turns_embeddings_into_the_probabilities(tuned):
    texts, _ = sample(20)
    pooled = tuned.embed(texts)
    assert pooled.shape == (20, tuned.head.in_features)
    with torch.inference_mode():
        found = tuned.head(torch.from_numpy(pooled)).softmax(1).numpy()
    np.testing.assert_allclose(found, tuned.probabilities(texts), atol=1e-6)


def test_what_is_saved_is_loaded_the_same(tuned, tmp_path):
    texts, _ = sample(20)
    tuned.save(tmp_path / "encoder")
    loaded = load_encoder_classifier(tmp_path / "encoder", max_length=16)
    assert loaded.classes == CLASSES
    np.testing.assert_array_equal(loaded.probabilities(texts), tuned.probabilities(texts))
    for classes in (CLASSES, CLASSES[:2]):
        keep = [row for row in range(90) if row % 3 < len(classes)]
        rows, labels = sample(90)
        linear = train("linear", [rows[i] for i in keep], [labels[i] for i in keep], classes, 0)
        linear.save(tmp_path / f"linear{len(classes)}")
        again = load_linear(tmp_path / f"linear{len(classes)}")
        assert again.classes == classes
        np.testing.assert_array_equal(again.probabilities(texts), linear.probabilities(texts))


def test_a_saved_linear_classifier_that_does_not_fit_is_refused(tmp_path):
    train("linear", *sample(90), CLASSES, 0).save(tmp_path)
    weights = load_file(tmp_path / "weights.safetensors")
    save_file(weights | {"coef": weights["coef"][:, 1:].copy()}, tmp_path / "weights.safetensors")
    with pytest.raises(DataError, match="do not fit its words and classes"):
        load_linear(tmp_path)
    (tmp_path / "vocabulary.json").write_text(json.dumps(["boat"]))
    with pytest.raises(DataError, match="has no linear classifier"):
        load_linear(tmp_path)


@pytest.mark.parametrize("kind", ["linear", "minilm"])
def test_texts_of_weight_zero_teach_nothing(kind, settings):
    texts, labels = sample(60)
    rows, wrong = sample(30, seed=5)
    shifted = [CLASSES[(CLASSES.index(label) + 1) % 3] for label in wrong]
    found = train(
        kind,
        [*texts, *rows],
        [*labels, *shifted],
        CLASSES,
        0,
        weights=[1.0] * 60 + [0.0] * 30,
        encoder=settings,
    )
    alone = train(kind, texts, labels, CLASSES, 0, encoder=settings)
    np.testing.assert_array_equal(found.probabilities(rows), alone.probabilities(rows))


def test_a_weight_counts_as_so_many_copies():
    texts, labels = sample(30)
    twice = train("linear", texts, labels, CLASSES, 0, weights=[2.0] * 15 + [1.0] * 15)
    copied = train(
        "linear",
        [*texts, *texts[:15]],
        [*labels, *labels[:15]],
        CLASSES,
        0,
        linear=LinearSettings(inverse_penalty=30 / 45),
    )
    np.testing.assert_allclose(twice.probabilities(texts), copied.probabilities(texts), atol=1e-3)


def test_a_penalty_is_a_term_of_the_loss(tuned, settings):
    seen = []

    def small_logits(module, batch):
        seen.append(batch["labels"].shape)
        inputs = {name: value for name, value in batch.items() if name != "labels"}
        return 10 * module(**inputs).logits.square().mean()

    texts, labels = sample(90)
    held = train("minilm", texts, labels, CLASSES, 3, penalty=small_logits, encoder=settings)
    assert seen[0] == (8,)
    assert held.probabilities(texts).max(1).mean() < 0.6 < tuned.probabilities(texts).max(1).mean()


def test_a_penalty_may_take_gradients_twice(settings):
    def flat(module, batch):
        words = module.get_input_embeddings()(batch["input_ids"])
        logits = module(inputs_embeds=words, attention_mask=batch["attention_mask"]).logits
        (slope,) = torch.autograd.grad(logits.sum(), words, create_graph=True)
        return slope.square().sum()

    texts, labels = sample(30)
    found = train("minilm", texts, labels, CLASSES, 0, penalty=flat, encoder=settings)
    assert np.isfinite(found.probabilities(texts)).all()


def test_the_best_epoch_is_kept(settings, encoder):
    texts, labels = sample(90)
    wild = replace(settings, learning_rate=0.5, head_rate=0.5, epochs=3, patience=1)
    kept = train("minilm", texts, labels, CLASSES, 0, encoder=wild)
    last = train("minilm", texts, labels, CLASSES, 0, encoder=replace(wild, validation=0.0))
    assert not kept.model.training
    truth = class_indices(labels, CLASSES)
    right = [(each.probabilities(texts).argmax(1) == truth).mean() for each in (kept, last)]
    assert right[0] >= right[1]


def test_a_class_without_texts_has_probability_zero():
    texts, labels = sample(60)
    kept = [row for row in range(60) if labels[row] != "field"]
    found = train("linear", [texts[i] for i in kept], [labels[i] for i in kept], CLASSES, 0)
    assert (found.probabilities(texts)[:, 1] == 0).all()


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"labels": ["sea"] * 6}, DataError, "texts of at least two classes"),
        ({"labels": ["sea", "lake", *["sky"] * 4]}, DataError, "label of row 1 is 'lake'"),
        ({"labels": [0, 3, 1, 1, 1, 1]}, DataError, "label of row 1 is 3"),
        ({"labels": [0, 1]}, DataError, "6 texts, 2 labels"),
        ({"texts": ["!"] * 6}, DataError, "no training text has a word"),
        ({"weights": [1.0, -1, 1, 1, 1, 1]}, UsageError, "weights are 6 finite numbers"),
        ({"weights": [0.0] * 6}, UsageError, "not all 0"),
        ({"kind": "forest"}, UsageError, "kind is linear or minilm"),
        ({"penalty": lambda *_: 0}, UsageError, "train kind 'minilm'"),
        ({"classes": ["sea"]}, UsageError, "at least two classes"),
        ({"classes": ["sea", "sea"]}, UsageError, "of different names"),
    ],
)
def test_wrong_calls_are_refused(changes, error, message):
    texts, labels = sample(6)
    call = {"kind": "linear", "texts": texts, "labels": labels, "classes": CLASSES, "seed": 0}
    with pytest.raises(error, match=message):
        train(**call | changes)


def test_the_real_encoder_learns_occupations():
    try:
        found = load_set("occupations", train=144, test=90)
        trained = train(
            "minilm",
            found.train.texts,
            found.train.labels,
            found.train.label_names,
            0,
            encoder=EncoderSettings(epochs=3, batch_size=16, validation=0.0),
        )
    except AssetMissing as missing:
        pytest.skip(str(missing))
    predicted = trained.probabilities(found.test.texts).argmax(1)
    assert (predicted == np.array(found.test.labels)).mean() > 0.5  # the commonest class: 0.34
