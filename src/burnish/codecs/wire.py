"""Payloads as bytes: written here, and read back only if they are what was asked for.

The format is that of safetensors: eight bytes of header length, a JSON header, the tensors. What
`Header` says travels as the header's `__metadata__`. Nothing is unpickled, and every number a
sender gives is compared with what the codec would send before memory is taken for it.
"""

from __future__ import annotations

import hashlib
import json
import math
import reprlib
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, TypeGuard, runtime_checkable

import torch
from torch import Tensor

from burnish.codecs.checking import all_finite
from burnish.codecs.errors import CorruptPayload, LayoutMismatch, NotFinite
from burnish.codecs.protocol import Codec, Context, Header, Part, Payload

VERSION = 1
HEADER_BYTES = 16_384  # at most; a header of ours has less than a thousand
GAIN_BOUND = 2.0**20  # a larger gain is no safeguard: the decoded vector has nothing of the input

_DTYPES = {
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I8": torch.int8,
    "U8": torch.uint8,
}
_BRIEF = reprlib.Repr()  # a header may be nested deeper than repr goes
_BRIEF.maxlevel = 3
_CODES = {dtype: code for code, dtype in _DTYPES.items()}


@runtime_checkable
class Several(Protocol):
    """A codec that sends payloads of more than one, such as one with a fallback."""

    @property
    def members(self) -> tuple[Codec, ...]:
        """Whose payloads may come; none of them has members itself."""
        ...


def members(codec: Codec) -> tuple[Codec, ...]:
    """The codecs whose payloads a receiver of `codec` must take."""
    return codec.members if isinstance(codec, Several) else (codec,)


# ------------------------------------------------------------------------------ what a codec is


@dataclass(frozen=True)
class _Stamp:
    """A fingerprint, and the state it was taken of, kept so that no other takes its memory."""

    identity: str
    tensors: tuple[Tensor, ...]
    versions: tuple[tuple[int, int], ...]
    fingerprint: str


_stamps: weakref.WeakKeyDictionary[Codec, _Stamp] = weakref.WeakKeyDictionary()


