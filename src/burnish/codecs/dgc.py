"""Deep gradient compression: sparse updates whose momentum survives the wait."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, final

from torch import Tensor

from burnish.codecs.base import VectorCodec
from burnish.codecs.checking import remembered, to_keep
from burnish.codecs.protocol import Context, Part, Payload
from burnish.codecs.selecting import largest
from burnish.codecs.topk import sparse, sparse_template, spread
from burnish.errors import ConfigError

_WARM_UP = 0.25  # what is left of the density after each round of the warm-up


@final
@dataclass(frozen=True, eq=False)
class Dgc(VectorCodec):
    """u <- m u + g, v <- v + u; the largest of v are sent, and u and v are zeroed there.

    The share that is sent falls from round to round: 25 %, 6.25 %, 1.56 %, ... to `density`; 8
    bytes a number. Keeps `dgc.velocity` and `dgc.waiting` in the sender's memory. Made for raw
    gradients: what is sent sums to 1 / (1 - m) times what came in, so give updates that an
    optimiser already scaled momentum 0, or a server's learning rate of 1 - m.

    Attributes:
        density: share of the numbers sent after the warm-up.
        momentum: m, from 0 (top-k with error feedback) to below 1.

    Source: Lin et al., arXiv 1712.01887, section 3 (momentum correction, momentum factor masking,
    warm-up 75 to 99.9 %). Departures: the warm-up goes by rounds, not epochs; no gradient clipping
    (clip before encoding).
    """

    name: ClassVar[str] = "dgc"
    feeds_back: ClassVar[bool] = True

    density: float = 0.001
    momentum: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.density <= 1:
            raise ConfigError(f"density is a share above 0, at most 1, got {self.density}")
        if not 0 <= self.momentum < 1:
            raise ConfigError(f"momentum is from 0 to below 1, got {self.momentum}")

    def k(self, round: int) -> int:
        """Numbers sent in a round, from 1."""
        # beyond 64 rounds the power would underflow to nothing new
        share = max(self.density, _WARM_UP ** min(max(round, 1), 64))
        return max(1, int(self.size * min(share, 1)))

    def template(self, round: int) -> dict[str, Part]:
        """Places and values, fewer from round to round."""
        return sparse_template(self.k(round))

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        memory = context.memory
        velocity = remembered(memory, "dgc.velocity", (self.size,))
        waiting = remembered(memory, "dgc.waiting", (self.size,))
        velocity = vector.clone() if velocity is None else velocity.mul(self.momentum).add_(vector)
        waiting = velocity.clone() if waiting is None else waiting.add(velocity)
        values = to_keep(waiting, "dgc.waiting").numpy()
        places = largest(values, self.k(context.round))
        tensors = sparse(values, places)
        velocity.numpy()[places] = 0
        values[places] = 0
        memory.update({"dgc.velocity": velocity, "dgc.waiting": waiting})
        return tensors

    def _expand(self, payload: Payload) -> Tensor:
        return spread(payload.tensors, self.size)
