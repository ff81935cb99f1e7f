from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

from burnish.methods.cap.weights import WeightState


@pytest.fixture
def state_of():
    """A `WeightState` of a matrix, everything else optional."""

    def make(weight, *, kept=None, **parts):
        named = {"gradient": None, "scores": None, "input_norm": None, "memory": {}, **parts}
        kept = torch.ones_like(weight, dtype=torch.bool) if kept is None else kept
        return WeightState(weight=weight, kept=kept, **named)

    return make


@pytest.fixture
def tiny_bert():
    """Build a small BERT, the same weights for the same seed, and no dropout."""

    def make(seed=0):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return BertForSequenceClassification(
                BertConfig(
                    vocab_size=40,
                    hidden_size=16,
                    num_hidden_layers=2,
                    num_attention_heads=2,
                    intermediate_size=32,
                    max_position_embeddings=16,
                    hidden_dropout_prob=0.0,
                    attention_probs_dropout_prob=0.0,
                    num_labels=2,
                    initializer_range=0.2,
                    attn_implementation="eager",
                )
            )

    return make


@pytest.fixture
def linears_of():
    """The linear layers of a model's encoder, by name."""

    def find(model):
        return {
            name: module
            for name, module in model.named_modules()
            if isinstance(module, nn.Linear) and ".layer." in name
        }

    return find


@pytest.fixture
def batch_of():
    """Ids, mask and labels of batch `step`: the label is whether a low id comes first."""

    def make(step, rows=8, tokens=6):
        generator = torch.Generator().manual_seed(1000 + step)
        ids = torch.randint(2, 40, (rows, tokens), generator=generator)
        mask = torch.ones_like(ids)
        mask[0, 4:] = 0
        return {"input_ids": ids, "attention_mask": mask, "labels": (ids[:, 0] < 20).long()}

    return make
