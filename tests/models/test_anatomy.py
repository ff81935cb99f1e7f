"""Linear layers are found in every family, under any head, and refused where they are not plain."""

from __future__ import annotations

import pytest
import torch
import transformers as hf
from torch import nn
from torch.nn.utils import parametrize

from burnish.errors import UsageError
from burnish.models.anatomy import layer_parts


@pytest.mark.parametrize(
    ("name", "heads", "kv_heads", "inner"),
    [
        ("bert", 4, 4, 1),
        ("bert-qa", 4, 4, 1),
        ("roberta-classifier", 4, 4, 1),
        ("electra-classifier", 4, 4, 1),
        ("distilbert-classifier", 4, 4, 1),
        ("llama-lm", 6, 3, 2),
        ("mistral-lm", 6, 3, 2),
        ("qwen2-lm", 6, 3, 2),
        ("qwen3-lm", 6, 3, 2),
    ],
)
def test_counts_heads_and_units_of_each_layer(zoo, name, heads, kv_heads, inner):
    layers = layer_parts(zoo.model(name))
    assert [(p.heads, p.kv_heads, p.units, len(p.ffn_in)) for p in layers] == [
        (heads, kv_heads, 40, inner)
    ] * 3


def test_parts_are_the_model_s_own_in_order(zoo):
    model = zoo.model("bert-classifier")
    layers = layer_parts(model)
    assert [parts.query for parts in layers] == [
        layer.attention.self.query for layer in model.bert.encoder.layer
    ]
    assert layers[1].linears[-1] is model.bert.encoder.layer[1].output.dense


def test_a_model_inside_a_module_of_one_s_own_is_found(zoo):
    inside = zoo.model("distilbert-classifier")
    assert len(layer_parts(nn.ModuleDict({"encoder": inside, "head": nn.Linear(3, 3)}))) == 3


def test_other_families_are_refused_by_name():
    config = hf.GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=20)
    with pytest.raises(UsageError, match=r"GPT2Model has no transformer layer.*bert.*qwen2"):
        layer_parts(hf.GPT2Model(config))


def test_cross_attention_is_refused(zoo):
    model = zoo.model("bert", is_decoder=True, add_cross_attention=True)
    with pytest.raises(UsageError, match="cross-attention"):
        layer_parts(model)


def test_an_adapter_in_place_of_a_linear_layer_is_refused(zoo):
    model = zoo.model("bert")
    layer = model.encoder.layer[1].attention.self
    layer.key = nn.Sequential(layer.key)
    with pytest.raises(UsageError, match=r"self\.key of BertLayer must be .*Linear, is Sequential"):
        layer_parts(model)


def test_a_parametrised_weight_is_refused(zoo):
    class Halved(nn.Module):
        def forward(self, weight: torch.Tensor) -> torch.Tensor:
            return weight / 2

    model = zoo.model("bert")
    parametrize.register_parametrization(
        model.encoder.layer[0].output.dense, "weight", Halved(), unsafe=True
    )
    with pytest.raises(UsageError, match=r"output\.dense of BertLayer is parametrised"):
        layer_parts(model)
