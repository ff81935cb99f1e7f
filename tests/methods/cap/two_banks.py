"""What `test_two_processes.py` starts twice, and calls once itself."""

import sys
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from transformers import BertConfig, BertForSequenceClassification

from burnish.data.encoding import Encoded
from burnish.methods.cap.objective import CapObjective
from burnish.methods.cap.pruner import ContrastivePruner
from burnish.methods.cap.schedules import Stages
from burnish.methods.cap.units import FirstOrder
from burnish.training import seeded

N = 27  # seven batches of four: neither rows nor batches divide by two


def model(seed):
    with seeded(seed):
        config = BertConfig(
            vocab_size=40, hidden_size=32, num_hidden_layers=2, num_attention_heads=4,
            intermediate_size=24, max_position_embeddings=16, num_labels=3, initializer_range=0.2,
        )  # fmt: skip
        return BertForSequenceClassification(config)


def examples():
    rng = np.random.default_rng(0)
    offsets = np.concatenate([[0], np.cumsum(rng.integers(4, 10, N))]).astype(np.int64)
    return Encoded(
        task="classification",
        ids=np.arange(N),
        sources=np.arange(N),
        labels=rng.integers(0, 3, N),
        tokens=rng.integers(1, 40, offsets[-1]).astype(np.int32),
        offsets=offsets,
        types=None,
        positions=np.zeros((0, 2), np.int64),
        spans=np.zeros((0, 2), np.int32),
        pad=0,
    )


def prune(folder, accelerator, epochs):
    return ContrastivePruner(
        model(0),
        teacher=model(1),
        train=examples(),
        criterion=FirstOrder(),
        schedule=Stages((0.4, 0.6), epochs=epochs),
        objective=CapObjective(extra=8, lambda_u=0.3),
        batch_size=4,
        bank_dir=folder,
        accelerator=accelerator,
    )


def work(folder, accelerator):
    """Banks of a pass of their own, and of a pruning without and with training."""
    made = prune(folder / "alone", accelerator, 0)
    made.work.snapshot("pre")
    untrained = prune(folder / "untrained", accelerator, 0).prune()
    trained = prune(folder / "trained", accelerator, 1).prune()
    return {
        "untrained": [stage.digest for stage in untrained.history],
        "trained": {name: value.clone() for name, value in trained.model.state_dict().items()},
    }


if __name__ == "__main__":
    accelerator = Accelerator(cpu=True)
    target = Path(sys.argv[1])
    found = work(target, accelerator)
    torch.save(found, target / f"rank-{accelerator.process_index}.pt")
    torch.distributed.destroy_process_group()
