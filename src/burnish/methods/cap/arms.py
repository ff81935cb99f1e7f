"""One pruning of a comparison: which set, criterion and objective, and what those names mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import torch
from transformers import PreTrainedTokenizerBase

from burnish.data import Examples, encode, load_set, read_examples, train_test
from burnish.data.encoding import Encoded
from burnish.methods.cap.config import CapConfig
from burnish.methods.cap.objective import CE_ONLY, CapObjective
from burnish.methods.cap.represent import Pooling
from burnish.methods.cap.schedules import Cubic, Stages
from burnish.methods.cap.tasks import TestSet
from burnish.methods.cap.units import FirstOrder, UnitCriterion, UnitMagnitude
from burnish.methods.cap.weights import (
    Magnitude,
    Movement,
    OBert,
    Platon,
    Smp,
    SoftMovement,
    Wanda,
    WeightCriterion,
)
from burnish.models.heads import TaskModel, fresh_head
from burnish.models.options import has_bfloat16
from burnish.models.sources import find
from burnish.training import Training, derive
from burnish.training.loop import Precision

Family = Literal["units", "weights"]
OWN = "yours"  # what the user's file is called among the sets
_TEST_SEED = 0  # the user's test split is the same for every seed


@dataclass(frozen=True)
class Arm:
    """One pruning.

    Attributes:
        set: name of an embedded set, or "yours".
        seed: of the training examples, of the teacher's and the pruned model's training.
        family: "units" prunes heads and units in stages, "weights" single weights.
        criterion: what decides.
        objective: "ce", "kd" or "cap".
        sparsity: of unstructured pruning; 0 for stages, which have several.
        probe: name of the set to probe on afterwards, or "".
        keep_models: whether the model of each stage is saved.
    """

    set: str
    seed: int
    family: Family
    criterion: str
    objective: str
    sparsity: float = 0.0
    probe: str = ""
    keep_models: bool = False

    @property
    def name(self) -> str:
        """Its file name."""
        share = f"-{self.sparsity:g}" if self.sparsity else ""
        return f"{self.set}-s{self.seed}-{self.criterion}-{self.objective}{share}"

    @property
    def key(self) -> str:
        """Names the job's result."""
        return f"arms/{self.name}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the jobs whose results it reads."""
        return () if self.objective == "ce" else (TeacherJob(self.set, self.seed).key,)


@dataclass(frozen=True)
class TeacherJob:
    """The fine-tuning that a set's and seed's arms start from."""

    set: str
    seed: int

    @property
    def key(self) -> str:
        """Names the job's result, and the folder of its model."""
        return f"teachers/{self.set}-s{self.seed}"

    @property
    def needs(self) -> tuple[str, ...]:
        """Keys of the jobs whose results it reads."""
        return ()


Job = Arm | TeacherJob


def jobs_of(config: CapConfig, sets: Sequence[str]) -> tuple[list[TeacherJob], list[Arm]]:
    """What a run on these sets does: the teachers, and the arms that need them."""
    arms = [
        arm
        for number, name in enumerate(sets)
        for arm in _arms_of_set(config, name, sets[(number + 1) % len(sets)])
    ]
    needed = dict.fromkeys(TeacherJob(arm.set, arm.seed) for arm in arms)
    return list(needed), arms


def _arms_of_set(config: CapConfig, name: str, other: str) -> list[Arm]:
    """Arms of one set; the main comparison is probed on the other, where there is another."""
    probed = other if other != name else ""
    found = []
    for family, criterion, sparsity in _prunings(config):
        first = criterion == (config.units if family == "units" else config.weights)[0]
        seeds = config.seeds if family == "units" else config.weight_seeds
        for objective in config.objectives:
            main = first and (objective != "ce" or len(config.objectives) == 1)
            found += [
                Arm(
                    set=name,
                    seed=seed,
                    family=family,
                    criterion=criterion,
                    objective=objective,
                    sparsity=sparsity,
                    probe=probed if main else "",
                    keep_models=main and seed == 0 and objective == config.objectives[-1],
                )
                for seed in range(seeds if main else min(config.table_seeds, config.seeds))
            ]
    return found


def _prunings(config: CapConfig) -> list[tuple[Family, str, float]]:
    """Criteria, and sparsities where each is a pruning of its own: all for the first alone."""
    found: list[tuple[Family, str, float]] = [("units", name, 0.0) for name in config.units]
    for number, name in enumerate(config.weights):
        shares = config.weight_sparsities if number == 0 else config.weight_sparsities[:1]
        found += [("weights", name, share) for share in shares]
    return found


