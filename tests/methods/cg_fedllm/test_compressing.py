"""The mod: what is sent, in which order mods act, and what a client remembers."""

from __future__ import annotations

import pytest
import torch
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.clientapp.mod import LocalDpMod, arrays_size_mod, fixedclipping_mod

from burnish.codecs.autoencoder import ResNetCodec
from burnish.codecs.casting import Identity
from burnish.codecs.errors import LayoutMismatch, UnviableCodec
from burnish.codecs.kseed import KSeed
from burnish.codecs.named import codec_named
from burnish.codecs.topk import TopK
from burnish.codecs.wire import from_bytes
from burnish.errors import ConfigError
from burnish.methods.cg_fedllm import records
from burnish.methods.cg_fedllm.client import Trained, client_app
from burnish.methods.cg_fedllm.compressing import CompressMod
from burnish.methods.cg_fedllm.grid import in_process
from burnish.methods.cg_fedllm.private import ClipAndNoiseMod
from burnish.methods.cg_fedllm.rounds import federate


def one_reply(task, mods, represent="delta", **config):
    """The reply of client 0 to round 1, which starts at the initial adapter."""
    grid = in_process(client_app(task, mods), 1)
    told = {records.ROUND: 1, records.CLIENT: 0, records.REPRESENT: represent, **config}
    content = RecordDict(
        {
            records.ARRAYS: records.record_of(task.initial()),
            records.CONFIG: ConfigRecord(told),
        }
    )
    (node,) = grid.get_node_ids()
    (reply,) = grid.send_and_receive([Message(content, node, "train")])
    return reply, grid


def sent(task, codec, reply):
    payload = from_bytes(
        records.payload_of(reply.content), codec, layout=task.layout.hash, init=task.init, round=1
    )
    return codec.decode(payload)


def mod_of(task, codec, **options):
    return CompressMod(codec, task.layout, task.initial(), init=task.init, **options)


@pytest.mark.parametrize("represent", ["state", "delta", "grad"])
def test_what_is_sent_is_the_state_the_change_or_the_mean_gradient(regression, represent):
    task = regression.Regression()
    codec = Identity(size=task.layout.size)
    reply, _ = one_reply(task, [mod_of(task, codec, represent=represent)], represent)
    trained = task.train(task.initial(), client=0, round=1)
    wanted = {
        "state": trained.adapter,
        "delta": {name: trained.adapter[name] - start for name, start in task.initial().items()},
        "grad": trained.gradient,
    }[represent]
    found = sent(task, codec, reply)
    tolerance = 0 if represent == "state" else 1e-7
    torch.testing.assert_close(found, task.layout.to_vector(wanted), rtol=tolerance, atol=tolerance)


def test_mods_inside_act_before_encoding(regression):
    task = regression.Regression()
    codec = Identity(size=task.layout.size)
    mods = [mod_of(task, codec), arrays_size_mod, fixedclipping_mod]
    reply, _ = one_reply(task, mods, clipping_norm=0.01)
    assert sent(task, codec, reply).norm().item() == pytest.approx(0.01, rel=1e-4)


def test_local_privacy_adds_its_noise_before_encoding(regression):
    task = regression.Regression()
    codec = Identity(size=task.layout.size)
    private = LocalDpMod(clipping_norm=0.01, sensitivity=1.0, epsilon=1.0, delta=1e-5)
    reply, _ = one_reply(task, [mod_of(task, codec), private])
    deviation = (2 * torch.tensor(1.25e5).log()).sqrt()
    assert sent(task, codec, reply).std().item() == pytest.approx(deviation.item(), rel=0.3)


@pytest.mark.parametrize("represent", ["delta", "grad"])
def test_clip_and_noise_act_on_what_is_sent_and_hide_the_loss(regression, represent):
    task = regression.Regression()
    codec = Identity(size=task.layout.size)

    def reply_of(sigma, seed=0):
        private = ClipAndNoiseMod(task.layout, clip=0.05, sigma=sigma, seed=seed)
        mod = mod_of(task, codec, represent=represent, error_feedback=False, gain=False)
        return one_reply(task, [mod, private], represent)[0]

    clipped = sent(task, codec, reply_of(0.0))
    assert clipped.double().norm() <= 0.05
    trained = task.train(task.initial(), client=0, round=1)
    change = {name: trained.adapter[name] - start for name, start in task.initial().items()}
    raw = task.layout.to_vector(change if represent == "delta" else trained.gradient)
    torch.testing.assert_close(clipped / 0.05, raw / raw.norm(), atol=1e-6, rtol=1e-5)
    noise = sent(task, codec, reply_of(2.0)) - clipped
    assert noise.std().item() == pytest.approx(0.1, rel=0.3)
    assert torch.equal(sent(task, codec, reply_of(2.0)) - clipped, noise)
    assert not torch.equal(sent(task, codec, reply_of(2.0, seed=None)) - clipped, noise)
    assert dict(reply_of(0.0).content["metrics"]) == {"num-examples": 8}


