"""Tiny real models and tokenised examples that they can learn."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertForQuestionAnswering, BertForSequenceClassification

from burnish.data.encoding import Encoded
from burnish.methods.cap.objective import CapObjective
from burnish.methods.cap.pruner import ContrastivePruner
from burnish.methods.cap.schedules import Cubic, Stages
from burnish.methods.cap.units import FirstOrder
from burnish.methods.cap.weights import Movement
from burnish.training import Checkpoint, Training, seeded

SHAPE = {
    "vocab_size": 40,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 16,
    "initializer_range": 0.2,
}


def classifier(seed, **changes):
    with seeded(seed):
        config = BertConfig(**SHAPE | {"num_labels": 3} | changes)
        return BertForSequenceClassification(config).eval()


def answerer(seed, **changes):
    with seeded(seed):
        return BertForQuestionAnswering(BertConfig(**SHAPE | changes)).eval()


def encoded(n=26, *, task="classification", seed=0, classes=3):
    """Rows of 4 to 9 tokens; the second token says the class, or where the answer is."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(4, 10, n)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    tokens = rng.integers(4, 40, offsets[-1]).astype(np.int32)
    labels = rng.integers(0, classes, n)
    tokens[offsets[:-1]], tokens[offsets[:-1] + 1] = 1, 4 + labels
    asks = task == "qa"
    answers = np.stack([1 + labels, np.minimum(2 + labels, sizes - 1)], axis=1)
    return Encoded(
        task=task,
        ids=np.arange(n) * 7 + 3,
        sources=np.arange(n),
        labels=np.zeros(0, np.int64) if asks else labels.astype(np.int64),
        tokens=tokens,
        offsets=offsets,
        types=None,
        positions=answers.astype(np.int64) if asks else np.zeros((0, 2), np.int64),
        spans=np.zeros((0, 2), np.int32),
        pad=0,
    )


def pruner(folder, **changes):
    """A pruning of heads and units in two stages, each of 2 epochs of 4 steps."""
    settings = {
        "model": classifier(0),
        "teacher": classifier(1),
        "train": encoded(),
        "criterion": FirstOrder(),
        "schedule": Stages((0.3, 0.6), epochs=2),
        "objective": CapObjective(extra=8, lambda_u=0.3, lambda_s=0.1),
        "training": Training(learning_rate=1e-3),
        "batch_size": 8,
        "bank_dir": folder,
    }
    return ContrastivePruner(**settings | changes)


def weight_pruner(folder, **changes):
    """A pruning of single weights over 3 epochs of 4 steps, down to a tenth."""
    schedule = Cubic(
        initial=1.0, final=0.1, warmup_steps=2, initial_warmup=1, final_warmup=1, total_steps=12
    )
    settings = {"criterion": Movement(), "schedule": schedule, "score_learning_rate": 0.05}
    return pruner(folder, **settings | changes)


def hashes(folder):
    """SHA-256 of every file of a folder by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def logits_of(model, examples):
    inputs = examples.batch(np.arange(len(examples)))
    inputs.pop("labels")
    with torch.no_grad():
        return model(**inputs).logits


def same_weights(one, other):
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(
        torch.equal(first[name], second[name]) for name in first
    )


@pytest.fixture(scope="session")
def tiny():
    """Builders of models, examples and prunings, and how to compare what comes of them."""
    return SimpleNamespace(
        classifier=classifier,
        answerer=answerer,
        encoded=encoded,
        pruner=pruner,
        weight_pruner=weight_pruner,
        hashes=hashes,
        logits_of=logits_of,
        same_weights=same_weights,
    )


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Models so small are slower on several threads, and far slower on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def eager_checkpoints(monkeypatch):
    """Checkpoints are saved after every step, not once a minute."""
    monkeypatch.setattr(Checkpoint, "due", True)
