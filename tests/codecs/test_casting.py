from __future__ import annotations

import math

import pytest
import torch

from burnish.codecs import Context, Half, Identity


def test_identity_is_bitwise(through):
    vector = torch.tensor([0.0, -0.0, 1e-45, -1e-40, 3.4e38, 1 / 3])
    assert torch.equal(through(Identity(6), vector).view(torch.int32), vector.view(torch.int32))


def test_half_divides_by_the_power_of_two_that_holds_the_largest(through, drawn):
    vector = drawn(1000) * 1e-5
    power = 2.0 ** (math.floor(math.log2(float(vector.abs().max()))) + 1 - 15)
    assert torch.equal(through(Half(1000), vector), (vector / power).half().float() * power)


@pytest.mark.parametrize("scale", [1e-30, 1e-7, 1.0, 1e5, 1e38])
def test_half_keeps_eleven_bits_at_any_scale(through, drawn, scale):
    vector = drawn(1000).clamp(-3, 3) * scale
    near = vector.abs() > 1e-4 * vector.abs().max()
    error = (through(Half(1000), vector) - vector).abs()[near] / vector.abs()[near]
    assert float(error.max()) <= 2.0**-11


def test_half_does_not_overflow_where_float16_would_round_up(through):
    for largest in (65519.99, 1e30, 3.4e38):
        vector = torch.tensor([largest, -largest])
        assert through(Half(2), vector).tolist() == pytest.approx([largest, -largest], rel=2.0**-11)


def test_sums_of_halves_do_not_decode_to_sums():
    codec = Half(2)
    parts = [codec.encode(torch.tensor([scale, 0.0]), Context(1, 0)) for scale in (1.0, 1000.0)]
    assert parts[0].tensors["scale"] != parts[1].tensors["scale"]
    assert not codec.linear
