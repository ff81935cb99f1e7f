"""Heads and feed-forward units go in stages, and a killed pruning ends as if it had not been."""

import json
import shutil
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from burnish.errors import ConfigError, UsageError
from burnish.methods.cap.objective import CE_ONLY, KD_ONLY, CapObjective
from burnish.methods.cap.schedules import Stages
from burnish.methods.cap.units import FirstOrder, UnitMagnitude, surviving, unit_masks
from burnish.models.anatomy import layer_parts
from burnish.models.shrinking import zero_out
from burnish.training import Training, fit

NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


class Killed(Exception):
    pass


def kill_at(count):
    """Raises the count-th time it is called."""
    calls = []

    def call(*_):
        calls.append(None)
        if len(calls) == count:
            raise Killed
        return 50.0

    return call


@pytest.mark.parametrize("criterion", [FirstOrder(), UnitMagnitude()], ids=lambda each: each.name)
def test_exactly_so_many_go_and_none_comes_back(tiny, tmp_path, criterion):
    shares, kept = (0.25, 0.5, 0.7), []

    def note(stage, model):
        kept.append(json.loads((tmp_path / "pruning.json").read_text())["kept"])

    pruned = tiny.pruner(
        tmp_path, criterion=criterion, schedule=Stages(shares, epochs=1), on_stage=note
    ).prune()
    for stage, share in zip(pruned.history, shares, strict=True):
        assert stage.total == {"heads": 3 * 4, "ffn": 3 * 40}  # 3 layers of 4: not to be swapped
        assert stage.removed == {"heads": int(share * 12), "ffn": int(share * 120)}
        assert sum(stage.heads) == 12 - int(share * 12)
        assert sum(stage.units) == 120 - int(share * 120)
        assert min(stage.heads) >= 1
    for earlier, later in pairwise(kept):
        for kind in ("heads", "ffn"):
            pairs = zip(earlier[kind], later[kind], strict=True)
            assert all(set(after) <= set(before) for before, after in pairs)
    assert [each.heads.tolist() for each in pruned.keep] == kept[-1]["heads"]
    shapes = [(parts.heads, parts.units) for parts in layer_parts(pruned.model)]
    assert shapes == list(zip(pruned.history[-1].heads, pruned.history[-1].units, strict=True))


def test_only_the_kinds_that_are_named_go(tiny, tmp_path):
    schedule = Stages((0.6,), epochs=0)
    pruned = tiny.pruner(tmp_path, criterion=FirstOrder(units=("ffn",)), schedule=schedule).prune()
    assert pruned.history[0].removed == {"heads": 0, "ffn": 72}
    assert pruned.history[0].heads == (4, 4, 4)


def test_the_first_cut_follows_the_gradients_of_the_masks_by_hand(tiny, tmp_path):
    """Summed over batches, in evaluation mode, each layer divided by its norm."""
    examples, model = tiny.encoded(), tiny.classifier(0)
    schedule = Stages((0.5,), epochs=0)
    made = tiny.pruner(tmp_path, objective=CE_ONLY, teacher=None, schedule=schedule)
    batches = made.work.plan(1, "importance", "pre")
    sums = [torch.zeros(40)] * 3
    for rows in batches:
        inputs = examples.batch(rows)
        with unit_masks(layer_parts(model)) as masks:
            labels = inputs.pop("labels")
            loss = cross_entropy(model(**inputs).logits, labels)
            found = torch.autograd.grad(loss, masks["ffn"])
        sums = [each + grad.abs() for each, grad in zip(sums, found, strict=True)]
    scores = [each / each.norm() for each in sums]
    by_hand = surviving(scores, 40, 0.5, protect=False)
    assert [each.units.tolist() for each in made.prune().keep] == [k.tolist() for k in by_hand]


def test_the_contrast_has_no_part_in_the_first_cut_and_one_in_the_next(tiny, tmp_path):
    def digests(name, objective):
        pruned = tiny.pruner(tmp_path / name, objective=objective, schedule=stages).prune()
        return [stage.digest for stage in pruned.history]

    stages = Stages((0.3, 0.6), epochs=0)
    alone = digests("kd", KD_ONLY)
    contrasted = digests("cap", CapObjective(extra=8, lambda_u=1000.0))
    assert alone[0] == contrasted[0]
    assert alone[1] != contrasted[1]


