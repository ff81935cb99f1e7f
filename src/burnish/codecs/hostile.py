"""Payloads as a hostile or broken client would send them, from a seed; for tests of receivers."""

from __future__ import annotations

import json

import numpy as np

_HUGE = 10 * 2**30
_FLOATS = (0x7FC00000, 0x7F800000, 0xFF800000, 0x7F7FFFFF, 0xFFFFFFFF, 0x80000000)
_TEXTS = ("", "nan", "inf", "-1", "1e999", "01", "１", "999999999999999999999", "\n", "x" * 5000)
_THINGS = (None, True, 0, -1, 1.5, 2**64, _HUGE, [], {}, [[]], "F64", "x", [1, 2, 3], [-8, 0])
_PICKLE = b"cos\nsystem\n(S'touch /tmp/unpickled'\ntR."  # what pickle.loads would run
_DEEP = b"[" * 10_000

Generator = np.random.Generator


def hostile(valid: bytes, generator: Generator) -> bytes:
    """A valid payload, spoilt in one way out of many; the same generator gives the same bytes.

    Some of what comes is still a valid payload, such as one with another finite number in it.

    Args:
        valid: what `to_bytes` gave.
        generator: chooses the way and the details.
    """
    ways = (*_BYTE_WAYS, *_HEADER_WAYS)
    way = ways[int(generator.integers(len(ways)))]
    if way in _BYTE_WAYS:
        return way(valid, generator)
    length = int.from_bytes(valid[:8], "little")
    entries = json.loads(valid[8 : 8 + length])
    way(entries, generator)
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + valid[8 + length :]
