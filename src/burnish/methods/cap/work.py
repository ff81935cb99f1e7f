"""What structured and unstructured pruning share: batches, banks, the teacher, the loss."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PreTrainedModel

from burnish.data.batching import plan_batches
from burnish.data.encoding import Encoded
from burnish.errors import ConfigError
from burnish.methods.cap.banks import Bank, Banks
from burnish.methods.cap.objective import BoundObjective, CapObjective, Losses
from burnish.methods.cap.represent import Represented, hidden_size
from burnish.methods.cap.result import Stage
from burnish.methods.cap.schedules import Cubic, Stages
from burnish.training import Training, derive, seeded

Rows = NDArray[np.int64]
Evaluate = Callable[[PreTrainedModel], float]
LOGITS = "teacher.f32"


@dataclass(frozen=True)
class Step:
    """One training step, as `on_step` is told of it."""

    stage: int
    step: int
    steps: int
    losses: dict[str, float]


class Trained(nn.Module):
    """Everything that takes gradients: the model with its vectors, and a projection if wanted."""

    def __init__(self, represented: Represented, projection: nn.Module | None) -> None:
        super().__init__()
        self.represented, self.projection = represented, projection

    def forward(self, **inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (H, B, C) and vectors (B, D)."""
        found: tuple[Tensor, Tensor] = self.represented(**inputs)
        return found


