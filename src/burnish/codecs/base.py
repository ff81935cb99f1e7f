"""What the codecs here have in common: the checks at both ends, and how settings are told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import ClassVar

from torch import Tensor

from burnish.codecs.checking import all_finite, checked
from burnish.codecs.errors import NotFinite
from burnish.codecs.protocol import Context, Part, Payload, Setting
from burnish.codecs.wire import sealed
from burnish.errors import ConfigError


@dataclass(frozen=True, eq=False)
class VectorCodec(ABC):
    """A `Codec` whose settings are its fields; subclasses are final.

    Attributes:
        size: numbers in a vector, at least 1.
        name, linear: as in `Codec`.
        feeds_back: whether what a message leaves out stays in the sender's memory and is sent
            later, so that error feedback around the codec would send it twice.
        needs_all: whether the receiver goes wrong when a sender misses a round.
    """

    name: ClassVar[str]
    linear: ClassVar[bool] = False
    feeds_back: ClassVar[bool] = False
    needs_all: ClassVar[bool] = False

    size: int

    def __post_init__(self) -> None:
        if not 1 <= self.size < 2**31:
            raise ConfigError(f"size is the numbers in a vector, from 1 to 2**31, got {self.size}")

    @property
    def settings(self) -> Mapping[str, Setting]:
        """Every field but the size."""
        return {
            field.name: getattr(self, field.name) for field in fields(self) if field.name != "size"
        }

    @abstractmethod
    def template(self, round: int) -> dict[str, Part]:
        """Names, types and shapes of a payload's tensors in a round."""

    def nbytes(self, round: int = 1) -> int:
        """Bytes of a payload's tensors in a round, without the header."""
        return sum(part.nbytes for part in self.template(round).values())

    def encode(self, vector: Tensor, context: Context) -> Payload:
        """Compress a vector of shape (size,), float32.

        Raises:
            LayoutMismatch: it has another shape or type.
            NotFinite: it holds NaN or infinity.
        """
        return sealed(self, self._compress(checked(vector, self.size, self.name), context), context)

    def decode(self, payload: Payload) -> Tensor:
        """The vector, shape (size,), float32, times the header's gain; it shares no memory.

        Raises:
            CorruptPayload: the tensors fit the template but are none the codec makes.
            NotFinite: the numbers overflow.
        """
        vector = self._expand(payload)
        if payload.header.gain != 1.0:
            vector.mul_(payload.header.gain)
        if not all_finite(vector):
            raise NotFinite(
                f"wanted finite numbers in a decoded {self.name} payload, got NaN or infinity; "
                "drop the payload"
            )
        return vector

    def state_dict(self) -> dict[str, Tensor]:
        """What was learned, beyond the settings."""
        return {}

    @abstractmethod
    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        """The tensors of the template, from a vector that was checked and must not be changed."""

    @abstractmethod
    def _expand(self, payload: Payload) -> Tensor:
        """The vector before gain, in memory of its own."""
