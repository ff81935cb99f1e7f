"""Do the prunings of a comparison, several at once, each in a process of its own.

A job leaves one JSON file, so a killed comparison does only what is missing.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from burnish.methods.cap import arms
from burnish.methods.cap.arms import Arm, Job, TeacherJob
from burnish.methods.cap.config import CapConfig
from burnish.methods.cap.probing import probe
from burnish.methods.cap.pruner import ContrastivePruner, Pruned, freeze
from burnish.methods.cap.result import Stage
from burnish.methods.cap.tasks import Scored, fine_tune
from burnish.models.options import cores
from burnish.models.pruned import AutoPruned, save_pruned
from burnish.training import derive

_OWN_RHYTHM = ("platon", "obert", "wanda")  # criteria that set masks in steps of their own


def perform(
    config: CapConfig, jobs: Sequence[Job], home: Path, on_done: Callable[[Job], None]
) -> None:
    """Do every job that has left no result yet, several at once, one thread each.

    An arm that is taught waits for its teacher, where that is among the jobs. The results do not
    depend on how many are done at once.

    Args:
        config: of the run.
        jobs: in the order they are begun.
        home: where results and models go.
        on_done: told of every job, in the order they end; those done earlier at once.
    """
    missing = []
    for job in jobs:
        if result_path(home, job).exists():
            on_done(job)
        else:
            missing.append(job)
    if not missing:
        return
    workers = min(config.workers or cores(), len(missing))
    context = get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(workers, context, initializer=_one_thread) as pool:
        try:
            _perform(missing, lambda job: pool.submit(do, config, job, home), on_done)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _perform(
    jobs: Sequence[Job], begin: Callable[[Job], Future[None]], on_done: Callable[[Job], None]
) -> None:
    """Begin every job as soon as what it waits for is done."""
    waiting: dict[Job, list[Job]] = {job: [] for job in jobs if isinstance(job, TeacherJob)}
    running: dict[Future[None], Job] = {}
    for job in jobs:
        teacher = _teacher_of(job)
        if teacher in waiting:
            waiting[teacher].append(job)
        else:
            running[begin(job)] = job
    while running:
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            job = running.pop(future)
            future.result()
            on_done(job)
            running |= {begin(taught): taught for taught in waiting.pop(job, ())}


def _teacher_of(job: Job) -> TeacherJob | None:
    if isinstance(job, TeacherJob) or job.objective == "ce":
        return None
    return TeacherJob(job.set, job.seed)


def _one_thread() -> None:
    torch.set_num_threads(1)


def result_path(home: Path, job: Job) -> Path:
    """Where a job leaves what it found."""
    kind = "teachers" if isinstance(job, TeacherJob) else "arms"
    return home / kind / f"{job.key}.json"


def read_result(home: Path, job: Job) -> dict[str, Any]:
    """What a job left."""
    found: dict[str, Any] = json.loads(result_path(home, job).read_text())
    return found


def teacher_folder(home: Path, name: str, seed: int) -> Path:
    """Where a teacher is kept."""
    return home / "teachers" / TeacherJob(name, seed).key


def stage_folder(home: Path, arm: Arm, sparsity: float) -> Path:
    """Where the model of a stage is kept, for an arm that keeps them."""
    return home / "models" / f"{arm.key}-at-{sparsity:g}"


def do(config: CapConfig, job: Job, home: Path) -> None:
    """Do one job and leave its result."""
    found = _teach(config, job, home) if isinstance(job, TeacherJob) else _prune(config, job, home)
    target = result_path(home, job)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".partial")
    partial.write_text(json.dumps(found, indent=1) + "\n")
    partial.replace(target)


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
