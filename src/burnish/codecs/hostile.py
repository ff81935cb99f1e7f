"""Payloads as a hostile or broken client would send them, from a seed; for tests of receivers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

_HUGE = 10 * 2**30
_FLOATS = (0x7FC00000, 0x7F800000, 0xFF800000, 0x7F7FFFFF, 0xFFFFFFFF, 0x80000000)
_TEXTS = ("", "nan", "inf", "-1", "1e999", "01", "１", "999999999999999999999", "\n", "x" * 5000)
_THINGS: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    2**64,
    _HUGE,
    [],
    {},
    [[]],
    "F64",
    "x",
    [1, 2, 3],
    [-8, 0],
)
_PICKLE = b"cos\nsystem\n(S'exit 1'\ntR."  # what pickle.loads would run
_DEEP = b"[" * 10_000

Generator = np.random.Generator


def hostile(valid: bytes, generator: Generator) -> bytes:
    """A valid payload, spoilt in one way out of many; the same generator gives the same bytes.

    Some of what comes is still a valid payload, such as one with another finite number in it.

    Args:
        valid: what `to_bytes` gave.
        generator: chooses the way and the details.
    """
    way = int(generator.integers(len(_BYTE_WAYS) + len(_HEADER_WAYS)))
    if way < len(_BYTE_WAYS):
        return _BYTE_WAYS[way](valid, generator)
    length = int.from_bytes(valid[:8], "little")
    entries: dict[str, Any] = json.loads(valid[8 : 8 + length])
    ways = _HEADER_WAYS if len(entries) > 1 else _METADATA_WAYS  # some codecs send no tensor
    ways[(way - len(_BYTE_WAYS)) % len(ways)](entries, generator)
    text = json.dumps(entries).encode()
    return _joined(text, valid[8 + length :])


def _joined(text: bytes, body: bytes) -> bytes:
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + body


def _place(length: int, generator: Generator) -> int:
    return int(generator.integers(max(1, length)))


# ------------------------------------------------------------------------------- ways with bytes


def _truncated(valid: bytes, generator: Generator) -> bytes:
    return valid[: _place(len(valid), generator)]


def _lengthened(valid: bytes, generator: Generator) -> bytes:
    return valid + generator.bytes(int(generator.integers(1, 4096)))


def _flipped(valid: bytes, generator: Generator) -> bytes:
    spoilt = bytearray(valid)
    for _ in range(int(generator.integers(1, 9))):
        spoilt[_place(len(spoilt), generator)] ^= 1 << int(generator.integers(8))
    return bytes(spoilt)


def _noise(valid: bytes, generator: Generator) -> bytes:
    return generator.bytes(int(generator.integers(2 * len(valid))))


def _claims_a_bomb(valid: bytes, generator: Generator) -> bytes:
    return int(generator.integers(1, _HUGE)).to_bytes(8, "little") + valid[8:]


def _pickled(valid: bytes, generator: Generator) -> bytes:
    return _PICKLE if generator.integers(2) else valid[:8] + _PICKLE + valid[8:]


def _nested(valid: bytes, generator: Generator) -> bytes:
    return _joined(_DEEP, valid[-16:])


def _odd_floats(valid: bytes, generator: Generator) -> bytes:
    """Four bytes of the body become NaN, infinity or the largest number."""
    start = 8 + int.from_bytes(valid[:8], "little")
    places = (len(valid) - start) // 4
    at = start + 4 * _place(places, generator)
    number = _FLOATS[int(generator.integers(len(_FLOATS)))]
    return valid[:at] + number.to_bytes(4, "little") + valid[at + 4 :]


def _shuffled_body(valid: bytes, generator: Generator) -> bytes:
    start = 8 + int.from_bytes(valid[:8], "little")
    return valid[:start] + generator.bytes(len(valid) - start)


_BYTE_WAYS: tuple[Callable[[bytes, Generator], bytes], ...] = (
    _truncated,
    _lengthened,
    _flipped,
    _noise,
    _claims_a_bomb,
    _pickled,
    _nested,
    _odd_floats,
    _shuffled_body,
)

# ------------------------------------------------------------------------- ways with the header


def _other_metadata(entries: dict[str, Any], generator: Generator) -> None:
    told = entries["__metadata__"]
    name = sorted(told)[_place(len(told), generator)]
    told[name] = _TEXTS[int(generator.integers(len(_TEXTS)))]


def _no_text(entries: dict[str, Any], generator: Generator) -> None:
    told = entries["__metadata__"]
    name = sorted(told)[_place(len(told), generator)]
    told[name] = _THINGS[int(generator.integers(len(_THINGS)))]


def _missing_metadata(entries: dict[str, Any], generator: Generator) -> None:
    told = entries["__metadata__"]
    del told[sorted(told)[_place(len(told), generator)]]


def _other_entry(entries: dict[str, Any], generator: Generator) -> None:
    entry = entries[_tensor(entries, generator)]
    name = ("dtype", "shape", "data_offsets")[int(generator.integers(3))]
    entry[name] = _THINGS[int(generator.integers(len(_THINGS)))]


def _huge_shape(entries: dict[str, Any], generator: Generator) -> None:
    entry = entries[_tensor(entries, generator)]
    entry["shape"], entry["data_offsets"] = [_HUGE], [0, 4 * _HUGE]


def _other_names(entries: dict[str, Any], generator: Generator) -> None:
    name = _tensor(entries, generator)
    entry = entries.pop(name)
    entries[_TEXTS[int(generator.integers(len(_TEXTS)))]] = entry


def _another_tensor(entries: dict[str, Any], generator: Generator) -> None:
    entries["more"] = dict(entries[_tensor(entries, generator)])


def _no_entry(entries: dict[str, Any], generator: Generator) -> None:
    entries[_tensor(entries, generator)] = _THINGS[int(generator.integers(len(_THINGS)))]


def _tensor(entries: dict[str, Any], generator: Generator) -> str:
    names = sorted(name for name in entries if name != "__metadata__")
    return names[_place(len(names), generator)]


_METADATA_WAYS: tuple[Callable[[dict[str, Any], Generator], None], ...] = (
    _other_metadata,
    _no_text,
    _missing_metadata,
)
_HEADER_WAYS = (
    *_METADATA_WAYS,
    _other_entry,
    _huge_shape,
    _other_names,
    _another_tensor,
    _no_entry,
)
