"""Codecs that keep the signs and one magnitude."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import torch
from torch import Tensor

from burnish.codecs.base import VectorCodec
from burnish.codecs.protocol import Context, Part, Payload
from burnish.codecs.signs import mean_magnitude, pack_signs, spread_signs


def _template(size: int) -> dict[str, Part]:
    return {
        "signs": Part(torch.uint8, (-(-size // 8),)),
        "scale": Part(torch.float32, (1,)),
    }


def _compressed(vector: Tensor) -> dict[str, Tensor]:
    return {"signs": pack_signs(vector), "scale": torch.tensor([mean_magnitude(vector)])}


def _expanded(payload: Payload, size: int) -> Tensor:
    return spread_signs(payload.tensors["signs"], float(payload.tensors["scale"]), size)


@final
@dataclass(frozen=True, eq=False)
class SignMean(VectorCodec):
    """mean|p| * sign(p); one bit a number and 4 bytes.

    Source: EF-signSGD, arXiv 1901.09847, algorithm 1 with error feedback around it (`Guarded`).
    Departure: sign(0) is 1.
    """

    name: ClassVar[str] = "sign"

    def template(self, round: int) -> dict[str, Part]:
        """Packed signs and the mean magnitude."""
        return _template(self.size)

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        return _compressed(vector)

    def _expand(self, payload: Payload) -> Tensor:
        return _expanded(payload, self.size)


@final
@dataclass(frozen=True, eq=False)
class MajoritySign(VectorCodec):
    """What most senders say the sign is, times their mean magnitude; one bit a number and 4 bytes.

    Source: signSGD with majority vote, arXiv 1802.04434, algorithm 2. Departures: votes have the
    senders' weights; the step size is the weighted mean of the senders' mean magnitudes, since an
    update carries its own; where the vote is a tie the joint update is 0.
    """

    name: ClassVar[str] = "majority-sign"

    def template(self, round: int) -> dict[str, Part]:
        """Packed signs and the mean magnitude."""
        return _template(self.size)

    def join(
        self, payloads: Sequence[Payload], weights: Sequence[float], memory: dict[str, Tensor]
    ) -> Tensor:
        """sign(sum of weighted signs) times the weighted mean magnitude; nothing is remembered."""
        votes = torch.zeros(self.size)
        magnitude = 0.0
        for payload, weight in zip(payloads, weights, strict=True):
            votes += spread_signs(payload.tensors["signs"], weight, self.size)
            magnitude += weight * float(payload.tensors["scale"])
        return votes.sign_().mul_(magnitude)

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        return _compressed(vector)

    def _expand(self, payload: Payload) -> Tensor:
        return _expanded(payload, self.size)
