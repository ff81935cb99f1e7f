"""Damaged payloads, thrown at what a server reads payloads with."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from burnish.codecs.errors import CorruptPayload, LayoutMismatch, NotFinite
from burnish.codecs.hostile import hostile
from burnish.codecs.image import Image
from burnish.codecs.named import NAMES, codec_named
from burnish.codecs.protocol import Codec, Context
from burnish.codecs.wire import from_bytes, to_bytes
from burnish.training import derive

REFUSALS = (CorruptPayload, LayoutMismatch, NotFinite)
"""How a payload may be turned away; anything else has escaped."""
_SIDE = 16  # checks do not depend on the size, and small payloads come faster


def throw(count: int, seed: int, on_done: Callable[[int], None]) -> dict[str, int]:
    """Spoil payloads of every codec that needs no fitting, read and decode them.

    Args:
        count: how many.
        seed: of what is done to them.
        on_done: told how many more are done, now and then.

    Returns:
        "sent"; "refused" with a typed error; "escaped": those that raised anything else or gave a
        vector that is not finite or of another size. The rest were still valid payloads.
    """
    codecs = _codecs()
    valid = [_valid(codec, derive(seed, "vector", codec.name)) for codec in codecs]
    generator = np.random.default_rng(derive(seed, "hostile"))
    found = {"sent": count, "refused": 0, "escaped": 0, "taken": 0}
    for number in range(count):
        which = number % len(codecs)
        found[_outcome(codecs[which], hostile(valid[which], generator))] += 1
        if number % 100 == 99:
            on_done(100)
    del found["taken"]
    return found


def _codecs() -> list[Codec]:
    image = Image(_SIDE, _SIDE, torch.zeros(_SIDE * _SIDE, dtype=torch.uint8))
    return [codec_named(name, image) for name, offer in NAMES.items() if not offer.learned]


def _valid(codec: Codec, seed: int) -> bytes:
    vector = torch.randn(codec.size, generator=torch.Generator().manual_seed(seed))
    return to_bytes(codec.encode(vector, Context(1, 0, "layout", "init", trace={0: 1.0})))


def _outcome(codec: Codec, blob: bytes) -> str:
    try:
        payload = from_bytes(blob, codec, layout="layout", init="init", round=1, client=0)
        vector = codec.decode(payload)
    except REFUSALS:
        return "refused"
    except Exception:  # whatever it is, a server did not expect it
        return "escaped"
    whole = vector.shape == (codec.size,) and bool(vector.isfinite().all())
    return "taken" if whole else "escaped"
