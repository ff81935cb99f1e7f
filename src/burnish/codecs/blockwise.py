"""Few-bit codes whose unit is the largest magnitude of a block of neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from burnish.codecs.base import VectorCodec
from burnish.codecs.chunking import CHUNK
from burnish.codecs.protocol import Context, Part, Payload
from burnish.errors import ConfigError

_LEAST = 1e-30  # blocks of smaller numbers are sent as zeros: their inverse would overflow


def _nf4_levels() -> Tensor:
    """Quantiles of the normal distribution, seven below zero, zero, eight above."""
    edge = 1 - (1 / 32 + 1 / 30) / 2
    above = torch.special.ndtri(torch.linspace(0.5, edge, 9, dtype=torch.float64)[1:])
    below = -torch.special.ndtri(torch.linspace(0.5, edge, 8, dtype=torch.float64)[1:]).flip(0)
    levels = torch.cat([below, torch.zeros(1, dtype=torch.float64), above])
    return (levels / levels.max()).float()


_INT4 = torch.arange(-7.0, 8.0) / 7
_NF4 = _nf4_levels()


@final
@dataclass(frozen=True, eq=False)
class Int8(VectorCodec):
    """round(127 x / largest) in every block; a byte a number and 4 a block.

    Attributes:
        block: neighbours that share a unit, a multiple of 8, at most 2**20.

    Source: blockwise quantisation, Dettmers et al., arXiv 2110.02861, section 2.1, with linear
    codes. Departure: blocks of 1024 by default, so that units cost 0.4 % and not 6 %.
    """

    name: ClassVar[str] = "int8"

    block: int = 1024

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.block)

    def template(self, round: int) -> dict[str, Part]:
        """Codes and units."""
        return {
            "codes": Part(torch.int8, (self.size,)),
            "units": Part(torch.float32, (-(-self.size // self.block),)),
        }

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        blocks = _blocks(vector, self.block)
        codes = torch.empty(blocks.shape, dtype=torch.int8)
        units = torch.empty(len(blocks))
        for rows, scaled in _scaled(blocks, units, 127.0):
            codes[rows].copy_(scaled.round_())
        return {"codes": codes.view(-1)[: self.size], "units": units.div_(127)}

    def _expand(self, payload: Payload) -> Tensor:
        codes = payload.tensors["codes"]
        spare = -self.size % self.block
        codes = pad(codes, (0, spare)) if spare else codes
        codes, units = codes.view(-1, self.block), payload.tensors["units"].unsqueeze(1)
        values = torch.empty(codes.shape)
        for rows in _chunks(len(codes), self.block):
            values[rows].copy_(codes[rows]).mul_(units[rows])
        return values.view(-1)[: self.size]


@final
@dataclass(frozen=True, eq=False)
class Int4(VectorCodec):
    """round(7 x / largest) in every block; half a byte a number and 4 a block.

    Attributes:
        block: as in `Int8`.
    """

    name: ClassVar[str] = "int4"

    block: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.block)

    def template(self, round: int) -> dict[str, Part]:
        """Two codes a byte, and units."""
        return _nibble_template(self.size, self.block)

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        return _nibbles(_blocks(vector, self.block), _INT4)

    def _expand(self, payload: Payload) -> Tensor:
        # the sixteenth code is never sent
        levels = torch.cat([_INT4, torch.zeros(1)])
        return _from_nibbles(payload, levels, self.block)[: self.size]


@final
@dataclass(frozen=True, eq=False)
class Nf4(VectorCodec):
    """Sixteen levels at the quantiles of a normal distribution; half a byte a number, 4 a block.

    With blocks of 64 that is 14.06 % of float32.

    Attributes:
        block: as in `Int8`.

    Source: QLoRA, arXiv 2305.14314, section 3 and appendix E. Departure: units stay float32 (no
    double quantisation).
    """

    name: ClassVar[str] = "nf4"

    block: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        _check(self.block)

    def template(self, round: int) -> dict[str, Part]:
        """Two codes a byte, and units."""
        return _nibble_template(self.size, self.block)

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        return _nibbles(_blocks(vector, self.block), _NF4)

    def _expand(self, payload: Payload) -> Tensor:
        return _from_nibbles(payload, _NF4, self.block)[: self.size]


def _check(block: int) -> None:
    if not 8 <= block <= 2**20 or block % 8:
        raise ConfigError(f"block is a multiple of 8, at most 2**20, got {block}")


def _blocks(vector: Tensor, block: int) -> Tensor:
    """(size,) to (blocks, block), zeros at the end."""
    spare = -len(vector) % block
    return (pad(vector, (0, spare)) if spare else vector).view(-1, block)


def _chunks(blocks: int, block: int) -> list[slice]:
    step = max(1, CHUNK // block)
    return [slice(start, start + step) for start in range(0, blocks, step)]


def _scaled(blocks: Tensor, units: Tensor, top: float) -> Iterator[tuple[slice, Tensor]]:
    """Some blocks at a time, scaled so that the largest magnitude of each is `top`.

    What it was is written to `units`. The tensors given out share memory.
    """
    chunks = _chunks(*blocks.shape)
    buffer = torch.empty(blocks[chunks[0]].shape)
    for rows in chunks:
        chunk = blocks[rows]
        scaled, own = buffer[: len(chunk)], units[rows]
        torch.amax(torch.abs(chunk, out=scaled), 1, out=own)
        inverse = torch.where(own > _LEAST, top / own, 0.0)
        yield rows, torch.mul(chunk, inverse.unsqueeze(1), out=scaled)


def _nibble_template(size: int, block: int) -> dict[str, Part]:
    blocks = -(-size // block)
    return {
        "codes": Part(torch.uint8, (blocks * block // 2,)),
        "units": Part(torch.float32, (blocks,)),
    }


def _nibbles(blocks: Tensor, levels: Tensor) -> dict[str, Tensor]:
    """The nearest level of each number, two to the byte, and the units."""
    middles = ((levels[1:] + levels[:-1]) / 2).numpy()
    codes = np.empty((len(blocks), blocks.shape[1] // 2), np.uint8)
    units = torch.empty(len(blocks))
    for rows, scaled in _scaled(blocks, units, 1.0):
        values = scaled.numpy()
        nearest = np.zeros(values.shape, np.uint8)
        for middle in middles:  # 15 passes over a cached chunk beat a binary search by far
            nearest += values > middle
        codes[rows] = nearest[:, ::2] << 4 | nearest[:, 1::2]
    return {"codes": torch.from_numpy(codes).view(-1), "units": units}


def _from_nibbles(payload: Payload, levels: Tensor, block: int) -> Tensor:
    pairs = torch.cartesian_prod(levels, levels).numpy()  # (256, 2): what each byte stands for
    codes = payload.tensors["codes"].numpy().reshape(-1, block // 2)
    values = np.empty((*codes.shape, 2), np.float32)
    units = payload.tensors["units"].numpy()[:, None, None]
    for rows in _chunks(len(codes), block):
        np.take(pairs, codes[rows], axis=0, out=values[rows], mode="clip")
        values[rows] *= units[rows]
    return torch.from_numpy(values).view(-1)
