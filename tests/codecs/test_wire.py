"""Bytes from strangers: read only if they are what was asked for."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from burnish.codecs import (
    Context,
    CorruptPayload,
    Image,
    Int8,
    LayoutMismatch,
    NotFinite,
    TopK,
    codec_named,
    from_bytes,
    hostile,
    to_bytes,
)
from burnish.codecs.named import NAMES

SIDE = 16
IMAGE = Image(SIDE, SIDE, torch.zeros(SIDE * SIDE, dtype=torch.uint8))
CODECS = [codec_named(name, IMAGE) for name, offer in NAMES.items() if not offer.learned]
REFUSALS = (CorruptPayload, LayoutMismatch, NotFinite)
EXPECTED = {"layout": "l", "init": "i", "round": 1, "client": 0}


def sent(codec, **more):
    vector = torch.randn(codec.size, generator=torch.Generator().manual_seed(0))
    asked = {"round": 1, "client": 0, "layout": "l", "init": "i", "trace": {0: 1.0}, **more}
    return to_bytes(codec.encode(vector, Context(**asked)))


VALID = {codec.name: sent(codec) for codec in CODECS}


def check_payload(blob, codec):
    """A payload is refused by name, or decodes to a whole vector."""
    try:
        vector = codec.decode(from_bytes(blob, codec, **EXPECTED))
    except REFUSALS:
        return
    assert vector.shape == (codec.size,)
    assert bool(vector.isfinite().all())


@settings(max_examples=2000, deadline=None)
@given(st.integers(0, len(CODECS) - 1), st.integers(0, 2**32))
def test_spoilt_payloads_are_refused_by_name(which, seed):
    codec = CODECS[which]
    check_payload(hostile(VALID[codec.name], np.random.default_rng(seed)), codec)


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(CODECS) - 1), st.binary(max_size=300))
def test_any_bytes_are_refused_by_name(which, blob):
    check_payload(blob, CODECS[which])


def test_the_same_generator_spoils_in_the_same_way():
    one, two = (
        [hostile(VALID["int8"], generator) for _ in range(50)]
        for generator in (np.random.default_rng(3), np.random.default_rng(3))
    )
    assert one == two
    assert len(set(one)) > 25


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"layout": "other"}, "layout"),
        ({"init": "other"}, "init"),
        ({"round": 2}, "round"),
        ({"client": 3}, "client"),
    ],
)
def test_a_payload_for_others_is_refused(change, named):
    codec = Int8(100, block=64)
    with pytest.raises(LayoutMismatch, match=f"whose {named} is"):
        from_bytes(sent(codec, **change), codec, **EXPECTED)


def test_a_payload_of_another_codec_or_setting_is_refused():
    codec = TopK(100, k=5)
    with pytest.raises(LayoutMismatch, match="wanted a payload of top-k"):
        from_bytes(sent(TopK(100, k=4)), codec, **EXPECTED)


def test_nan_is_refused_by_the_tensors_name():
    codec = TopK(100, k=5)
    blob = bytearray(sent(codec))
    start = 8 + int.from_bytes(blob[:8], "little")
    entries = json.loads(blob[8:start])
    at = start + entries["values"]["data_offsets"][0]
    blob[at : at + 4] = b"\x00\x00\xc0\x7f"
    with pytest.raises(NotFinite, match="values"):
        from_bytes(bytes(blob), codec, **EXPECTED)


@pytest.mark.parametrize("place", [-1, 100, 2**31 - 1])
def test_places_outside_the_vector_are_refused(place):
    codec = TopK(100, k=5)
    payload = from_bytes(sent(codec), codec, **EXPECTED)
    name = next(name for name, part in payload.tensors.items() if not part.is_floating_point())
    payload.tensors[name][0] = place
    with pytest.raises(CorruptPayload):
        codec.decode(payload)


def test_a_header_that_claims_ten_gigabytes_costs_nothing():
    codec = Int8(100, block=64)
    blob = sent(codec)
    start = 8 + int.from_bytes(blob[:8], "little")
    entries = json.loads(blob[8:start])
    name = next(name for name in entries if name != "__metadata__")
    entries[name] |= {"shape": [10 * 2**30], "data_offsets": [0, 10 * 2**30]}
    text = json.dumps(entries).encode()
    bombs = [
        (10 * 2**30).to_bytes(8, "little") + blob[8:],
        len(text).to_bytes(8, "little") + text + blob[start:],
    ]
    tracemalloc.start()
    try:
        for bomb in bombs:
            with pytest.raises(CorruptPayload):
                from_bytes(bomb, codec, **EXPECTED)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_more_bytes_than_the_codec_ever_sends_are_refused_unread():
    codec = Int8(100, block=64)
    with pytest.raises(CorruptPayload, match="has at most"):
        from_bytes(bytes(10_000_000), codec, **EXPECTED)
