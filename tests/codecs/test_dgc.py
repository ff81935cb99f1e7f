from __future__ import annotations

import pytest
import torch

from burnish.codecs import Context, Dgc, LayoutMismatch, NotFinite


def test_sends_momentum_and_keeps_what_it_leaves_out(through, drawn):
    """u = 0.9 u + g; v += u; the largest of v go, and are zero in both afterwards."""
    codec, asked = Dgc(8, density=0.25, momentum=0.9), Context(100, 0)
    u = v = torch.zeros(8)
    for number in range(100, 104):
        gradient = drawn(8, number)
        u = 0.9 * u + gradient
        v = v + u
        places = v.abs().topk(2).indices
        wanted = torch.zeros(8)
        wanted[places] = v[places]
        u, v = u.clone(), v.clone()
        u[places] = v[places] = 0
        asked.round = number
        assert torch.allclose(through(codec, gradient, asked), wanted, atol=1e-5)


def test_warms_up_from_75_to_99_9_percent():
    codec = Dgc(1_000_000, density=0.001)
    assert [codec.k(round) for round in (1, 2, 3, 4, 5, 6, 10**9)] == [
        250_000, 62_500, 15_625, 3906, 1000, 1000, 1000,
    ]  # fmt: skip
    assert codec.nbytes(1) == 2_000_000
    assert codec.nbytes(5) == 8_000


def test_without_momentum_nothing_is_lost(through, drawn):
    codec, asked = Dgc(40, density=0.1, momentum=0), Context(1, 0)
    sent = sum(through(codec, drawn(40, seed), asked) for seed in range(5))
    wanted = sum(drawn(40, seed) for seed in range(5))
    assert torch.allclose(sent + asked.memory["dgc.waiting"], wanted, atol=1e-5)


def test_an_overflow_leaves_memory_as_it_was():
    codec, asked = Dgc(4, density=0.25), Context(5, 0)
    vector = torch.full((4,), 3e38)
    codec.encode(vector, asked)
    kept = {name: each.clone() for name, each in asked.memory.items()}
    with pytest.raises(NotFinite, match=r"dgc\.waiting"):
        codec.encode(vector, asked)
    assert all(torch.equal(kept[name], each) for name, each in asked.memory.items())


def test_memory_of_another_codec_is_refused():
    asked = Context(1, 0)
    Dgc(8).encode(torch.ones(8), asked)
    with pytest.raises(LayoutMismatch, match="memory of its own"):
        Dgc(9).encode(torch.ones(9), asked)
