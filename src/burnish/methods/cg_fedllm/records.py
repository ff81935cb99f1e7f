"""Adapters, payloads and memory in Flower's records, and back; nothing is unpickled."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, MetricRecord, RecordDict
from torch import Tensor

from burnish.codecs.errors import CorruptPayload, LayoutMismatch

ARRAYS, CONFIG, METRICS, TRACE = "arrays", "config", "metrics", "trace"
"""Names of the records in a message; Flower's own strategies and mods use the first two."""
ROUND, CLIENT, REPRESENT = "server-round", "client", "represent"
"""Keys of the config record; the first is Flower's."""
EXAMPLES, LOSS = "num-examples", "train-loss"
"""Keys of the metric record; the first is Flower's."""
SERVER = 2**31 - 1
"""The sender's number in payloads that the server encodes."""

_PAYLOAD = "payload"
_STYPE = "burnish.payload"  # another reader must not take it for an array of numbers
_NUMPY = "numpy.ndarray"
_MEMORY = "burnish.memory"
_HEADER_BYTES = 4096  # a header of two lengths has 128
_FLOATS = (np.dtype("<f4"), np.dtype("<f8"))


def record_of(tensors: Mapping[str, Tensor]) -> ArrayRecord:
    """Tensors by name, as any Flower app reads them."""
    return ArrayRecord({name: _array_of(each) for name, each in tensors.items()})


def tensors_of(record: ArrayRecord) -> dict[str, Tensor]:
    """The inverse, for tensors of float32 or float64.

    An array's header may claim any size; no memory is taken for what is not there.

    Raises:
        CorruptPayload: an array is not written by NumPy, or of other numbers.
    """
    return {name: _tensor_of(name, array) for name, array in record.items()}


def payload_record(blob: bytes) -> ArrayRecord:
    """One encoded vector, as an array of bytes, which Flower cuts into chunks if it is large."""
    return ArrayRecord({_PAYLOAD: Array("uint8", (len(blob),), _STYPE, blob)})


def has_payload(content: RecordDict) -> bool:
    """Whether a message brings an encoded vector in the place of dense arrays."""
    return list(array_record(content)) == [_PAYLOAD]


def payload_of(content: RecordDict) -> bytes:
    """The bytes of the one encoded vector in a message, unread.

    Raises:
        CorruptPayload: there is none, or something beside it.
    """
    record = array_record(content)
    if list(record) != [_PAYLOAD] or record[_PAYLOAD].stype != _STYPE:
        raise CorruptPayload(
            f"wanted one encoded vector, got {len(record)} arrays that are none; the sender needs "
            "CompressMod as its first mod"
        )
    return record[_PAYLOAD].data


def array_record(content: RecordDict) -> ArrayRecord:
    """What a message has under "arrays".

    Raises:
        CorruptPayload: nothing, or no array record.
    """
    record = content.get(ARRAYS)
    if not isinstance(record, ArrayRecord):
        raise CorruptPayload(f'the message has no array record "{ARRAYS}"; it needs one')
    return record


def metric(content: RecordDict, key: str) -> Any:
    """What a message claims under a key of its metric record; None if nothing."""
    record = content.get(METRICS)
    return record.get(key) if isinstance(record, MetricRecord) else None


def whole(content: RecordDict, key: str) -> int:
    """A whole number from the server's config record.

    Raises:
        CorruptPayload: it is missing.
    """
    record = content.get(CONFIG)
    value = record.get(key) if isinstance(record, ConfigRecord) else None
    if type(value) is not int:
        raise CorruptPayload(
            f'the config record must have a whole number "{key}", got {value!r}; use '
            "CompressedFedAvg or another strategy that sends it"
        )
    return value


def partition(context: Context) -> int:
    """Whose data a node has.

    Raises:
        LayoutMismatch: the node was not told.
    """
    number = context.node_config.get("partition-id")
    if type(number) is not int or number < 0:
        raise LayoutMismatch(
            f"a node needs a partition-id from 0, got {number!r}; start it with "
            '--node-config "partition-id=0 num-partitions=2"'
        )
    return number


def memory_of(context: Context) -> dict[str, Tensor]:
    """What a client's codec kept from its last message; empty at the first."""
    record = context.state.get(_MEMORY)
    if not isinstance(record, ArrayRecord):
        return {}
    return {name: torch.from_numpy(array.numpy()) for name, array in record.items()}


def keep_memory(context: Context, memory: Mapping[str, Tensor]) -> None:
    """Keep it for the next round; Flower stores it beside the client and never sends it."""
    context.state[_MEMORY] = record_of(memory)


def _array_of(tensor: Tensor) -> Array:
    numbers = tensor.detach().cpu().contiguous().numpy()
    data = _written(numbers.shape, numbers.dtype.str) + numbers.tobytes()
    return Array(str(numbers.dtype), numbers.shape, _NUMPY, data)


def _tensor_of(name: str, array: Array) -> Tensor:
    if array.stype != _NUMPY:
        raise CorruptPayload(f"{name} must be a NumPy array, got {array.stype[:40]!r}")
    size = int.from_bytes(array.data[8:10], "little")  # of a header of version 1, which all have
    start = 10 + size
    shape, by_columns, dtype = _read(array.data[: min(start, _HEADER_BYTES)])
    fits = math.prod(shape) * dtype.itemsize == len(array.data) - start
    if dtype not in _FLOATS or min(shape, default=0) < 0 or not fits:
        raise CorruptPayload(
            f"{name} claims {str(shape)[:40]} numbers of {dtype} in {len(array.data) - start} "
            "bytes; wanted as many bytes as numbers of float32 or float64 need"
        )
    flat = np.frombuffer(array.data, dtype, offset=start)
    return torch.from_numpy(flat.reshape(shape, order="F" if by_columns else "C").copy())


# an adapter has hundreds of matrices of a handful of shapes, and NumPy parses headers as Python


@lru_cache(maxsize=1024)
def _written(shape: tuple[int, ...], dtype: str) -> bytes:
    """What a .npy file of such an array begins with."""
    stream = io.BytesIO()
    told = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, told)
    return stream.getvalue()


@lru_cache(maxsize=1024)
def _read(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and type that the beginning of a .npy file tells."""
    stream = io.BytesIO(header)
    try:
        if np.lib.format.read_magic(stream) != (1, 0):
            raise ValueError("wanted version 1.0 of the format")
        return np.lib.format.read_array_header_1_0(stream)
    except Exception as error:  # the reader compiles the header, and trips over more than it says
        raise CorruptPayload(f"no NumPy array: {str(error)[:80]}") from error
