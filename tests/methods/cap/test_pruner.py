"""`ContrastivePruner` checks everything before anything is trained; `Pruned` is used afterwards."""

import warnings

import numpy as np
import pytest
import torch
from datasets import Dataset
from transformers import TrainingArguments

from burnish.data.tokenised import from_dataset
from burnish.errors import BurnishError, ConfigError, DataError, UsageError
from burnish.methods.cap.objective import CE_ONLY, CapObjective
from burnish.methods.cap.schedules import Cubic, Stages
from burnish.methods.cap.weights import Movement
from burnish.models.onnx_export import OnnxModel
from burnish.models.pruned import AutoPruned
from burnish.training import Training

CUBIC = Cubic(
    initial=1.0, final=0.5, warmup_steps=1, initial_warmup=1, final_warmup=1, total_steps=8
)
SHORT = Stages((0.5,), epochs=1)


def columns_of(examples, **changes):
    """A dataset as a tokenizer of transformers leaves it, padded on the right."""
    batch = examples.batch(np.arange(len(examples)))
    rows = {
        "example_id": examples.ids.tolist(),
        "input_ids": batch["input_ids"].tolist(),
        "attention_mask": batch["attention_mask"].tolist(),
        "label": examples.labels.tolist(),
    }
    kept = {name: value for name, value in (rows | changes).items() if value is not None}
    return Dataset.from_dict(kept)