def fingerprint(codec: Codec) -> str:
    """SHA-256, in hex, of a codec's name, size, settings and state.

    Taken anew only when the settings changed or a tensor of the state was replaced or written to.
    """
    state = dict(sorted(codec.state_dict().items()))
    identity = json.dumps(
        [codec.name, codec.size, dict(codec.settings), list(state)], sort_keys=True
    )
    tensors = tuple(state.values())
    # tensors of inference mode have no versions, so that they might change unseen
    seen = not any(tensor.is_inference() for tensor in tensors)
    versions = tuple((tensor.data_ptr(), tensor._version) for tensor in tensors if seen)
    known = _stamps.get(codec)
    if seen and known is not None and (known.identity, known.versions) == (identity, versions):
        return known.fingerprint
    digest = hashlib.sha256(identity.encode())
    for tensor in tensors:
        digest.update(f"{tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(_raw(tensor))
    _stamps[codec] = _Stamp(identity, tensors, versions, digest.hexdigest())
    return digest.hexdigest()


def sealed(
    codec: Codec, tensors: Mapping[str, Tensor], context: Context, gain: float = 1.0
) -> Payload:
    """Tensors a codec encoded, under the header that a receiver will ask for."""
    header = Header(
        version=VERSION,
        codec=codec.name,
        fingerprint=fingerprint(codec),
        layout=context.layout,
        init=context.init,
        round=context.round,
        client=context.client,
        gain=gain,
    )
    return Payload(header, dict(tensors))


# ------------------------------------------------------------------------------------- writing


def to_bytes(payload: Payload) -> bytes:
    """A payload as one safetensors file; the same payload gives the same bytes."""
    header = payload.header
    metadata = {
        "version": str(header.version),
        "codec": header.codec,
        "fingerprint": header.fingerprint,
        "layout": header.layout,
        "init": header.init,
        "round": str(header.round),
        "client": str(header.client),
        "dtype": header.dtype,
        "gain": repr(float(header.gain)),
    }
    return packed(payload.tensors, metadata)


def packed(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file. Its own writer gives the metadata another order each time."""
    entries: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    bodies, offset = [], 0
    # wide types first, so that every tensor begins where its type may
    for name in sorted(tensors, key=lambda name: (-tensors[name].dtype.itemsize, name)):
        tensor = tensors[name]
        body = _raw(tensor)
        entries[name] = {
            "dtype": _CODES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [offset, offset + len(body)],
        }
        bodies.append(body)
        offset += len(body)
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *bodies])


def _raw(tensor: Tensor) -> memoryview:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data if flat.numel() else memoryview(b"")


# ------------------------------------------------------------------------------------- reading


def from_bytes(
    blob: bytes | bytearray | memoryview,
    codec: Codec,
    *,
    layout: str,
    init: str,
    round: int,
    client: int | None = None,
) -> Payload:
    """Read a payload that anyone may have sent, or say in one line why it is none.

    Memory taken is at most the payload's own size and a header's worth beside it, whatever the
    bytes claim. Decode the payload with `codec.decode`, which checks what only the codec knows.

    Args:
        blob: what came.
        codec: what it should be a payload of; payloads of any of its `members` are taken.
        layout: hash of the order of the numbers, which the sender must share.
        init: hash of the common initialisation, likewise.
        round: the round it must belong to.
        client: the sender's number, None for any.

    Raises:
        CorruptPayload: bytes that are no payload of the codec.
        LayoutMismatch: a payload of another codec, layout, initialisation, round or client.
        NotFinite: a tensor holds NaN or infinity.
    """
    view = memoryview(blob).cast("B")
    choices = members(codec)
    templates = [each.template(round) for each in choices]
    largest = max(sum(part.nbytes for part in each.values()) for each in templates)
    if len(view) > largest + HEADER_BYTES + 8:
        raise CorruptPayload(
            f"a payload of {codec.name} has at most {largest + HEADER_BYTES + 8} bytes in round "
            f"{round}, got {len(view)}; drop it"
        )
    entries, start = _header(view)
    metadata = _metadata(entries.pop("__metadata__", None))
    header = _claimed(metadata)
    expected = {"layout": layout, "init": init, "round": round}
    if client is not None:
        expected["client"] = client
    for field, wanted in expected.items():
        if getattr(header, field) != wanted:
            raise LayoutMismatch(
                f"wanted a payload whose {field} is {wanted!r}, got {_short(metadata[field])}; "
                "both sides need the same model, adapter settings, seed and round"
            )
    which = _sender(header, choices)
    return Payload(header, _tensors(view[start:], entries, templates[which]))


def _header(view: memoryview) -> tuple[dict[str, object], int]:
    """The JSON header and where the tensors begin."""
    if len(view) < 8:
        raise CorruptPayload(f"a payload begins with 8 bytes of length, got {len(view)} in all")
    length = int.from_bytes(view[:8], "little")
    if not 2 <= length <= min(HEADER_BYTES, len(view) - 8):
        raise CorruptPayload(
            f"a payload's header has 2 to {min(HEADER_BYTES, len(view) - 8)} bytes here, its "
            f"length field says {length}"
        )
    try:
        entries = json.loads(
            bytes(view[8 : 8 + length]).decode(), object_pairs_hook=_once, parse_constant=_never
        )
    except (ValueError, RecursionError) as error:
        raise CorruptPayload(f"the header is not JSON: {_short(error)}") from error
    if not isinstance(entries, dict):
        raise CorruptPayload(f"the header is a JSON object, got {_short(entries)}")
    return entries, 8 + length


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found


def _never(constant: str) -> object:
    raise ValueError(f"{constant} is no JSON")


def _metadata(metadata: object) -> dict[str, str]:
    """The metadata, if it has the right fields and each is a string."""
    wanted = {
        *("version", "codec", "fingerprint", "layout", "init"),
        *("round", "client", "dtype", "gain"),
    }
    if not isinstance(metadata, dict) or set(metadata) != wanted:
        raise CorruptPayload(
            f"the header's __metadata__ has {', '.join(sorted(wanted))}, got {_short(metadata)}"
        )
    for field, text in metadata.items():
        if not isinstance(text, str):
            raise CorruptPayload(f"{field} is a string, got {_short(text)}")
    return metadata


def _claimed(metadata: Mapping[str, str]) -> Header:
    if metadata["version"] != str(VERSION) or metadata["dtype"] != "float32":
        raise CorruptPayload(
            f"wanted version {VERSION} and dtype float32, got {_short(metadata['version'])} and "
            f"{_short(metadata['dtype'])}; sender and receiver need the same release"
        )
    return Header(
        codec=metadata["codec"],
        fingerprint=metadata["fingerprint"],
        layout=metadata["layout"],
        init=metadata["init"],
        round=_whole("round", metadata["round"]),
        client=_whole("client", metadata["client"]),
        gain=_gain(metadata["gain"]),
    )


def _whole(field: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and str(int(text)) == text):
        raise CorruptPayload(f"{field} is a whole number from 0, got {_short(text)}")
    return int(text)


def _gain(text: str) -> float:
    try:
        gain = float(text) if len(text) < 32 else math.nan
    except ValueError:
        gain = math.nan
    if not abs(gain) <= GAIN_BOUND or repr(gain) != text:  # one way to write each
        raise CorruptPayload(
            f"gain is a number of magnitude at most {GAIN_BOUND:g}, got {_short(text)}"
        )
    return gain


def _sender(header: Header, choices: tuple[Codec, ...]) -> int:
    """Which of the codecs made the payload."""
    known = [(each.name, fingerprint(each)) for each in choices]
    try:
        return known.index((header.codec, header.fingerprint))
    except ValueError:
        wanted = " or ".join(f"{name} {print_[:12]}" for name, print_ in known)
        raise LayoutMismatch(
            f"wanted a payload of {wanted}, got {_short(header.codec)} "
            f"{_short(header.fingerprint[:12])}; both sides need the same codec file and settings"
        ) from None


def _tensors(
    body: memoryview, entries: Mapping[str, object], template: Mapping[str, Part]
) -> dict[str, Tensor]:
    if set(entries) != set(template):
        raise CorruptPayload(f"wanted the tensors {sorted(template)}, got {_short(list(entries))}")
    spans = {name: _span(name, entries[name], part) for name, part in template.items()}
    end = 0
    for begin, stop in sorted(spans.values()):
        if begin != end:
            raise CorruptPayload(f"wanted a tensor at byte {end} of the body, got {begin}")
        end = stop
    if end != len(body):
        raise CorruptPayload(f"the header speaks of {end} bytes of tensors, got {len(body)}")
    return {name: _read(name, body[slice(*spans[name])], part) for name, part in template.items()}


def _span(name: str, entry: object, part: Part) -> tuple[int, int]:
    """Where a tensor lies in the body, if the header says of it what the template says."""
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise CorruptPayload(
            f"{name} has dtype, shape and data_offsets in the header, got {_short(entry)}"
        )
    wanted = [_CODES[part.dtype], list(part.shape)]
    got = [entry["dtype"], entry["shape"]]
    if got != wanted or not _whole_numbers(entry["shape"]):
        raise CorruptPayload(f"wanted {name} of type and shape {wanted}, got {_short(got)}")
    span = entry["data_offsets"]
    fits = _whole_numbers(span) and len(span) == 2 and span[1] - span[0] == part.nbytes
    if not fits or span[0] < 0:
        raise CorruptPayload(f"{name} has {part.nbytes} bytes, got the offsets {_short(span)}")
    return span[0], span[1]


def _whole_numbers(thing: object) -> TypeGuard[list[int]]:
    # True == 1 == 1.0 in Python, but not in a file format
    return isinstance(thing, list) and all(type(number) is int for number in thing)


def _read(name: str, raw: memoryview, part: Part) -> Tensor:
    tensor = torch.empty(part.shape, dtype=part.dtype)
    if tensor.numel():
        tensor.reshape(-1).view(torch.uint8).numpy()[:] = raw
    if part.dtype.is_floating_point and not all_finite(tensor):
        raise NotFinite(f"wanted finite numbers in {name}, got NaN or infinity; drop the payload")
    return tensor


def _short(thing: object) -> str:
    """What a stranger sent, for a line of an error message."""
    shown = str(thing) if isinstance(thing, Exception) else _BRIEF.repr(thing)
    text = shown.encode("ascii", "backslashreplace").decode().replace("\n", " ")
    return text if len(text) <= 80 else f"{text[:77]}..."
