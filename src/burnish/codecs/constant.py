"""Reference codecs that look at nothing: what a learned codec must at least beat."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Self, final

import torch
from torch import Tensor

from burnish.codecs.base import VectorCodec
from burnish.codecs.protocol import Context, Part, Payload
from burnish.errors import DataError


@final
@dataclass(frozen=True, eq=False)
class Zero(VectorCodec):
    """Sends nothing and decodes to zeros."""

    name: ClassVar[str] = "zero"
    linear: ClassVar[bool] = True

    def template(self, round: int) -> dict[str, Part]:
        """No tensors."""
        return {}

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        return {}

    def _expand(self, payload: Payload) -> Tensor:
        return torch.zeros(self.size)


@final
@dataclass(frozen=True, eq=False)
class Mean(VectorCodec):
    """Sends nothing and decodes to the mean of past vectors.

    Attributes:
        size: of the mean.
        mean: (size,), float32.
    """

    name: ClassVar[str] = "mean"

    size: int = field(init=False)
    mean: Tensor

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", self.mean.numel())
        super().__post_init__()

    @classmethod
    def fit(cls, vectors: Iterable[Tensor]) -> Self:
        """The mean of at least one vector; one is in memory at a time.

        Raises:
            DataError: there is none.
        """
        total, count = None, 0
        for vector in vectors:
            total = vector.double() if total is None else total.add_(vector)
            count += 1
        if total is None:
            raise DataError("a mean needs at least one vector, got none; collect a round first")
        return cls((total / count).float())

    @property
    def settings(self) -> dict[str, str | int | float | bool]:
        """None: the mean is state."""
        return {}

    def state_dict(self) -> dict[str, Tensor]:
        """The mean."""
        return {"mean": self.mean}

    def template(self, round: int) -> dict[str, Part]:
        """No tensors."""
        return {}

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        return {}

    def _expand(self, payload: Payload) -> Tensor:
        return self.mean.clone()
