"""Randomly rounded codes whose mean is the vector."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from burnish.codecs.base import VectorCodec
from burnish.codecs.chunking import CHUNK
from burnish.codecs.protocol import Context, Part, Payload
from burnish.errors import ConfigError
from burnish.training.randomness import derive

_LEAST = 1e-30  # a bucket of smaller numbers may be sent as zeros


@final
@dataclass(frozen=True, eq=False)
class Qsgd(VectorCodec):
    """||v|| sgn(v_i) xi_i / s, where xi_i is s |v_i| / ||v|| rounded down or up at random.

    Unbiased: the mean over seeds is the vector. Codes have a fixed width of log2(s + 1) + 1 bits,
    stored as planes of one bit each; 4 bytes a bucket for the norm.

    Attributes:
        levels: s, one less than a power of two, 1 to 127.
        bucket: neighbours that share a norm, a multiple of 8, at most 2**20.
        seed: with the round and the client, of the rounding.

    Source: Alistarh et al., arXiv 1610.02132, section 3.1, with the buckets of section 4.
    Departure: no entropy coding.
    """

    name: ClassVar[str] = "qsgd"

    levels: int = 1
    bucket: int = 512
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.levels <= 127 or self.levels & (self.levels + 1):
            raise ConfigError(f"levels is 1, 3, 7, ... or 127, got {self.levels}")
        if not 8 <= self.bucket <= 2**20 or self.bucket % 8:
            raise ConfigError(f"bucket is a multiple of 8, at most 2**20, got {self.bucket}")

    @property
    def bits(self) -> int:
        """Of one code, its sign included."""
        return self.levels.bit_length() + 1

    @property
    def _buckets(self) -> int:
        return -(-self.size // self.bucket)

    def template(self, round: int) -> dict[str, Part]:
        """Planes of bits, the sign's first, and norms."""
        return {
            "planes": Part(torch.uint8, (self.bits, self._buckets * self.bucket // 8)),
            "norms": Part(torch.float32, (self._buckets,)),
        }

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        spare = self._buckets * self.bucket - self.size
        buckets = (pad(vector, (0, spare)) if spare else vector).view(-1, self.bucket)
        seed = derive(self.seed, self.name, context.round, context.client)
        draw = np.random.Generator(np.random.SFC64(seed))
        planes = np.empty((self.bits, buckets.numel() // 8), np.uint8)
        norms = torch.empty(len(buckets))
        for rows, stretch in self._chunks():
            norms[rows], shares = self._shares(buckets[rows])
            # rounded down after a uniform number was added: up with the share that is left
            shares += draw.random(shares.shape, np.float32)
            codes = np.minimum(shares, self.levels, out=shares).astype(np.uint8)
            planes[0, stretch] = np.packbits(buckets[rows].numpy() < 0)
            for place in self._places:
                planes[1 + place, stretch] = np.packbits(codes & np.uint8(1 << place))
        return {"planes": torch.from_numpy(planes), "norms": norms}

    def _expand(self, payload: Payload) -> Tensor:
        planes = payload.tensors["planes"].numpy()
        units = (payload.tensors["norms"] / self.levels).unsqueeze(1)
        values = torch.empty(self._buckets, self.bucket)
        for rows, stretch in self._chunks():
            negative, *bits = np.unpackbits(planes[:, stretch], axis=1).view(np.int8)
            codes = np.zeros_like(negative)
            for place, plane in zip(self._places, bits, strict=True):
                codes |= plane << place
            # in two's complement, where the numbers are negative: all bits turned, and 1 added
            signed = torch.from_numpy((codes ^ -negative) + negative)
            values[rows].copy_(signed.view(-1, self.bucket)).mul_(units[rows])
        return values.view(-1)[: self.size]

    def _shares(self, buckets: Tensor) -> tuple[Tensor, NDArray[np.float32]]:
        """Norms, and s |v_i| / ||v||."""
        magnitudes = buckets.abs()
        # divided by the largest first: squares would overflow or vanish
        largest = magnitudes.amax(1).clamp_(min=_LEAST)
        magnitudes /= largest[:, None]
        norms = magnitudes.square().sum(1).sqrt_()
        scale = torch.where(norms > 0, self.levels / norms, 0.0)
        return norms * largest, magnitudes.mul_(scale[:, None]).numpy()

    @property
    def _places(self) -> range:
        return range(self.bits - 1)

    def _chunks(self) -> Iterator[tuple[slice, slice]]:
        """Some buckets at a time, and their bytes of a plane."""
        step, each = max(1, CHUNK // self.bucket), self.bucket // 8
        for start in range(0, self._buckets, step):
            stop = min(start + step, self._buckets)
            yield slice(start, stop), slice(start * each, stop * each)