def test_banks_are_those_of_the_model_before_each_cut(tiny, tmp_path):
    tiny.pruner(tmp_path).prune()
    assert sorted(tiny.hashes(tmp_path / "banks")) == [
        "fine.f16", "pre.f16", "snap-01.f16", "teacher.f32",
    ]  # fmt: skip


def test_what_is_not_contrasted_with_costs_no_bank(tiny, tmp_path):
    for criterion in (FirstOrder(), UnitMagnitude()):
        folder = tmp_path / criterion.name
        tiny.pruner(folder, criterion=criterion, objective=KD_ONLY).prune()
        assert sorted(tiny.hashes(folder / "banks")) == ["fine.f16", "teacher.f32"]
        assert not list(folder.rglob("*.partial"))


def test_neither_teacher_nor_banks_change(tiny, tmp_path):
    teacher = tiny.classifier(1)
    made = tiny.pruner(tmp_path, teacher=teacher)
    made.work.bind()
    before = tiny.hashes(tmp_path / "banks")
    made.prune()
    after = tiny.hashes(tmp_path / "banks")
    assert {name: after[name] for name in before} == before
    assert tiny.same_weights(teacher, tiny.classifier(1))
    assert all(each.grad is None for each in teacher.parameters())


def test_training_what_is_left_is_training_the_whole_with_masks(tiny, tmp_path):
    """One stage by the library, and the same stage in the dense shape by hand."""
    options = {"schedule": Stages((0.5,), epochs=2), "training": Training(learning_rate=3e-3)}
    small = tiny.pruner(tmp_path / "small", model=tiny.classifier(0, **NO_DROPOUT), **options)
    pruned = small.prune()
    dense = tiny.classifier(0, **NO_DROPOUT)
    shutil.copytree(tmp_path / "small" / "banks", tmp_path / "dense" / "banks")
    work = tiny.pruner(tmp_path / "dense", model=dense, resume=True, **options).work
    work.bind()
    zero_out(dense, pruned.keep)

    def loss(module, rows, step):
        return work.losses(module, rows, step=f"stage/0/{step}", contrast=True)[0].total

    with unit_masks(layer_parts(dense)) as masks, torch.no_grad():
        for layer, keep in enumerate(pruned.keep):
            for kind, stay in (("heads", keep.heads), ("ffn", keep.units)):
                mask = masks[kind][layer].requires_grad_(False)
                mask.zero_()[stay] = 1.0
        with torch.enable_grad():
            fit(work.module, loss, work.plan(2, "stage", 0), work.stage_training(0))
        ours = tiny.logits_of(pruned.model, work.examples)
        wanted = tiny.logits_of(dense, work.examples)
    untrained = tiny.logits_of(tiny.classifier(0, **NO_DROPOUT), work.examples)
    assert (ours - untrained).abs().max() > 0.1
    assert (ours - wanted).abs().max() < 1e-4


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """A pruning that was not killed, and its folder."""
    folder = tmp_path_factory.mktemp("whole")
    return tiny.pruner(folder, evaluate=lambda model: 50.0).prune(), folder


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ("on_step", 1),  # before the first step is done
        ("on_step", 6),  # amid the first stage
        ("on_step", 13),  # amid the second
        ("evaluate", 1),  # the first bank is there, and nothing says so
        ("evaluate", 2),  # trained, not yet recorded
        ("evaluate", 3),  # cut, not yet recorded
        ("on_stage", 1),
        ("on_stage", 2),
    ],
)
@pytest.mark.usefixtures("eager_checkpoints")
def test_a_killed_pruning_ends_bit_for_bit_like_one_that_was_not(
    tiny, whole, tmp_path, where, count
):
    wanted, whole_folder = whole
    with pytest.raises(Killed):
        tiny.pruner(tmp_path, **{"evaluate": lambda model: 50.0, where: kill_at(count)}).prune()
    steps = []
    resumed = tiny.pruner(
        tmp_path, resume=True, evaluate=lambda model: 50.0, on_step=steps.append
    ).prune()
    assert tiny.same_weights(wanted.model, resumed.model)
    assert wanted.history == resumed.history
    assert tiny.hashes(whole_folder / "banks") == tiny.hashes(tmp_path / "banks")
    if (where, count) == ("on_step", 13):
        assert [(each.stage, each.step) for each in steps] == [(1, step) for step in range(5, 9)]


