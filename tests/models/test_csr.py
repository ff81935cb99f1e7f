"""Sparse rows give the same outputs as the dense matrices with zeros they stand for."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from burnish.errors import UsageError
from burnish.models.anatomy import layer_parts
from burnish.models.csr import CsrLinear, to_csr


def sparse(model: nn.Module, share: float) -> nn.Module:
    draw = torch.Generator().manual_seed(0)
    for parts in layer_parts(model):
        for linear in parts.linears:
            linear.weight.data *= torch.rand(linear.weight.shape, generator=draw) >= share
    return model


def kinds(model: nn.Module) -> list[str]:
    found = [type(m).__name__ for m in model.modules()]
    return [kind for kind in found if kind in ("Linear", "CsrLinear")]


@pytest.mark.parametrize("name", ["bert-classifier", "distilbert-qa", "llama-lm"])
def test_outputs_are_those_of_the_dense_model(zoo, name):
    model, inputs = sparse(zoo.model(name), 0.9), zoo.ragged(7, 3, 9)
    before = copy.deepcopy(model.state_dict())
    rows = to_csr(model)
    assert torch.allclose(zoo.outputs(rows, inputs), zoo.outputs(model, inputs), atol=1e-5)
    assert kinds(rows).count("CsrLinear") == sum(len(p.linears) for p in layer_parts(model))
    assert "CsrLinear" not in kinds(model)
    assert all(torch.equal(w, model.state_dict()[key]) for key, w in before.items())


def test_a_layer_multiplies_as_its_definition_says():
    draw = torch.Generator().manual_seed(0)
    linear = nn.Linear(5, 4)
    linear.weight.data *= torch.rand(4, 5, generator=draw) > 0.5
    states = torch.randn(2, 3, 5, generator=draw)
    out = CsrLinear(linear)(states)
    slow = [
        [[sum(w * s for w, s in zip(row, state, strict=True)) for row in linear.weight.tolist()]
         for state in text]
        for text in states.tolist()
    ]  # fmt: skip
    assert torch.allclose(out, torch.tensor(slow) + linear.bias, atol=1e-6)
    assert CsrLinear(linear).weight._nnz() == int((linear.weight != 0).sum())


def test_layers_with_too_few_zeros_stay_dense(zoo):
    model = sparse(zoo.model("bert"), 0.9)
    nn.init.ones_(model.encoder.layer[0].output.dense.weight)
    rows = to_csr(model, min_sparsity=0.8)
    assert isinstance(rows.encoder.layer[0].output.dense, nn.Linear)
    assert kinds(rows).count("CsrLinear") == 3 * 6 - 1


def test_what_cannot_be_sparse_is_told(zoo):
    with pytest.raises(UsageError, match="share from 0 to 1, got 90"):
        to_csr(zoo.model("bert"), min_sparsity=90)
    with pytest.raises(UsageError, match=r"is torch.bfloat16 on cpu; convert it first"):
        to_csr(zoo.model("bert").bfloat16())