@pytest.fixture(scope="module")
def pruned(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pruned")
    return tiny.pruner(folder, schedule=Stages((0.6,), epochs=1)).prune()


def test_masked_and_compact_compute_the_same(tiny, pruned):
    examples = tiny.encoded(40, seed=3)
    small, whole = pruned.compact(), pruned.masked()
    assert pruned.structured
    assert small.num_parameters() < 0.75 * whole.num_parameters()
    assert whole.num_parameters() == tiny.classifier(0).num_parameters()
    gap = tiny.logits_of(small, examples) - tiny.logits_of(whole, examples)
    assert gap.abs().max() < 1e-5
    assert whole.config.to_dict() == tiny.classifier(0).config.to_dict() | {
        "dtype": whole.config.to_dict()["dtype"]
    }


def test_what_was_pruned_loads_again_and_exports(tiny, pruned, tmp_path):
    examples = tiny.encoded(12, seed=3)
    wanted = tiny.logits_of(pruned.compact(), examples)
    loaded = AutoPruned.from_pretrained(pruned.save_pretrained(tmp_path / "model"))
    assert torch.allclose(tiny.logits_of(loaded, examples), wanted, atol=1e-6)
    plain, small = pruned.export_onnx(tmp_path / "small.onnx")
    assert (plain.name, small.name) == ("small.onnx", "small-int8.onnx")
    graph = OnnxModel(plain)
    inputs = {name: value.numpy() for name, value in examples.batch(np.arange(12)).items()}
    inputs.pop("labels")
    assert np.abs(graph(inputs)["logits"] - wanted.numpy()).max() < 1e-4


def test_latency_is_measured_on_what_is_really_smaller(pruned):
    times = pruned.latency(batch=1, tokens=8, repeats=2)
    assert set(times) == {"dense", "pruned"}
    assert all(each.cpu_min_ms > 0 for each in times.values())


def test_the_model_is_left_without_hooks_and_says_how_it_went(tiny, pruned):
    assert not pruned.model.bert._forward_hooks
    assert (
        pruned.model.config._attn_implementation == tiny.classifier(0).config._attn_implementation
    )
    assert set(pruned.seconds) == {"teacher", "importance", "training"}
    assert all(value > 0 for value in pruned.seconds.values())


def test_metrics_are_asked_for_before_and_after_each_retraining(tiny, tmp_path):
    asked = []

    def evaluate(model):
        asked.append(model.training)
        return float(len(asked))

    history = tiny.pruner(tmp_path, evaluate=evaluate).prune().history
    assert [(stage.before, stage.after) for stage in history] == [(1.0, 2.0), (3.0, 4.0)]
    assert not any(asked)


REFUSED = {
    "no teacher": (
        {"teacher": None},
        UsageError,
        "distillation and the view 'fine' need a teacher; give one, or set beta=0",
    ),
    "no teacher for a view": (
        {"teacher": None, "objective": CapObjective(beta=0.0, use=("fine",), extra=8)},
        UsageError,
        "need a teacher; give one, or set beta=0 and leave 'fine' out of use",
    ),
    "infeasible": (
        {"schedule": Stages((0.5, 0.9))},
        ConfigError,
        r"90\.0% of 3 x 4 units cannot go while each layer keeps one; at most 75\.0% can",
    ),
    "units on a curve": (
        {"schedule": CUBIC},
        ConfigError,
        "first-order removes heads and units and needs a Stages schedule, got Cubic",
    ),
    "weights in stages": (
        {"criterion": Movement()},
        ConfigError,
        "movement removes weights and needs a Cubic schedule, got Stages",
    ),
    "no tokens": (
        {"train": ["a text"]},
        UsageError,
        "train takes burnish.data.Encoded or a Hugging Face dataset, got list; tokenise with",
    ),
}


@pytest.mark.parametrize(("changes", "error", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_is_refused_before_anything_is_done(
    tiny, tmp_path, changes, error, message
):
    model = tiny.classifier(0)
    with pytest.raises(error, match=message):
        tiny.pruner(tmp_path / "new", model=model, **changes)
    assert not (tmp_path / "new").exists()
    assert tiny.same_weights(model, tiny.classifier(0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": 41}, "share a tokenizer, but know 40 and 41"),
        ({"num_labels": 4}, "same classes, but have 3 and 4"),
        ({"hidden_size": 64}, "share a hidden size, but have 32 and 64; set projection=True"),
    ],
)
def test_a_teacher_that_does_not_fit_is_refused(tiny, tmp_path, changes, message):
    with pytest.raises(UsageError, match=message):
        tiny.pruner(tmp_path, teacher=tiny.classifier(1, **changes))


def test_every_refusal_is_an_error_of_the_family_and_of_values():
    for error in (UsageError, ConfigError, DataError):
        assert issubclass(error, BurnishError)
        assert issubclass(error, ValueError)


def test_a_larger_teacher_teaches_through_a_projection_that_is_trained(tiny, tmp_path):
    made = tiny.pruner(
        tmp_path,
        teacher=tiny.classifier(1, hidden_size=64),
        objective=CapObjective(extra=8, projection=True),
        schedule=SHORT,
    )
    projection = made.work.module.projection
    before = projection.weight.detach().clone()
    assert before.shape == (64, 32)
    made.prune()
    assert (projection.weight - before).abs().max() > 1e-3
    assert (tmp_path / "banks" / "fine.f16").stat().st_size == 26 * 64 * 2
    assert (tmp_path / "banks" / "pre.f16").stat().st_size == 26 * 32 * 2


def test_a_folder_that_is_in_use_is_not_overwritten(tiny, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"is not empty; set resume=True to go on .* name another"):
        tiny.pruner(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_more_keys_than_examples_are_warned_of(tiny, tmp_path):
    with pytest.warns(UserWarning, match="extra=1024 keys cannot be drawn from 26 examples; 13"):
        tiny.pruner(tmp_path, objective=CapObjective())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny.pruner(tmp_path, objective=CE_ONLY)


def test_two_examples_are_needed(tiny, tmp_path):
    with pytest.raises(DataError, match="pruning needs at least two examples, got 1"):
        tiny.pruner(tmp_path, train=tiny.encoded(1), objective=CE_ONLY)


def test_a_dataset_is_taken_as_it_is_and_prunes_alike(tiny, tmp_path):
    options = {"schedule": SHORT}
    ours = tiny.pruner(tmp_path / "ours", **options).prune()
    other = tiny.pruner(tmp_path / "other", train=columns_of(tiny.encoded()), **options).prune()
    assert tiny.same_weights(ours.model, other.model)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"example_id": None}, r"no column 'example_id' \(banks need it\); it has input_ids, att"),
        ({"example_id": [1, 1, 2]}, "column 'example_id' names example 1 twice; give each row"),
        ({"label": [0.0, 0.5, 1.0]}, r"'label' must hold classes as whole numbers, got 0\.5"),
        ({"label": [0, 3, 1]}, "examples have class 3, and the model's head has the 3 classes"),
    ],
)
def test_a_dataset_without_what_is_needed_is_refused(tiny, tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        tiny.pruner(tmp_path, train=columns_of(tiny.encoded(3), **changes), objective=CE_ONLY)


def test_batches_of_a_dataset_are_filled_with_the_models_own_token(tiny, tmp_path):
    model = tiny.classifier(0, pad_token_id=39)
    work = tiny.pruner(tmp_path, model=model, train=columns_of(tiny.encoded())).work
    assert work.examples.pad == 39
    assert from_dataset(columns_of(tiny.encoded())).pad == 0


def test_arguments_of_transformers_are_read(tiny, tmp_path):
    arguments = TrainingArguments(
        output_dir=str(tmp_path / "unused"), learning_rate=3e-4, weight_decay=0.2,
        warmup_steps=0.25, max_grad_norm=0.7, adam_epsilon=1e-7, seed=5,
        per_device_train_batch_size=4, bf16=True, use_cpu=True,
    )  # fmt: skip
    work = tiny.pruner(tmp_path / "new", training=arguments, batch_size=None).work
    assert work.training == Training(
        learning_rate=3e-4, weight_decay=0.2, warmup=0.25, clip=0.7, epsilon=1e-7,
        precision="bfloat16", seed=5,
    )  # fmt: skip
    assert work.batch_size == 4
    counted = TrainingArguments(output_dir=str(tmp_path / "unused"), warmup_steps=500, use_cpu=True)
    with pytest.raises(UsageError, match=r"warmup_steps 500 is a number of steps, .* a share of"):
        tiny.pruner(tmp_path / "new", training=counted)


def test_pruning_works_in_bfloat16(tiny, tmp_path):
    training = Training(learning_rate=1e-3, precision="bfloat16")
    made = tiny.pruner(tmp_path, training=training, schedule=SHORT).prune()
    assert made.model.dtype == torch.float32
    assert all(torch.isfinite(each).all() for each in made.model.parameters())


def test_embeddings_can_be_kept_as_they_are(tiny, tmp_path):
    word = "bert.embeddings.word_embeddings.weight"
    for frozen in (None, True):
        made = tiny.pruner(tmp_path / str(frozen), schedule=SHORT, freeze_embeddings=frozen)
        after = made.prune().model.state_dict()[word]
        assert torch.equal(after, tiny.classifier(0).state_dict()[word]) == bool(frozen)


def test_random_state_is_left_alone_and_a_seed_decides(tiny, tmp_path):
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first = tiny.pruner(tmp_path / "first", schedule=SHORT).prune()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(4)
    second = tiny.pruner(tmp_path / "second", schedule=SHORT).prune()
    assert tiny.same_weights(first.model, second.model)
    training = Training(learning_rate=1e-3, seed=1)
    other = tiny.pruner(tmp_path / "other", schedule=SHORT, training=training).prune()
    assert not tiny.same_weights(first.model, other.model)
