"""Fine-tuning a teacher, and what a model scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score, f1_score
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel

from burnish.data.answers import best_answers, score_answers
from burnish.data.batching import eval_batches, plan_batches
from burnish.data.encoding import Encoded
from burnish.data.examples import Examples
from burnish.errors import DataError
from burnish.methods.cap.represent import Represented
from burnish.models.onnx_export import OnnxModel
from burnish.training import Training, derive, fit

Rows = NDArray[np.int64]
EVAL_BATCH = 64


@dataclass(frozen=True)
class Scored:
    """What a model scores on a test set.

    Attributes:
        main: the metric that is compared, in percent: accuracy, or token F1 of answers.
        second: macro F1 of classes, or exact match, in percent.
        count: examples.
    """

    main: float
    second: float
    count: int


def metric_names(task: str) -> tuple[str, str]:
    """Names of `Scored.main` and `Scored.second` for a task."""
    return ("f1_percent", "exact_percent") if task == "qa" else ("accuracy_percent", "f1_percent")


@dataclass(frozen=True)
class TestSet:
    """Test examples as text and as tokens, and how to score on them."""

    examples: Examples
    encoded: Encoded
    precision: str = "float32"

    def score(self, model: PreTrainedModel) -> Scored:
        """What `model` scores, without dropout."""
        represented = Represented(model, "cls", 0.0).eval()
        on = self.precision == "bfloat16"
        with torch.no_grad(), torch.autocast(model.device.type, torch.bfloat16, enabled=on):
            found = self._scored(
                lambda rows: represented(**inputs_of(self.encoded, rows, model.device)[0])[0].cpu()
            )
        represented.release()
        return found

    def score_onnx(self, path: Path) -> Scored:
        """What an exported model scores in ONNX Runtime."""
        model = OnnxModel(path)

        def logits(rows: Rows) -> Tensor:
            inputs = self.encoded.batch(rows)
            found = model({name: inputs[name].numpy() for name in model.inputs})
            return torch.from_numpy(np.stack([found[name] for name in model.outputs]))

        return self._scored(logits)

    def _scored(self, logits_of: Callable[[Rows], Tensor]) -> Scored:
        """Score the logits (H, B, C) that a model gives for each batch of rows."""
        widest = int(self.encoded.lengths.max())
        qa = self.examples.task == "qa"
        found: Tensor | None = None
        for rows in eval_batches(self.encoded.lengths, EVAL_BATCH):
            logits = logits_of(rows).float()
            if qa:
                logits = nn.functional.pad(logits, (0, widest - logits.shape[2]), value=-1e4)
            if found is None:
                found = torch.empty(len(logits), len(self.encoded), logits.shape[2])
            found[:, torch.from_numpy(rows)] = logits
        if found is None:
            raise DataError("there is nothing to score on; give at least one test example")
        return self._answer_scores(found) if qa else self._class_scores(found[0])

    def _class_scores(self, logits: Tensor) -> Scored:
        labels, predicted = self.encoded.labels, logits.argmax(1).numpy()
        return Scored(
            100 * float(accuracy_score(labels, predicted)),
            100 * float(f1_score(labels, predicted, average="macro")),
            len(labels),
        )

    def _answer_scores(self, logits: Tensor) -> Scored:
        start, end = logits.numpy()
        texts = best_answers(self.examples, self.encoded, start, end)
        found = score_answers(texts, [text for _, text in self.examples.answers])
        return Scored(found.f1_percent, found.exact_percent, len(texts))


def inputs_of(
    encoded: Encoded, rows: Rows, device: torch.device
) -> tuple[dict[str, Tensor], Tensor]:
    """A batch as the model takes it, and its labels (H, B)."""
    inputs = {name: value.to(device) for name, value in encoded.batch(rows).items()}
    names = ("start_positions", "end_positions") if encoded.task == "qa" else ("labels",)
    return inputs, torch.stack([inputs.pop(name) for name in names])


def fine_tune(
    model: PreTrainedModel,
    examples: Encoded,
    training: Training,
    *,
    epochs: int,
    batch_size: int,
    on_step: Callable[[int, float], None] | None = None,
) -> None:
    """Train a model with a head on its labels, in place: what makes a teacher.

    Raises:
        DataError: no examples.
    """
    if not len(examples):
        raise DataError("there is nothing to train on; give at least one example")
    represented = Represented(model, "cls", 0.0)
    accelerator = Accelerator()
    model.to(accelerator.device)

    def loss(module: nn.Module, rows: Rows, step: int) -> Tensor:
        inputs, labels = inputs_of(examples, rows, accelerator.device)
        logits: Any = module(**inputs)[0]
        with torch.autocast(accelerator.device.type, enabled=False):
            each = [cross_entropy(logits[head], labels[head]) for head in range(len(logits))]
            return torch.stack(each).mean()

    rng = np.random.default_rng(derive(training.seed, "teacher plan"))
    plan = plan_batches(examples.lengths, batch_size=batch_size, epochs=epochs, generator=rng)
    fit(represented, loss, plan, training, accelerator=accelerator, after_step=on_step)
    represented.release()
