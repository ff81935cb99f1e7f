"""Signs of a share of the coordinates, another share in every message."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from burnish.codecs.base import VectorCodec
from burnish.codecs.chunking import CHUNK
from burnish.codecs.draws import public_bytes
from burnish.codecs.protocol import Context, Header, Part, Payload
from burnish.codecs.signs import mean_magnitude, pack_signs, spread_signs
from burnish.errors import ConfigError


@final
@dataclass(frozen=True, eq=False)
class MaskedSign(VectorCodec):
    """mean|p| * sign(p) on a share of the coordinates, 0 on the rest; the mask costs nothing.

    Coordinates lie in groups of 1 / share neighbours, of which one is sent; which one, both sides
    draw from the seed, the round and the client. Half of the coordinates take size / 16 bytes and
    4. Meant for error feedback, which sends the rest in later rounds.

    Attributes:
        share: 1, 1/2, 1/4, ... down to 1/256.
        seed: public.
    """

    name: ClassVar[str] = "masked-sign"

    share: float = 0.5
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.share not in {2.0**-power for power in range(9)}:
            raise ConfigError(f"share is 1, 1/2, 1/4, ... or 1/256, got {self.share}")

    @property
    def groups(self) -> int:
        """Numbers sent in a message."""
        return -(-self.size // self._each)

    @property
    def _each(self) -> int:
        return round(1 / self.share)

    def template(self, round: int) -> dict[str, Part]:
        """Packed signs and the mean magnitude."""
        return {
            "signs": Part(torch.uint8, (-(-self.groups // 8),)),
            "scale": Part(torch.float32, (1,)),
        }

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        values, chosen = vector.numpy(), torch.empty(self.groups)
        for groups, places in self._places(context):
            np.take(values, places, out=chosen.numpy()[groups], mode="clip")
        return {"signs": pack_signs(chosen), "scale": torch.tensor([mean_magnitude(chosen)])}

    def _expand(self, payload: Payload) -> Tensor:
        scale = float(payload.tensors["scale"])
        signed = spread_signs(payload.tensors["signs"], scale, self.groups).numpy()
        vector = torch.zeros(self.size)
        for groups, places in self._places(payload.header):
            vector.numpy()[places] = signed[groups]
        return vector

    def _places(self, message: Context | Header) -> Iterator[tuple[slice, NDArray[np.int64]]]:
        """Some groups at a time, and which coordinate of each is sent."""
        picks = np.zeros(self.groups, np.uint8)
        for power in range(self._each.bit_length() - 1):
            names = (self.name, message.round, message.client, power)
            raw = public_bytes(-(-self.groups // 8), self.seed, *names)
            picks |= np.unpackbits(raw, count=self.groups) << power
        picks[-1] %= self.size - (self.groups - 1) * self._each  # the last group may have fewer
        for start in range(0, self.groups, CHUNK // 2):
            groups = slice(start, min(start + CHUNK // 2, self.groups))
            yield groups, np.arange(start, groups.stop) * self._each + picks[groups]
