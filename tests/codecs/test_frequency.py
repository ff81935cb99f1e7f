import math

import pytest
import torch

from burnish.codecs import (
    BestFrequencies,
    Context,
    CorruptPayload,
    Image,
    LowPass,
    fingerprint,
    from_bytes,
    to_bytes,
)
from burnish.errors import ConfigError

HEIGHT, WIDTH = 12, 20
IMAGE = Image(HEIGHT, WIDTH, torch.zeros(HEIGHT * WIDTH, dtype=torch.uint8))
HERE = Context(1, 0)


def noise(seed=0):
    return torch.randn(IMAGE.size, generator=torch.Generator().manual_seed(seed))


def wave(down, across):
    """One cosine of the transform, of unit length, by its definition."""
    axes = []
    for frequency, length in ((down, HEIGHT), (across, WIDTH)):
        scale = math.sqrt((1 if frequency == 0 else 2) / length)
        places = torch.arange(length, dtype=torch.float64) + 0.5
        axes.append(scale * torch.cos(math.pi * frequency * places / length))
    return torch.outer(*axes).reshape(-1).float()


def passed(codec, vector):
    return codec.decode(codec.encode(vector, HERE))


def test_low_pass_keeps_low_waves_and_drops_high_ones():
    codec = LowPass(image=IMAGE, k=12)
    low, high = wave(1, 2), wave(9, 15)
    assert torch.allclose(passed(codec, 3 * low + high), 3 * low, atol=1e-5)


def test_low_pass_sends_the_coefficients_from_the_mean_upwards():
    codec = LowPass(image=IMAGE, k=3)
    sent = codec.encode(5 * wave(0, 0) + 2 * wave(0, 1) - wave(1, 0), HERE).tensors
    assert sent["coefficients"].tolist() == pytest.approx([5, 2, -1], abs=1e-5)


def test_low_pass_is_linear():
    codec = LowPass(image=IMAGE, k=30)
    one, other = (codec.encode(noise(seed), HERE) for seed in (1, 2))
    total = {"coefficients": one.tensors["coefficients"] + other.tensors["coefficients"]}
    both = codec.decode(type(one)(one.header, total))
    assert codec.linear
    assert torch.allclose(both, codec.decode(one) + codec.decode(other), atol=1e-5)


def test_best_frequencies_finds_waves_wherever_they_are():
    codec = BestFrequencies(image=IMAGE, k=2)
    given = 4 * wave(11, 19) - 3 * wave(5, 0)
    assert torch.allclose(passed(codec, given + 0.1 * wave(0, 0)), given, atol=1e-5)


def test_of_as_many_coefficients_the_best_lose_least():
    vector = noise()
    errors = [
        float((passed(kind(image=IMAGE, k=40), vector) - vector).square().sum())
        for kind in (BestFrequencies, LowPass)
    ]
    assert errors[0] < errors[1] < float(vector.square().sum())


@pytest.mark.parametrize("kind", [LowPass, BestFrequencies])
def test_all_coefficients_lose_nothing(kind):
    assert torch.allclose(passed(kind(image=IMAGE, k=IMAGE.size), noise()), noise(), atol=1e-5)


@pytest.mark.parametrize(("kind", "each"), [(LowPass, 4), (BestFrequencies, 8)])
def test_payloads_cross_the_wire(kind, each):
    codec = kind(image=IMAGE, k=7)
    payload = codec.encode(noise(), HERE)
    assert codec.nbytes() == 7 * each
    back = from_bytes(to_bytes(payload), codec, layout="", init="", round=1)
    assert torch.equal(codec.decode(back), codec.decode(payload))


@pytest.mark.parametrize("places", [[3, 3], [-1, 4], [4, 240]])
def test_places_that_are_none_are_refused(places):
    codec = BestFrequencies(image=IMAGE, k=2)
    payload = codec.encode(noise(), HERE)
    payload.tensors["places"][:] = torch.tensor(places)
    with pytest.raises(CorruptPayload, match="increasing places"):
        codec.decode(payload)


def test_settings_tell_codecs_apart():
    prints = {fingerprint(LowPass(image=IMAGE, k=k)) for k in (3, 4)}
    assert len(prints) == 2


@pytest.mark.parametrize("k", [0, IMAGE.size + 1])
@pytest.mark.parametrize("kind", [LowPass, BestFrequencies])
def test_k_out_of_range_is_refused(kind, k):
    with pytest.raises(ConfigError, match=f"k is from 1 to the size 240, got {k}"):
        kind(image=IMAGE, k=k)