def examples_of(config: CapConfig, name: str, seed: int) -> tuple[Examples, Examples]:
    """Training and test examples of a set; the seed draws which training examples are taken."""
    if name != OWN:
        whole = load_set(name)
        found = load_set(
            name,
            train=min(config.train_examples, len(whole.train)),
            test=min(config.test_examples, len(whole.test)),
            seed=seed,
        )
        return found.train, found.test
    train = _given(config, config.split)
    if config.test_split:
        test = _given(config, config.test_split, label_names=train.label_names or None)
    else:
        held_out = min(config.test_examples, len(train) // 3)
        train, test = train_test(train, test=held_out, seed=_TEST_SEED)
    taken = np.random.default_rng(derive(seed, "train")).permutation(len(train))
    return train.take(np.sort(taken[: config.train_examples]).tolist()), test


def _given(config: CapConfig, split: str, label_names: Sequence[str] | None = None) -> Examples:
    return read_examples(
        config.data,
        task=config.task,
        text=config.text or None,
        other=config.other or None,
        label=config.label,
        label_names=label_names,
        split=split or None,
    )


@dataclass(frozen=True)
class Ready:
    """A set and seed, tokenised."""

    tokenizer: PreTrainedTokenizerBase
    train: Examples
    encoded: Encoded
    test: TestSet


@lru_cache(maxsize=8)
def prepared(config: CapConfig, name: str, seed: int) -> Ready:
    """The examples of a set and seed and their tokens."""
    train, test = examples_of(config, name, seed)
    tokenizer = fresh(config, train, seed).tokenizer
    encoded = encode(train, tokenizer, max_length=config.max_length)
    held_out = encode(test, tokenizer, max_length=config.max_length)
    return Ready(tokenizer, train, encoded, TestSet(test, held_out, precision_of(config)))


def fresh(config: CapConfig, examples: Examples, seed: int) -> TaskModel:
    """The pre-trained encoder with a new head for these examples."""
    generator = torch.Generator().manual_seed(derive(seed, "head"))
    head: Any = "qa" if examples.task == "qa" else "classification"
    return fresh_head(config.model, head, generator, labels=examples.label_names)


def precision_of(config: CapConfig) -> Precision:
    """The precision of matrix products on this machine."""
    if config.precision != "auto":
        return config.precision
    return "bfloat16" if has_bfloat16() else "float32"


def pooling_of(config: CapConfig) -> Pooling:
    """The vector that is contrasted: as set, or the one a sentence encoder says is its own."""
    if config.pooling != "auto":
        return config.pooling
    described = find(config.model).path / "1_Pooling" / "config.json"
    if not described.is_file():
        return "cls"
    return "mean" if json.loads(described.read_text()).get("pooling_mode_mean_tokens") else "cls"


def objective_of(config: CapConfig, name: str) -> CapObjective:
    """The objective an arm's name stands for."""
    pooling = pooling_of(config)
    if name == "ce":
        return replace(CE_ONLY, pooling=pooling)
    return CapObjective(
        alpha=config.alpha,
        beta=config.beta,
        kd_temperature=config.kd_temperature,
        use=config.use if name == "cap" else (),
        tau=config.tau,
        lambda_u=config.lambda_u,
        lambda_s=config.lambda_s,
        extra=config.extra,
        reduction=config.reduction,
        pooling=pooling,
    )


def criterion_of(name: str) -> UnitCriterion | WeightCriterion:
    """A criterion by its name, with published settings."""
    made: dict[str, Callable[[], Any]] = {
        "first-order": FirstOrder,
        "unit-magnitude": UnitMagnitude,
        "magnitude": Magnitude,
        "movement": Movement,
        "soft-movement": lambda: SoftMovement(final_penalty=190.0),
        "platon": Platon,
        "obert": OBert,
        "smp": Smp,
        "wanda": Wanda,
    }
    found: UnitCriterion | WeightCriterion = made[name]()
    return found


def schedule_of(config: CapConfig, arm: Arm, examples: int) -> Stages | Cubic:
    """When an arm prunes: stages, or a cubic curve with a tenth dense and three tenths to heal."""
    if arm.family == "units":
        return Stages(config.stages, config.stage_epochs, config.final_epochs)
    steps = config.weight_epochs * -(-examples // config.batch_size)
    soft = arm.criterion == "soft-movement"
    return Cubic(
        initial=0.0 if soft else 1.0,
        final=0.1 if soft else round(1 - arm.sparsity, 9),
        warmup_steps=steps // 10,
        initial_warmup=1,
        final_warmup=3,
        total_steps=steps,
    )


def teaching_of(config: CapConfig, seed: int) -> Training:
    """How a teacher is fine-tuned."""
    return Training(
        learning_rate=config.teacher_learning_rate,
        weight_decay=config.weight_decay,
        precision=precision_of(config),
        seed=derive(seed, "teacher"),
    )


def training_of(config: CapConfig, arm: Arm) -> Training:
    """How an arm trains."""
    rate = config.learning_rate if arm.family == "units" else config.weight_learning_rate
    return Training(
        learning_rate=rate,
        weight_decay=config.weight_decay,
        precision=precision_of(config),
        seed=derive(arm.seed, "student"),
    )
