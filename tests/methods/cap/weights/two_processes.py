"""What `test_processes.py` starts twice, and calls once itself."""

import sys
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import nn
from torch.nn.functional import cross_entropy

from burnish.methods.cap.weights import MaskedWeights, Movement, OBert, Platon
from burnish.training import Group, Training, fit, own_share

INPUTS = torch.randn(16, 8, generator=torch.Generator().manual_seed(0))
LABELS = (INPUTS[:, 0] > INPUTS[:, 1]).long()


def loss(module, rows, step):
    return cross_entropy(module(INPUTS[rows]), LABELS[rows])


def trained(criterion, accelerator):
    """Removed weights, masks, and the weights of the first layer after twelve steps."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 12), nn.Tanh(), nn.Linear(12, 2))
    masked = MaskedWeights({"first": model[0], "last": model[2]}, criterion)

    def before(step):
        if isinstance(criterion, OBert) and step % masked.refresh == 0:
            wrapped = accelerator.prepare_model(model)
            for rows in np.arange(16).reshape(2, 8):
                accelerator.backward(loss(wrapped, own_share(rows, accelerator), step))
                masked.collect()
                model.zero_grad()
        masked.before_step(step, 1 - 0.05 * step)

    fit(
        model,
        loss,
        [np.arange(16)] * 12,
        Training(learning_rate=0.01, clip=1e9),
        groups=[Group(masked.score_parameters, 0.1)],
        accelerator=accelerator,
        before_step=before,
        after_backward=lambda _: masked.after_backward(),
    )
    return {
        "removed": masked.sparsity()["removed"],
        "masks": dict(masked.masks),
        "weights": model[0].weight.detach(),
    }


def train(accelerator):
    criteria = (Movement(), Platon(refresh=3), OBert(gradients=2, block=8, refresh=6))
    return {criterion.name: trained(criterion, accelerator) for criterion in criteria}


if __name__ == "__main__":
    accelerator = Accelerator(cpu=True)
    torch.save(train(accelerator), Path(sys.argv[1]) / f"rank-{accelerator.process_index}.pt")
    torch.distributed.destroy_process_group()
