from __future__ import annotations

import pytest
import torch

from burnish.codecs import Context, CountSketch, NotFinite
from burnish.errors import ConfigError

SIZE = 1000


def made(**more):
    return CountSketch(SIZE, **{"columns": 200, "k": 10, **more})


def payload(codec, vector):
    return codec.encode(vector, Context(1, 0))


def sketched(codec, vector):
    return payload(codec, vector).tensors["sketch"]


def sparse(seed, count=5):
    generator = torch.Generator().manual_seed(seed)
    vector = torch.zeros(SIZE)
    vector[torch.randperm(SIZE, generator=generator)[:count]] = 5.0
    return vector


def test_sketches_add_up(drawn):
    codec, one, two = made(), drawn(SIZE), drawn(SIZE, 1)
    assert torch.allclose(
        sketched(codec, one) + 2 * sketched(codec, two), sketched(codec, one + 2 * two), atol=1e-4
    )


def test_each_row_keeps_every_number_once(drawn):
    """Squares of a row of one number are that number's; of many, their sum on the mean."""
    vector = torch.zeros(SIZE)
    vector[777] = -3.0
    assert sketched(made(), vector).square().sum(1).tolist() == [9] * 5
    ratios = [
        float(sketched(made(seed=seed), drawn(SIZE)).square().sum() / drawn(SIZE).square().sum())
        for seed in range(30)
    ]
    assert sum(ratios) / 30 == pytest.approx(5, rel=0.05)


@pytest.mark.parametrize("columns", [200, 104, 1000])
def test_large_numbers_are_found(through, drawn, columns):
    vector = sparse(0) + 0.01 * drawn(SIZE)
    found = through(made(columns=columns, k=5), vector)
    assert torch.equal(found != 0, vector > 1)
    assert torch.allclose(found[found != 0], vector[vector > 1], atol=0.2)


def test_joining_is_algorithm_1(drawn):
    """S_u = rho S_u + mean S; S_e += S_u; update = top-k of S_e; S_e -= S(update)."""
    codec, memory = made(momentum=0.9), {}
    velocity = error = torch.zeros(5, 200)
    for seed in range(3):
        vectors = [drawn(SIZE, 2 * seed), drawn(SIZE, 2 * seed + 1)]
        payloads = [payload(codec, each) for each in vectors]
        mean = 0.25 * payloads[0].tensors["sketch"] + 0.75 * payloads[1].tensors["sketch"]
        velocity = 0.9 * velocity + mean
        error = error + velocity
        update = codec.join(payloads, [0.25, 0.75], memory)
        found = error.clone()
        holder = payload(codec, torch.zeros(SIZE))
        holder.tensors["sketch"][:] = found
        assert torch.allclose(update, codec.decode(holder), atol=1e-4)
        assert int(update.count_nonzero()) == 10
        error = error - sketched(codec, update)
    assert torch.allclose(memory["sketch.error"], error, atol=1e-4)


def test_without_momentum_nothing_is_lost(drawn):
    codec, memory = made(momentum=0.0), {}
    updates = [codec.join([payload(codec, drawn(SIZE, seed))], [1.0], memory) for seed in range(4)]
    wanted = sketched(codec, sum(drawn(SIZE, seed) for seed in range(4)))
    assert torch.allclose(sketched(codec, sum(updates)) + memory["sketch.error"], wanted, atol=1e-4)


def test_an_overflow_leaves_memory_as_it_was():
    codec, memory = made(), {}
    codec.join([payload(codec, sparse(0))], [1.0], memory)
    kept = {name: each.clone() for name, each in memory.items()}
    huge = payload(codec, torch.zeros(SIZE))
    huge.tensors["sketch"][:] = 3e38
    with pytest.raises(NotFinite, match=r"sketch\.error"):
        codec.join([huge, huge, huge], [1.0, 1.0, 1.0], memory)
    assert all(torch.equal(kept[name], memory[name]) for name in kept)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"columns": 12}, "columns is a multiple of 8"),
        ({"columns": 1008}, "below 1008"),
        ({"k": 0}, "k is from 1"),
        ({"rows": 4}, "rows is odd"),
        ({"momentum": 1.0}, "momentum is from 0"),
    ],
)
def test_settings_out_of_range_are_refused(change, said):
    with pytest.raises(ConfigError, match=said):
        made(**change)
