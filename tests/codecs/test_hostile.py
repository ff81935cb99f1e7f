from __future__ import annotations

import numpy as np
import torch

from burnish.codecs import (
    Context,
    CorruptPayload,
    Identity,
    LayoutMismatch,
    NotFinite,
    from_bytes,
    hostile,
    to_bytes,
)
from burnish.codecs.constant import Zero

CODEC = Identity(100)
VALID = to_bytes(CODEC.encode(torch.ones(100), Context(1, 0)))
EXPECTED = {"layout": "", "init": "", "round": 1, "client": 0}


def spoilt(count, seed=3, valid=VALID):
    generator = np.random.default_rng(seed)
    return [hostile(valid, generator) for _ in range(count)]


def test_the_same_generator_spoils_in_the_same_way():
    assert spoilt(100) == spoilt(100)
    assert len(set(spoilt(100))) > 50
    assert spoilt(100) != spoilt(100, seed=4)


def test_every_kind_of_refusal_is_met_and_some_payloads_pass():
    met = set()
    for blob in spoilt(1000):
        try:
            from_bytes(blob, CODEC, **EXPECTED)
            met.add(None)
        except (CorruptPayload, LayoutMismatch, NotFinite) as error:
            met.add(type(error))
    assert met == {None, CorruptPayload, LayoutMismatch, NotFinite}


def test_payloads_stay_small():
    assert max(map(len, spoilt(1000))) < 2 * len(VALID) + 16_384


def test_payloads_without_tensors_are_spoilt_too():
    codec, refused = Zero(100), 0
    valid = to_bytes(codec.encode(torch.ones(100), Context(1, 0)))
    for blob in spoilt(300, valid=valid):
        try:
            assert not codec.decode(from_bytes(blob, codec, **EXPECTED)).any()
        except (CorruptPayload, LayoutMismatch):
            refused += 1
    assert refused > 200
