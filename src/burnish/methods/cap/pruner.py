"""`ContrastivePruner`: any criterion, any schedule, one objective."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from accelerate import Accelerator
from torch import nn
from transformers import PreTrainedModel, TrainingArguments

from burnish.data.encoding import Encoded
from burnish.data.tokenised import from_dataset
from burnish.errors import ConfigError, DataError, UsageError
from burnish.methods.cap.by_units import check_stages, prune_by_units
from burnish.methods.cap.by_weights import prune_by_weights
from burnish.methods.cap.objective import CapObjective
from burnish.methods.cap.represent import check_examples, check_models, vocabulary_size
from burnish.methods.cap.result import Stage
from burnish.methods.cap.schedules import Cubic, Stages
from burnish.methods.cap.units import UnitCriterion
from burnish.methods.cap.weights import WeightCriterion
from burnish.methods.cap.work import Evaluate, Step, Work
from burnish.models.latency import Latency, latency, model_runners
from burnish.models.onnx_export import export_onnx, quantize_int8
from burnish.models.pruned import save_pruned
from burnish.models.shrinking import LayerKeep, expand
from burnish.training import Training


@dataclass(frozen=True)
class Pruned:
    """A model that was pruned.

    Attributes:
        model: structured pruning: in its small shape; unstructured: with zeros in its weights.
        history: the stages, or one entry for unstructured pruning.
        keep: original positions of heads and units that stay; empty for unstructured pruning.
        dense_config: of the model before.
        seconds: CPU seconds by part of the work.
    """

    model: PreTrainedModel
    history: tuple[Stage, ...]
    keep: tuple[LayerKeep, ...]
    dense_config: Any
    seconds: dict[str, float]

    @property
    def structured(self) -> bool:
        """Whether whole heads and units are gone."""
        return bool(self.keep)

    def compact(self) -> PreTrainedModel:
        """The model without what is gone.

        Raises:
            UsageError: pruning was unstructured: zeros scattered in a matrix cannot be cut out.
        """
        if not self.structured:
            raise UsageError(
                "zeros scattered in weight matrices cannot be cut out; prune heads and units "
                "(criterion first-order), or store the matrices as CSR from 90 % sparsity on"
            )
        return self.model

    def masked(self) -> PreTrainedModel:
        """The same function in the dense shape, zeros in place of what is gone."""
        if not self.structured:
            return self.model
        found: Any = expand(self.model, self.keep, self.dense_config)
        return found  # type: ignore[no-any-return]

    def save_pretrained(self, folder: str | Path, tokenizer: Any | None = None) -> Path:
        """Save the model as it is; `burnish.models.AutoPruned` loads it again."""
        return save_pruned(self.model, folder, tokenizer)

    def export_onnx(self, file: str | Path, *, int8: Literal["auto", "no"] = "auto") -> list[Path]:
        """Write the small model as fp32 ONNX and, unless "no", in int8 beside it.

        Raises:
            UsageError: as for `compact`.
        """
        plain = export_onnx(self.compact(), file)
        return [plain] if int8 == "no" else [plain, quantize_int8(plain)]

    def latency(
        self, *, batch: int = 1, tokens: int = 128, repeats: int = 50
    ) -> dict[str, Latency]:
        """Time the model in its dense shape and in its small one, both in ONNX Runtime fp32.

        One thread, taking turns in this process.

        Raises:
            UsageError: pruning was unstructured, and zeros in a dense matrix save no time.
        """
        if not self.structured:
            raise UsageError(
                "zeros scattered in weight matrices make nothing faster, so there is no latency to "
                "claim; time them as CSR with burnish.models.to_csr, from 90 % sparsity on"
            )
        with TemporaryDirectory() as folder:
            files = {
                "dense": export_onnx(self.masked(), Path(folder) / "dense.onnx"),
                "pruned": export_onnx(self.model, Path(folder) / "pruned.onnx"),
            }
            known = vocabulary_size(self.model)
            runners = model_runners(files, batch=batch, tokens=tokens, vocabulary=known)
            return latency(runners, repeats=repeats)


class ContrastivePruner:
    """Prunes a model while it is pulled toward what it was, what it became, and its teacher.

    Args:
        model: pre-trained encoder with a task head; pruned in place.
        teacher: the fine-tuned model; needed for distillation and for "fine".
        train: tokenised examples, or a Hugging Face dataset with `input_ids`, a label and
            `example_id`.
        criterion: what is removed: `FirstOrder`, `UnitMagnitude`, or one of `weights`.
        schedule: when: `Stages` for heads and units, `Cubic` for weights.
        objective: what is minimised meanwhile.
        training: how, or `transformers.TrainingArguments`, of which rates, decay, warm-up,
            clipping, seed and precision are read.
        batch_size: of a step over all processes; None takes it from the arguments, else 32.
        bank_dir: a folder for banks and checkpoints, empty or one to resume.
        evaluate: the metric of a model, asked before and after each retraining.
        accelerator: of the processes; made if None.
        freeze_embeddings: None is as published: frozen for weights, trained for heads and units.
        mask_refresh: steps from one setting of unstructured masks to the next; None is the
            criterion's own.
        score_learning_rate: peak, of learnt scores.
        resume: go on with what is in `bank_dir`.
        on_stage: told of every finished stage, with the model as it then is.
        on_step: told of every step.

    Raises:
        UsageError: teacher and model do not fit, the folder is not empty, no teacher where one
            is needed, or labels that are no classes with `lambda_s` > 0.
        ConfigError: criterion and schedule do not go together, or the schedule is infeasible.
        DataError: no stable example ids.

    Source: CAP, arXiv 2112.07198.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        train: Any,
        criterion: UnitCriterion | WeightCriterion,
        schedule: Stages | Cubic,
        bank_dir: str | Path,
        teacher: PreTrainedModel | None = None,
        objective: CapObjective = CapObjective(),  # noqa: B008 - frozen
        training: Training | TrainingArguments = Training(),  # noqa: B008 - frozen
        batch_size: int | None = None,
        evaluate: Evaluate | None = None,
        accelerator: Accelerator | None = None,
        freeze_embeddings: bool | None = None,
        mask_refresh: int | None = None,
        score_learning_rate: float = 1e-2,
        resume: bool = False,
        on_stage: Callable[[Stage, PreTrainedModel], None] | None = None,
        on_step: Callable[[Step], None] | None = None,
    ) -> None:
        settings, size = _settings(training, batch_size)
        config: Any = model.config
        examples = as_encoded(train, pad=getattr(config, "pad_token_id", None) or 0)
        _check_objective(objective, teacher, examples)
        check_examples(model, examples)
        if teacher is not None:
            check_models(model, teacher, projection=objective.projection)
        self._criterion, self._schedule, self._resume = criterion, schedule, resume
        self._refresh, self._score_rate = mask_refresh, score_learning_rate
        self._dense_config = copy.deepcopy(model.config)
        self.work = Work(
            model=model,
            teacher=teacher,
            examples=examples,
            objective=objective,
            training=settings,
            batch_size=size,
            folder=Path(bank_dir),
            accelerator=accelerator or Accelerator(),
            evaluate=evaluate,
            on_step=on_step,
            on_stage=on_stage,
        )
        if freeze_embeddings or (freeze_embeddings is None and isinstance(schedule, Cubic)):
            freeze(model)
        self._check_schedule()
        _check_folder(self.work, resume)

    def prune(self) -> Pruned:
        """Do it; a run that was killed goes on where it was, with the same masks and banks."""
        criterion, schedule, keep = self._criterion, self._schedule, list[LayerKeep]()
        if isinstance(criterion, UnitCriterion) and isinstance(schedule, Stages):
            kept, history = prune_by_units(self.work, criterion, schedule, resume=self._resume)
            keep = [LayerKeep(*pair) for pair in zip(kept["heads"], kept["ffn"], strict=True)]
        elif not isinstance(criterion, UnitCriterion) and isinstance(schedule, Cubic):
            history = prune_by_weights(
                self.work,
                criterion,
                schedule,
                resume=self._resume,
                refresh=self._refresh,
                score_learning_rate=self._score_rate,
            )
        else:
            raise AssertionError("checked when it was made")
        self.work.module.represented.release()
        return Pruned(
            self.work.model,
            tuple(history),
            tuple(keep),
            self._dense_config,
            dict(self.work.seconds),
        )

    def _check_schedule(self) -> None:
        criterion, schedule = self._criterion, self._schedule
        of_units = isinstance(criterion, UnitCriterion)
        if of_units != isinstance(schedule, Stages):
            wanted, came = ("Stages", "Cubic") if of_units else ("Cubic", "Stages")
            raise ConfigError(
                f"{criterion.name} removes {'heads and units' if of_units else 'weights'} and "
                f"needs a {wanted} schedule, got {came}"
            )
        if isinstance(criterion, UnitCriterion) and isinstance(schedule, Stages):
            check_stages(self.work, criterion, schedule)


