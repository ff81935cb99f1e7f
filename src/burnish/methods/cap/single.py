"""One pruning, from what a user names to a folder of results."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedModel

from burnish.data import SETS, Examples, Task, encode, load_set, read_examples, train_test
from burnish.data.encoding import Encoded
from burnish.errors import DataError, UsageError, nearest
from burnish.methods.cap import arms
from burnish.methods.cap.arms import OWN, Arm
from burnish.methods.cap.config import CapConfig
from burnish.methods.cap.folder import PruningFolder
from burnish.methods.cap.named import check_fits
from burnish.methods.cap.objective import CapObjective
from burnish.methods.cap.pruner import ContrastivePruner, freeze
from burnish.methods.cap.represent import hidden_size
from burnish.methods.cap.result import Stage
from burnish.methods.cap.schedules import Cubic, Stages
from burnish.methods.cap.tasks import Scored, TestSet, fine_tune, metric_names
from burnish.methods.cap.units import UnitCriterion
from burnish.methods.cap.work import Step
from burnish.models.heads import Head, TaskModel, load_task_model, saved_head
from burnish.models.pruned import save_pruned
from burnish.runs.progress import Progress
from burnish.training import derive

_TEST_SEED = 0  # the test part of a user's file is the same for every seed
_MOST_TEST = 3000
Bars = Callable[[int, str], Progress]
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class DataChoice:
    """Which examples: an embedded set, or a file, folder or hub data set and its columns."""

    source: str
    task: Task | None = None
    text: str | None = None
    other: str | None = None
    label: str | None = None
    id_column: str | None = None
    split: str | None = None


@dataclass(frozen=True, kw_only=True)
class Order:
    """One pruning, as the user asks for it.

    Attributes:
        config: model, rates, sizes and the objective's settings.
        criterion: by its name, see `arms.criterion_of`.
        objective: "ce", "kd" or "cap".
        sparsity: of weights; for heads and units the stages are in `config`.
        data: examples to train and to score on.
        teacher: fine-tuned model, or None.
        train: examples to train on at most; None for all.
        test: examples held out; None is 3,000, and at most a third of the user's own.
        stride: tokens by which the parts of a long context overlap.
        seed: of everything that is drawn.
        projection: learn a map to the teacher's hidden size.
    """

    config: CapConfig
    criterion: str
    objective: str
    sparsity: float
    data: DataChoice
    teacher: str | None
    train: int | None
    test: int | None
    stride: int
    seed: int
    projection: bool

    @property
    def arm(self) -> Arm:
        """The same as one pruning of a comparison."""
        of_units = isinstance(arms.criterion_of(self.criterion), UnitCriterion)
        return Arm(
            set=OWN,
            seed=self.seed,
            family="units" if of_units else "weights",
            criterion=self.criterion,
            objective=self.objective,
            sparsity=0.0 if of_units else self.sparsity,
        )


@dataclass(frozen=True)
class _Ready:
    """All that is needed, checked as far as it can be without training.

    Attributes:
        student: what is pruned.
        teacher: fine-tuned, or to be fine-tuned first, or None.
        taught: whether the teacher is fine-tuned already.
        train: tokenised.
        test: to score on.
        identities: of the models that were named.
    """

    student: TaskModel
    teacher: PreTrainedModel | None
    taught: bool
    train: Encoded
    test: TestSet
    identities: Mapping[str, str]


def load_examples(
    choice: DataChoice,
    *,
    train: int | None,
    test: int | None,
    seed: int,
    label_names: Sequence[str] | None = None,
) -> tuple[Examples, Examples]:
    """Examples to train and to test on; the seed draws the former alone.

    Args:
        choice: where they are.
        train: at most so many; None for all.
        test: so many; None is 3,000, and at most a third of the user's own.
        seed: of the draw.
        label_names: classes of a user's file in the order of their index, if they are known.

    Raises:
        UsageError: no such set or file, or options that an embedded set does not take.
        DataError: see `burnish.data.read_examples`; or more examples are asked for than there are.
        AssetMissing: the set was not pulled.
    """
    if choice.source in SETS:
        return _embedded(choice, train, test, seed)
    if "/" not in choice.source and not Path(choice.source).exists():
        raise UsageError(
            f"no data {choice.source!r}: it is neither an embedded set "
            f"({nearest(choice.source, SETS)}) nor a file or folder that exists"
        )
    everything = read_examples(
        choice.source,
        task=choice.task or "classification",
        text=choice.text,
        other=choice.other,
        label=choice.label or "label",
        label_names=label_names,
        id_column=choice.id_column,
        split=choice.split,
    )
    held_out = test or min(_MOST_TEST, max(len(everything) // 3, 1))
    part, tested = train_test(everything, test=held_out, seed=_TEST_SEED)
    if train is None or train == len(part):
        return part, tested
    if train > len(part):
        raise DataError(
            f"{choice.source} leaves {len(part):,} examples to train on, {train:,} were asked for; "
            "ask for fewer, or leave the number out for all of them"
        )
    taken = np.random.default_rng(derive(seed, "train")).permutation(len(part))[:train]
    return part.take(np.sort(taken).tolist()), tested


def _embedded(
    choice: DataChoice, train: int | None, test: int | None, seed: int
) -> tuple[Examples, Examples]:
    given = {"text": choice.text, "other": choice.other, "label": choice.label,
             "id": choice.id_column, "split": choice.split}  # fmt: skip
    if extra := [f"--{name}" for name, value in given.items() if value is not None]:
        raise UsageError(
            f"the embedded set {choice.source} knows its columns; leave out {', '.join(extra)}"
        )
    own = SETS[choice.source].task
    if choice.task not in (None, own):
        raise UsageError(f"the embedded set {choice.source} is {own}, not {choice.task}; drop it")
    found = load_set(choice.source, train=train, test=test, seed=seed)
    if test is None and len(found.test) > _MOST_TEST:
        found = load_set(choice.source, train=train, test=_MOST_TEST, seed=seed)
    return found.train, found.test


def class_names(model: PreTrainedModel) -> tuple[str, ...] | None:
    """Names of a classifier's classes in the order of their index; None where it has none."""
    config: Any = model.config
    names = tuple(str(config.id2label[index]) for index in range(config.num_labels))
    return None if names == tuple(f"LABEL_{index}" for index in range(len(names))) else names


