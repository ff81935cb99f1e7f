from __future__ import annotations

import pytest
import torch

from burnish.codecs import Int4, Int8, Nf4
from burnish.errors import ConfigError

PUBLISHED_NF4 = [  # arXiv 2305.14314, appendix E
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
    -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
    0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
    0.7229568362236023, 1.0,
]  # fmt: skip


def by_hand(vector, block, levels):
    """The nearest level times the block's largest magnitude."""
    out = []
    for start in range(0, len(vector), block):
        part = vector[start : start + block].tolist()
        unit = max(map(abs, part))
        for number in part:
            nearest = min(levels, key=lambda level: abs(number / unit - level)) if unit else 0.0
            out.append(nearest * unit)
    return torch.tensor(out)


@pytest.mark.parametrize(
    ("codec", "levels"),
    [
        (Int8(200, block=64), [code / 127 for code in range(-127, 128)]),
        (Int4(200, block=16), [code / 7 for code in range(-7, 8)]),
        (Nf4(200, block=64), PUBLISHED_NF4),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_numbers_go_to_the_nearest_level_of_their_block(through, drawn, codec, levels):
    vector = drawn(200) * torch.logspace(-3, 3, 200)
    wanted = by_hand(vector, codec.block, levels)
    assert torch.allclose(through(codec, vector), wanted, rtol=1e-5, atol=0)


@pytest.mark.parametrize("kind", [Int8, Int4, Nf4])
@pytest.mark.parametrize("size", [1, 8, 63, 64, 65, 1000])
def test_the_largest_of_a_block_and_zeros_are_kept_at_any_size(through, drawn, kind, size):
    codec, vector = kind(size, block=64), drawn(size)
    vector[0], vector[1:2] = 100.0, 0.0
    decoded = through(codec, vector)
    assert decoded[0] == pytest.approx(100, rel=1e-6)
    assert not decoded[1:2].any()


def test_many_chunks_decode_as_few_do(through, drawn):
    size = 3 * 2**18 + 5
    vector, codec = drawn(size), Int8(size, block=1024)
    apart = torch.cat([through(Int8(len(part)), part) for part in vector.split(2**18)])
    assert torch.equal(through(codec, vector), apart)


@pytest.mark.parametrize("kind", [Int8, Int4, Nf4])
def test_blocks_too_small_to_scale_are_zeros(through, kind):
    vector = torch.cat([torch.full((64,), 1e-38), torch.full((64,), -1e-44), torch.ones(64)])
    assert torch.equal(through(kind(192, block=64), vector), vector * (vector == 1))


@pytest.mark.parametrize("block", [0, 7, 12, 2**21])
def test_blocks_that_do_not_pack_are_refused(block):
    with pytest.raises(ConfigError, match="multiple of 8"):
        Int8(100, block=block)
