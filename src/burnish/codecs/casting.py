"""Vectors in the numbers they have, or in half of their bits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from burnish.codecs.base import VectorCodec
from burnish.codecs.protocol import Context, Part, Payload


@final
@dataclass(frozen=True, eq=False)
class Identity(VectorCodec):
    """float32 as it is, bit for bit; 4 bytes a number."""

    name: ClassVar[str] = "fp32"
    linear: ClassVar[bool] = True

    def template(self, round: int) -> dict[str, Part]:
        """The vector."""
        return {"values": Part(torch.float32, (self.size,))}

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        return {"values": vector.clone()}

    def _expand(self, payload: Payload) -> Tensor:
        return payload.tensors["values"].clone()


@final
@dataclass(frozen=True, eq=False)
class Half(VectorCodec):
    """float16 of the vector divided by a power of two; 2 bytes a number and 4.

    The power brings the largest number just below 2**15: nothing overflows, and updates of 1e-5,
    which plain float16 keeps with few bits, keep eleven. Not linear: every message has a power of
    its own, and sums of float16 round again.
    """

    name: ClassVar[str] = "fp16"

    def template(self, round: int) -> dict[str, Part]:
        """Codes and the power of two."""
        return {"codes": Part(torch.float16, (self.size,)), "scale": Part(torch.float32, (1,))}

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        least, most = torch.aminmax(vector)
        largest = max(-float(least), float(most))
        # frexp: largest < 2**exponent; both limits keep the power and its inverse normal float32
        exponent = max(math.frexp(largest)[1] - 15, -110) if largest else 0
        codes = (vector * math.ldexp(1.0, -exponent)).half()
        return {"codes": codes, "scale": torch.tensor([math.ldexp(1.0, exponent)])}

    def _expand(self, payload: Payload) -> Tensor:
        return payload.tensors["codes"].float().mul_(payload.tensors["scale"])
