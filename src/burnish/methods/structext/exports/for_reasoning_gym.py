"""StrucText questions as a procedural data set of reasoning-gym: verifiable rewards without end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from reasoning_gym.coaching import (  # type: ignore[import-untyped]
    BaseCurriculum,
    ScalarAttributeDefinition,
)
from reasoning_gym.dataset import ProceduralDataset  # type: ignore[import-untyped]
from reasoning_gym.factory import (  # type: ignore[import-untyped]
    create_dataset,
    register_dataset,
)

from burnish.errors import ConfigError
from burnish.methods.structext.exports.grading import grade
from burnish.methods.structext.generate import build, iter_build
from burnish.methods.structext.prompts import messages
from burnish.methods.structext.rules import RULES
from burnish.methods.structext.sample import Profile, Sample
from burnish.methods.structext.scorers import Style, metric_named

NAME = "structext"
_LEVELS = ((1, 1), (1, 2), (2, 1), (2, 2), (3, 1), (3, 2), (3, 3))


@dataclass
class StructextGymConfig:
    """What the items are drawn from, each choice uniformly and independently.

    Mutable, and with `seed` and `size`, because reasoning-gym's wrappers copy and edit it.

    Attributes:
        size: items before the set is said to end; any index gives an item.
        seed: of the whole set; None draws one.
        languages: of the eight; None for all.
        rules: e.g. ("json.4",); None for all of the languages.
        grid: pairs of depth and width.
        columns: ratio of columns.
        shots: numbers of worked examples.
        hints: whether the rule hint is given.
        profile: of the generator.
        simple_shots: draw the worked examples at depth 2, width 1, columns 6 for any cell.
        max_nodes: refuse larger documents.
        prompt: wording, "release" or "paper".
        style: "naive", "cot" or "plan".
        metric: the reward, a name from `structext.METRICS`.
    """

    size: int = 500
    seed: int | None = None
    languages: Sequence[str] | None = None
    rules: Sequence[str] | None = None
    grid: Sequence[tuple[int, int]] = ((1, 1), (2, 1))
    columns: int = 6
    shots: Sequence[int] = (0,)
    hints: Sequence[bool] = (False,)
    profile: Profile = "corrected"
    simple_shots: bool = False
    max_nodes: int = 5000
    prompt: str = "release"
    style: Style = "naive"
    metric: str = "exact"

    def validate(self) -> None:
        """Check what reasoning-gym itself relies on; the generator checks the rest.

        Raises:
            ConfigError: `size` is below 1, or there is nothing to draw from.
            UsageError: unknown metric.
        """
        metric_named(self.metric)
        if self.size < 1:
            raise ConfigError(f"size counts items, from 1, got {self.size}")
        for name in ("grid", "shots", "hints"):
            if not getattr(self, name):
                raise ConfigError(f"{name} needs at least one value to draw from")


class StructextDataset(ProceduralDataset):  # type: ignore[misc]
    """Questions drawn one by one: item i depends on the config's seed and i alone."""

    def __init__(self, config: StructextGymConfig) -> None:
        super().__init__(config=config, seed=config.seed, size=config.size)
        self._rules = _rules(config)

    def __getitem__(self, idx: int) -> dict[str, Any]:
        """Question, answer and metadata of item `idx`, from 0."""
        sample = self._draw(Random(f"{NAME}/{self.seed}/{idx}"))
        (question,) = messages(sample, prompt=self.config.prompt, style=self.config.style)
        return {
            "question": question.content,
            "answer": sample.answer,
            "metadata": {
                "source_dataset": NAME,
                "source_index": idx,
                "id": sample.id,
                "language": sample.language,
                "task": sample.task,
                "rule": sample.rule,
                "shots": len(sample.shots),
                "hint": bool(sample.hint),
                "compare": sample.compare,
                "difficulty": {
                    "depth": sample.difficulty.depth,
                    "width": sample.difficulty.width,
                    "columns": sample.difficulty.columns,
                },
            },
        }

    def score_answer(self, answer: str | None, entry: dict[str, Any]) -> float:
        """Reward from 0 to 1 of a reply to `entry`; no reply gets 0."""
        if answer is None:
            return 0.0
        (reward,) = grade(
            answer,
            entry["answer"],
            metrics=[self.config.metric],
            style=self.config.style,
            compare=entry["metadata"]["compare"],
            rule=entry["metadata"]["rule"],
        ).values()
        return reward

    def _draw(self, generator: Random) -> Sample:
        depth, width = generator.choice(self.config.grid)
        (sample,) = build(
            rules=(generator.choice(self._rules),),
            grid=((depth, width),),
            columns=self.config.columns,
            shots=(generator.choice(self.config.shots),),
            hints=(generator.choice(self.config.hints),),
            n=1,
            seed=generator.getrandbits(32),
            profile=self.config.profile,
            simple_shots=self.config.simple_shots,
            max_nodes=self.config.max_nodes,
        )
        return sample


class StructextCurriculum(BaseCurriculum):  # type: ignore[misc]
    """One attribute, `grid`: each level adds the next larger document size to those before."""

    def __init__(self) -> None:
        super().__init__(type(self).__name__, StructextGymConfig)
        self._define_attributes(
            ScalarAttributeDefinition(
                name="grid",
                levels=[_LEVELS[: count + 1] for count in range(len(_LEVELS))],
                description="depth and width of the documents, as ratios",
                field_name="grid",
            )
        )


register_dataset(NAME, StructextDataset, StructextGymConfig, StructextCurriculum)


def reasoning_gym_dataset(size: int = 500, seed: int = 0, **settings: object) -> StructextDataset:
    """A reasoning-gym data set of StrucText questions, fresh for every seed.

    Importing this function also registers the name, so that
    `reasoning_gym.create_dataset("structext", size=..., seed=...)` and composites find it.

    Args:
        size: items before the set is said to end.
        seed: of the whole set.
        **settings: fields of `StructextGymConfig`: those of `structext.build` but `n` and
            `workers`, and `prompt`, `style` and `metric`.

    Raises:
        ConfigError: nothing to draw from.
        UsageError: whatever `structext.build` refuses, or an unknown metric.
    """
    dataset: StructextDataset = create_dataset(NAME, size=size, seed=seed, **settings)
    return dataset


def _rules(config: StructextGymConfig) -> tuple[str, ...]:
    """The rules to draw from, once the generator has found nothing wrong with the config."""
    iter_build(  # checks at once and draws nothing until it is iterated
        languages=config.languages,
        rules=config.rules,
        grid=config.grid,
        columns=config.columns,
        shots=config.shots,
        hints=config.hints,
        profile=config.profile,
        simple_shots=config.simple_shots,
        max_nodes=config.max_nodes,
    )
    return tuple(
        rule.id
        for rule in RULES.values()
        if (config.languages is None or rule.language in config.languages)
        and (config.rules is None or rule.id in config.rules)
    )
