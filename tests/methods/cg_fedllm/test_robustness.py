"""Whatever strangers send, the honest clients' result is what it would be without them."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, MetricRecord, RecordDict
from flwr.app.message import make_message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from burnish.codecs.hostile import hostile
from burnish.codecs.named import codec_named
from burnish.methods.cg_fedllm import records

NUMBERS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.lists(st.integers(-5, 5), max_size=2),
)
SETTINGS = settings(
    max_examples=250,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Situation:
    """A server in the middle of a round, its replies, and what comes of the honest ones."""

    def __init__(self, strategy, replies):
        self.strategy, (self.first, *self.honest) = strategy, replies
        self.wanted, lost = outcome(strategy, self.honest)
        assert lost == 1


@pytest.fixture(scope="module", params=["int8", "sketch"])
def situation(request, regression):
    codec = codec_named(request.param, regression.Regression().layout.image)
    strategy, grid, task = regression.parts(codec, nodes=3)
    arrays = records.record_of(task.initial())
    sent = strategy.configure_train(1, arrays, ConfigRecord(), grid)
    return Situation(strategy, grid.send_and_receive(sent))


def outcome(strategy, replies):
    strategy.memory = {}
    strategy._global = strategy._initial
    new, metrics = strategy.aggregate_train(1, replies)
    return strategy.layout.to_vector(records.tensors_of(new)), metrics["lost"]


def check(situation, content):
    kind = "error" if isinstance(content, Error) else "content"
    reply = make_message(situation.first.metadata, **{kind: content})
    found, lost = outcome(situation.strategy, [reply, *situation.honest])
    assert found.isfinite().all()
    assert lost in (0, 1)
    if lost:
        assert torch.equal(found, situation.wanted)


@SETTINGS
@given(seed=st.integers(0, 2**32 - 1))
def test_spoilt_payloads(situation, seed):
    first = situation.first
    blob = hostile(records.payload_of(first.content), np.random.default_rng(seed))
    check(
        situation,
        RecordDict({"arrays": records.payload_record(blob), "metrics": first.content["metrics"]}),
    )


@st.composite
def contents(draw):
    """Any records under any names, with ours likely."""
    names = st.one_of(st.sampled_from(["arrays", "metrics", "config"]), st.text(max_size=5))
    arrays = st.builds(
        Array,
        st.sampled_from(["uint8", "float32", "object", ""]),
        st.lists(st.integers(-(2**40), 2**40), max_size=3).map(tuple),
        st.sampled_from(["burnish.payload", "numpy.ndarray", "pickle"]),
        st.binary(max_size=300),
    )
    keys = st.one_of(st.sampled_from(["payload", "num-examples"]), st.text(max_size=5))
    kinds = st.one_of(
        st.dictionaries(keys, arrays, max_size=2).map(ArrayRecord),
        st.dictionaries(keys, NUMBERS, max_size=2).map(MetricRecord),
        st.dictionaries(keys, st.one_of(st.binary(max_size=9), st.text(), st.booleans())).map(
            ConfigRecord
        ),
    )
    return RecordDict(draw(st.dictionaries(names, kinds, max_size=3)))


@SETTINGS
@given(content=contents())
def test_any_records(situation, content):
    check(situation, content)


@SETTINGS
@given(claims=st.dictionaries(st.sampled_from(["num-examples", "train-loss"]), NUMBERS))
def test_any_claims(situation, claims):
    first = situation.first
    check(
        situation,
        RecordDict({"arrays": first.content["arrays"], "metrics": MetricRecord(claims)}),
    )


@SETTINGS
@given(code=st.integers(0, 100), reason=st.text())
def test_any_errors(situation, code, reason):
    check(situation, Error(code, reason))


def test_claims_of_gigabytes_take_no_memory(situation):
    first = situation.first
    blob = records.payload_of(first.content)
    bombs = [
        (10 * 2**30).to_bytes(8, "little") + blob[8:],
        blob.replace(b'"shape":[', b'"shape":[99999999999,'),
        b"\xff" * 8 + blob[8:],
    ]
    tracemalloc.start()
    try:
        for bomb in bombs:
            content = RecordDict(
                {"arrays": records.payload_record(bomb), "metrics": first.content["metrics"]}
            )
            check(situation, content)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()
