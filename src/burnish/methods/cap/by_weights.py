"""CAP-m and CAP-soft: single weights go along a cubic curve while the model trains.

The six matrices of every encoder layer are masked; embeddings are frozen; pooler, LayerNorm,
biases and the head stay dense and trained. A bank is taken at the start of every epoch, the first
of which stands for the pre-trained model; without dropout, unlike in the released code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from burnish.errors import ConfigError
from burnish.methods.cap.result import Stage
from burnish.methods.cap.schedules import Cubic
from burnish.methods.cap.weights import (
    Calibrated,
    Estimating,
    MaskedWeights,
    Thresholded,
    WeightCriterion,
)
from burnish.methods.cap.work import Rows, Work
from burnish.models.anatomy import layer_parts
from burnish.training import Checkpoint, Group, derive, fit


def masked_linears(model: nn.Module) -> dict[str, nn.Linear]:
    """The matrices that are masked, by "layer number.part"."""
    names = ("query", "key", "value", "attention_out", "ffn_in", "ffn_out")
    found: dict[str, nn.Linear] = {}
    for number, parts in enumerate(layer_parts(model)):
        if len(parts.linears) != len(names):
            raise ConfigError("unstructured pruning is for encoders, which have six matrices")
        found |= {
            f"{number}.{name}": linear for name, linear in zip(names, parts.linears, strict=True)
        }
    return found


def prune_by_weights(
    work: Work,
    criterion: WeightCriterion,
    schedule: Cubic,
    *,
    resume: bool,
    refresh: int | None,
    score_learning_rate: float,
) -> list[Stage]:
    """Prune `work.model` in place for `schedule.total_steps` steps; it ends with zeros in it."""
    masked = MaskedWeights(masked_linears(work.model), criterion, refresh=refresh)
    _freeze(work.model, criterion)
    checkpoint = Checkpoint(work.folder / "step-0.pt")
    if not resume:
        checkpoint.discard()
    if not checkpoint.path.exists():
        work.banks.verify({})  # of what was not recorded, nobody knows what it was made with
    work.bind()
    epoch = -(-len(work.examples) // work.batch_size)
    plan = work.plan(-(-schedule.total_steps // epoch), "weights")[: schedule.total_steps]
    story = _Story(work, masked, schedule, epoch)
    checkpoint.extra, checkpoint.restore = story.state, story.restore
    with work.timed("training"):
        fit(
            work.module,
            story.loss,
            plan,
            work.stage_training(0),
            groups=[Group(masked.score_parameters, score_learning_rate)],
            accelerator=work.accelerator,
            before_step=story.before_step,
            after_backward=lambda _: masked.after_backward(),
            checkpoint=checkpoint,
        )
    if not story.arrived:
        story.set_masks(schedule.final)
    count, digest = masked.sparsity(), masked.digest()
    masked.bake()
    removed, total = count["removed"], count["total"]
    stage = Stage(
        sparsity=removed / total if _limits(criterion) else 1 - schedule.final,
        removed={"weights": removed},
        total={"weights": total},
        before=None,
        after=work.metric(),
        digest=digest,
    )
    work.finished(stage)
    return [stage]


def _limits(criterion: WeightCriterion) -> bool:
    return isinstance(criterion, Thresholded)


def _freeze(model: Any, criterion: WeightCriterion) -> None:
    """With frozen weights, nothing below the pooler takes gradients."""
    if not criterion.trains_weights:
        for name, parameter in model.base_model.named_parameters():
            if not name.startswith("pooler"):
                parameter.requires_grad_(False)


class _Story:
    """What happens around each step."""

    def __init__(self, work: Work, masked: MaskedWeights, schedule: Cubic, epoch: int) -> None:
        self.work, self.masked, self.schedule, self.epoch = work, masked, schedule, epoch
        self.asked = work.asked(masked.criterion, schedule)
        self.arrived = False
        self._level = schedule.initial

    def before_step(self, step: int) -> None:
        """A bank at the start of an epoch, and new masks where they are due."""
        if step % self.epoch == 0:
            number = step // self.epoch
            self.work.snapshot("pre" if number == 0 else f"snap-{number:02d}")
            self.work.module.train()
        self._level = self.schedule.at(step)
        if step % self.masked.refresh == 0:
            self.set_masks(self._level, step)

    def set_masks(self, level: float, step: int = 0) -> None:
        """Show the criterion what it needs, and set the masks."""
        with self.work.timed("importance"):
            moving = level < 1 or isinstance(self.masked.criterion, Thresholded)
            if moving and isinstance(self.masked.criterion, Calibrated):
                self._calibrate(self.masked.criterion.sequences, step)
            if moving and isinstance(self.masked.criterion, Estimating):
                self._estimate(self.masked.criterion.gradients, step)
            if moving:
                self.masked.update(level)
        self.arrived = level == self.schedule.final

    def loss(self, module: nn.Module, rows: Rows, step: int) -> Tensor:
        """The objective, and the penalty of soft movement."""
        losses, _ = self.work.losses(module, rows, step=f"weights/{step}", contrast=True)
        self.work.told(0, step + 1, self.schedule.total_steps, losses)
        penalty = self.masked.penalty(self._level)
        return losses.total if penalty is None else losses.total + penalty

    def state(self) -> dict[str, Any]:
        """What a resumed run needs beside weights."""
        return {
            "asked": self.asked,
            "masks": self.masked.state_dict(),
            "banks": self.work.banks.digest(),
            "arrived": self.arrived,
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """The same masks and banks as when `state` was taken."""
        self.work.check_asked(state["asked"], self.asked)
        self.work.banks.verify(state["banks"])
        self.masked.load_state_dict(state["masks"])
        self.arrived = bool(state["arrived"])

    def _drawn(self, count: int, step: int) -> Rows:
        size = len(self.work.examples)
        rng = np.random.default_rng(derive(self.work.training.seed, "calibration", step))
        return rng.choice(size, min(count, size), replace=False)

    def _calibrate(self, sequences: int, step: int) -> None:
        rows = self._drawn(sequences, step)
        size = self.work.batch_size
        batches = [self.work.batch(rows[at : at + size])[0] for at in range(0, len(rows), size)]
        self.work.module.eval()
        self.masked.calibrate(lambda batch: self.work.module(**batch), batches)
        self.work.module.train()

    def _estimate(self, gradients: int, step: int) -> None:
        """One gradient an example, as the empirical Fisher wants."""
        self.work.module.eval()
        for row in self._drawn(gradients, step):
            one = np.array([row])
            losses, _ = self.work.losses(
                self.work.module, one, step=f"fisher/{step}/{row}", contrast=True
            )
            losses.total.backward()  # type: ignore[no-untyped-call]  # torch's stub
            self.masked.collect()
            self.work.module.zero_grad()
        self.work.module.train()
