from __future__ import annotations

import numpy as np
import pytest
import torch

from burnish.codecs import Context, Srht
from burnish.codecs.srht import hadamard
from burnish.errors import ConfigError


@pytest.mark.parametrize("size", [1, 2, 16, 64, 256])
def test_the_transform_is_the_definition(drawn, size):
    """Entry (i, j) is 1 or -1 by the parity of the bits i and j share, over the root of N."""
    shared = np.arange(size)[:, None] & np.arange(size)
    parity = np.array([[bin(each).count("1") & 1 for each in row] for row in shared])
    matrix = torch.from_numpy(1.0 - 2 * parity).float() / size**0.5
    assert torch.allclose(hadamard(drawn(size)), matrix @ drawn(size), atol=1e-5)


def test_stretches_are_joined_by_the_same_transform(drawn):
    size = 2**18
    vector = drawn(size)
    first, second = (hadamard(half) for half in vector.chunk(2))
    wanted = torch.cat([first + second, first - second]) / 2**0.5
    assert torch.allclose(hadamard(vector), wanted, atol=1e-4)
    assert torch.allclose(hadamard(hadamard(vector)), vector, atol=1e-4)


def test_decoding_projects(through, drawn):
    codec, vector = Srht(512, k=128), drawn(512)
    once = through(codec, vector)
    assert torch.allclose(through(codec, once), once, atol=1e-5)
    assert float((vector - once) @ once) == pytest.approx(0, abs=1e-3)


def test_k_of_n_directions_keep_their_share_of_the_energy(through, drawn):
    codec, vector = Srht(512, k=128), drawn(512)
    kept = [float(through(codec, vector, Context(round, 0)).square().sum()) for round in range(60)]
    assert sum(kept) / 60 == pytest.approx(0.25 * float(vector.square().sum()), rel=0.05)


def test_directions_are_the_rounds_and_not_the_clients(drawn):
    codec, vector = Srht(500, k=20), drawn(500)
    one, peer, later = (
        codec.encode(vector, Context(*place)).tensors["coordinates"]
        for place in ((1, 0), (1, 7), (2, 0))
    )
    assert torch.equal(one, peer)
    assert not torch.equal(one, later)


@pytest.mark.parametrize("k", [0, 101])
def test_k_beyond_the_size_is_refused(k):
    with pytest.raises(ConfigError, match="from 1 to the size 100"):
        Srht(100, k=k)
