from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertModel,
    RobertaConfig,
    RobertaForMaskedLM,
)

from burnish.errors import UsageError
from burnish.models import LayerKeep, layer_parts, load_encoder, save_pruned, shrink
from burnish.models.heads import fresh_head, load_task_model, saved_head

IDS = torch.tensor([[5, 9, 11, 20, 7]])


@pytest.fixture
def saved(tiny, tmp_path):
    """Saves a tiny BERT of a class, with a tokenizer beside it."""
    _, tokenizer = tiny

    def save(kind, name="model", config=BertConfig):
        with torch.random.fork_rng():
            torch.manual_seed(3)
            model = kind(
                config(
                    vocab_size=300,
                    hidden_size=32,
                    num_hidden_layers=2,
                    num_attention_heads=4,
                    intermediate_size=40,
                    num_labels=2,
                )
            ).eval()
        folder = tmp_path / name
        save_pruned(model, folder)
        for file in tokenizer.glob("tokenizer*"):
            (folder / file.name).write_bytes(file.read_bytes())
        return model, folder

    return save


def said(model):
    with torch.no_grad():
        out = model(input_ids=IDS)
    return out.logits if "logits" in out else torch.stack([out.start_logits, out.end_logits])


@pytest.mark.parametrize(
    ("kind", "head"),
    [(BertForSequenceClassification, "classification"), (BertForQuestionAnswering, "qa")],
)
def test_a_fine_tuned_model_keeps_its_head(saved, kind, head):
    model, folder = saved(kind)
    assert saved_head(folder) == head
    loaded = load_task_model(folder, head, device="cpu")
    torch.testing.assert_close(said(loaded.model), said(model), atol=1e-6, rtol=0)
    assert not loaded.model.training
    assert loaded.identity.startswith("model@sha256:")
    assert loaded.tokenizer("ab")["input_ids"]


def test_a_model_whose_layers_differ_loads_too(saved, tmp_path):
    model, folder = saved(BertForSequenceClassification)
    keep = [
        LayerKeep(torch.arange(heads), torch.arange(units)) for heads, units in ((1, 7), (3, 0))
    ]
    shrink(model, keep)
    save_pruned(model, folder)
    loaded = load_task_model(folder, "classification", device="cpu")
    assert [parts.units for parts in layer_parts(loaded.model)] == [7, 0]
    torch.testing.assert_close(said(loaded.model), said(model), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("kind", "head", "wanted"),
    [
        (BertModel, "classification", "saved as BertModel, which has no classification head"),
        (BertModel, "qa", "saved as BertModel, which has no qa head"),
        (BertForQuestionAnswering, "classification", "saved as BertForQuestionAnswering"),
        (BertForSequenceClassification, "qa", "fine-tuned for qa"),
    ],
)
def test_a_model_without_the_head_is_refused(saved, kind, head, wanted):
    _, folder = saved(kind)
    assert saved_head(folder) != head
    with pytest.raises(UsageError, match=wanted):
        load_task_model(folder, head)


def test_a_config_that_lies_about_its_weights_is_refused(saved):
    _, folder = saved(BertModel)
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"BertModel"', '"BertForSequenceClassification"'))
    with pytest.raises(UsageError, match="not those of a BertForSequenceClassification"):
        load_task_model(folder, "classification")


def test_a_config_that_says_nothing_is_refused(saved):
    _, folder = saved(BertModel)
    (folder / "config.json").write_text("[]")
    with pytest.raises(UsageError, match="a model of no class"):
        load_task_model(folder, "classification")


def test_a_missing_model_is_named():
    with pytest.raises(UsageError, match="no model 'nowhere'"):
        load_task_model("nowhere", "qa")


def test_a_fresh_head_follows_from_its_generator_alone(saved):
    _, folder = saved(BertModel)
    before = torch.get_rng_state()

    def head(seed):
        draw = torch.Generator().manual_seed(seed)
        return fresh_head(folder, "classification", draw, labels=["no", "yes"], device="cpu")

    one, same, other = (head(seed).model.classifier.weight for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert torch.equal(torch.get_rng_state(), before)
    assert head(1).model.config.id2label == {0: "no", 1: "yes"}


def test_a_classifier_of_one_class_is_refused(saved):
    _, folder = saved(BertModel)
    with pytest.raises(UsageError, match="at least two classes"):
        fresh_head(folder, "classification", torch.Generator(), labels=["only"])


@pytest.mark.parametrize(
    "kind",
    [BertForMaskedLM, BertForPreTraining, RobertaForMaskedLM, BertForSequenceClassification],
)
def test_a_new_head_takes_the_encoder_of_any_checkpoint(saved, kind):
    """Published encoders lie beside the head they were pre-trained with, some without a pooler."""
    config = RobertaConfig if kind is RobertaForMaskedLM else BertConfig
    model, folder = saved(kind, config=config)
    generators = [torch.Generator().manual_seed(0) for _ in range(2)]
    fresh, again = (
        fresh_head(folder, "classification", generator, labels="ab", device="cpu").model
        for generator in generators
    )
    assert all(
        torch.equal(one, other)
        for one, other in zip(fresh.state_dict().values(), again.state_dict().values(), strict=True)
    )
    theirs = model.base_model.state_dict()
    for name, weight in fresh.base_model.state_dict().items():
        assert torch.equal(weight, theirs[name]) if name in theirs else name.startswith("pooler")


def test_a_pooler_that_was_never_saved_is_not_made_up(saved):
    _, folder = saved(BertForMaskedLM)
    assert load_encoder(folder, device="cpu").model.pooler is None


def test_an_encoder_with_a_weight_gone_is_refused_whatever_head_it_has(saved):
    _, folder = saved(BertForMaskedLM)
    weights = load_file(folder / "model.safetensors")
    del weights["bert.encoder.layer.1.output.dense.weight"]  # and the pooler is not there
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UsageError, match=r"3 missing keys such as encoder\.layer\.1\.output"):
        load_encoder(folder, device="cpu")
