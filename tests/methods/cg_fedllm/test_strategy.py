"""The server: whom it asks, what it makes of replies, and what bad ones cost."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest
import torch
from flwr.app import (
    Array,
    ArrayRecord,
    ConfigRecord,
    Error,
    Message,
    MetricRecord,
    RecordDict,
)
from flwr.app.message import make_message
from flwr.clientapp import ClientApp
from flwr.serverapp.strategy import FedAvg

from burnish.codecs.casting import Identity
from burnish.codecs.errors import IncompatibleCodec, LayoutMismatch
from burnish.codecs.named import codec_named
from burnish.codecs.wire import from_bytes, to_bytes
from burnish.errors import ConfigError
from burnish.methods.cg_fedllm import records
from burnish.methods.cg_fedllm.client import client_app
from burnish.methods.cg_fedllm.grid import in_process
from burnish.methods.cg_fedllm.rounds import federate
from burnish.methods.cg_fedllm.strategy import CompressedFedAvg

SIZE = 84


def dense():
    return Identity(size=SIZE)


def vector(task, adapter):
    return task.layout.to_vector(adapter)


def one_round(strategy, grid, task, adapter=None, number=1, spoil=lambda replies: replies):
    """The next adapter as a vector, and the metrics; `spoil` changes the replies."""
    arrays = records.record_of(adapter or task.initial())
    sent = strategy.configure_train(number, arrays, ConfigRecord(), grid)
    replies = spoil(grid.send_and_receive(sent))
    new, metrics = strategy.aggregate_train(number, replies)
    return None if new is None else vector(task, records.tensors_of(new)), metrics


# --------------------------------------------------------------------------------- what it computes


def flowers_own(task, nodes, rounds):
    """Flower's FedAvg on the same clients, uncompressed."""
    strategy = FedAvg(fraction_evaluate=0.0, min_available_nodes=1, min_train_nodes=1)
    grid = in_process(client_app(task), nodes)
    start = records.record_of(task.initial())
    result = strategy.start(grid, start, num_rounds=rounds)
    return vector(task, result.arrays.to_torch_state_dict())


def test_identity_on_states_is_fedavg_bit_for_bit(regression):
    parts = regression.parts(dense(), nodes=2, represent="state", guarded=False)
    done = federate(*parts, rounds=4)
    assert torch.equal(vector(parts[2], done.adapter), flowers_own(parts[2], 2, 4))


def test_identity_on_changes_is_fedavg_but_for_rounding(regression):
    parts = regression.parts(dense(), nodes=5, guarded=False)
    done = federate(*parts, rounds=4)
    wanted = flowers_own(parts[2], 5, 4)
    assert (vector(parts[2], done.adapter) - wanted).norm() <= 1e-6 * wanted.norm()


def test_one_client_is_local_training(regression):
    strategy, grid, task = regression.parts(dense(), nodes=1, represent="state", guarded=False)
    done = federate(strategy, grid, task, rounds=3)
    alone = task.initial()
    for number in (1, 2, 3):
        alone = task.train(alone, client=0, round=number).adapter
    assert torch.equal(vector(task, done.adapter), vector(task, alone))


def locally(task, nodes):
    return [task.train(task.initial(), client=client, round=1) for client in range(nodes)]


def test_the_literal_sum_adds_states_and_scales_b(regression):
    parts = regression.parts(
        dense(), nodes=3, represent="state", aggregate="literal_sum", rate=0.5, guarded=False
    )
    found, _ = one_round(*parts)
    wanted = {}
    for name in parts[2].layout.names:
        total = sum(trained.adapter[name] for trained in locally(parts[2], 3))
        wanted[name] = 0.5 * total if "lora_B" in name else total
    torch.testing.assert_close(found, vector(parts[2], wanted))


def test_a_mean_gradient_is_stepped_against(regression):
    parts = regression.parts(dense(), nodes=2, represent="grad", rate=0.3, guarded=False)
    found, _ = one_round(*parts)
    task = parts[2]
    first, second = (vector(task, trained.gradient) for trained in locally(task, 2))
    wanted = vector(task, task.initial()) - 0.3 * (first * 8 / 20 + second * 12 / 20)
    torch.testing.assert_close(found, wanted)


def test_the_exact_product_differs_from_the_mean_and_learns(regression):
    exact = federate(*regression.parts(dense(), aggregate="exact_product"), rounds=6)
    mean = federate(*regression.parts(dense()), rounds=6)
    assert exact.rounds[-1].heldout < exact.start
    assert any(not torch.equal(exact.adapter[name], mean.adapter[name]) for name in mean.adapter)


@pytest.mark.parametrize(
    "name", ["fp16", "int8", "sign", "masked-sign", "powersgd", "majority-sign"]
)
def test_every_kind_of_codec_federates(regression, name):
    task = regression.Regression()
    done = federate(*regression.parts(codec_named(name, task.layout.image)), rounds=6)
    assert done.rounds[-1].heldout < done.start
    assert [each.used for each in done.rounds] == [4] * 6


