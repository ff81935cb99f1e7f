"""A grid in this process behaves as SuperNodes do, without their waiting."""

from __future__ import annotations

import time

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.clientapp.mod import message_size_mod
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAvg

from burnish.errors import UsageError
from burnish.methods.cg_fedllm.client import client_app
from burnish.methods.cg_fedllm.grid import (
    InProcessGrid,
    Traffic,
    in_process,
    node_contexts,
    payload_bytes,
    run_in_process,
    traffic,
    wire_bytes,
)
from burnish.methods.cg_fedllm.records import record_of


def counting_app():
    """Replies how often it was called here; node 1 counts and then raises."""
    app = ClientApp()

    @app.query()
    def query(message, context):
        calls = context.state.get("calls", MetricRecord({"n": 0}))
        calls["n"] += 1
        context.state["calls"] = calls
        if context.node_config["partition-id"] == 1:
            raise OSError("no space left")
        message.content["note"] = ConfigRecord({"mine": True})
        return Message(RecordDict({"calls": calls}), reply_to=message)

    return app


def ask(grid, content=None, nodes=None):
    nodes = grid.get_node_ids() if nodes is None else nodes
    content = content or RecordDict()
    return [Message(content, node, "query", group_id="1") for node in nodes]


def test_replies_come_in_the_order_of_the_messages_and_name_their_senders():
    grid = in_process(counting_app(), 4)
    nodes = grid.get_node_ids()[::-1]
    replies = grid.send_and_receive(ask(grid, nodes=nodes))
    assert [reply.metadata.src_node_id for reply in replies] == nodes
    assert len({reply.metadata.message_id for reply in replies}) == 4


def test_a_client_that_raises_answers_with_an_error_and_keeps_its_old_state():
    grid = in_process(counting_app(), 3)
    first, failed, _ = grid.get_node_ids()
    for _ in range(2):
        replies = grid.send_and_receive(ask(grid))
    assert [reply.has_error() for reply in replies] == [False, True, False]
    assert "no space left" in replies[1].error.reason
    assert replies[0].content["calls"]["n"] == 2
    assert grid.states[first]["calls"]["n"] == 2
    assert "calls" not in grid.states[failed]


def test_an_error_that_is_no_text_can_still_be_weighed():
    app = ClientApp()

    @app.query()
    def query(message, context):
        raise ValueError("\udcff")

    grid = in_process(app, 1)
    (reply,) = grid.send_and_receive(ask(grid))
    assert wire_bytes(reply) > len(reply.error.reason)
    assert payload_bytes(reply) == 0


def test_an_app_that_returns_no_message_answers_with_an_error():
    app = ClientApp()
    app.query()(lambda message, context: None)
    (reply,) = in_process(app, 1).send_and_receive(ask(in_process(app, 1)))
    assert "returned NoneType" in reply.error.reason


def test_a_client_cannot_reach_the_servers_records():
    grid = in_process(counting_app(), 3)
    content = RecordDict({"config": ConfigRecord({"a": 1})})
    grid.send_and_receive(ask(grid, content))
    assert list(content) == ["config"]


def test_an_unknown_node_answers_with_an_error():
    grid = in_process(counting_app(), 1)
    (reply,) = grid.send_and_receive(ask(grid, nodes=[5]))
    assert reply.error.reason == "no such node"


def test_replies_are_pulled_once():
    grid = in_process(counting_app(), 1)
    names = grid.push_messages(ask(grid))
    assert len(grid.pull_messages([*names, "unknown"])) == 1
    assert grid.pull_messages(names) == []


def test_nodes_have_the_same_ids_in_every_run_and_one_each():
    assert (
        in_process(counting_app(), 3).get_node_ids() == in_process(counting_app(), 3).get_node_ids()
    )
    with pytest.raises(UsageError, match="different ids"):
        InProcessGrid(counting_app(), node_contexts(1) * 2)


def test_states_of_another_grid_are_refused():
    grid = in_process(counting_app(), 2)
    with pytest.raises(UsageError, match="as many nodes as before"):
        grid.restore(in_process(counting_app(), 3).states)


def test_the_weight_of_a_message_is_its_arrays_and_an_envelope():
    grid = in_process(counting_app(), 1)
    node = grid.get_node_ids()[0]
    noise = np.random.default_rng(0).bytes(3_000_000)
    record = ArrayRecord({"payload": Array("uint8", (len(noise),), "raw", noise)})
    message = Message(RecordDict({"arrays": record}), node, "query")
    assert payload_bytes(message) == 3_000_000
    assert 3_000_300 < wire_bytes(message) < 3_001_500


def test_the_ledger_counts_both_directions():
    grid = in_process(counting_app(), 3)
    sent = ask(grid, RecordDict({"arrays": record_of({})}))
    replies = grid.send_and_receive(sent)
    total = traffic(sent, replies)
    assert total.down == sum(map(wire_bytes, sent))
    assert total.up == sum(map(wire_bytes, replies))
    assert total + total == Traffic(2 * total.down, 2 * total.up)


def test_flowers_own_server_and_strategy_run_unchanged(regression):
    task = regression.Regression()
    server = ServerApp()

    @server.main()
    def main(grid, context):
        rounds = context.run_config["rounds"]
        result = FedAvg(fraction_evaluate=0.0).start(
            grid, record_of(task.initial()), num_rounds=rounds
        )
        context.state["result"] = result.arrays

    began = time.perf_counter()
    app = client_app(task, [message_size_mod])
    context = run_in_process(server, app, nodes=3, run_config={"rounds": 3})
    assert time.perf_counter() - began < 5  # Flower's own grids poll for longer than that
    after = context.state["result"].to_torch_state_dict()
    assert task.evaluate(after) < task.evaluate(task.initial())
    assert sorted(task.calls) == [(client, round) for client in range(3) for round in (1, 2, 3)]
