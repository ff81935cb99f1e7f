"""TGAP: every update of a federation is kept, also across a kill."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from burnish.errors import ConfigError
from burnish.methods.cg_fedllm.collecting import collect
from burnish.methods.cg_fedllm.remembering import Remembered

ASKED = {"clients": 3, "fraction": 0.7, "represent": "state", "seed": 5}


def told(snapshots):
    return [(each.round, each.client) for each in snapshots.all]


def alike(one, two):
    pairs = zip(one.all, two.all, strict=True)
    return all(torch.equal(a.vector, b.vector) and torch.equal(a.start, b.start) for a, b in pairs)


def test_updates_are_what_clients_return(regression, tmp_path):
    task = regression.Regression()
    found = collect(task, tmp_path, rounds=3, **ASKED)
    assert found.rounds == (1, 2, 3)
    assert len(found.all) == 6  # two of three clients in each round
    first = found.all[0]
    assert torch.equal(first.start, task.layout.to_vector(task.initial()))
    trained = task.train(task.initial(), client=first.client, round=1)
    assert torch.equal(first.vector, task.layout.to_vector(trained.adapter))
    assert torch.equal(first.update, first.vector - first.start)


def test_a_collection_that_stopped_goes_on_to_the_same_updates(regression, tmp_path):
    task = regression.Regression()
    whole = collect(task, tmp_path / "whole", rounds=4, **ASKED)
    collect(task, tmp_path / "parts", rounds=2, **ASKED)
    done = len(task.calls)
    parts = collect(task, tmp_path / "parts", rounds=4, **ASKED)
    assert len(task.calls) - done == 4  # the two rounds that were missing
    assert told(parts) == told(whole)
    assert alike(parts, whole)


def test_killed_between_updates_and_checkpoint_a_round_is_done_again(regression, tmp_path):
    task = regression.Regression()
    whole = collect(task, tmp_path / "whole", rounds=2, **ASKED)
    collect(task, tmp_path / "parts", rounds=2, **ASKED)
    checkpoint = tmp_path / "parts" / "federation"
    for path in checkpoint.iterdir():
        path.unlink()
    assert alike(collect(task, tmp_path / "parts", rounds=2, **ASKED), whole)


def test_clients_that_train_alone_go_on_from_their_own_adapters(regression, tmp_path):
    task = regression.Regression()
    found = collect(task, tmp_path, rounds=2, federated=False, **ASKED)
    assert len(found.all) == 6
    first, second = ([each for each in found.all if each.client == 0][turn] for turn in (0, 1))
    own = task.layout.to_tensors(first.vector)
    again = task.train(own, client=0, round=2)
    assert torch.equal(second.vector, task.layout.to_vector(again.adapter))


def test_changes_are_not_collected_since_states_tell_them(regression, tmp_path):
    with pytest.raises(ConfigError, match="represent='state'"):
        collect(
            regression.Regression(), tmp_path, rounds=1, **{**ASKED, "represent": "delta"}
        )  # fmt: skip


def test_the_first_round_is_trained_once(regression, tmp_path):
    class Plain(regression.Regression):
        def train(self, adapter, *, client, round):
            return replace(super().train(adapter, client=client, round=round), gradient=None)

    task = Plain()
    one, two = Remembered(task, tmp_path, "a"), Remembered(task, tmp_path, "a")
    first = one.train(task.initial(), client=1, round=1)
    calls = len(task.calls)
    again = two.train(task.initial(), client=1, round=1)
    assert len(task.calls) == calls
    assert again.examples == first.examples
    assert again.loss == first.loss
    assert all(torch.equal(again.adapter[name], each) for name, each in first.adapter.items())
    Remembered(task, tmp_path, "b").train(task.initial(), client=1, round=1)
    two.train(first.adapter, client=1, round=2)
    assert len(task.calls) == calls + 2
    assert one.evaluate(task.initial()) == two.evaluate(task.initial())