def prune_into(order: Order, out: Path, *, resume: bool, bars: Bars, say: Say) -> dict[str, Any]:
    """Prune what is ordered and leave it in a folder; everything is checked before training.

    A pruning that was killed goes on with `resume` and ends with the same masks and weights.

    Args:
        order: what to do.
        out: the folder, see `burnish.methods.cap.folder`.
        resume: go on with what is there.
        bars: makes a progress bar from a number of steps and a label.
        say: is told of warnings and of every finished stage, a line each.

    Returns:
        What history.json says.

    Raises:
        UsageError: the order cannot be done, or the folder is not free; nothing was trained.
        BurnishError: the work failed.
    """
    folder = PruningFolder(out)
    folder.check_free(resume=resume)
    ready = _prepared(order, folder)
    settings = _settings(order, ready)
    if done := folder.finished(settings):
        return done
    pruner, tell = _pruner(order, ready, folder, say)
    folder.begin(settings)
    reference = None
    if ready.teacher is not None:
        if not ready.taught:
            _teach(order, ready, folder, bars)
        reference = ready.test.score(ready.teacher)
        say(f"teacher: {_percent(ready, reference.main)}")
    with bars(tell.total, "pruning") as bar:
        tell.bar, tell.teacher = bar, reference
        pruned = pruner.prune()
    history = {
        "settings": settings,
        **_scores(ready, reference, ready.test.score(pruned.model)),
        "stages": [_with_ratio(stage, reference) for stage in pruned.history],
        "cpu_seconds": pruned.seconds,
    }
    folder.finish(pruned, ready.student.tokenizer, history)
    return history


