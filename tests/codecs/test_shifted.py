from __future__ import annotations

import pytest
import torch

from burnish.codecs import (
    Context,
    Dgc,
    Guarded,
    Identity,
    IncompatibleCodec,
    MajoritySign,
    MaskedSign,
    NotFinite,
    Shifted,
    SignMean,
)
from burnish.errors import ConfigError


def test_learns_a_constant_update(drawn):
    codec, memory, asked, update = Shifted(codec=MaskedSign(64)), {}, Context(1, 0), drawn(64)
    errors = []
    for asked.round in range(1, 60):
        joint = codec.join([codec.encode(update, asked)], [1.0], memory)
        errors.append(float((joint - update).norm() / update.norm()))
    assert errors[-1] < 0.3 * errors[0]


def test_is_algorithm_1_on_both_sides(drawn):
    """c_i = C(g_i - s_i); s_i += gamma c_i; update s + mean c; s += gamma mean c."""
    inner = SignMean(20)
    codec, memory = Shifted(codec=inner, gamma=0.25), {}
    clients = [Context(1, number) for number in range(2)]
    weights = [0.25, 0.75]
    shifts, shift = [torch.zeros(20), torch.zeros(20)], torch.zeros(20)
    for round in range(1, 5):
        payloads, mean = [], torch.zeros(20)
        for number, asked in enumerate(clients):
            asked.round = round
            gradient = drawn(20, 10 * round + number)
            sent = inner.decode(inner.encode(gradient - shifts[number], Context(round, number)))
            shifts[number] = shifts[number] + 0.25 * sent
            mean += weights[number] * sent
            payloads.append(codec.encode(gradient, asked))
            assert torch.allclose(asked.memory["shift"], shifts[number], atol=1e-6)
        assert torch.allclose(codec.join(payloads, weights, memory), shift + mean, atol=1e-6)
        shift = shift + 0.25 * mean
        assert torch.allclose(memory["shift"], shift, atol=1e-6)


def test_around_an_exact_codec_updates_are_exact(drawn):
    codec, memory, asked = Shifted(codec=Identity(30)), {}, Context(1, 0)
    for seed in range(3):
        joint = codec.join([codec.encode(drawn(30, seed), asked)], [1.0], memory)
        assert torch.allclose(joint, drawn(30, seed), atol=1e-6)


def test_what_cannot_be_decoded_leaves_memory_as_it_was(drawn):
    codec, memory = Shifted(codec=SignMean(20)), {}
    payload = codec.encode(drawn(20), Context(1, 0))
    payload.tensors["scale"].fill_(float("inf"))
    with pytest.raises(NotFinite):
        codec.join([payload], [1.0], memory)
    assert memory == {}


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        (MajoritySign(8), "decoded on its own"),
        (Guarded(SignMean(8)), "bare codec"),
        (Dgc(8), "sends later what it leaves out"),
    ],
    ids=["joining", "guarded", "feeding back"],
)
def test_codecs_that_a_shift_would_confuse_are_refused(inner, said):
    with pytest.raises(IncompatibleCodec, match=said):
        Shifted(codec=inner)


@pytest.mark.parametrize("gamma", [0.0, 1.5])
def test_gamma_out_of_range_is_refused(gamma):
    with pytest.raises(ConfigError, match="gamma is above 0"):
        Shifted(codec=SignMean(8), gamma=gamma)