@dataclass
class Work:
    """One pruning under way.

    Attributes:
        model: what is pruned, in place.
        examples: the training set, N rows.
        objective: what is minimised.
        training: how.
        batch_size: rows of a step, over all processes.
        folder: banks, checkpoints and state.
        accelerator: of the processes.
        evaluate: gives the metric of a model, or None.
        on_step: told of every training step, or None.
        on_stage: told of every finished stage, or None.
        seconds: CPU seconds this process has spent, by part of the work.
    """

    model: PreTrainedModel
    teacher: PreTrainedModel | None
    examples: Encoded
    objective: CapObjective
    training: Training
    batch_size: int
    folder: Path
    accelerator: Accelerator
    evaluate: Evaluate | None = None
    on_step: Callable[[Step], None] | None = None
    on_stage: Callable[[Stage, PreTrainedModel], None] | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        pooling = "cls" if self.objective.pooling == "auto" else self.objective.pooling
        dropped = self.objective.anchor_dropout
        self.model.to(self.accelerator.device)
        width = hidden_size(self.model)
        projection = None
        if self.objective.projection and self.teacher is not None and self.wants("fine"):
            with seeded(derive(self.training.seed, "projection")):
                projection = nn.Linear(width, hidden_size(self.teacher), bias=False)
            projection.to(self.accelerator.device)
        self.module = Trained(Represented(self.model, pooling, dropped), projection)
        self.banks = Banks(self.folder / "banks", len(self.examples), width, self.accelerator)
        self._pooling = pooling
        self._bound: BoundObjective | None = None

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Counts the CPU time spent inside, less what is counted for another part within."""
        begun, elsewhere = time.process_time(), sum(self.seconds.values())
        yield
        within = sum(self.seconds.values()) - elsewhere
        spent = time.process_time() - begun - within
        self.seconds[part] = self.seconds.get(part, 0.0) + spent

    def asked(self, criterion: Any, schedule: Stages | Cubic) -> dict[str, str]:
        """What decides the outcome, in words, for a resumed pruning to compare."""
        tokens = hashlib.sha256()
        for part in (self.examples.tokens, self.examples.labels, self.examples.positions):
            tokens.update(np.ascontiguousarray(part).tobytes())
        return {
            "criterion": repr(criterion) if is_dataclass(criterion) else str(criterion.name),
            "schedule": repr(schedule),
            "objective": repr(self.objective),
            "training": repr(self.training),
            "batch size": str(self.batch_size),
            "examples": f"{len(self.examples)} with SHA-256 {tokens.hexdigest()[:12]}",
        }

    def check_asked(self, recorded: Mapping[str, str], now: Mapping[str, str]) -> None:
        """Refuse to go on with a pruning that was begun with something else.

        Raises:
            ConfigError: names the first thing that differs.
        """
        for name, value in now.items():
            if (before := recorded.get(name)) != value:
                raise ConfigError(
                    f"{self.folder} was begun with {name} {before}, and now it is {value}; use "
                    "what it was begun with, or name another folder"
                )

    def plan(self, epochs: int, *names: str | int) -> list[Rows]:
        """The batches of some epochs, in an order that the seed and the names decide."""
        if not epochs:
            return []
        rng = np.random.default_rng(derive(self.training.seed, "plan", *names))
        lengths = self.examples.lengths
        return plan_batches(lengths, batch_size=self.batch_size, epochs=epochs, generator=rng)

    def stage_training(self, stage: int) -> Training:
        """The settings with a seed of the stage's own."""
        return replace(self.training, seed=derive(self.training.seed, "stage", stage))

    def bind(self) -> None:
        """Ask the teacher, once for each example, and make the loss that uses its answers."""
        logits = None
        if self.teacher is not None and self.objective.teaches:
            path = self.folder / "banks" / LOGITS
            with self.timed("teacher"):
                if not path.exists() or "fine" not in self.banks.names("fine"):
                    self._ask_teacher(self.teacher, path)
            logits = np.memmap(path, np.float32, "r").reshape(len(self.examples), -1)
        self._bound = BoundObjective(
            self.objective,
            self.examples,
            self.banks,
            logits,
            seed=self.training.seed,
            projection=self.module.projection,
        )

    def _ask_teacher(self, teacher: PreTrainedModel, path: Path) -> None:
        teacher.to(self.accelerator.device)
        teacher.eval()  # type: ignore[no-untyped-call]  # a decorator of transformers has no types
        represented = Represented(teacher, self._pooling, 0.0).eval()
        longest = int(self.examples.lengths.max())
        batches = self.plan(1, "teacher")
        bank = self.banks.begin("fine", width=hidden_size(teacher))
        logits: Bank | None = None
        for rows in self.shared(batches):
            answers, vectors = self._forward(represented, rows)
            if answers.shape[0] > 1:  # positions: every row as long as the longest example
                answers = nn.functional.pad(answers, (0, longest - answers.shape[2]), value=-1e4)
            flat = answers.transpose(0, 1).flatten(1)
            logits = logits or Bank(
                path,
                len(self.examples),
                flat.shape[1],
                self.accelerator,
                dtype=np.float32,
                unit=False,
            )
            logits.put(rows, flat)
            bank.put(rows, vectors)
        if logits is not None:
            logits.close()
        bank.close()
        represented.release()

    def shared(self, batches: Sequence[Rows]) -> Iterator[Rows]:
        """The batches of this process; each gets as many, the last ones maybe without rows."""
        world, own = self.accelerator.num_processes, self.accelerator.process_index
        for start in range(0, len(batches), world):
            mine = start + own
            yield batches[mine] if mine < len(batches) else batches[0][:0]

    def _forward(self, represented: Represented, rows: Rows) -> tuple[Tensor, Tensor]:
        """Logits and vectors without gradient; of a stand-in row where there are none."""
        asked = rows if len(rows) else np.zeros(1, np.int64)
        inputs, _ = self.batch(asked)
        with torch.no_grad(), self.autocast():
            logits, vectors = represented(**inputs)
        return logits[:, : len(rows)], vectors[: len(rows)]

    def autocast(self) -> Any:
        """Mixed precision where the settings want it."""
        wanted = self.training.precision == "bfloat16"
        return torch.autocast(self.accelerator.device.type, torch.bfloat16, enabled=wanted)

    def encode(self, rows: Rows) -> Tensor:
        """The model's vectors (n, D) of these rows, as it is now, without dropout."""
        return self._forward(self.module.represented.eval(), rows)[1]

    def wants(self, name: str) -> bool:
        """Whether a bank of this name is contrasted with."""
        return name.partition("-")[0] in self.objective.use

    def snapshot(self, name: str) -> None:
        """Fill a bank with the model as it is now, if it is contrasted with."""
        if not self.wants(name):
            return
        with self.timed("banks"):
            bank = self.banks.begin(name)
            for rows in self.shared(self.plan(1, "bank")):
                bank.put(rows, self.encode(rows))
            bank.close()

    def batch(self, rows: Rows) -> tuple[dict[str, Tensor], Tensor]:
        """Inputs of the model, and labels (H, B)."""
        inputs = self.examples.batch(rows)
        names = ("start_positions", "end_positions") if self.examples.task == "qa" else ("labels",)
        labels = torch.stack([inputs.pop(name) for name in names])
        device = self.accelerator.device
        return {name: value.to(device) for name, value in inputs.items()}, labels.to(device)

    def losses(
        self, module: nn.Module, rows: Rows, *, step: str, contrast: bool
    ) -> tuple[Losses, Tensor]:
        """The parts of the loss of these rows, and their vectors, by `module`."""
        bound = cast("BoundObjective", self._bound)
        inputs, labels = self.batch(rows)
        logits, vectors = module(**inputs)
        contrasted = vectors if contrast else None
        return bound.losses(rows, logits, contrasted, labels, step=step), vectors

    def metric(self) -> float | None:
        """What `evaluate` says of the model as it is now."""
        if self.evaluate is None:
            return None
        with self.timed("evaluation"):
            self.model.eval()  # type: ignore[no-untyped-call]
            return float(self.evaluate(self.model))

    def finished(self, stage: Stage) -> None:
        """Tell the caller of a stage."""
        if self.on_stage:
            self.on_stage(stage, self.model)

    def told(self, stage: int, step: int, steps: int, losses: Losses) -> None:
        """Tell the caller of a step."""
        if self.on_step is None:
            return
        parts = {"total": losses.total, "labels": losses.labels, "distilled": losses.distilled,
                 "contrast": losses.contrast}  # fmt: skip
        told = {name: float(value.detach()) for name, value in parts.items() if value is not None}
        self.on_step(Step(stage, step, steps, told))
