from __future__ import annotations

import pytest
import torch

from burnish.codecs import Context, Image, LayoutMismatch, NotFinite, PowerSgd
from burnish.errors import ConfigError


def image(height, width):
    return Image(height, width, torch.zeros(height * width, dtype=torch.uint8))


@pytest.mark.parametrize("rank", [1, 21])
def test_sends_24576_bytes_a_rank_for_a_4096_by_2048_image(rank):
    assert PowerSgd(image=image(4096, 2048), rank=rank).nbytes() == 24_576 * rank


def test_is_exact_where_the_rank_suffices(through, drawn):
    low = (drawn(6).view(6, 1) @ drawn(8, 1).view(1, 8)).reshape(-1)
    assert torch.allclose(through(PowerSgd(image=image(6, 8), rank=2), low), low, atol=1e-5)


def test_follows_algorithm_1(drawn):
    """P = M Q, orthonormalised; Q' = M^T P; decoded P Q'^T, and Q' is the next Q."""
    codec, asked = PowerSgd(image=image(6, 8), rank=2), Context(1, 0)
    codec.encode(drawn(48), asked)
    basis = asked.memory["powersgd.basis"].clone()
    matrix = drawn(48, 1).view(6, 8)
    left = torch.linalg.qr(matrix @ basis).Q
    decoded = codec.decode(codec.encode(matrix.reshape(-1), asked))
    assert torch.allclose(decoded.view(6, 8), left @ left.T @ matrix, atol=1e-5)
    next_basis = asked.memory["powersgd.basis"]
    ratio = next_basis / (matrix.T @ left)
    assert torch.allclose(ratio, ratio[0, 0].expand(8, 2), rtol=1e-3)


@pytest.mark.parametrize("scale", [1e-25, 1.0, 1e25])
def test_a_warm_start_finds_the_best_rank_at_any_scale(through, drawn, scale):
    codec, asked, matrix = PowerSgd(image=image(6, 8), rank=1), Context(1, 0), drawn(48, 5)
    errors = [
        float((through(codec, matrix * scale, asked) / scale - matrix).norm()) for _ in range(8)
    ]
    best = torch.linalg.svdvals(matrix.view(6, 8))[1:].norm()
    assert errors[-1] < errors[0]
    assert errors[-1] == pytest.approx(float(best), rel=0.05)


def test_zeros_do_not_spoil_the_next_start(through, drawn):
    codec, asked = PowerSgd(image=image(6, 8), rank=2), Context(1, 0)
    assert not through(codec, torch.zeros(48), asked).any()
    assert asked.memory == {}
    through(codec, drawn(48), asked)
    kept = asked.memory["powersgd.basis"].clone()
    through(codec, torch.zeros(48), asked)
    assert torch.equal(asked.memory["powersgd.basis"], kept)


def test_an_overflow_leaves_memory_as_it_was():
    asked = Context(1, 0)
    with pytest.raises(NotFinite, match=r"powersgd\.basis"):
        PowerSgd(image=image(6, 8), rank=1).encode(torch.full((48,), 3e38), asked)
    assert asked.memory == {}


def test_a_basis_of_another_rank_is_refused():
    asked = Context(1, 0)
    PowerSgd(image=image(6, 8), rank=1).encode(torch.ones(48), asked)
    with pytest.raises(LayoutMismatch, match=r"\(8, 1\).*\(8, 2\)"):
        PowerSgd(image=image(6, 8), rank=2).encode(torch.ones(48), asked)


@pytest.mark.parametrize("rank", [0, 7])
def test_a_rank_beyond_the_image_is_refused(rank):
    with pytest.raises(ConfigError, match="from 1 to 6"):
        PowerSgd(image=image(6, 8), rank=rank)
