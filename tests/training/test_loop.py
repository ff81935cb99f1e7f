import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import mse_loss

from burnish.errors import BurnishError
from burnish.training import Checkpoint, Group, Training, derive, fit, seeded

ROWS = torch.randn(24, 5, generator=torch.Generator().manual_seed(0))
TARGETS = ROWS @ torch.arange(5.0)[:, None]
PLAN = [np.arange(start, start + 6) for start in (0, 6, 12, 18)] * 5


def net():
    with seeded(1):
        return nn.Sequential(nn.Linear(5, 16), nn.GELU(), nn.Dropout(0.3), nn.Linear(16, 1))


def loss(module, rows, step):
    return mse_loss(module(ROWS[rows]), TARGETS[rows])


def trained(**options):
    module = net()
    fit(module, loss, PLAN, Training(learning_rate=1e-2), **options)
    return module.state_dict()


def equal(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


class Stop(Exception):
    pass


def test_training_lowers_the_loss_and_reports_every_step():
    told = []
    module = net()
    fit(
        module,
        loss,
        PLAN,
        Training(learning_rate=5e-2),
        after_step=lambda step, value: told.append((step, value)),
    )
    assert [step for step, _ in told] == list(range(1, len(PLAN) + 1))
    assert told[-1][1] < told[0][1] / 2
    assert not module.training


def test_a_seed_gives_the_same_weights_and_leaves_the_global_state_alone():
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = trained()
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(6)
    assert equal(first, trained())


def test_a_killed_training_ends_like_one_that_was_not(tmp_path):
    whole = trained()

    def killed(step, value):
        if step == 7:
            raise Stop

    path = tmp_path / "step.pt"
    with pytest.raises(Stop):
        trained(checkpoint=Checkpoint(path, seconds=0), after_step=killed)
    steps = []
    resumed = trained(
        checkpoint=Checkpoint(path, seconds=0), after_step=lambda step, _: steps.append(step)
    )
    assert steps[0] == 7  # the step that was under way when it was killed is done again
    assert equal(whole, resumed)


def test_what_a_checkpoint_is_given_beside_the_model_comes_back(tmp_path):
    path, found = tmp_path / "step.pt", {}
    trained(checkpoint=Checkpoint(path, seconds=0, extra=lambda: {"mask": torch.ones(2)}))
    trained(checkpoint=Checkpoint(path, seconds=1e9, restore=found.update))
    assert torch.equal(found["mask"], torch.ones(2))


def test_a_torn_checkpoint_is_refused_in_one_line(tmp_path):
    path = tmp_path / "step.pt"
    path.write_bytes(b"nonsense")
    with pytest.raises(BurnishError, match=r"step\.pt cannot be read .* delete it"):
        trained(checkpoint=Checkpoint(path))


def test_a_checkpoint_never_runs_code(tmp_path):
    class Evil:
        def __reduce__(self):
            return (print, ("run",))

    path = tmp_path / "step.pt"
    torch.save({"extra": {}, "module": Evil()}, path)
    with pytest.raises(BurnishError, match="cannot be read as a checkpoint"):
        trained(checkpoint=Checkpoint(path))


def test_a_group_has_its_own_rate_and_frozen_weights_stay():
    module = net()
    module[0].weight.requires_grad_(False)
    frozen = module[0].weight.clone()
    slow = module[3].weight.clone()
    groups = [Group((module[3].weight,), learning_rate=0.0)]
    fit(module, loss, PLAN, Training(learning_rate=1e-2), groups=groups)
    assert torch.equal(module[0].weight, frozen)
    assert torch.equal(module[3].weight, slow)
    assert not torch.equal(module[0].bias, net()[0].bias)


def test_matches_adamw_with_linear_decay_by_hand():
    module, by_hand = nn.Linear(5, 1, bias=False), nn.Linear(5, 1, bias=False)
    by_hand.load_state_dict(module.state_dict())
    training = Training(learning_rate=1e-2, warmup=0.25, clip=1e9, weight_decay=0.1)
    plan = PLAN[:4]
    fit(module, loss, plan, training)
    optimizer = torch.optim.AdamW(by_hand.parameters(), lr=1e-2, weight_decay=0.1)
    for rate, rows in zip((0.0, 1.0, 2 / 3, 1 / 3), plan, strict=True):
        optimizer.param_groups[0]["lr"] = rate * 1e-2
        loss(by_hand, rows, 0).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert torch.allclose(module.weight, by_hand.weight, atol=1e-7)


def test_a_loss_that_is_not_finite_stops_the_training_before_it_harms():
    module = net()

    def broken(inner, rows, step):
        return loss(inner, rows, step) * (float("nan") if step == 3 else 1.0)

    with pytest.raises(BurnishError, match="the loss became nan at step 4"):
        fit(module, broken, PLAN, Training())
    assert all(torch.isfinite(each).all() for each in module.parameters())


def test_an_empty_plan_changes_nothing():
    module = net()
    fit(module, loss, [], Training())
    assert equal(module.state_dict(), net().state_dict())


def test_derived_seeds_differ_by_name_and_are_the_same_everywhere():
    assert derive(0, "a", 1) == derive(0, "a", 1)
    assert len({derive(0, "a"), derive(1, "a"), derive(0, "b"), derive(0, "a", 1)}) == 4
    assert derive(0, "keys", "stage/0/0/pre") == 7205782410474189488
