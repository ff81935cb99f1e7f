"""Each codec against its formula, written the slow way, and against its published bytes."""

from __future__ import annotations

import pytest
import torch

from burnish.codecs import (
    Context,
    Dgc,
    Half,
    Identity,
    Image,
    Int8,
    Joining,
    KSeed,
    MajoritySign,
    MaskedSign,
    Nf4,
    PowerSgd,
    Qsgd,
    Shifted,
    SignMean,
    Srht,
    TopK,
)

LLAMA = 8_388_608
"""Numbers of LLaMA-7B's adapter of rank 8 on q, k, v, o."""


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def drawn(size, seed=0):
    return torch.randn(size, generator=seeded(seed))


def through(codec, vector, context=None):
    return codec.decode(codec.encode(vector, context or Context(1, 0)))


@pytest.mark.parametrize(
    ("codec", "nbytes"),
    [
        (Identity(LLAMA), 4 * LLAMA),
        (Half(LLAMA), 2 * LLAMA + 4),
        (Int8(LLAMA, block=1024), LLAMA + 4 * LLAMA // 1024),
        (Nf4(LLAMA, block=64), LLAMA // 2 + 4 * LLAMA // 64),  # 14.06 % of float32
        (TopK(LLAMA, k=65_536), 524_288),
        (SignMean(LLAMA), LLAMA // 8 + 4),
        (MaskedSign(LLAMA), 524_292),
        (Srht(LLAMA, k=131_072), 524_288),
        (KSeed(LLAMA), 16_384),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_bytes_are_the_published_ones(codec, nbytes):
    assert codec.nbytes() == nbytes


@pytest.mark.parametrize("rank", [1, 21])
def test_powersgd_sends_24576_bytes_a_rank(rank):
    image = Image(4096, 2048, torch.zeros(LLAMA, dtype=torch.uint8))
    assert PowerSgd(image=image, rank=rank).nbytes() == 24_576 * rank


def test_identity_is_bitwise():
    vector = drawn(100)
    assert torch.equal(through(Identity(100), vector), vector)


def test_int8_rounds_by_its_block_to_half_a_step():
    vector = drawn(256) * torch.logspace(-3, 3, 256)
    error = (through(Int8(256, block=64), vector) - vector).abs().view(4, 64)
    steps = vector.abs().view(4, 64).amax(1) / 127
    assert bool((error <= 0.5001 * steps[:, None]).all())


def test_top_k_keeps_the_largest_and_the_earlier_of_equals():
    vector = torch.tensor([1.0, -3.0, 2.0, 2.0, -2.0, 0.5])
    assert through(TopK(6, k=2), vector).tolist() == [0, -3, 2, 0, 0, 0]


def test_signs_carry_the_mean_magnitude():
    vector = torch.tensor([1.0, -2.0, 3.0, -6.0])
    assert through(SignMean(4), vector).tolist() == [3, -3, 3, -3]


def test_masked_signs_differ_by_round_and_client_and_cover_half():
    codec, vector = MaskedSign(1000), drawn(1000)
    first, again, other, peer = (
        through(codec, vector, Context(*place)) for place in ((1, 0), (1, 0), (2, 0), (1, 1))
    )
    for each in (first, other, peer):
        kept = each != 0
        assert int(kept.sum()) == 500
        assert torch.equal(each[kept].sign(), vector[kept].sign())
        assert torch.allclose(each[kept].abs(), vector[kept].abs().mean())
    assert torch.equal(first, again)
    assert not torch.equal(first != 0, other != 0)
    assert not torch.equal(first != 0, peer != 0)


def test_a_majority_decides_by_weight():
    codec = MajoritySign(3)
    assert isinstance(codec, Joining)
    votes = [torch.tensor([1.0, 1.0, -1.0]), torch.tensor([-2.0, 2.0, -2.0])]
    payloads = [codec.encode(vote, Context(1, client)) for client, vote in enumerate(votes)]
    assert codec.join(payloads, [0.7, 0.3], {}).sign().tolist() == [1, 1, -1]
    assert codec.join(payloads, [0.2, 0.8], {}).sign().tolist() == [-1, 1, -1]


def test_qsgd_is_unbiased():
    codec, vector = Qsgd(64, levels=3, bucket=64), drawn(64)
    mean = sum(through(codec, vector, Context(number, 0)) for number in range(1, 2001)) / 2000
    step = float(vector.norm()) / 3
    assert float((mean - vector).abs().max()) < 5 * 0.5 * step / 2000**0.5


def test_dgc_sends_momentum_and_keeps_what_it_leaves_out():
    """u = 0.9 u + g; v += u; the largest of v go, and are zero in both afterwards."""
    codec, asked = Dgc(8, density=0.25, momentum=0.9), Context(100, 0)
    u = v = torch.zeros(8)
    for number in range(100, 104):
        gradient = drawn(8, number)
        u = 0.9 * u + gradient
        v = v + u
        places = v.abs().topk(codec.template(number)["values"].shape[0]).indices
        wanted = torch.zeros(8)
        wanted[places] = v[places]
        u, v = u.clone(), v.clone()
        u[places] = v[places] = 0
        asked.round = number
        assert torch.allclose(through(codec, gradient, asked), wanted, atol=1e-5)


def test_powersgd_of_full_rank_is_exact_and_warm_starts():
    image = Image(6, 8, torch.zeros(48, dtype=torch.uint8))
    low = (drawn(6).view(6, 1) @ drawn(8, 1).view(1, 8)).reshape(-1)
    assert torch.allclose(through(PowerSgd(image=image, rank=2), low), low, atol=1e-5)
    codec, asked = PowerSgd(image=image, rank=1), Context(1, 0)
    matrix = drawn(48, 5)
    errors = []
    for number in range(1, 9):
        asked.round = number
        errors.append(float((through(codec, matrix, asked) - matrix).norm()))
    best = torch.linalg.svdvals(matrix.view(6, 8))[1:].norm()
    assert errors[-1] < errors[0]
    assert errors[-1] == pytest.approx(float(best), rel=0.05)


def test_kseed_sends_zeroth_order_updates_exactly():
    codec = KSeed(200, seeds=16)
    trace = {3: 0.5, 11: -2.0}
    wanted = 0.5 * codec.direction(3) - 2.0 * codec.direction(11)
    asked = Context(1, 0, trace=trace)
    assert torch.allclose(through(codec, torch.zeros(200), asked), wanted, atol=1e-5)


def test_shifted_learns_a_constant_update():
    codec, memory, asked = Shifted(codec=MaskedSign(64), gamma=0.5), {}, Context(1, 0)
    update = drawn(64)
    errors = []
    for number in range(1, 60):
        asked.round = number
        joint = codec.join([codec.encode(update, asked)], [1.0], memory)
        errors.append(float((joint - update).norm() / update.norm()))
    assert errors[-1] < 0.3 * errors[0]