def test_a_joining_codec_remembers_from_round_to_round_on_the_server(regression):
    task = regression.Regression()
    parts = regression.parts(codec_named("sketch", task.layout.image))
    federate(*parts, rounds=2)
    assert float(parts[0].memory["sketch.momentum"].abs().sum()) > 0


# ------------------------------------------------------------------------------------ whom it asks


def asked(strategy, grid, task, number):
    messages = strategy.configure_train(
        number, records.record_of(task.initial()), ConfigRecord(), grid
    )
    return [message.content["config"]["client"] for message in messages]


@pytest.mark.parametrize(("fraction", "count"), [(1.0, 10), (0.35, 3), (0.05, 1)])
def test_a_share_of_clients_is_asked_and_one_at_least(regression, fraction, count):
    parts = regression.parts(dense(), nodes=10, fraction=fraction)
    assert len(asked(*parts, 1)) == count


def test_who_is_asked_depends_on_seed_and_round_alone(regression):
    def schedule(seed):
        parts = regression.parts(dense(), nodes=10, fraction=0.5, seed=seed)
        return [asked(*parts, number) for number in (1, 2, 3, 4)]

    first = schedule(0)
    assert schedule(0) == first
    assert schedule(1) != first
    assert len({tuple(each) for each in first}) > 1
    parts = regression.parts(dense(), nodes=10, fraction=0.5)
    assert asked(*parts, 3) == first[2]


# ----------------------------------------------------------------------------- what bad ones cost


def content_of(**changes):
    """Replace records of a reply, or drop those that are None."""

    def spoil(reply):
        kept = {**dict(reply.content), **changes}
        return {name: record for name, record in kept.items() if record is not None}

    return spoil


def payload_of(change):
    def spoil(reply):
        blob = change(records.payload_of(reply.content))
        return {**dict(reply.content), "arrays": records.payload_record(blob)}

    return spoil


def metrics_of(**changes):
    return lambda reply: {
        **dict(reply.content),
        "metrics": MetricRecord({**reply.content["metrics"], **changes}),
    }


def arrays(**found):
    return ArrayRecord({name: Array("uint8", (1,), stype, b"x") for name, stype in found.items()})


def flip(blob, place):
    return blob[:place] + bytes([blob[place] ^ 0xFF]) + blob[place + 1 :]


