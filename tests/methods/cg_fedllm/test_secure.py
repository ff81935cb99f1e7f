"""Sums that hide their parts, by Flower's own SecAgg+."""

from __future__ import annotations

import logging

import pytest
import torch

from burnish.codecs.autoencoder import ResNetCodec
from burnish.codecs.casting import Identity
from burnish.codecs.errors import IncompatibleCodec
from burnish.codecs.guarded import Guarded
from burnish.codecs.named import codec_named
from burnish.codecs.pca import Pca
from burnish.codecs.srht import Srht
from burnish.errors import ConfigError
from burnish.methods.cg_fedllm.client import client_app
from burnish.methods.cg_fedllm.compressing import CompressMod
from burnish.methods.cg_fedllm.grid import in_process
from burnish.methods.cg_fedllm.rounds import federate
from burnish.methods.cg_fedllm.secure import (
    SecureSum,
    federate_securely,
    require_linear,
    secure_client_app,
)
from burnish.methods.cg_fedllm.strategy import CompressedFedAvg

SIZE = 84
SUM = SecureSum(largest=1.0, most_examples=20)


@pytest.fixture(autouse=True)
def quiet_flower():
    logger = logging.getLogger("flwr")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


def basis():
    return torch.linalg.qr(torch.randn(SIZE, 30, generator=torch.Generator().manual_seed(0)))[0].T


CODECS = {
    "fp32": lambda: Identity(size=SIZE),
    "srht": lambda: Srht(size=SIZE, k=40),
    "pca": lambda: Pca(basis().contiguous()),
    "guarded srht": lambda: Guarded(Srht(size=SIZE, k=40)),
}


def parts(task, codec, secure=SUM, nodes=4, mods=()):
    mod = CompressMod(
        codec, task.layout, task.initial(), init=task.init, error_feedback=False, gain=False
    )
    strategy = CompressedFedAvg(codec, task.layout, task.initial(), init=task.init)
    hidden = in_process(secure_client_app(task, mod, secure, mods), nodes)
    plain = in_process(client_app(task, [mod, *mods]), nodes)
    return strategy, hidden, plain


@pytest.mark.parametrize("make", CODECS.values(), ids=CODECS.keys())
def test_a_hidden_sum_gives_the_plain_mean_but_for_rounding(regression, make):
    task = regression.Regression()
    strategy, hidden, plain = parts(task, make())
    secret = federate_securely(strategy, hidden, task, SUM, rounds=1)
    open_ = federate(parts(task, make())[0], plain, task, rounds=1)
    difference = task.layout.to_vector(secret.adapter) - task.layout.to_vector(open_.adapter)
    # four clients round once each, to a step of the weighted code; 56 examples in all of 20
    assert difference.abs().max() <= 3 * SUM.step * 4 * 20 / 56 + 1e-6
    assert secret.rounds[0].used == 4
    assert secret.rounds[0].heldout == pytest.approx(open_.rounds[0].heldout, rel=1e-4)


def test_hidden_rounds_learn(regression):
    task = regression.Regression()
    strategy, hidden, _ = parts(task, Identity(size=SIZE))
    done = federate_securely(strategy, hidden, task, SUM, rounds=4)
    assert done.rounds[-1].heldout < 0.6 * done.start
    # masked numbers are whole numbers of eight bytes
    assert done.rounds[0].traffic.up_payload > 4 * 8 * SIZE


def test_a_lost_client_is_left_out_of_the_sum(regression):
    task = regression.Regression(fails=frozenset({2}))
    strategy, hidden, plain = parts(task, Identity(size=SIZE))
    secret = federate_securely(strategy, hidden, task, SUM, rounds=1)
    open_ = federate(parts(task, Identity(size=SIZE))[0], plain, task, rounds=1)
    assert secret.rounds[0].used == open_.rounds[0].used == 3
    assert secret.rounds[0].heldout == pytest.approx(open_.rounds[0].heldout, rel=1e-4)


def test_too_few_clients_leave_the_adapter_as_it_was(regression):
    task = regression.Regression(fails=frozenset({0, 1, 2}))
    strategy, hidden, _ = parts(task, Identity(size=SIZE))
    with pytest.warns(UserWarning, match="secure aggregation gave no sum"):
        done = federate_securely(strategy, hidden, task, SUM, rounds=1)
    assert done.rounds[0].heldout == done.start


@pytest.mark.parametrize("name", ["int8", "top-k", "sign", "sketch"])
def test_codecs_that_cannot_decode_sums_are_refused(regression, name):
    codec = codec_named(name, regression.Regression().layout.image)
    with pytest.raises(IncompatibleCodec, match="use a linear codec: fp32, pca, srht or kseed"):
        require_linear(codec)


def test_the_published_autoencoder_is_refused_on_both_sides(regression):
    task = regression.Regression()
    codec = Guarded(ResNetCodec(task.layout.image))
    mod = CompressMod(codec, task.layout, task.initial(), init=task.init)
    with pytest.raises(IncompatibleCodec, match="autoencoder cannot decode sums"):
        secure_client_app(task, mod, SUM)
    strategy = CompressedFedAvg(codec, task.layout, task.initial(), init=task.init)
    with pytest.raises(IncompatibleCodec, match="autoencoder cannot decode sums"):
        federate_securely(strategy, in_process(client_app(task), 3), task, SUM, rounds=1)


def test_what_needs_single_updates_is_refused(regression):
    strategy, grid, task = regression.parts(Identity(size=SIZE), aggregate="exact_product")
    with pytest.raises(IncompatibleCodec, match="not exact_product"):
        federate_securely(strategy, grid, task, SUM, rounds=1)


def test_numbers_beyond_the_largest_are_clipped_and_told(regression, caplog):
    task = regression.Regression()
    small = SecureSum(largest=1e-3, most_examples=20)
    strategy, hidden, _ = parts(task, Identity(size=SIZE), small)
    done = federate_securely(strategy, hidden, task, small, rounds=1)
    start = task.layout.to_vector(task.initial())
    moved = task.layout.to_vector(done.adapter) - start
    assert moved.abs().max().item() == pytest.approx(1e-3, rel=1e-3)
    assert "is clipped to 0.001; raise `largest`" in caplog.text


def test_more_examples_than_agreed_cost_the_share(regression, caplog):
    task = regression.Regression()  # the fourth client has 20
    small = SecureSum(largest=1.0, most_examples=19)
    strategy, hidden, _ = parts(task, Identity(size=SIZE), small)
    done = federate_securely(strategy, hidden, task, small, rounds=1)
    assert done.rounds[0].used == 3


@pytest.mark.parametrize(("field", "value"), [("largest", 0.0), ("most_examples", 0)])
def test_settings_are_checked(field, value):
    with pytest.raises(ConfigError, match=field):
        SecureSum(**{"largest": 1.0, "most_examples": 1, field: value})
