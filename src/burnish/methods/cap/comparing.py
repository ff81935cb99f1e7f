"""The jobs of a comparison: fine-tune a teacher, prune from it."""

from __future__ import annotations

import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from burnish.methods.cap import arms
from burnish.methods.cap.arms import Arm, Job, TeacherJob
from burnish.methods.cap.config import CapConfig
from burnish.methods.cap.probing import probe
from burnish.methods.cap.pruner import ContrastivePruner, Pruned, freeze
from burnish.methods.cap.result import Stage
from burnish.methods.cap.tasks import Scored, fine_tune
from burnish.models.pruned import AutoPruned, save_pruned
from burnish.training import derive

_OWN_RHYTHM = ("platon", "obert", "wanda")  # criteria that set masks in steps of their own


def teacher_folder(home: Path, name: str, seed: int) -> Path:
    """Where a teacher is kept."""
    return home / TeacherJob(name, seed).key


def stage_folder(home: Path, arm: Arm, sparsity: float) -> Path:
    """Where the model of a stage is kept, for an arm that keeps them."""
    return home / "models" / f"{arm.name}-at-{sparsity:g}"


def do(config: CapConfig, home: Path, job: Job) -> dict[str, Any]:
    """Do one job; what it found, as JSON has it."""
    return _teach(config, job, home) if isinstance(job, TeacherJob) else _prune(config, job, home)


def _teach(config: CapConfig, job: TeacherJob, home: Path) -> dict[str, Any]:
    ready = arms.prepared(config, job.set, job.seed)
    begun = time.process_time()
    model = arms.fresh(config, ready.train, derive(job.seed, "teacher head")).model
    if config.freeze_embeddings:
        freeze(model)
    training = arms.teaching_of(config, job.seed)
    fine_tune(
        model, ready.encoded, training, epochs=config.teacher_epochs, batch_size=config.batch_size
    )
    seconds = time.process_time() - begun
    save_pruned(model, teacher_folder(home, job.set, job.seed), ready.tokenizer)
    return {"score": asdict(ready.test.score(model)), "seconds": seconds}


def _prune(config: CapConfig, arm: Arm, home: Path) -> dict[str, Any]:
    ready = arms.prepared(config, arm.set, arm.seed)
    objective = arms.objective_of(config, arm.objective)
    objective = replace(objective, extra=min(objective.extra, len(ready.encoded) // 2))
    teacher = None
    if objective.teaches:
        teacher = AutoPruned.from_pretrained(teacher_folder(home, arm.set, arm.seed))
    scores: list[Scored] = []

    def stage_done(stage: Stage, model: PreTrainedModel) -> None:
        scores.append(ready.test.score(model))
        if arm.keep_models:
            save_pruned(model, stage_folder(home, arm, stage.sparsity), ready.tokenizer)

    with tempfile.TemporaryDirectory() as banks:
        pruned = ContrastivePruner(
            arms.fresh(config, ready.train, derive(arm.seed, "head")).model,
            teacher=teacher,
            train=ready.encoded,
            criterion=arms.criterion_of(arm.criterion),
            schedule=arms.schedule_of(config, arm, len(ready.encoded)),
            objective=objective,
            training=arms.training_of(config, arm),
            batch_size=config.batch_size,
            bank_dir=banks,
            freeze_embeddings=config.freeze_embeddings,
            mask_refresh=None if arm.criterion in _OWN_RHYTHM else config.mask_refresh,
            score_learning_rate=config.score_learning_rate * (2 if arm.criterion == "smp" else 1),
            on_stage=stage_done,
        ).prune()
    stages = [
        stage.as_dict() | {"score": asdict(score)}
        for stage, score in zip(pruned.history, scores, strict=True)
    ]
    return {"stages": stages, "seconds": pruned.seconds, "probe": _probed(config, arm, pruned)}


def _probed(config: CapConfig, arm: Arm, pruned: Pruned) -> dict[str, Any] | None:
    if not arm.probe:
        return None
    other = arms.prepared(config, arm.probe, 0)
    found = probe(
        pruned.model,
        other.encoded,
        other.test.encoded,
        pooling=arms.pooling_of(config),
        precision=arms.precision_of(config),
    )
    return asdict(found)
