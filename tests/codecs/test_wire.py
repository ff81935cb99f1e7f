"""Bytes from strangers: read only if they are what was asked for."""

from __future__ import annotations

import ast
import json
import resource
import tracemalloc
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import burnish.codecs
from burnish.codecs import (
    Context,
    CorruptPayload,
    Image,
    Int8,
    LayoutMismatch,
    NotFinite,
    Pca,
    TopK,
    codec_named,
    fingerprint,
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


@contextmanager
def at_most(nbytes):
    """Fails if Python, NumPy or torch take more than that above what they have at the start."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    room = pages * resource.getpagesize() + 2**27  # what allocators ask for ahead
    tracemalloc.start()
    resource.setrlimit(resource.RLIMIT_AS, (room, limits[1]))  # torch's own allocations count too
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < nbytes
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)
        tracemalloc.stop()


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
    with at_most(2**20):
        for bomb in bombs:
            with pytest.raises(CorruptPayload):
                from_bytes(bomb, codec, **EXPECTED)


def test_spoilt_payloads_take_no_more_memory_than_whole_ones():
    generator = np.random.default_rng(0)
    codecs = [codec for codec in CODECS if codec.name in {"fp32", "top-k", "qsgd", "powersgd"}]
    with at_most(2**22):
        for number in range(400):
            codec = codecs[number % len(codecs)]
            check_payload(hostile(VALID[codec.name], generator), codec)


def test_more_bytes_than_the_codec_ever_sends_are_refused_unread():
    codec = Int8(100, block=64)
    with pytest.raises(CorruptPayload, match="has at most"):
        from_bytes(bytes(10_000_000), codec, **EXPECTED)


def with_header(blob, change):
    """The same tensors under a header that says something else."""
    start = 8 + int.from_bytes(blob[:8], "little")
    text = change(blob[8:start].decode().rstrip()).encode()
    return len(text).to_bytes(8, "little") + text + blob[start:]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"places":{', '"places":{},"places":{', "a name comes twice"),
        ('"places":{', '"more":{},"places":{', "wanted the tensors"),
        ('"places":{', '"place":{', "wanted the tensors"),
        ("[20,40]", "[0,20]", "tensor at byte 20 of the body, got 0"),
        ("[20,40]", "[24,44]", "tensor at byte 20 of the body, got 24"),
        ("[20,40]", "[20,41]", "20 bytes, got the offsets"),
        ("[20,40]", "[20.0,40.0]", "20 bytes, got the offsets"),
        ("[0,20]", "[-20,0]", "20 bytes, got the offsets"),
        ('"shape":[5]', '"shape":[5.0]', "type and shape"),
        ('"shape":[5]', '"shape":[5,1]', "type and shape"),
        ('"dtype":"F32"', '"dtype":"I32"', "type and shape"),
        ('"version":"1"', '"version":"2"', "the same release"),
        ('"dtype":"float32"', '"dtype":"float64"', "the same release"),
        ('"round":"1"', '"round":"01"', "whole number"),
        ('"round":"1"', '"round":1', "round is a string"),
        ('"round":"1",', "", "__metadata__ has"),
        ("{", "[", "not JSON"),
        ("}}", "}}" + " " * 17_000, "has at most"),
    ],
)
def test_headers_must_say_what_the_codec_says(old, new, said):
    codec = TopK(100, k=5)
    blob = sent(codec)
    spoilt = with_header(blob, lambda text: text.replace(old, new))
    assert spoilt != blob
    with pytest.raises(CorruptPayload, match=said):
        from_bytes(spoilt, codec, **EXPECTED)


def test_large_payloads_have_no_larger_headers():
    codec = Int8(100_000)
    spoilt = with_header(sent(codec), lambda text: text + " " * 17_000)[:-17_000]
    with pytest.raises(CorruptPayload, match="length field says 17"):
        from_bytes(spoilt, codec, **EXPECTED)


@pytest.mark.parametrize(
    "text", ["nan", "inf", "1e999", "2097152.0", "01.0", "1_0.0", " 1.0", "１.0"]
)
def test_gains_that_are_no_plain_small_number_are_refused(text):
    codec = Int8(100, block=64)
    spoilt = with_header(sent(codec), lambda told: told.replace('"gain":"1.0"', f'"gain":"{text}"'))
    with pytest.raises(CorruptPayload, match="gain is a number"):
        from_bytes(spoilt, codec, **EXPECTED)


def test_payloads_are_what_safetensors_reads():
    codec = TopK(100, k=5)
    payload = codec.encode(torch.arange(100.0), Context(1, 0))
    found = safetensors.torch.load(to_bytes(payload))
    assert {name: part.tolist() for name, part in found.items()} == {
        "places": [95, 96, 97, 98, 99],
        "values": [95, 96, 97, 98, 99],
    }


def test_a_fingerprint_follows_settings_and_state():
    basis = torch.eye(2, 5)
    codec = Pca(basis)
    first = fingerprint(codec)
    assert first == fingerprint(codec) == fingerprint(Pca(basis.clone()))
    basis[0, 0] = 2
    assert fingerprint(codec) != first
    assert fingerprint(Int8(100, block=8)) != fingerprint(Int8(100, block=16))
    assert fingerprint(Int8(100)) != fingerprint(Int8(101))


def test_state_made_in_inference_mode_has_a_fingerprint():
    with torch.inference_mode():
        codec = Pca(torch.eye(2, 5))
    assert fingerprint(codec) == fingerprint(Pca(torch.eye(2, 5)))


def test_nothing_here_can_unpickle():
    for path in Path(burnish.codecs.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = {alias.name for alias in node.names} if isinstance(node, ast.Import) else set()
            names |= {node.module} if isinstance(node, ast.ImportFrom) else set()
            assert not names & {"pickle", "marshal", "shelve", "joblib", "dill"}, path
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                assert "weights_only=True" in ast.unparse(node), path
