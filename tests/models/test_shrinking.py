"""A model without heads and units computes what it computes with them set to zero."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from transformers import AutoModel, AutoModelForSequenceClassification

from burnish import assets
from burnish.errors import AssetMissing, UsageError
from burnish.models import load_causal_lm
from burnish.models.anatomy import layer_parts
from burnish.models.options import quiet
from burnish.models.shapes import LayerShape, layer_shapes
from burnish.models.shrinking import LayerKeep, expand, shrink, zero_out

SDPA = [
    "bert",
    "bert-classifier",
    "bert-qa",
    "roberta-classifier",
    "electra-classifier",
    "distilbert-classifier",
    "distilbert-qa",
    "llama-lm",
    "llama-tied-lm",
    "llama-classifier",
    "mistral-lm",
    "qwen2-lm",
    "qwen3-lm",
]
EAGER = ["bert-classifier", "roberta-classifier", "distilbert-classifier", "llama-lm"]


@pytest.mark.parametrize(
    ("name", "attention"),
    [(name, "sdpa") for name in SDPA] + [(name, "eager") for name in EAGER],
)
def test_shrunk_zeroed_and_expanded_agree(zoo, name, attention):
    model, inputs = zoo.model(name, attention=attention), zoo.ragged(7, 3, 9)
    keep, dense = zoo.uneven(model), zoo.outputs(model, inputs)
    zeroed, shrunk = copy.deepcopy(model), copy.deepcopy(model)
    zero_out(zeroed, keep)
    shrink(shrunk, keep)
    wanted = zoo.outputs(zeroed, inputs)
    assert not torch.allclose(wanted, dense, atol=0.1)
    assert torch.allclose(zoo.outputs(shrunk, inputs), wanted, atol=1e-5)
    wide = expand(shrunk, keep, model.config)
    assert torch.allclose(zoo.outputs(wide, inputs), wanted, atol=1e-5)
    zeros = zeroed.state_dict()
    assert all(torch.equal(weight, zeros[name]) for name, weight in wide.state_dict().items())


def test_zeroed_weights_stand_where_the_masks_of_the_activations_would(zoo):
    """The definition: head outputs and feed-forward activations multiplied by a mask."""
    model, inputs = zoo.model("bert-classifier"), zoo.ragged(7, 3, 9)
    keep = zoo.uneven(model)
    masked, zeroed = copy.deepcopy(model), copy.deepcopy(model)
    zero_out(zeroed, keep)
    for parts, kept in zip(layer_parts(masked), keep, strict=True):
        heads, units = torch.zeros(parts.heads), torch.zeros(parts.units)
        heads[kept.heads], units[kept.units] = 1, 1
        mask = heads.repeat_interleave(parts.head_dim)
        parts.attention_out.register_forward_pre_hook(lambda _, args, mask=mask: (args[0] * mask,))
        parts.ffn_out.register_forward_pre_hook(lambda _, args, mask=units: (args[0] * mask,))
    assert torch.allclose(zoo.outputs(zeroed, inputs), zoo.outputs(masked, inputs), atol=1e-5)


def test_the_same_number_of_query_heads_of_each_group_may_go(zoo):
    model, inputs = zoo.model("llama-lm"), zoo.ragged(7, 3)
    keep = [zoo.kept([0, 3, 4], range(40)), zoo.kept([1, 5], range(9)), zoo.kept([2, 3], [0])]
    zeroed = copy.deepcopy(model)
    zero_out(zeroed, keep)
    shrink(model, keep)
    assert layer_shapes(model) == [LayerShape(3, 3, 40), LayerShape(2, 2, 9), LayerShape(2, 1, 1)]
    assert torch.allclose(zoo.outputs(model, inputs), zoo.outputs(zeroed, inputs), atol=1e-5)


def test_a_shrunk_decoder_generates_with_its_cache(zoo):
    model = zoo.model("llama-lm")
    shrink(model, zoo.uneven(model))
    tokens = zoo.ragged(5)
    settings = {"max_new_tokens": 6, "do_sample": False, "pad_token_id": 1}
    with_cache = model.generate(**tokens, **settings)
    assert torch.equal(with_cache, model.generate(**tokens, **settings, use_cache=False))
    assert with_cache.shape == (1, 11)


def test_shrinking_twice_counts_from_what_is_there(zoo):
    model, inputs = zoo.model("bert"), zoo.ragged(6, 2)
    at_once = copy.deepcopy(model)
    shrink(model, [zoo.kept([0, 2, 3], range(0, 40, 2))] * 3)
    shrink(model, [zoo.kept([1, 2], range(0, 20, 2))] * 3)
    shrink(at_once, [zoo.kept([2, 3], range(0, 40, 4))] * 3)
    assert torch.equal(zoo.outputs(model, inputs), zoo.outputs(at_once, inputs))
    assert model.config.burnish_pruned == {"layers": [[2, 2, 10]] * 3}


def test_counts_that_others_read_follow(zoo):
    bert, distil, llama = (zoo.model(n) for n in ("bert", "distilbert-qa", "llama-lm"))
    for model in (bert, distil, llama):
        shrink(model, zoo.uneven(model))
    attention = bert.encoder.layer[2].attention.self
    assert (attention.num_attention_heads, attention.all_head_size) == (1, 8)
    assert distil.distilbert.transformer.layer[2].attention.n_heads == 1
    assert llama.model.layers[2].self_attn.num_key_value_groups == 2
    assert llama.model.layers[2].self_attn.k_proj.out_features == 8
    assert llama.config.num_attention_heads == 6


def test_a_shrunk_model_still_learns(zoo):
    model = zoo.model("bert-classifier")
    model.bert.encoder.layer[0].attention.self.query.weight.requires_grad_(False)
    shrink(model, zoo.uneven(model))
    loss = model(**zoo.ragged(5, 4), labels=torch.tensor([0, 2])).loss
    loss.backward()
    parts = layer_parts(model)
    assert not parts[0].query.weight.requires_grad
    assert parts[0].key.weight.grad.shape == parts[0].key.weight.shape
    assert parts[1].ffn_out.weight.grad.abs().sum() > 0


def test_a_model_inside_another_module_is_shrunk(zoo):
    inside = zoo.model("bert")
    outside = nn.ModuleDict({"encoder": inside})
    shrink(outside, zoo.uneven(outside))
    assert inside.config.burnish_pruned["layers"][2] == [1, 1, 0]


@pytest.mark.parametrize(
    ("heads", "units", "complaint"),
    [
        ([], [0], "layer 1 keeps none of its 4 heads"),
        ([0, 4], [0], r"heads of layer 1 .* increasing indices from 0 to 3, got \[0, 4\]"),
        ([2, 1], [0], r"increasing indices from 0 to 3, got \[2, 1\]"),
        ([0, 0], [0], "increasing"),
        ([-1, 0], [0], "increasing"),
        ([0], [40], r"units of layer 1 .* from 0 to 39, got \[40\]"),
    ],
)
@pytest.mark.parametrize("act", [shrink, zero_out])
def test_what_cannot_be_kept_is_said_before_anything_changes(zoo, act, heads, units, complaint):
    model = zoo.model("bert")
    before = copy.deepcopy(model.state_dict())
    good = zoo.kept([0], [1])
    with pytest.raises(UsageError, match=complaint):
        act(model, [good, zoo.kept(heads, units), good])
    after = model.state_dict()
    assert all(torch.equal(weight, after[name]) for name, weight in before.items())


def test_masks_are_no_indices(zoo):
    keep = LayerKeep(torch.ones(4, dtype=torch.bool), torch.arange(3))
    with pytest.raises(
        UsageError, match=r"1-d long tensor of indices, got shape \(4,\) of torch.b"
    ):
        shrink(zoo.model("bert"), [keep] * 3)


def test_there_is_one_keep_a_layer(zoo):
    with pytest.raises(UsageError, match="each of the 3 layers, got 2"):
        shrink(zoo.model("bert"), [zoo.kept([0], [0])] * 2)


def test_unequal_groups_of_query_heads_are_refused_with_what_would_do(zoo):
    keep = [zoo.kept([0, 1, 2], [0])] * 3
    with pytest.raises(UsageError, match=r"keeps \[2, 1, 0\] query heads .* keep the same number"):
        shrink(zoo.model("llama-lm"), keep)


def test_expanding_needs_the_keep_that_led_here(zoo):
    model = zoo.model("bert")
    dense = copy.deepcopy(model.config)
    shrink(model, [zoo.kept([0, 1], [0])] * 3)
    with pytest.raises(UsageError, match=r"layer 0 with \(8, 8, 1\) .* has \(16, 16, 1\)"):
        expand(model, [zoo.kept([0], [0])] * 3, dense)
    dense.num_hidden_layers = 4
    with pytest.raises(UsageError, match="has 3 layers, the dense config 4"):
        expand(model, [zoo.kept([0], [0])] * 4, dense)


def test_plain_transformers_loads_an_expanded_model(zoo, tmp_path):
    model, inputs = zoo.model("bert"), zoo.ragged(4, 8)
    keep, dense = zoo.uneven(model), copy.deepcopy(model.config)
    shrink(model, keep)
    expand(model, keep, dense).save_pretrained(tmp_path)
    with quiet():
        again = AutoModel.from_pretrained(tmp_path)
    assert not hasattr(again.config, "burnish_pruned")
    assert torch.allclose(zoo.outputs(again, inputs), zoo.outputs(model, inputs), atol=1e-5)


def pulled(name: str) -> str:
    try:
        assets.path(name)
    except AssetMissing as missing:
        pytest.skip(str(missing))
    return name


@pytest.mark.xdist_group("smollm2")
def test_smollm2_loses_a_third_of_its_heads_and_half_its_units(zoo):
    lm = load_causal_lm(pulled("smollm2-135m-instruct"), device="cpu")
    keep = [
        zoo.kept([0, 1, 2, 6, 7, 8] if number % 2 else [0, 1, 3, 4, 6, 7], range(0, 1536, 2))
        for number in range(30)
    ]
    inputs = lm.tokenizer(["Water boils at", "Hello"], padding=True, return_tensors="pt")
    before = lm.model.num_parameters()
    zero_out(lm.model, keep)
    wanted = zoo.outputs(lm.model, inputs)
    shrink(lm.model, keep)
    assert torch.allclose(zoo.outputs(lm.model, inputs), wanted, atol=1e-5 * wanted.abs().max())
    assert 0.5 < lm.model.num_parameters() / before < 0.7


def test_minilm_loses_half_its_heads_and_units(zoo):
    with quiet(), torch.random.fork_rng():
        model = AutoModelForSequenceClassification.from_pretrained(
            assets.path(pulled("all-minilm-l6-v2")), num_labels=3, local_files_only=True
        ).eval()
    keep = [zoo.kept(range(0, 12, 2), range(0, 1536, 2))] * 6
    shrunk, inputs = copy.deepcopy(model), zoo.ragged(30, 12, 1)
    shrink(shrunk, keep)
    zero_out(model, keep)
    assert torch.allclose(zoo.outputs(shrunk, inputs), zoo.outputs(model, inputs), atol=1e-5)
    encoder = [sum(w.numel() for w in m.bert.encoder.parameters()) for m in (shrunk, model)]
    assert encoder[0] / encoder[1] == pytest.approx(0.5, abs=0.01)