def test_a_finished_pruning_that_is_resumed_trains_no_more(tiny, tmp_path):
    whole = tiny.pruner(tmp_path).prune()
    again = tiny.pruner(tmp_path, resume=True, on_step=kill_at(1)).prune()
    assert tiny.same_weights(whole.model, again.model)
    assert whole.history == again.history
    assert not list(tmp_path.glob("step-*"))


def test_a_changed_bank_is_refused(tiny, tmp_path):
    with pytest.raises(Killed):
        tiny.pruner(tmp_path, on_step=kill_at(12)).prune()
    path = tmp_path / "banks" / "pre.f16"
    vectors = np.fromfile(path, np.float16)
    vectors[5] += 1
    path.write_bytes(vectors.tobytes())
    with pytest.raises(UsageError, match=r"pre\.f16 has changed since it was written; prune aga"):
        tiny.pruner(tmp_path, resume=True).prune()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": Stages((0.3, 0.7), epochs=2)}, "begun with schedule .*0.6.*now it is .*0.7"),
        ({"criterion": UnitMagnitude()}, "begun with criterion FirstOrder.*now it is UnitMagnit"),
        ({"objective": CapObjective(extra=9)}, "begun with objective .* use what it was begun"),
        ({"training": Training(seed=1)}, "begun with training .*, or name another folder"),
        ({"batch_size": 4}, "begun with batch size 8, and now it is 4"),
    ],
    ids=lambda each: next(iter(each)) if isinstance(each, dict) else "",
)
def test_going_on_with_other_settings_is_refused(tiny, tmp_path, changes, message):
    with pytest.raises(Killed):
        tiny.pruner(tmp_path, on_step=kill_at(2)).prune()
    with pytest.raises(ConfigError, match=message):
        tiny.pruner(tmp_path, resume=True, **changes).prune()


def test_going_on_with_other_examples_is_refused(tiny, tmp_path):
    with pytest.raises(Killed):
        tiny.pruner(tmp_path, on_step=kill_at(2)).prune()
    with pytest.raises(ConfigError, match=r"begun with examples 26 with .* now it is 26 with"):
        tiny.pruner(tmp_path, resume=True, train=tiny.encoded(seed=1)).prune()


def test_a_model_that_was_pruned_before_is_refused(tiny, tmp_path):
    small = tiny.pruner(tmp_path / "once", schedule=Stages((0.4,), epochs=0)).prune().model
    assert len({(parts.heads, parts.units) for parts in layer_parts(small)}) > 1
    with pytest.raises(ConfigError, match="layers differ in shape was pruned before; start dense"):
        tiny.pruner(tmp_path / "twice", model=small, schedule=Stages((0.2,), epochs=0)).prune()


def test_question_answering_is_pruned_too(tiny, tmp_path):
    pruned = tiny.pruner(
        tmp_path,
        model=tiny.answerer(0),
        teacher=tiny.answerer(1),
        train=tiny.encoded(task="qa"),
        schedule=Stages((0.5,), epochs=1),
    ).prune()
    assert pruned.history[0].removed == {"heads": 6, "ffn": 60}


def test_training_lowers_the_loss(tiny, tmp_path):
    told = []
    tiny.pruner(
        tmp_path,
        schedule=Stages((0.3,), epochs=15),
        training=Training(learning_rate=3e-3),
        on_step=told.append,
    ).prune()
    assert set(told[0].losses) == {"total", "labels", "distilled", "contrast"}
    assert (told[0].stage, told[-1].step, told[-1].steps) == (0, 60, 60)
    first, last = (np.mean([each.losses["total"] for each in part])
                   for part in (told[:8], told[-8:]))  # fmt: skip
    assert last < 0.8 * first
