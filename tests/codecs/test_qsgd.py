from __future__ import annotations

import pytest
import torch

from burnish.codecs import Context, Qsgd
from burnish.errors import ConfigError


def test_is_unbiased(through, drawn):
    codec, vector = Qsgd(64, levels=3, bucket=64), drawn(64)
    mean = sum(through(codec, vector, Context(number, 0)) for number in range(1, 1001)) / 1000
    step = float(vector.norm()) / 3
    assert float((mean - vector).abs().max()) < 5 * 0.5 * step / 1000**0.5


@pytest.mark.parametrize("levels", [1, 3, 7, 15, 127])
def test_numbers_go_to_the_level_below_or_above(through, drawn, levels):
    vector = drawn(100)
    codec = Qsgd(100, levels=levels, bucket=64)
    for part, decoded in zip(vector.split(64), through(codec, vector).split(64), strict=True):
        steps = decoded / (part.norm() / levels)
        assert torch.allclose(steps, steps.round(), atol=1e-3)
        exact = part / (part.norm() / levels)
        assert float((steps - exact).abs().max()) < 1 + 1e-3
        assert bool((decoded * part >= 0).all())


def test_codes_take_log2_of_levels_and_a_sign():
    assert Qsgd(512 * 8, levels=7, bucket=512).nbytes() == 4096 * 4 // 8 + 4 * 8


def test_messages_are_rounded_apart(through, drawn):
    codec, vector = Qsgd(512), drawn(512)
    one, same, round_, client = (
        through(codec, vector, Context(*place)) for place in ((1, 0), (1, 0), (2, 0), (1, 1))
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, round_)
    assert not torch.equal(one, client)


def test_the_highest_level_is_not_rounded_up_to_one_that_no_code_has(drawn):
    """127 plus a draw just below 1 is 128 in float32: two of half a million buckets here."""
    codec = Qsgd(2**22, levels=127, bucket=8)
    vector = torch.zeros(2**22)
    vector[::8] = -1.0
    assert torch.equal(codec.decode(codec.encode(vector, Context(1, 0))), vector)


@pytest.mark.parametrize("levels", [0, 2, 4, 128, 255])
def test_levels_that_waste_a_code_are_refused(levels):
    with pytest.raises(ConfigError, match="1, 3, 7"):
        Qsgd(100, levels=levels)
