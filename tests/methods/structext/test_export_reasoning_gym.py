"""StrucText as a procedural data set, through reasoning-gym's own factory and wrappers."""

from itertools import islice
from typing import Any

import pytest

reasoning_gym = pytest.importorskip("reasoning_gym")

from reasoning_gym.composite import DatasetSpec  # noqa: E402
from reasoning_gym.dataset import ProceduralDataset, ReseedingDataset  # noqa: E402
from reasoning_gym.factory import create_curriculum  # noqa: E402

from burnish.errors import ConfigError, UsageError  # noqa: E402
from burnish.methods.structext import reasoning_gym_dataset  # noqa: E402

SMALL: dict[str, Any] = {"rules": ("json.4", "csv.2"), "grid": ((1, 1),), "shots": (0, 1)}


def test_the_factory_knows_it_by_name() -> None:
    ours = reasoning_gym_dataset(6, 3, **SMALL)
    theirs = reasoning_gym.create_dataset("structext", size=6, seed=3, **SMALL)
    assert isinstance(ours, ProceduralDataset)
    assert len(theirs) == 6
    assert list(theirs) == list(ours)


def test_an_item_depends_on_seed_and_index_alone() -> None:
    dataset = reasoning_gym_dataset(6, 3, **SMALL)
    backwards = [dataset[index] for index in reversed(range(6))]
    assert backwards[::-1] == list(dataset)
    assert len({item["metadata"]["id"] for item in dataset}) == 6
    other = {item["metadata"]["id"] for item in reasoning_gym_dataset(6, 4, **SMALL)}
    assert not other & {item["metadata"]["id"] for item in dataset}


def test_the_answer_earns_the_reward_and_nothing_else_does() -> None:
    dataset = reasoning_gym_dataset(12, 0)
    for item in dataset:
        assert dataset.score_answer(item["answer"], item) == 1
        assert dataset.score_answer("no such answer", item) == 0
        assert dataset.score_answer(None, item) == 0


def test_reasoning_before_the_answer_costs_nothing() -> None:
    dataset = reasoning_gym_dataset(1, 0, style="cot", **SMALL)
    item = dataset[0]
    assert item["question"].endswith("### Reasoning:\n")
    assert dataset.score_answer(f"Let me see.\n### Answer:\n{item['answer']}", item) == 1
    assert dataset.score_answer(f"Let me see: {item['answer']}", item) == 0


def test_every_choice_is_drawn_and_told() -> None:
    dataset = reasoning_gym_dataset(
        40, 1, rules=("json.4", "csv.2"), grid=((1, 1), (2, 1)), shots=(0, 1), hints=(False, True)
    )
    told = [item["metadata"] for item in dataset]
    assert {entry["rule"] for entry in told} == {"json.4", "csv.2"}
    assert {entry["difficulty"]["depth"] for entry in told} == {1, 2}
    assert {entry["shots"] for entry in told} == {0, 1}
    assert {entry["hint"] for entry in told} == {False, True}


def test_faults_and_sound_documents_are_both_drawn() -> None:
    answers = {item["answer"] for item in reasoning_gym_dataset(20, 2, rules=("json.3",))}
    assert answers == {"True", "False"}


def test_composites_and_reseeding_take_it() -> None:
    composite = reasoning_gym.create_dataset(
        "composite",
        size=8,
        seed=1,
        datasets=[
            DatasetSpec("structext", 1.0, {"rules": ["csv.2"], "grid": [[1, 1]]}),
            DatasetSpec("leg_counting", 1.0, {}),
        ],
    )
    assert {item["metadata"]["source_dataset"] for item in composite} == {
        "structext",
        "leg_counting",
    }
    assert all(composite.score_answer(item["answer"], item) == 1 for item in composite)
    endless = ReseedingDataset(reasoning_gym_dataset(3, 0, **SMALL), chunk_size=3)
    assert len({item["metadata"]["id"] for item in islice(endless, 9)}) == 9


def test_the_curriculum_adds_larger_documents() -> None:
    curriculum = create_curriculum("structext")
    assert curriculum.generate_configuration().grid == ((1, 1),)
    assert curriculum.increment_global_level()
    config = curriculum.generate_configuration({"size": 2, "seed": 1})
    assert config.grid == ((1, 1), (1, 2))
    assert (config.size, config.seed) == (2, 1)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"size": 0}, ConfigError, "size counts items, from 1, got 0"),
        ({"grid": ()}, ConfigError, "grid needs at least one value"),
        ({"languages": ("klingon",)}, UsageError, "klingon"),
        ({"rules": ("json.99",)}, UsageError, "json.99"),
        ({"rules": ("json.1",), "languages": ("csv",)}, UsageError, "none of the rules"),
        ({"shots": (-1,)}, UsageError, "shots counts from 0"),
        ({"grid": ((9, 9),)}, UsageError, "node"),
        ({"metric": "beauty"}, UsageError, "unknown metric 'beauty'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_at_once(settings, error, message: str) -> None:
    with pytest.raises(error, match=message):
        reasoning_gym_dataset(**settings)