def _prepared(order: Order, folder: PruningFolder) -> _Ready:
    """Models and examples, and every check that needs neither training nor a schedule."""
    config = order.config
    task = SETS[order.data.source].task if order.data.source in SETS else order.data.task
    head: Head = "qa" if task == "qa" else "classification"
    tuned = load_task_model(config.model, head) if saved_head(config.model) else None
    named = load_task_model(order.teacher, head) if order.teacher else None
    known = named or tuned
    names = class_names(known.model) if known and head == "classification" else None
    train, test = load_examples(
        order.data, train=order.train, test=order.test, seed=order.seed, label_names=names
    )
    for each in (tuned, named):
        if each and head == "classification":
            _check_classes(each, train)
    student = tuned or arms.fresh(config, train, derive(order.seed, "head"))
    if named:
        _check_teacher(student, named, projection=order.projection)
    encoded, held_out = (
        encode(part, student.tokenizer, max_length=config.max_length, stride=order.stride)
        for part in (train, test)
    )
    check_fits(student, encoded, max_length=config.max_length)
    teacher, taught = _teacher(order, folder, train, head, named, tuned)
    identities = {"model": student.identity, "teacher": named.identity if named else ""}
    precision = arms.precision_of(config)
    return _Ready(student, teacher, taught, encoded, TestSet(test, held_out, precision), identities)


def _teacher(
    order: Order,
    folder: PruningFolder,
    train: Examples,
    head: Head,
    named: TaskModel | None,
    tuned: TaskModel | None,
) -> tuple[PreTrainedModel | None, bool]:
    """The teacher, and whether it is fine-tuned: the one named, the model itself, or a new one."""
    if named:
        return named.model, True
    if tuned:
        return load_task_model(order.config.model, head).model, True
    if not _objective(order).teaches:
        return None, True
    if folder.teacher.exists():
        return load_task_model(folder.teacher, head).model, True
    return arms.fresh(order.config, train, derive(order.seed, "teacher head")).model, False


def _check_classes(model: TaskModel, examples: Examples) -> None:
    """Refuse a model whose classes are others than those of the data, or in another order."""
    config: Any = model.model.config
    names = class_names(model.model)
    if config.num_labels == len(examples.label_names) and names in (None, examples.label_names):
        return
    its = ", ".join(names) if names else f"{config.num_labels} without names"
    raise UsageError(
        f"the classes of {model.identity} are {its}, those of the data are "
        f"{', '.join(examples.label_names)}; take a model that was fine-tuned on these classes"
    )


def _check_teacher(student: TaskModel, teacher: TaskModel, *, projection: bool) -> None:
    own, its = (each.tokenizer.get_vocab() for each in (student, teacher))
    if own != its:
        raise UsageError(
            f"model and teacher must share a tokenizer, but the vocabularies of {student.identity} "
            f"({len(own)} tokens) and {teacher.identity} ({len(its)}) differ; take a teacher that "
            "was fine-tuned from the same encoder"
        )
    sizes = hidden_size(student.model), hidden_size(teacher.model)
    if sizes[0] != sizes[1] and not projection:
        raise UsageError(
            f"model and teacher must share a hidden size, but have {sizes[0]} and {sizes[1]}; add "
            "--projection, which learns a map from the one to the other"
        )


def _objective(order: Order) -> CapObjective:
    found = arms.objective_of(order.config, order.objective)
    return replace(found, projection=order.projection)


def _settings(order: Order, ready: _Ready) -> dict[str, Any]:
    """What a resumed pruning must agree with; where things are does not matter, what they are does.

    `workers` and the like of `CapConfig`, which one pruning does not read, are left out.
    """
    objective = asdict(_objective(order))
    schedule = arms.schedule_of(order.config, order.arm, len(ready.train))
    return {
        **ready.identities,
        "data": _digest(ready.train, ready.test.encoded),
        "criterion": order.criterion,
        "objective": order.objective,
        **objective,
        "schedule": asdict(schedule),
        "training": asdict(arms.training_of(order.config, order.arm)),
        "batch_size": order.config.batch_size,
        "teacher_epochs": order.config.teacher_epochs,
        "teacher_learning_rate": order.config.teacher_learning_rate,
        "seed": order.seed,
    }


def _digest(*parts: Encoded) -> str:
    """SHA-256 of tokens and labels."""
    found = hashlib.sha256()
    for part in parts:
        for array in (part.ids, part.tokens, part.offsets, part.labels, part.positions):
            found.update(np.ascontiguousarray(array).tobytes())
    return f"sha256:{found.hexdigest()}"


