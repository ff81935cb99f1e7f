"""What a codec of updates is: a vector of float32 numbers in, a small payload out, and back.

Knows nothing of clients' models, of LoRA or of the network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

Setting = str | int | float | bool


@dataclass
class Context:
    """Which message is encoded, and what its sender remembers.

    Attributes:
        round: of the federation, from 1.
        client: the sender's number; public, and with `round` it seeds whatever both sides draw.
        layout: hash of the order of the numbers in the vector, "" for none.
        init: hash of the common initialisation the vector belongs to, "" for none.
        memory: what the sender keeps from message to message (residuals, momentum, a basis);
            codecs change it in place. Empty at the first message.
        trace: for updates made by zeroth-order steps: seed to accumulated scalar.
    """

    round: int
    client: int
    layout: str = ""
    init: str = ""
    memory: dict[str, Tensor] = field(default_factory=dict)
    trace: Mapping[int, float] | None = None


@dataclass(frozen=True, kw_only=True)
class Header:
    """What travels beside the tensors of a payload.

    Attributes:
        version: of the wire format.
        codec: name of the codec that made the payload.
        fingerprint: SHA-256 of that codec's name, settings and state, in hex.
        layout, init, round, client: as in `Context`.
        dtype: of the decoded vector, "float32".
        gain: the decoded vector is multiplied by it; 1 without the safeguard.
    """

    version: int = 1
    codec: str
    fingerprint: str
    layout: str
    init: str
    round: int
    client: int
    dtype: str = "float32"
    gain: float = 1.0


@dataclass(frozen=True)
class Payload:
    """One encoded vector: a header and named tensors."""

    header: Header
    tensors: Mapping[str, Tensor]


@dataclass(frozen=True)
class Part:
    """What one tensor of a payload must be: checked before anything is decoded."""

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """On the wire."""
        return self.dtype.itemsize * torch.Size(self.shape).numel()


class Codec(Protocol):
    """A compressor of vectors of `size` float32 numbers."""

    @property
    def name(self) -> str:
        """What the payload's header says; one per family of codecs, e.g. "int8"."""
        ...

    @property
    def size(self) -> int:
        """Numbers in a vector."""
        ...

    @property
    def linear(self) -> bool:
        """Whether decoding a sum of payload tensors gives the sum of the decoded vectors.

        Such payloads may be summed behind secure aggregation.
        """
        ...

    @property
    def settings(self) -> Mapping[str, Setting]:
        """What, with `name` and `size`, rebuilds the codec; values that JSON has."""
        ...

    def template(self, round: int) -> dict[str, Part]:
        """Names, types and shapes of a payload's tensors in a round."""
        ...

    def nbytes(self, round: int = 1) -> int:
        """Bytes of a payload's tensors in a round, without the header."""
        ...

    def encode(self, vector: Tensor, context: Context) -> Payload:
        """Compress a vector of shape (size,), float32.

        Raises:
            NotFinite: the vector holds NaN or infinity.
            LayoutMismatch: it has another shape.
        """
        ...

    def decode(self, payload: Payload) -> Tensor:
        """The vector, shape (size,), float32; the header's gain is applied."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """What was learned or drawn, beyond the settings; {} for most."""
        ...


@runtime_checkable
class Joining(Protocol):
    """A codec whose payloads the receiver must read together, not one by one.

    Count sketches, majority votes and shifted compression need it; for others the receiver takes
    the weighted mean of the decoded vectors.
    """

    def join(
        self, payloads: Sequence[Payload], weights: Sequence[float], memory: dict[str, Tensor]
    ) -> Tensor:
        """The joint update, shape (size,).

        Args:
            payloads: at least one, of one round.
            weights: positive, one for each payload, summing to 1.
            memory: what the receiver keeps from round to round, changed in place.
        """
        ...
