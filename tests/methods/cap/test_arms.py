"""Which prunings a comparison is made of, and what their names mean."""

import json
from collections import Counter

import pytest
from datasets import Dataset, DatasetDict

from burnish.methods.cap import arms
from burnish.methods.cap.arms import OWN, TeacherJob, jobs_of
from burnish.methods.cap.config import CapConfig
from burnish.methods.cap.objective import CE_ONLY
from burnish.methods.cap.schedules import Cubic, Stages
from burnish.methods.cap.units import UnitCriterion
from burnish.training.loop import Training


def preset(name, **changes):
    return CapConfig(**{**CapConfig.presets[name], **changes})


@pytest.mark.parametrize("name", sorted(CapConfig.presets))
def test_the_first_criterion_of_each_family_gets_all_seeds_and_the_others_a_few(name):
    config = preset(name)
    teachers, found = jobs_of(config, config.sets)
    counts = Counter((arm.set, arm.criterion, arm.objective, arm.sparsity) for arm in found)
    for family, criteria, seeds in (
        ("units", config.units, config.seeds),
        ("weights", config.weights, config.weight_seeds),
    ):
        for number, criterion in enumerate(criteria):
            shares = (0.0,) if family == "units" else config.weight_sparsities
            for share in shares if number == 0 else shares[:1]:
                for objective in config.objectives:
                    main = number == 0 and objective != "ce"
                    wanted = seeds if main else min(config.table_seeds, config.seeds)
                    for each in config.sets:
                        assert counts.pop((each, criterion, objective, share)) == wanted
    assert not counts
    assert len({arm.key for arm in found}) == len(found)
    assert {TeacherJob(arm.set, arm.seed) for arm in found} == set(teachers)
    assert len(set(teachers)) == len(teachers)


def test_labels_alone_is_the_main_comparison_where_there_is_no_other():
    config = preset("quick", objectives=("ce",), seeds=3)
    _, found = jobs_of(config, config.sets)
    assert [arm.seed for arm in found] == [0, 1, 2]
    assert [arm.keep_models for arm in found] == [True, False, False]


def test_the_main_comparison_is_probed_on_the_next_set_and_its_first_models_are_kept():
    config = preset("cpu", sets=("tweets", "spam"), weights=("movement",), weight_sparsities=(0.9,))
    _, found = jobs_of(config, config.sets)
    for arm in found:
        main = arm.criterion in ("first-order", "movement") and arm.objective != "ce"
        assert arm.probe == ({"tweets": "spam", "spam": "tweets"}[arm.set] if main else "")
        assert arm.keep_models == (main and arm.seed == 0 and arm.objective == "cap")
    assert not any(arm.probe for arm in jobs_of(config, ["tweets"])[1])


def test_files_are_named_after_all_that_tells_arms_apart():
    config = preset("cpu", sets=("tweets",), weights=("movement",), weight_sparsities=(0.9, 0.97))
    keys = [arm.key for arm in jobs_of(config, config.sets)[1]]
    assert "arms/tweets-s0-first-order-cap" in keys
    assert "arms/tweets-s0-movement-kd-0.97" in keys
    assert TeacherJob("tweets", 3).key == "teachers/tweets-s3"


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.csv"
    rows = "\n".join(f"text number {row},{'ab'[row % 2]}" for row in range(150))
    path.write_text(f"text,label\n{rows}\n")
    return path


def test_every_seed_is_tested_on_the_same_examples_and_trained_on_its_own(file):
    config = CapConfig(data=str(file), train_examples=40, test_examples=50)
    drawn = [arms.examples_of(config, arms.OWN, seed) for seed in (0, 1)]
    again = arms.examples_of(config, arms.OWN, 0)
    assert again == drawn[0]
    (train, test), (other, same) = drawn
    assert test == same
    assert (len(train), len(other), len(test)) == (40, 40, 50)
    assert set(train.ids) != set(other.ids)
    assert not (set(train.ids) | set(other.ids)) & set(test.ids)


def test_a_small_file_keeps_two_thirds_for_training(file):
    train, test = arms.examples_of(CapConfig(data=str(file)), arms.OWN, 0)
    assert (len(train), len(test)) == (100, 50)


def test_a_test_split_is_scored_on_whole_with_the_classes_of_training(tmp_path):
    train = Dataset.from_dict(
        {"text": [f"t {n}" for n in range(30)], "label": ["b", "a", "c"] * 10}
    )
    validation = Dataset.from_dict({"text": ["x", "y"], "label": ["c", "b"]})
    DatasetDict({"train": train, "validation": validation}).save_to_disk(tmp_path / "data")
    config = CapConfig(data=str(tmp_path / "data"), split="train", test_split="validation")
    trained, tested = arms.examples_of(config, OWN, 0)
    assert len(trained) == 30
    assert (tested.texts, tested.labels) == (("x", "y"), (2, 1))
    assert tested.label_names == trained.label_names == ("a", "b", "c")


def test_objectives_add_up_by_name():
    config = CapConfig(pooling="cls", lambda_u=0.2)
    labels, distilled, full = (arms.objective_of(config, name) for name in ("ce", "kd", "cap"))
    assert (labels.alpha, labels.beta, labels.use) == (CE_ONLY.alpha, 0.0, ())
    assert not labels.teaches
    assert (distilled.alpha, distilled.beta, distilled.use) == (0.1, 0.9, ())
    assert full.use == ("pre", "snap", "fine")
    assert full.lambda_u == 0.2
    assert full.alpha == distilled.alpha


def test_criteria_and_schedules_go_together():
    config = preset("cpu", weights=("movement", "soft-movement", "obert", "wanda"))
    for arm in jobs_of(config, config.sets)[1]:
        criterion = arms.criterion_of(arm.criterion)
        schedule = arms.schedule_of(config, arm, 2000)
        assert criterion.name == arm.criterion
        if arm.family == "units":
            assert isinstance(criterion, UnitCriterion)
            assert schedule == Stages(config.stages, config.stage_epochs, config.final_epochs)
            continue
        assert isinstance(schedule, Cubic)
        assert schedule.total_steps == config.weight_epochs * -(-2000 // config.batch_size)
        ends = (schedule.initial, schedule.final)
        soft = arm.criterion == "soft-movement"
        assert ends == ((0.0, 0.1) if soft else (1.0, pytest.approx(1 - arm.sparsity)))


def test_an_arm_trains_at_the_rate_of_its_family_with_a_seed_of_its_own():
    config = preset("cpu", precision="float32", learning_rate=1e-4, weight_learning_rate=1e-3)
    found = {arm: arms.training_of(config, arm) for arm in jobs_of(config, config.sets)[1]}
    rates = {arm.family: training.learning_rate for arm, training in found.items()}
    assert rates == {"units": 1e-4, "weights": 1e-3}
    assert len({training.seed for training in found.values()}) == config.seeds
    assert all(training.precision == Training().precision for training in found.values())


def test_pooling_is_the_encoders_own_where_it_says_so(tiny, tmp_path):
    folder = tmp_path / "encoder"
    tiny.classifier(0).bert.save_pretrained(folder)
    assert arms.pooling_of(CapConfig(model=str(folder))) == "cls"
    (folder / "1_Pooling").mkdir()
    said = folder / "1_Pooling" / "config.json"
    said.write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    assert arms.pooling_of(CapConfig(model=str(folder))) == "mean"
    assert arms.pooling_of(CapConfig(model=str(folder), pooling="cls")) == "cls"
    said.write_text(json.dumps({"pooling_mode_cls_token": True}))
    assert arms.pooling_of(CapConfig(model=str(folder))) == "cls"