def _pruner(
    order: Order, ready: _Ready, folder: PruningFolder, say: Say
) -> tuple[ContrastivePruner, _Told]:
    """The pruner, which checks the schedule, and what it tells of its progress."""
    config, arm = order.config, order.arm
    criterion = arms.criterion_of(order.criterion)
    schedule = arms.schedule_of(config, arm, len(ready.train))
    tell = _Told.of(schedule, -(-len(ready.train) // config.batch_size), ready, say)
    with warnings.catch_warnings(record=True) as remarks:
        warnings.simplefilter("always")
        pruner = ContrastivePruner(
            ready.student.model,
            teacher=ready.teacher,
            train=ready.train,
            criterion=criterion,
            schedule=schedule,
            objective=_objective(order),
            training=arms.training_of(config, arm),
            batch_size=config.batch_size,
            bank_dir=folder.banks,
            evaluate=lambda model: ready.test.score(model).main,
            freeze_embeddings=config.freeze_embeddings,
            mask_refresh=None
            if isinstance(criterion, UnitCriterion)
            else max(criterion.refresh, config.mask_refresh),
            score_learning_rate=config.score_learning_rate * (2 if arm.criterion == "smp" else 1),
            resume=True,  # the folder above is checked by now
            on_stage=lambda stage, _: tell.stage(stage),
            on_step=tell.step,
        )
    for remark in remarks:
        say(f"warning: {remark.message}")
    return pruner, tell


@dataclass
class _Told:
    """What the pruner's steps and stages look like to people.

    Attributes:
        done: steps before each stage.
        total: steps.
        seen: steps the bar knows of.
    """

    done: Sequence[int]
    total: int
    ready: _Ready
    say: Say
    bar: Progress | None = None
    teacher: Scored | None = None
    seen: int = 0

    @classmethod
    def of(cls, schedule: Stages | Cubic, epoch: int, ready: _Ready, say: Say) -> _Told:
        if isinstance(schedule, Cubic):
            return cls([0], schedule.total_steps, ready, say)
        each = [epoch * schedule.epochs_after(stage) for stage in range(len(schedule))]
        return cls([0, *accumulate(each)], sum(each), ready, say)

    def step(self, step: Step) -> None:
        now = self.done[step.stage] + step.step
        if self.bar:
            self.bar.advance(now - self.seen)
        self.seen = now

    def stage(self, stage: Stage) -> None:
        gone = ", ".join(
            f"{stage.removed[kind]}/{stage.total[kind]} {kind}" for kind in stage.total
        )
        score = "" if stage.after is None else f": {_percent(self.ready, stage.after)}"
        ratio = _with_ratio(stage, self.teacher)["retained"]
        kept = "" if ratio is None else f", {ratio:.1%} of the teacher's"
        self.say(f"{gone} gone{score}{kept}")


def _teach(order: Order, ready: _Ready, folder: PruningFolder, bars: Bars) -> None:
    """Fine-tune the teacher and keep it; the folder appears whole or not at all."""
    config = order.config
    teacher: Any = ready.teacher
    if config.freeze_embeddings:
        freeze(teacher)
    training = arms.teaching_of(config, order.seed)
    steps = config.teacher_epochs * -(-len(ready.train) // config.batch_size)
    with bars(steps, "fine-tuning the teacher") as bar:
        fine_tune(
            teacher,
            ready.train,
            training,
            epochs=config.teacher_epochs,
            batch_size=config.batch_size,
            on_step=lambda *_: bar.advance(),
        )
    partial = folder.path / "teacher.partial"
    save_pruned(teacher, partial, ready.student.tokenizer)
    partial.rename(folder.teacher)


def _percent(ready: _Ready, value: float) -> str:
    name = metric_names(ready.test.examples.task)[0].removesuffix("_percent")
    return f"{name} {value:.1f} %"


def _scores(ready: _Ready, reference: Scored | None, found: Scored) -> dict[str, Any]:
    task = ready.test.examples.task
    main, second = metric_names(task)

    def named(score: Scored) -> dict[str, float]:
        return {main: score.main, second: score.second}

    return {
        "task": task,
        "metric": main,
        "examples": {"train": len(ready.train), "test": found.count},
        "teacher": named(reference) if reference else None,
        "model": named(found),
        "retained": {
            "ratio": _ratio(found.main, reference),
            "numerator": found.main,
            "denominator": reference.main if reference else None,
        },
    }


def _with_ratio(stage: Stage, reference: Scored | None) -> dict[str, Any]:
    return stage.as_dict() | {
        "reached": stage.reached,
        "retained": None if stage.after is None else _ratio(stage.after, reference),
    }


def _ratio(value: float, reference: Scored | None) -> float | None:
    return value / reference.main if reference and reference.main else None
