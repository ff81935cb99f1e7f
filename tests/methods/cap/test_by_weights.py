"""Single weights go while the model trains, and a killed pruning ends as if it had not been."""

import numpy as np
import pytest
import torch

from burnish.errors import ConfigError, UsageError
from burnish.methods.cap.by_weights import masked_linears
from burnish.methods.cap.objective import KD_ONLY
from burnish.methods.cap.schedules import Cubic
from burnish.methods.cap.weights import (
    Magnitude,
    Movement,
    OBert,
    Platon,
    Smp,
    SoftMovement,
    Wanda,
)

CURVE = {"warmup_steps": 2, "initial_warmup": 1, "final_warmup": 1, "total_steps": 12}
MATRICES = ("query", "key", "value", "attention_out", "ffn_in", "ffn_out")
CRITERIA = (
    Magnitude(),
    Movement(),
    Platon(refresh=3),
    OBert(gradients=4, block=8, refresh=4),
    Smp(),
    Wanda(sequences=6),
)


class Killed(Exception):
    pass


def kill_at(count):
    """Raises the count-th time it is called."""
    calls = []

    def call(_):
        calls.append(None)
        if len(calls) == count:
            raise Killed

    return call


def matrices(model):
    return {name: linear.weight for name, linear in masked_linears(model).items()}


def test_the_six_matrices_of_every_layer_are_masked(tiny):
    found = masked_linears(tiny.classifier(0))
    assert set(found) == {f"{layer}.{name}" for layer in range(3) for name in MATRICES}


@pytest.mark.parametrize("criterion", CRITERIA, ids=lambda each: each.name)
def test_exactly_so_many_weights_go(tiny, tmp_path, criterion):
    pruned = tiny.weight_pruner(tmp_path, criterion=criterion).prune()
    sizes = {name: weight.numel() for name, weight in matrices(pruned.model).items()}
    total = sum(sizes.values())
    alive = {name: int(weight.count_nonzero()) for name, weight in matrices(pruned.model).items()}
    if criterion.ranking == "row":
        kept = sum(weight.shape[0] * int(0.1 * weight.shape[1])
                   for weight in matrices(pruned.model).values())  # fmt: skip
    elif criterion.ranking == "global":
        kept = int(0.1 * total)
    else:
        assert alive == {name: int(0.1 * size) for name, size in sizes.items()}
        kept = sum(int(0.1 * size) for size in sizes.values())
    assert sum(alive.values()) == kept
    (stage,) = pruned.history
    assert stage.removed == {"weights": total - kept}
    assert stage.total == {"weights": total}
    assert stage.sparsity == pytest.approx(0.9)
    assert not pruned.structured
    assert pruned.masked() is pruned.model
    with pytest.raises(UsageError, match=r"cannot be cut out; prune heads and units .* as CSR"):
        pruned.compact()
    with pytest.raises(UsageError, match="make nothing faster, so there is no latency to claim"):
        pruned.latency()


def test_embeddings_are_frozen_and_the_dense_rest_is_trained(tiny, tmp_path):
    pruned = tiny.weight_pruner(tmp_path).prune()
    before, after = tiny.classifier(0).state_dict(), pruned.model.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    frozen = {f"bert.embeddings.{kind}_embeddings.weight"
              for kind in ("word", "position", "token_type")}  # fmt: skip
    assert same == frozen


def test_embeddings_are_trained_where_that_is_asked_for(tiny, tmp_path):
    pruned = tiny.weight_pruner(tmp_path, freeze_embeddings=False).prune()
    word = "bert.embeddings.word_embeddings.weight"
    assert not torch.equal(pruned.model.state_dict()[word], tiny.classifier(0).state_dict()[word])


def test_with_smp_weights_stay_what_they_were_or_go(tiny, tmp_path):
    pruned = tiny.weight_pruner(tmp_path, criterion=Smp()).prune()
    dense = matrices(tiny.classifier(0))
    for name, weight in matrices(pruned.model).items():
        assert torch.equal(weight[weight != 0], dense[name][weight != 0])
    head = pruned.model.classifier.weight
    assert not torch.equal(head, tiny.classifier(0).classifier.weight)


@pytest.mark.parametrize("final_warmup", [0, 1])
def test_the_curve_ends_where_it_should_with_and_without_steps_to_heal(
    tiny, tmp_path, final_warmup
):
    schedule = Cubic(initial=1.0, final=0.3, **CURVE | {"final_warmup": final_warmup})
    made = tiny.weight_pruner(tmp_path, schedule=schedule, mask_refresh=5)
    pruned = made.prune()
    for weight in matrices(pruned.model).values():
        assert int(weight.count_nonzero()) == int(0.3 * weight.numel())


def test_the_penalty_of_soft_movement_is_in_the_loss(tiny, tmp_path):
    """Without it scores drift about 0, far above the threshold, and few fall below."""

    def reached(name, penalty):
        return tiny.weight_pruner(
            tmp_path / name,
            criterion=SoftMovement(final_penalty=penalty),
            schedule=Cubic(initial=0.0, final=0.1, **CURVE),
            score_learning_rate=0.5,
        ).prune().history[0]  # fmt: skip

    free, pushed = reached("free", 0.0), reached("pushed", 1e4)
    assert pushed.removed["weights"] > 5 * free.removed["weights"]
    assert pushed.sparsity == pushed.removed["weights"] / pushed.total["weights"]
    assert pushed.reached <= 0.995


