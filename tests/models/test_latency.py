"""Runners take turns, and what is measured is the work they do."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, save

from burnish.errors import UsageError
from burnish.models.latency import latency, model_runners


def work(milliseconds: float) -> None:
    end = time.process_time() + milliseconds / 1000
    while time.process_time() < end:
        pass


def test_runners_take_turns_and_warm_up_does_not_count():
    calls: list[str] = []
    runners = {name: lambda name=name: calls.append(name) for name in "abc"}
    assert list(latency(runners, repeats=3, warmup=2)) == ["a", "b", "c"]
    assert calls == list("abc") * 5


def test_processor_time_is_told_from_waiting():
    times = latency(
        {"busy": lambda: work(4), "idle": lambda: time.sleep(0.01)}, repeats=3, warmup=0
    )
    assert 4 <= times["busy"].cpu_min_ms <= times["busy"].cpu_median_ms
    assert times["idle"].cpu_min_ms < 4
    assert 10 <= times["idle"].wall_min_ms <= times["idle"].wall_median_ms


def test_the_first_slow_call_is_not_counted():
    pauses = iter([50.0, 1.0, 1.0])
    times = latency({"a": lambda: work(next(pauses))}, repeats=2, warmup=1)
    assert 1 <= times["a"].cpu_median_ms < 50


def test_one_thread_while_measuring_and_as_before_after():
    seen: list[int] = []
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        latency({"a": lambda: seen.append(torch.get_num_threads())}, repeats=1, warmup=0)
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("runners", "settings"),
    [({}, {}), ({"a": print}, {"repeats": 0}), ({"a": print}, {"warmup": -1})],
)
def test_nothing_to_measure_is_told(runners, settings):
    with pytest.raises(UsageError, match="latency needs runners, repeats >= 1"):
        latency(runners, **settings)


def echo(path) -> None:
    """A graph that adds its three inputs."""
    names = ["input_ids", "attention_mask", "token_type_ids"]
    values = [helper.make_tensor_value_info(n, TensorProto.INT64, ["b", "t"]) for n in names]
    out = helper.make_tensor_value_info("sum", TensorProto.INT64, ["b", "t"])
    nodes = [
        helper.make_node("Add", names[:2], ["first"]),
        helper.make_node("Add", ["first", names[2]], ["sum"]),
    ]
    graph = helper.make_graph(nodes, "echo", values, [out])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)


def test_models_and_graphs_run_on_the_same_batch(zoo, tmp_path):
    echo(tmp_path / "echo.onnx")
    seen = {}

    class Recorder(type(zoo.model("bert"))):
        def forward(self, input_ids, attention_mask):
            seen["torch"] = (input_ids, attention_mask, self.training)
            return super().forward(input_ids, attention_mask)

    module = Recorder(zoo.model("bert").config).train()
    runners = model_runners(
        {"torch": module, "onnx": tmp_path / "echo.onnx"}, batch=2, tokens=5, vocabulary=50
    )
    assert runners["torch"]().last_hidden_state.shape == (2, 5, 32)
    ids, mask, training = seen["torch"]
    assert not training
    assert ids.shape == (2, 5)
    assert ids.max() < 50
    assert bool((mask == 1).all())
    assert np.array_equal(runners["onnx"]()["sum"], ids.numpy() + 1)
    assert not module.training


def test_sizes_are_positive(zoo):
    with pytest.raises(UsageError, match=r"are positive, got \(0, 5, 1000\)"):
        model_runners({"a": zoo.model("bert")}, batch=0, tokens=5)
