"""What every codec promises, whichever it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from burnish.codecs import (
    NAMES,
    Context,
    Guarded,
    Identity,
    Image,
    Joining,
    LayoutMismatch,
    NotFinite,
    Pca,
    codec_named,
    fingerprint,
    from_bytes,
    load_codec,
    save_codec,
    to_bytes,
)

SIDES = ((24, 40), (7, 13))
PLAIN = [name for name, offer in NAMES.items() if not offer.learned]
NAMED = [*PLAIN, "pca"]


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def made(name, sides=SIDES[0]):
    height, width = sides
    size = height * width
    if name == "pca":
        return Pca.fit(torch.randn(6, size, generator=seeded(1)))
    image = Image(height, width, torch.zeros(size, dtype=torch.uint8))
    return codec_named(name, image, settings={"seeds": 32} if name == "kseed" else None)


def vector_of(codec, seed=2, scale=1e-3):
    return torch.randn(codec.size, generator=seeded(seed)) * scale


def context(**more):
    return Context(**{"round": 2, "client": 1, "layout": "l", "init": "i", **more})


def received(payload, codec, round=2):
    return from_bytes(to_bytes(payload), codec, layout="l", init="i", round=round)


@pytest.mark.parametrize("sides", SIDES, ids=str)
@pytest.mark.parametrize("name", NAMED)
def test_what_is_received_is_what_was_sent(name, sides):
    codec = made(name, sides)
    vector = vector_of(codec)
    kept = vector.clone()
    payload = codec.encode(vector, context())
    here, there = codec.decode(payload), codec.decode(received(payload, codec))
    assert torch.equal(vector, kept)
    assert here.shape == (codec.size,)
    assert here.dtype == torch.float32
    assert torch.equal(here, there)


@pytest.mark.parametrize("name", NAMED)
def test_bytes_are_those_of_the_template_and_the_same_again(name):
    codec = made(name)
    payload = codec.encode(vector_of(codec), context())
    body = sum(part.numel() * part.itemsize for part in payload.tensors.values())
    assert body == codec.nbytes(2)
    found = {key: (part.dtype, tuple(part.shape)) for key, part in payload.tensors.items()}
    assert found == {key: (part.dtype, part.shape) for key, part in codec.template(2).items()}
    assert to_bytes(codec.encode(vector_of(codec), context())) == to_bytes(payload)


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("scale", [0.0, 1e-44, 1e-30, 1e30])
def test_small_large_and_zero_vectors_stay_finite(name, scale):
    codec = made(name)
    vector = vector_of(codec, scale=1.0).clamp(-3, 3) * scale
    decoded = codec.decode(received(codec.encode(vector, context()), codec))
    assert bool(decoded.isfinite().all())
    if scale == 0:
        assert not decoded.any()


@pytest.mark.parametrize("name", NAMED)
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_is_not_finite_is_refused_and_changes_no_memory(name, number):
    codec = made(name)
    vector = vector_of(codec)
    vector[3] = number
    asked = context()
    with pytest.raises(NotFinite, match="finite"):
        codec.encode(vector, asked)
    assert asked.memory == {}


@pytest.mark.parametrize("name", NAMED)
def test_another_size_is_refused(name):
    codec = made(name)
    with pytest.raises(LayoutMismatch, match=str(codec.size)):
        codec.encode(torch.zeros(codec.size + 1), context())


@pytest.mark.parametrize("name", NAMED)
def test_a_saved_codec_is_the_same_codec(name, tmp_path):
    codec = made(name)
    save_codec(codec, tmp_path / "codec.safetensors")
    again = load_codec(tmp_path / "codec.safetensors")
    assert fingerprint(again) == fingerprint(codec)
    vector = vector_of(codec)
    assert to_bytes(again.encode(vector, context())) == to_bytes(codec.encode(vector, context()))


@pytest.mark.parametrize("name", [name for name in NAMED if made(name).linear])
def test_linear_codecs_decode_sums_to_sums(name):
    codec = made(name)
    payloads = [codec.encode(vector_of(codec, seed), context(client=seed)) for seed in range(3)]
    names = payloads[0].tensors
    total = replace(
        payloads[0], tensors={key: sum(each.tensors[key] for each in payloads) for key in names}
    )
    apart = sum(codec.decode(each) for each in payloads)
    assert float((codec.decode(total) - apart).norm()) <= 1e-5 * float(apart.norm())


def test_only_these_are_linear():
    assert {name for name in NAMED if made(name).linear} == {"fp32", "srht", "kseed", "pca"}


@pytest.mark.parametrize("name", [name for name in NAMED if not isinstance(made(name), Joining)])
def test_nothing_is_lost_with_error_feedback(name):
    """The sum of what was received and the residual is the sum of what was to be sent."""
    codec = made(name)
    guarded = Guarded(codec, error_feedback=not getattr(codec, "feeds_back", False))
    asked = context()
    wanted, sent = torch.zeros(codec.size), torch.zeros(codec.size)
    for number in range(1, 7):
        asked.round = number
        vector = vector_of(codec, 50 + number, scale=1.0)
        wanted += vector
        sent += guarded.decode(received(guarded.encode(vector, asked), guarded, number))
    if guarded.error_feedback:
        assert torch.allclose(sent + asked.memory["residual"], wanted, atol=1e-4)
    else:
        assert "residual" not in asked.memory


@pytest.mark.parametrize("name", [name for name in NAMED if not isinstance(made(name), Joining)])
def test_with_gain_an_error_is_never_above_that_of_sending_nothing(name):
    codec = made(name)
    guarded = Guarded(codec, error_feedback=False)
    for seed in range(4):
        vector = vector_of(codec, seed)
        decoded = guarded.decode(received(guarded.encode(vector, context()), guarded))
        cosine = float(torch.cosine_similarity(decoded, vector, dim=0)) if decoded.any() else 0.0
        error = float((decoded - vector).square().sum() / vector.square().sum())
        assert error <= 1 + 1e-5
        assert error == pytest.approx(1 - cosine**2, abs=1e-4)


def test_a_payload_too_far_off_is_sent_by_the_fallback():
    codec = made("top-k")
    guarded = Guarded(codec, fallback=Identity(codec.size), least_cosine=0.9)
    vector = torch.ones(codec.size)
    payload = received(guarded.encode(vector, context()), guarded)
    assert payload.header.codec == "fp32"
    assert torch.equal(guarded.decode(payload), vector)
