"""The vector as a matrix of low rank."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor

from burnish.codecs.base import VectorCodec
from burnish.codecs.checking import remembered, to_keep
from burnish.codecs.image import Image
from burnish.codecs.protocol import Context, Part, Payload, Setting
from burnish.errors import ConfigError
from burnish.training.randomness import derive


@final
@dataclass(frozen=True, eq=False)
class PowerSgd(VectorCodec):
    """One step of power iteration on the image: P = M Q, orthonormalised, Q' = M^T P.

    Both factors of the unpadded image are sent, 4 rank (height + width) bytes. Q' is the next
    message's Q (`powersgd.basis` in the sender's memory).

    Attributes:
        size: of the image, may be left out.
        image: how the vector folds; its groups are not looked at.
        rank: 1 to the lesser of height and width.
        seed: of the first Q.

    Source: Vogels et al., arXiv 1905.13727, algorithm 1; error feedback (algorithm 2) is
    `Guarded`'s. Departures: the whole vector is one matrix; every sender has a P of its own,
    where data-parallel workers average P before they orthonormalise it.
    """

    name: ClassVar[str] = "powersgd"

    size: int = field(init=False)
    image: Image
    rank: int
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", self.image.size)
        super().__post_init__()
        most = min(self.image.height, self.image.width)
        if not 1 <= self.rank <= most:
            raise ConfigError(f"rank is from 1 to {most} for this image, got {self.rank}")

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The image by its height and width, the rank and the seed."""
        return {
            "height": self.image.height,
            "width": self.image.width,
            "rank": self.rank,
            "seed": self.seed,
        }

    def template(self, round: int) -> dict[str, Part]:
        """The two factors."""
        return {
            "left": Part(torch.float32, (self.image.height, self.rank)),
            "right": Part(torch.float32, (self.image.width, self.rank)),
        }

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        matrix = vector.view(self.image.height, self.image.width)
        basis = remembered(context.memory, "powersgd.basis", (self.image.width, self.rank))
        left, _ = torch.linalg.qr(matrix @ (self._first() if basis is None else basis))
        right = matrix.T @ left
        largest = float(to_keep(right, "powersgd.basis").abs().max())
        if largest:  # zeros have no directions to start from
            context.memory["powersgd.basis"] = right * _power_below(largest)
        return {"left": left.contiguous(), "right": right}

    def _expand(self, payload: Payload) -> Tensor:
        return (payload.tensors["left"] @ payload.tensors["right"].T).view(-1)

    def _first(self) -> Tensor:
        draw = np.random.Generator(np.random.SFC64(derive(self.seed, self.name)))
        return torch.from_numpy(
            draw.standard_normal((self.image.width, self.rank), dtype=np.float32)
        )


def _power_below(largest: float) -> float:
    """What brings a number near 1 and changes no bit of its significand.

    The next message's product with an unscaled basis would square the scale and overflow or vanish.
    """
    return math.ldexp(1.0, max(-126, min(126, -math.frexp(largest)[1])))
