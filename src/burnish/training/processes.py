"""Several processes that share one piece of work, as `torchrun` or `accelerate launch` start them.

With one process everything here does nothing.
"""

from __future__ import annotations

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor

Rows = NDArray[np.int64]


def own_share(rows: Rows, accelerator: Accelerator) -> Rows:
    """The part of a batch's rows that this process works on.

    Every process gets as many, so a batch that does not divide repeats its first rows, as torch's
    DistributedSampler does.
    """
    world = accelerator.num_processes
    if world == 1:
        return rows
    each = -(-len(rows) // world)
    start = accelerator.process_index * each
    return np.resize(rows, each * world)[start : start + each]


def gathered(rows: Rows, values: Tensor, accelerator: Accelerator) -> tuple[Rows, Tensor]:
    """What all processes have computed, each for rows of its own: (n,) and (n, ...).

    Processes may have different numbers of rows, none included, but all must call this.
    """
    if accelerator.num_processes == 1:
        return rows, values
    numbers = torch.as_tensor(rows, device=values.device)
    many = accelerator.gather(torch.tensor([len(rows)], device=values.device))
    most = int(many.max())
    padded_rows = torch.full((most,), -1, dtype=torch.int64, device=values.device)
    padded = values.new_zeros((most, *values.shape[1:]))
    padded_rows[: len(rows)], padded[: len(rows)] = numbers, values
    all_rows, everything = accelerator.gather((padded_rows, padded.contiguous()))
    real = all_rows >= 0
    return all_rows[real].cpu().numpy(), everything[real]