NAN = b"\x00\x00\xc0\x7f"
HUGE = b"\xff\xff\x7f\x7f"
BIG = b"\x00\x24\x74\x4a"  # 4e6
BAD = {
    "nothing": (lambda reply: {}, "no array record"),
    "no arrays": (content_of(arrays=None), "no array record"),
    "no metrics": (content_of(metrics=None), "num-examples"),
    "arrays that are metrics": (content_of(arrays=MetricRecord({"a": 1})), "no array record"),
    "metrics that are settings": (
        content_of(metrics=ConfigRecord({"num-examples": 4})),
        "got None",
    ),
    "dense arrays": (content_of(arrays=arrays(payload="numpy.ndarray")), "wanted one encoded"),
    "two payloads": (
        content_of(arrays=arrays(payload="burnish.payload", more="burnish.payload")),
        "got 2 arrays",
    ),
    "garbage": (payload_of(lambda blob: b"garbage" * 40), "header"),
    "no bytes": (payload_of(lambda blob: b""), "begins with 8 bytes"),
    "half of it": (payload_of(lambda blob: blob[: len(blob) // 2]), "has"),
    "more than it": (payload_of(lambda blob: blob + b"\0" * 10), "bytes of tensors"),
    "a bomb": (
        payload_of(lambda blob: (10 << 30).to_bytes(8, "little") + blob[8:]),
        "length field",
    ),
    "much too much": (payload_of(lambda blob: blob * 100), "at most"),
    "nan": (payload_of(lambda blob: blob[:-4] + NAN), "finite"),
    "the largest float": (payload_of(lambda blob: blob[:-4] + HUGE), "beyond 1e+12"),
    "a large float": (payload_of(lambda blob: blob[:-4] + BIG), "beyond 1e+06"),
    "no examples": (metrics_of(**{"num-examples": 0}), "from 1 to"),
    "negative examples": (metrics_of(**{"num-examples": -5}), "from 1 to"),
    "half an example": (metrics_of(**{"num-examples": 0.5}), "from 1 to"),
    "nan examples": (metrics_of(**{"num-examples": float("nan")}), "from 1 to"),
    "too many examples": (metrics_of(**{"num-examples": 10**12}), "from 1 to"),
    "a list of examples": (metrics_of(**{"num-examples": [4]}), "from 1 to"),
}


@pytest.mark.parametrize(("spoil", "said"), BAD.values(), ids=BAD.keys())
def test_a_bad_reply_costs_its_client_the_share_and_nothing_else(regression, caplog, spoil, said):
    def spoilt(replies):
        first, *others = replies
        return [make_message(first.metadata, content=RecordDict(spoil(first))), *others]

    wanted, _ = one_round(*regression.parts(dense(), nodes=3), spoil=lambda replies: replies[1:])
    caplog.clear()
    found, metrics = one_round(*regression.parts(dense(), nodes=3), spoil=spoilt)
    assert torch.equal(found, wanted)
    assert (metrics["clients"], metrics["lost"]) == (2, 1)
    (line,) = [each.getMessage() for each in caplog.records if "burnish" in each.name]
    assert line.startswith("round 1: client 0 loses its share: ")
    assert said in line
    assert "\n" not in line


def test_headers_of_another_federation_are_refused(regression, caplog):
    strategy, grid, task = regression.parts(dense(), nodes=7)

    def spoilt(replies):
        changed = [
            {"layout": "0" * 64},
            {"init": "1" * 64},
            {"round": 2},
            {"client": 0},
            {"codec": "int8"},
            {"fingerprint": "2" * 64},
        ]
        for reply, fields in zip(replies[1:], changed, strict=True):
            payload = from_bytes(
                records.payload_of(reply.content),
                strategy.codec,
                layout=task.layout.hash,
                init=task.init,
                round=1,
            )
            other = replace(payload, header=replace(payload.header, **fields))
            reply.content["arrays"] = records.payload_record(to_bytes(other))
        return replies

    found, metrics = one_round(strategy, grid, task, spoil=spoilt)
    assert (metrics["clients"], metrics["lost"]) == (1, 6)
    wanted = vector(task, locally(task, 1)[0].adapter)
    torch.testing.assert_close(found, wanted)
    lines = [each.getMessage() for each in caplog.records]
    assert ["client 1" in lines[0], "layout" in lines[0], "init" in lines[1]] == [True] * 3


def test_errors_silence_duplicates_and_strangers_cost_nobody_else(regression, caplog):
    strategy, grid, task = regression.parts(dense(), nodes=5)
    stranger = in_process(ClientApp(), 7).get_node_ids()[-1]

    def spoilt(replies):
        error = Error(2, "the disk\nis \x1b[31mfull")
        told = make_message(replies[0].metadata, error=error)
        unknown = make_message(replies[2].metadata, content=replies[2].content)
        again = make_message(replies[2].metadata, content=replies[2].content)
        found = [told, again, *replies[2:4], unknown]
        odd = Message(RecordDict(), reply_to=Message(RecordDict(), stranger, "train"))
        return [*found, odd]  # 1 and 4 are silent

    wanted, _ = one_round(*regression.parts(dense(), nodes=5), spoil=lambda replies: replies[2:4])
    caplog.clear()
    found, metrics = one_round(strategy, grid, task, spoil=spoilt)
    assert (metrics["clients"], metrics["lost"]) == (2, 3)
    assert torch.equal(found, wanted)
    lines = [each.getMessage() for each in caplog.records if "burnish" in each.name]
    assert "the disk is ?[31mfull" in lines[0].replace("\\x1b", "?")
    assert sum("answered before" in line for line in lines) == 2
    assert sum("a stranger loses its share" in line for line in lines) == 1
    assert [line[9:17] for line in lines if "no reply came" in line] == ["client 1", "client 4"]


def test_a_round_without_any_update_keeps_the_adapter_and_warns(regression):
    task = regression.Regression(fails=frozenset(range(4)))
    parts = regression.parts(dense(), task)
    with pytest.warns(UserWarning, match="round 1: none of 4 clients sent an update of use"):
        done = federate(*parts, rounds=1)
    assert torch.equal(vector(task, done.adapter), vector(task, task.initial()))
    assert (done.rounds[0].used, done.rounds[0].asked, done.rounds[0].loss) == (0, 4, None)


def test_a_failing_client_is_only_missed(regression, caplog):
    task = regression.Regression(fails=frozenset({1}))
    with caplog.at_level(logging.WARNING):
        done = federate(*regression.parts(dense(), task), rounds=2)
    assert [each.used for each in done.rounds] == [3, 3]
    assert caplog.text.count("the disk of client 1 is full") == 2


def test_shifts_need_every_client_in_every_round(regression):
    task = regression.Regression()
    codec = codec_named("shifted", task.layout.image)
    CompressedFedAvg(codec, task.layout, task.initial(), init=task.init)
    with pytest.raises(IncompatibleCodec, match=r"every client in every round, got fraction=0\.5"):
        CompressedFedAvg(codec, task.layout, task.initial(), init=task.init, fraction=0.5)


def test_settings_are_checked(regression):
    task = regression.Regression()

    def strategy(codec, **options):
        return CompressedFedAvg(codec, task.layout, task.initial(), init=task.init, **options)

    with pytest.raises(ConfigError, match="fraction is above 0"):
        strategy(dense(), fraction=0.0)
    with pytest.raises(ConfigError, match="positive number"):
        strategy(dense(), rate=float("nan"))
    with pytest.raises(LayoutMismatch, match="the adapter has 84"):
        strategy(Identity(size=4))
    with pytest.raises(IncompatibleCodec, match="joins updates by itself"):
        strategy(codec_named("majority-sign", task.layout.image), aggregate="literal_sum")