class Traced:
    """A task that walks along one direction of a pool of seeds and says so."""

    def __init__(self, task, codec):
        self.layout, self.init, self.initial = task.layout, task.init, task.initial
        self.codec = codec

    def train(self, adapter, *, client, round):
        start = self.layout.to_vector(adapter)
        end = self.layout.to_tensors(start + 0.5 * self.codec.direction(3))
        return Trained(end, 4, 1.0, trace={3: 0.5})


def test_a_zeroth_order_trace_is_sent_in_the_place_of_the_update(regression):
    task = regression.Regression()
    codec = KSeed(size=task.layout.size, seeds=8)
    traced = Traced(task, codec)
    reply, _ = one_reply(traced, [mod_of(task, codec, error_feedback=False, gain=False)])
    assert records.TRACE not in reply.content
    assert torch.equal(sent(task, codec, reply), 0.5 * codec.direction(3))


def test_a_trace_is_void_once_a_mod_has_changed_the_update(regression):
    task = regression.Regression()
    codec = KSeed(size=task.layout.size, seeds=8)
    mods = [mod_of(task, codec, error_feedback=False, gain=False), fixedclipping_mod]
    reply, _ = one_reply(Traced(task, codec), mods, clipping_norm=0.01)
    found = sent(task, codec, reply)
    assert records.TRACE not in reply.content
    assert 0 < found.norm() < 0.05
    assert not torch.allclose(found, 0.5 * codec.direction(3), atol=0.1)


def test_what_was_left_out_is_remembered_and_sent_later(regression):
    size = regression.Regression().layout.size
    strategy, grid, task = regression.parts(TopK(size=size, k=10), nodes=1)
    start, changes, ends = task.layout.to_vector(task.initial()), [], []
    train = task.train

    def watched(adapter, *, client, round):
        trained = train(adapter, client=client, round=round)
        before, after = task.layout.to_vector(adapter), task.layout.to_vector(trained.adapter)
        changes.append(after - before)
        return trained

    task.train = watched
    done = federate(strategy, grid, task, rounds=4, after_round=lambda _, a: ends.append(a))
    (node,) = grid.get_node_ids()
    residual = torch.from_numpy(grid.states[node]["burnish.memory"]["residual"].numpy())
    arrived = task.layout.to_vector(done.adapter) - start
    torch.testing.assert_close(arrived + residual, sum(changes), atol=1e-5, rtol=1e-4)
    assert residual.norm() > 0


def test_an_encoded_downlink_is_what_clients_start_from(regression):
    size = regression.Regression().layout.size
    strategy, grid, task = regression.parts(Identity(size=size), downlink=True)
    dense_strategy, dense_grid, dense_task = regression.parts(Identity(size=size))
    encoded = federate(strategy, grid, task, rounds=3)
    dense = federate(dense_strategy, dense_grid, dense_task, rounds=3)
    for name, tensor in dense.adapter.items():
        torch.testing.assert_close(encoded.adapter[name], tensor, atol=1e-5, rtol=1e-5)
    coarse = regression.parts(codec_named("int8", task.layout.image), downlink=True)
    found = federate(*coarse, rounds=3)
    assert found.traffic.down_payload < dense.traffic.down_payload
    assert found.rounds[-1].heldout == pytest.approx(dense.rounds[-1].heldout, rel=0.02)


def test_a_server_that_wants_something_else_is_told(regression):
    task = regression.Regression()
    codec = Identity(size=task.layout.size)
    reply, grid = one_reply(task, [mod_of(task, codec)], represent="state")
    assert "wants 'state' of updates, this client sends 'delta'" in reply.error.reason
    assert not grid.states[grid.get_node_ids()[0]]


def test_a_diverged_client_says_so_and_forgets_nothing(regression):
    task = regression.Regression(rate=1e30)
    reply, _ = one_reply(task, [mod_of(task, Identity(size=task.layout.size))])
    assert "finite numbers" in reply.error.reason


def test_a_node_without_a_number_is_told_how_to_get_one(regression):
    task = regression.Regression()
    grid = in_process(client_app(task), 1)
    next(iter(grid._contexts.values())).node_config.clear()
    content = RecordDict(
        {"arrays": records.record_of(task.initial()), "config": ConfigRecord({"server-round": 1})}
    )
    (reply,) = grid.send_and_receive([Message(content, grid.get_node_ids()[0], "train")])
    assert "--node-config" in reply.error.reason


def test_an_unviable_codec_needs_safeguards_or_permission(regression):
    task = regression.Regression()
    codec = ResNetCodec(task.layout.image)  # without a certificate
    with pytest.raises(UnviableCodec, match="autoencoder is not viable"):
        mod_of(task, codec, error_feedback=False, gain=False)
    assert mod_of(task, codec, error_feedback=False, gain=False, allow_unviable=True)
    assert mod_of(task, codec)


def test_settings_are_checked(regression):
    task = regression.Regression()
    with pytest.raises(LayoutMismatch, match="the adapter has 84"):
        mod_of(task, Identity(size=5))
    with pytest.raises(ConfigError, match="state, delta or grad"):
        mod_of(task, Identity(size=84), represent="weights")