def freeze(model: PreTrainedModel) -> None:
    """Embeddings take no gradient from now on."""
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            module.weight.requires_grad_(False)


def as_encoded(train: Any, *, pad: int) -> Encoded:
    """Tokenised examples from what the caller has; `pad` fills the batches of a dataset.

    Raises:
        DataError: a dataset without stable ids or without token ids; names the column.
        UsageError: neither tokenised examples nor a dataset.
    """
    if isinstance(train, Encoded):
        return train
    if getattr(train, "column_names", None) is None:
        raise UsageError(
            f"train takes burnish.data.Encoded or a Hugging Face dataset, got "
            f"{type(train).__name__}; tokenise with burnish.data.encode"
        )
    return from_dataset(train, pad=pad)


def _settings(
    training: Training | TrainingArguments, batch_size: int | None
) -> tuple[Training, int]:
    """What the loop reads of the arguments of transformers, or the loop's own settings."""
    if isinstance(training, Training):
        return training, batch_size or 32
    found = Training(
        learning_rate=training.learning_rate,
        weight_decay=training.weight_decay,
        warmup=_warmup(training),
        clip=training.max_grad_norm,
        epsilon=training.adam_epsilon,
        precision="bfloat16" if training.bf16 else "float32",
        seed=training.seed,
    )
    return found, batch_size or training.train_batch_size


