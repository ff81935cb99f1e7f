"""One loop over planned batches: AdamW, warm-up and linear decay, clipping, resume.

It knows nothing of tasks: what to minimise is a function of the rows of a batch. Randomness in the
forward pass (dropout) is seeded anew at every step from the seed and the step, so a training that
was killed and goes on ends with the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from transformers import get_linear_schedule_with_warmup

from burnish.errors import BurnishError
from burnish.training.checkpoint import Checkpoint, State
from burnish.training.processes import Rows, own_share
from burnish.training.randomness import derive, seeded

Precision = Literal["float32", "bfloat16"]
Loss = Callable[[nn.Module, Rows, int], Tensor]


@dataclass(frozen=True, kw_only=True)
class Training:
    """How to train; defaults are those of BERT fine-tuning.

    Attributes:
        learning_rate: peak, of the groups that do not say otherwise.
        weight_decay: of AdamW, on matrices alone.
        warmup: share of the steps during which the rate rises linearly from 0; then it falls
            linearly to 0.
        clip: largest norm of the gradient.
        epsilon: of AdamW.
        precision: of matrix products; weights and optimiser stay in float32.
        seed: of dropout.
    """

    learning_rate: float = 2e-5
    weight_decay: float = 0.01
    warmup: float = 0.1
    clip: float = 1.0
    epsilon: float = 1e-8
    precision: Precision = "float32"
    seed: int = 0


@dataclass(frozen=True)
class Group:
    """Parameters with a peak learning rate of their own; not decayed."""

    parameters: tuple[nn.Parameter, ...]
    learning_rate: float


def fit(
    module: nn.Module,
    loss: Loss,
    plan: Sequence[Rows],
    training: Training,
    *,
    groups: Sequence[Group] = (),
    accelerator: Accelerator | None = None,
    before_step: Callable[[int], None] | None = None,
    after_backward: Callable[[int], None] | None = None,
    after_step: Callable[[int, float], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> None:
    """Train `module` in place, one step for each batch of `plan`.

    Args:
        module: in any mode; left in evaluation mode. Parameters that take no gradient stay.
        loss: given the module (wrapped for several processes), this process's rows and the step,
            from 0; returns the scalar to minimise. Under `precision` "bfloat16" it is called with
            autocast on.
        plan: the rows of each batch, in order.
        training: settings.
        groups: parameters of the module with rates of their own.
        accelerator: of the processes that train together; a new one if None.
        before_step: called before the forward pass.
        after_backward: called when gradients are there, not yet clipped.
        after_step: told the step, from 1, and its loss.
        checkpoint: where to save, and what to go on from.

    Raises:
        BurnishError: the loss became NaN or infinite; weights are those of the step before.
    """
    accelerator = accelerator or Accelerator()
    if not plan:
        module.eval()
        return
    optimizer = _optimizer(module, training, groups)
    schedule = get_linear_schedule_with_warmup(  # type: ignore[no-untyped-call]
        optimizer, round(training.warmup * len(plan)), len(plan)
    )
    begin = _restored(checkpoint, module, optimizer, schedule)
    wrapped = accelerator.prepare_model(module)
    wrapped.train()
    for step in range(begin, len(plan)):
        if before_step:
            before_step(step)
        value = _forward(wrapped, loss, plan[step], training, step, accelerator)
        accelerator.backward(value)
        if after_backward:
            after_backward(step)
        accelerator.clip_grad_norm_(_trained(module), training.clip)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        if after_step:
            after_step(step + 1, float(value.detach()))
        if checkpoint and checkpoint.due and accelerator.is_main_process:
            checkpoint.save(_state(module, optimizer, schedule, step + 1))
    module.eval()


def _trained(module: nn.Module) -> list[nn.Parameter]:
    return [parameter for parameter in module.parameters() if parameter.requires_grad]


def _optimizer(
    module: nn.Module, training: Training, groups: Sequence[Group]
) -> torch.optim.Optimizer:
    apart = {id(parameter) for group in groups for parameter in group.parameters}
    common = [parameter for parameter in _trained(module) if id(parameter) not in apart]
    rows: list[dict[str, Any]] = [
        {"params": [each for each in common if each.dim() > 1]},
        {"params": [each for each in common if each.dim() <= 1], "weight_decay": 0.0},
    ]
    rows += [
        {"params": list(group.parameters), "lr": group.learning_rate, "weight_decay": 0.0}
        for group in groups
    ]
    return torch.optim.AdamW(
        [row for row in rows if row["params"]],
        lr=training.learning_rate,
        weight_decay=training.weight_decay,
        eps=training.epsilon,
        fused=True,
    )


def _forward(
    module: nn.Module,
    loss: Loss,
    rows: Rows,
    training: Training,
    step: int,
    accelerator: Accelerator,
) -> Tensor:
    device = accelerator.device.type
    with (
        seeded(derive(training.seed, "step", step, accelerator.process_index)),
        torch.autocast(device, torch.bfloat16, enabled=training.precision == "bfloat16"),
    ):
        value = loss(module, own_share(rows, accelerator), step)
    if not torch.isfinite(value):
        raise BurnishError(
            f"the loss became {float(value.detach())} at step {step + 1}; lower the learning rate, "
            "or train in float32"
        )
    return value


def _state(module: nn.Module, optimizer: Any, schedule: Any, step: int) -> State:
    return {
        "module": module.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "step": step,
    }


def _restored(
    checkpoint: Checkpoint | None, module: nn.Module, optimizer: Any, schedule: Any
) -> int:
    """The step to go on with."""
    state = checkpoint.load() if checkpoint else None
    if state is None:
        return 0
    module.load_state_dict(state["module"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    return int(state["step"])
