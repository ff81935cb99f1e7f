"""SoteriaFL's shifted compression: what is sent is how an update differs from the ones before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, final

import torch
from torch import Tensor

from burnish.codecs.base import VectorCodec
from burnish.codecs.checking import remembered, to_keep
from burnish.codecs.errors import IncompatibleCodec
from burnish.codecs.protocol import Codec, Context, Joining, Part, Payload, Setting
from burnish.codecs.wire import members
from burnish.errors import ConfigError


@final
@dataclass(frozen=True, eq=False)
class Shifted(VectorCodec):
    """Send C(g - s), then s <- s + gamma C(g - s), on the client and, as a mean, on the server.

    Keeps `shift` and what C keeps in the sender's memory, `shift` in the receiver's. Privacy's
    clipping and noise belong before encoding. Every client must take part in every round with the
    same weight each time: the server knows the mean shift only. `decode` gives C(g - s) alone.

    Attributes:
        size: of `codec`, may be left out.
        codec: C, whose payloads are decoded one by one.
        gamma: above 0, at most 1.

    Source: Li et al., arXiv 2206.09888, algorithm 1, lines 6 to 13.
    """

    name: ClassVar[str] = "shifted"
    feeds_back: ClassVar[bool] = True
    needs_all: ClassVar[bool] = True

    size: int = field(init=False)
    codec: Codec
    gamma: float = 0.5

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", self.codec.size)
        super().__post_init__()
        if not 0 < self.gamma <= 1:
            raise ConfigError(f"gamma is above 0, at most 1, got {self.gamma}")
        if isinstance(self.codec, Joining) or members(self.codec) != (self.codec,):
            raise IncompatibleCodec(
                f"shifts go around a codec that is decoded on its own, not {self.codec.name}; "
                "give the bare codec"
            )
        if getattr(self.codec, "feeds_back", False):
            raise IncompatibleCodec(
                f"{self.codec.name} sends later what it leaves out, and a shift would send it "
                "again; give a codec without memory of what was not sent"
            )

    @property
    def settings(self) -> Mapping[str, Setting]:
        """gamma, the codec's name and the codec's settings, which begin with "codec."."""
        inner = {f"codec.{name}": value for name, value in self.codec.settings.items()}
        return {"codec": self.codec.name, "gamma": self.gamma, **inner}

    def state_dict(self) -> dict[str, Tensor]:
        """The codec's."""
        return self.codec.state_dict()

    def template(self, round: int) -> dict[str, Part]:
        """The codec's."""
        return self.codec.template(round)

    def join(
        self, payloads: Sequence[Payload], weights: Sequence[float], memory: dict[str, Tensor]
    ) -> Tensor:
        """The mean shift plus the weighted mean of what came.

        Raises:
            CorruptPayload, NotFinite: as `decode`, before memory is changed.
        """
        shift = self._shift(memory)
        mean = torch.zeros(self.size)
        for payload, weight in zip(payloads, weights, strict=True):
            mean.add_(self.decode(payload), alpha=weight)
        update = shift + mean
        memory["shift"] = to_keep(shift.add(mean, alpha=self.gamma), "shift")
        return update

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        shift = self._shift(context.memory)
        payload = self.codec.encode(vector - shift, context)
        moved = shift.add(self.codec.decode(payload), alpha=self.gamma)
        context.memory["shift"] = to_keep(moved, "shift")
        return dict(payload.tensors)

    def _expand(self, payload: Payload) -> Tensor:
        # the gain is applied once, by `decode`
        return self.codec.decode(replace(payload, header=replace(payload.header, gain=1.0)))

    def _shift(self, memory: Mapping[str, Tensor]) -> Tensor:
        kept = remembered(memory, "shift", (self.size,))
        return torch.zeros(self.size) if kept is None else kept