def _warmup(training: TrainingArguments) -> float:
    """A share of the steps; transformers takes one below 1, or a number of steps."""
    steps = float(training.warmup_steps or 0)
    if steps >= 1:
        raise UsageError(
            f"warmup_steps {steps:g} is a number of steps, and every stage has as many as its "
            "epochs make; give a share of them, e.g. warmup_steps=0.1"
        )
    return steps


def _check_objective(
    objective: CapObjective, teacher: PreTrainedModel | None, examples: Encoded
) -> None:
    if objective.teaches and teacher is None:
        raise UsageError(
            "distillation and the view 'fine' need a teacher; give one, or set beta=0 and leave "
            "'fine' out of use"
        )
    if len(examples) < 2:
        raise DataError(f"pruning needs at least two examples, got {len(examples)}")
    if objective.use and objective.extra > len(examples):
        warnings.warn(
            f"extra={objective.extra} keys cannot be drawn from {len(examples)} examples; "
            f"{len(examples) // 2} are",
            stacklevel=3,
        )


def _check_folder(work: Work, resume: bool) -> None:
    folder = work.folder
    if not resume and folder.exists() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} is not empty; set resume=True to go on with the pruning in it, or name "
            "another folder"
        )
    work.accelerator.wait_for_everyone()  # else the first to go on fills it before others look
