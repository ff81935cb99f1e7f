from __future__ import annotations

import pytest
import torch

from burnish.codecs import Context, KSeed, LayoutMismatch, NotFinite, fingerprint, to_bytes
from burnish.errors import ConfigError


def test_sends_zeroth_order_updates_exactly(through):
    codec = KSeed(200, seeds=16)
    wanted = 0.5 * codec.direction(3) - 2.0 * codec.direction(11)
    asked = Context(1, 0, trace={3: 0.5, 11: -2.0})
    assert torch.allclose(through(codec, torch.zeros(200), asked), wanted, atol=1e-5)


def test_projects_other_updates_on_each_direction(drawn):
    codec, vector = KSeed(200, seeds=4), drawn(200)
    amounts = codec.encode(vector, Context(1, 0)).tensors["amounts"]
    for number, amount in enumerate(amounts):
        direction = codec.direction(number)
        wanted = float(direction @ vector) / float(direction @ direction)
        assert float(amount) == pytest.approx(wanted, rel=1e-4)


def test_4096_seeds_take_less_than_18_kb_in_all(drawn):
    asked = Context(1, 0, layout="l" * 64, init="i" * 64, trace={0: 1.0})
    assert len(to_bytes(KSeed(1000).encode(drawn(1000), asked))) < 18_000


def test_directions_are_standard_normal_and_differ():
    codec = KSeed(20_000, seeds=2)
    one, two = codec.direction(0), codec.direction(1)
    assert float(one.mean()) == pytest.approx(0, abs=0.03)
    assert float(one.std()) == pytest.approx(1, abs=0.03)
    assert float(torch.cosine_similarity(one, two, dim=0)) == pytest.approx(0, abs=0.03)


def test_sides_that_draw_otherwise_have_other_fingerprints():
    codec = KSeed(100, seeds=2)
    assert torch.equal(codec.state_dict()["probe"], codec.direction(0)[:64])
    assert fingerprint(codec) == fingerprint(KSeed(100, seeds=2))
    assert fingerprint(codec) != fingerprint(KSeed(100, seeds=2, seed=1))


@pytest.mark.parametrize(
    ("trace", "kind", "said"),
    [
        ({16: 1.0}, LayoutMismatch, "names direction 16"),
        ({-1: 1.0}, LayoutMismatch, "names direction -1"),
        ({0: float("nan")}, NotFinite, "finite amounts"),
    ],
)
def test_a_trace_of_another_pool_or_with_nan_is_refused(trace, kind, said):
    with pytest.raises(kind, match=said):
        KSeed(200, seeds=16).encode(torch.zeros(200), Context(1, 0, trace=trace))


@pytest.mark.parametrize("seeds", [0, 2**20 + 1])
def test_a_pool_of_no_size_is_refused(seeds):
    with pytest.raises(ConfigError, match="seeds is from 1"):
        KSeed(100, seeds=seeds)
