from __future__ import annotations

import pytest
import torch

from burnish.codecs import Context, Joining, MajoritySign, SignMean


def test_signs_carry_the_mean_magnitude(through):
    vector = torch.tensor([1.0, -2.0, 3.0, -6.0])
    assert through(SignMean(4), vector).tolist() == [3, -3, 3, -3]


@pytest.mark.parametrize("size", [1, 7, 8, 9, 2**18 + 3])
def test_signs_of_any_number_are_packed(through, drawn, size):
    vector = drawn(size)
    decoded = through(SignMean(size), vector)
    assert torch.equal(decoded.sign(), vector.sign())
    assert torch.allclose(decoded.abs(), vector.abs().mean().expand(size))


def test_magnitudes_that_overflow_when_summed_have_a_mean(through):
    assert through(SignMean(4), torch.full((4,), -3e38)).tolist() == pytest.approx([-3e38] * 4)


def votes_of(codec, *votes):
    payloads = [
        codec.encode(torch.tensor(vote), Context(1, client)) for client, vote in enumerate(votes)
    ]
    return lambda *weights: codec.join(payloads, weights, {}).tolist()


def test_a_majority_decides_by_weight():
    codec = MajoritySign(3)
    assert isinstance(codec, Joining)
    joint = votes_of(codec, [1.0, 1.0, -1.0], [-2.0, 2.0, -2.0])
    assert joint(0.75, 0.25) == [1.25, 1.25, -1.25]
    assert joint(0.25, 0.75) == [-1.75, 1.75, -1.75]
    assert joint(0.5, 0.5) == [0, 1.5, -1.5]
