"""Signs of a share of the coordinates, another share in every message."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from burnish.codecs.base import VectorCodec
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

    def _places(self, message: Context | Header) -> NDArray[np.int64]:
        """Which coordinates are sent, one of each group, (groups,)."""
        picks = np.zeros(self.groups, np.int64)
        for power in range(self._each.bit_length() - 1):
            names = (self.name, message.round, message.client, power)
            raw = public_bytes(-(-self.groups // 8), self.seed, *names)
            picks += np.unpackbits(raw, count=self.groups).astype(np.int64) << power
        picks[-1] %= self.size - (self.groups - 1) * self._each  # the last group may have fewer
        picks += np.arange(0, self.size, self._each)
        return picks

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        chosen = torch.from_numpy(vector.numpy()[self._places(context)])
        return {"signs": pack_signs(chosen), "scale": torch.tensor([mean_magnitude(chosen)])}

    def _expand(self, payload: Payload) -> Tensor:
        scale = float(payload.tensors["scale"])
        vector = np.zeros(self.size, np.float32)
        signed = spread_signs(payload.tensors["signs"], scale, self.groups)
        vector[self._places(payload.header)] = signed.numpy()
        return torch.from_numpy(vector)