def test_a_bank_is_taken_at_the_start_of_every_epoch(tiny, tmp_path):
    tiny.weight_pruner(tmp_path).prune()
    assert sorted(tiny.hashes(tmp_path / "banks")) == [
        "fine.f16", "pre.f16", "snap-01.f16", "snap-02.f16", "teacher.f32",
    ]  # fmt: skip
    size = 26 * 32
    found = [np.fromfile(tmp_path / "banks" / f"{name}.f16", np.float16).astype(float)
             for name in ("pre", "snap-01", "snap-02")]  # fmt: skip
    assert all(len(each) == size for each in found)
    assert np.abs(found[0] - found[1]).max() > 1e-3
    assert np.abs(found[1] - found[2]).max() > 1e-3


def test_the_first_bank_is_the_pre_trained_model_and_equal_under_every_criterion(tiny, tmp_path):
    alone = tiny.pruner(tmp_path / "alone").work
    alone.snapshot("pre")
    wanted = tiny.hashes(tmp_path / "alone" / "banks")["pre.f16"]
    for criterion in (Movement(), Magnitude()):
        tiny.weight_pruner(tmp_path / criterion.name, criterion=criterion).prune()
        assert tiny.hashes(tmp_path / criterion.name / "banks")["pre.f16"] == wanted


def test_distillation_alone_takes_no_banks(tiny, tmp_path):
    tiny.weight_pruner(tmp_path, objective=KD_ONLY).prune()
    assert sorted(tiny.hashes(tmp_path / "banks")) == ["fine.f16", "teacher.f32"]


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    """Prunings that were not killed and their folders, by name of the criterion."""
    made = {}

    def of(criterion):
        if criterion.name not in made:
            folder = tmp_path_factory.mktemp(criterion.name)
            made[criterion.name] = tiny.weight_pruner(folder, criterion=criterion).prune(), folder
        return made[criterion.name]

    return of


@pytest.mark.parametrize(
    ("criterion", "count"),
    [
        (Movement(), 1),  # the first bank is there, and nothing says so
        (Movement(), 4),
        (Movement(), 5),  # right after the second bank
        (Movement(), 12),
        (Platon(refresh=3), 8),
        (OBert(gradients=4, block=8, refresh=4), 7),
        (Wanda(sequences=6), 7),
        (Smp(), 6),
    ],
    ids=lambda each: getattr(each, "name", None),
)
@pytest.mark.usefixtures("eager_checkpoints")
def test_a_killed_pruning_ends_bit_for_bit_like_one_that_was_not(
    tiny, whole, tmp_path, criterion, count
):
    wanted, folder = whole(criterion)
    with pytest.raises(Killed):
        tiny.weight_pruner(tmp_path, criterion=criterion, on_step=kill_at(count)).prune()
    steps = []
    resumed = tiny.weight_pruner(
        tmp_path, criterion=criterion, resume=True, on_step=steps.append
    ).prune()
    assert [each.step for each in steps] == list(range(count, 13))
    assert wanted.history == resumed.history
    assert wanted.history[0].digest
    assert tiny.same_weights(wanted.model, resumed.model)
    assert tiny.hashes(folder / "banks") == tiny.hashes(tmp_path / "banks")


def test_banks_of_a_pruning_that_left_no_checkpoint_are_not_used(tiny, whole, tmp_path):
    """Killed in the third epoch before anything was saved: the first epoch has no past stages."""
    with pytest.raises(Killed):
        tiny.weight_pruner(tmp_path, on_step=kill_at(10)).prune()
    assert (tmp_path / "banks" / "snap-02.f16").exists()
    assert not list(tmp_path.glob("step-*"))
    resumed = tiny.weight_pruner(tmp_path, resume=True).prune()
    assert tiny.same_weights(whole(Movement())[0].model, resumed.model)


@pytest.mark.usefixtures("eager_checkpoints")
def test_changed_banks_and_other_settings_are_refused(tiny, tmp_path):
    with pytest.raises(Killed):
        tiny.weight_pruner(tmp_path, on_step=kill_at(6)).prune()
    with pytest.raises(ConfigError, match=r"begun with criterion Movement.*now it is Magnitude"):
        tiny.weight_pruner(tmp_path, criterion=Magnitude(), resume=True).prune()
    path = tmp_path / "banks" / "snap-01.f16"
    path.write_bytes(bytes(path.stat().st_size))
    with pytest.raises(UsageError, match=r"^cannot go on: bank .*snap-01\.f16 has changed"):
        tiny.weight_pruner(tmp_path, resume=True).prune()


def test_a_decoder_is_refused(tiny):
    from transformers import LlamaConfig, LlamaForSequenceClassification

    config = LlamaConfig(
        vocab_size=40, hidden_size=32, num_hidden_layers=1, num_attention_heads=4,
        intermediate_size=40, max_position_embeddings=16, pad_token_id=0,
    )  # fmt: skip
    with pytest.raises(ConfigError, match="unstructured pruning is for encoders"):
        masked_linears(LlamaForSequenceClassification(config))
