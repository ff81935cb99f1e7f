"""Shrunk models come back from their folders as they were, and bad folders say what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import transformers as hf
from safetensors.torch import load_file, save_file

from burnish.errors import UsageError
from burnish.models import load_causal_lm, load_encoder
from burnish.models.anatomy import layer_parts
from burnish.models.options import quiet
from burnish.models.pruned import AutoPruned, save_pruned
from burnish.models.shapes import layer_shapes
from burnish.models.shrinking import shrink


def settings(folder: Path) -> dict:
    return json.loads((folder / "config.json").read_text())


def change(folder: Path, **values) -> None:
    (folder / "config.json").write_text(json.dumps(settings(folder) | values))


def even(zoo, model) -> list:
    """Shapes that a plain config can say: in encoders all heads, in decoders two whole groups."""
    return [
        zoo.kept(range(4), range(0, parts.units, 2) if number % 2 else range(20))
        for number, parts in enumerate(layer_parts(model))
    ]


@pytest.fixture
def uneven_folder(zoo, tmp_path) -> Path:
    model = zoo.model("bert-classifier")
    shrink(model, zoo.uneven(model))
    return save_pruned(model, tmp_path / "uneven")


@pytest.mark.parametrize(
    "name",
    ["bert", "bert-qa", "roberta-classifier", "distilbert-classifier", "llama-tied-lm", "qwen2-lm"],
)
def test_layers_of_any_shape_come_back(zoo, tmp_path, name):
    model, inputs = zoo.model(name), zoo.ragged(7, 2, 9)
    shrink(model, zoo.uneven(model))
    save_pruned(model, tmp_path)
    random = torch.get_rng_state()
    again = AutoPruned.from_pretrained(tmp_path, device="cpu")
    assert torch.equal(torch.get_rng_state(), random)
    assert not settings(tmp_path)["burnish_pruned"]["plain"]
    assert type(again) is type(model)
    assert not again.training
    assert layer_shapes(again) == layer_shapes(model)
    assert torch.equal(zoo.outputs(again, inputs), zoo.outputs(model, inputs))


@pytest.mark.parametrize(
    "name",
    ["bert-classifier", "distilbert-qa", "llama-lm", "llama-tied-lm", "mistral-lm", "qwen2-lm"],
)
def test_plain_shapes_load_in_plain_transformers_as_well(zoo, tmp_path, name):
    model, inputs = zoo.model(name), zoo.ragged(7, 2, 9)
    shrink(model, even(zoo, model))
    save_pruned(model, tmp_path)
    assert settings(tmp_path)["burnish_pruned"]["plain"]
    with quiet():
        plain = type(model).from_pretrained(tmp_path)
    for again in (plain, AutoPruned.from_pretrained(tmp_path, device="cpu")):
        assert torch.equal(zoo.outputs(again, inputs), zoo.outputs(model, inputs))


def test_a_width_that_transformers_refuses_is_saved_as_pruned(zoo, tmp_path):
    model = zoo.model("llama-lm", num_attention_heads=6, num_key_value_heads=6, head_dim=8)
    shrink(model, [zoo.kept(range(5), range(40))] * 3)  # 48 is no multiple of 5 heads
    save_pruned(model, tmp_path)
    assert not settings(tmp_path)["burnish_pruned"]["plain"]
    assert layer_shapes(AutoPruned.from_pretrained(tmp_path, device="cpu")) == layer_shapes(model)


def test_what_transformers_itself_saved_comes_back(zoo, tmp_path):
    model, inputs = zoo.model("bert"), zoo.ragged(3, 5)
    shrink(model, [zoo.kept([number], range(7)) for number in range(3)])
    model.save_pretrained(tmp_path)
    again = AutoPruned.from_pretrained(tmp_path, device="cpu")
    assert torch.equal(zoo.outputs(again, inputs), zoo.outputs(model, inputs))


def test_can_be_shrunk_and_saved_again(zoo, tmp_path):
    model = zoo.model("llama-lm")
    shrink(model, even(zoo, model))
    save_pruned(model, tmp_path / "once")
    again = AutoPruned.from_pretrained(tmp_path / "once", device="cpu")
    shrink(again, [zoo.kept([0, 2], range(5))] * 3)
    save_pruned(again, tmp_path / "twice")
    assert [list(layer) for layer in settings(tmp_path / "twice")["burnish_pruned"]["layers"]] == [
        [2, 2, 5]
    ] * 3
    assert AutoPruned.from_pretrained(tmp_path / "twice", device="cpu").config.head_dim == 8


def test_takes_the_precision_asked_for(uneven_folder):
    model = AutoPruned.from_pretrained(uneven_folder, device="cpu", dtype="bfloat16")
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    with pytest.raises(UsageError, match="dtype must be float32"):
        AutoPruned.from_pretrained(uneven_folder, dtype="int8")


def test_pruned_encoders_and_decoders_load_where_dense_ones_do(zoo, tiny, tmp_path):
    tokenizer = hf.AutoTokenizer.from_pretrained(tiny[1])
    for name, load in (("bert", load_encoder), ("llama-lm", load_causal_lm)):
        model, folder = zoo.model(name, vocab_size=len(tokenizer)), tmp_path / name
        shrink(model, zoo.uneven(model))
        save_pruned(model, folder, tokenizer)
        loaded = load(folder, device="cpu")
        inputs = zoo.ragged(4, 6)
        assert torch.equal(zoo.outputs(loaded.model, inputs), zoo.outputs(model, inputs))
        assert loaded.identity.startswith(f"{name}@sha256:")
        weights = load_file(folder / "model.safetensors")
        save_file({key: value + 1 for key, value in weights.items()}, folder / "model.safetensors")
        assert load(folder, device="cpu").identity != loaded.identity


def test_a_pruned_classifier_is_no_encoder(uneven_folder):
    with pytest.raises(UsageError, match="has a BertForSequenceClassification, not what AutoModel"):
        load_encoder(uneven_folder)


def test_a_dense_folder_is_sent_elsewhere(zoo, tmp_path):
    zoo.model("bert").save_pretrained(tmp_path)
    with pytest.raises(UsageError, match=r"no burnish_pruned.*load it with transformers"):
        AutoPruned.from_pretrained(tmp_path)


@pytest.mark.parametrize(
    ("layers", "complaint"),
    [
        ([[2, 2, 20]], "1 layer shapes are recorded, the model has 3"),
        ([[2, 2, 20], [9, 9, 20], [1, 1, 0]], "layer 1 is recorded with 9 heads"),
        ([[2, 2, 20], [2, 2, -1], [1, 1, 0]], "layer 1 .* -1 units, which cannot be cut out of"),
        ([[2, 2, 20], [0, 0, 1], [1, 1, 0]], "layer 1 is recorded with 0 heads"),
        ([[2, 2, 20], [2, 2], [1, 1, 0]], r"must have layers, each \[heads"),
        (None, "must have layers"),
    ],
)
def test_damaged_records_are_told(uneven_folder, layers, complaint):
    change(uneven_folder, burnish_pruned={"layers": layers})
    with pytest.raises(UsageError, match=complaint):
        AutoPruned.from_pretrained(uneven_folder)


def test_weights_of_other_sizes_are_told(uneven_folder):
    change(uneven_folder, burnish_pruned={"layers": [[2, 2, 20], [2, 2, 14], [1, 1, 0]]})
    with pytest.raises(UsageError, match=r"3 of another size such as .*\(13,\) and should be \(14"):
        AutoPruned.from_pretrained(uneven_folder)


def test_weights_that_are_missing_or_too_many_are_told(uneven_folder):
    file = uneven_folder / "model.safetensors"
    weights = load_file(file)
    weights["stray"] = weights.pop("classifier.bias")
    save_file(weights, file)
    with pytest.raises(
        UsageError, match=r"1 missing such as classifier\.bias; 1 unexpected such as stray"
    ):
        AutoPruned.from_pretrained(uneven_folder)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"architectures": ["os"]}, "no model class 'os'"),
        ({"architectures": ["BertConfig"]}, "no model class 'BertConfig'"),
        ({"architectures": ["../evil"]}, "no model class"),
        ({"architectures": None}, "no model class ''"),
        ({"architectures": ["RobertaModel"]}, "class RobertaModel but the model type bert"),
        ({"model_type": "unheard-of"}, "cannot read .*config.json"),
    ],
)
def test_foreign_classes_are_refused(uneven_folder, values, complaint):
    change(uneven_folder, **values)
    with pytest.raises(UsageError, match=complaint):
        AutoPruned.from_pretrained(uneven_folder)


def test_folders_without_weights_or_config_are_refused(uneven_folder, tmp_path):
    with pytest.raises(UsageError, match=r"no config\.json"):
        AutoPruned.from_pretrained(tmp_path / "nowhere")
    (uneven_folder / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(UsageError, match="cannot be read"):
        AutoPruned.from_pretrained(uneven_folder)
    (uneven_folder / "model.safetensors").unlink()
    with pytest.raises(UsageError, match=r"no \*\.safetensors"):
        AutoPruned.from_pretrained(uneven_folder)


def test_a_class_of_one_s_own_is_refused(zoo, tmp_path):
    class Own(hf.BertModel):
        pass

    with pytest.raises(UsageError, match="has no model class 'Own'"):
        save_pruned(Own(zoo.model("bert").config), tmp_path)
    assert list(tmp_path.iterdir()) == []
