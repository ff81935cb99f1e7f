"""Reference codecs that send some of an image's cosine coefficients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import fft
from torch import Tensor

from burnish.codecs.base import VectorCodec
from burnish.codecs.image import Image
from burnish.codecs.protocol import Context, Part, Payload, Setting
from burnish.codecs.selecting import largest
from burnish.codecs.topk import sparse, sparse_template, spread
from burnish.errors import ConfigError


@dataclass(frozen=True, eq=False)
class _Cosines(VectorCodec):
    """A codec that keeps `k` coefficients of the orthonormal two-dimensional DCT-II.

    Attributes:
        size: of the image, may be left out.
        image: how the vector folds; not padded.
        k: 1 to size.
    """

    size: int = field(init=False)
    image: Image
    k: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", self.image.size)
        super().__post_init__()
        if not 1 <= self.k <= self.size:
            raise ConfigError(f"k is from 1 to the size {self.size}, got {self.k}")

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The image by its height and width, and k."""
        return {"height": self.image.height, "width": self.image.width, "k": self.k}

    def _transformed(self, vector: Tensor) -> NDArray[np.float32]:
        """(size,): the coefficients, row by row."""
        grid = vector.numpy().reshape(self.image.height, self.image.width)
        found: NDArray[np.float32] = fft.dctn(grid, norm="ortho").reshape(-1)
        return found

    def _restored(self, coefficients: Tensor) -> Tensor:
        grid = coefficients.numpy().reshape(self.image.height, self.image.width)
        return torch.from_numpy(fft.idctn(grid, norm="ortho").reshape(-1))


@final
@dataclass(frozen=True, eq=False)
class LowPass(_Cosines):
    """The k lowest frequencies; 4 bytes each, linear.

    Low is what is near the origin when both axes run from 0 to 1.
    """

    name: ClassVar[str] = "low_pass"
    linear: ClassVar[bool] = True

    def template(self, round: int) -> dict[str, Part]:
        """The coefficients, lowest first."""
        return {"coefficients": Part(torch.float32, (self.k,))}

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        return {"coefficients": torch.from_numpy(self._transformed(vector)[self._lowest])}

    def _expand(self, payload: Payload) -> Tensor:
        coefficients = torch.zeros(self.size)
        coefficients[torch.from_numpy(self._lowest)] = payload.tensors["coefficients"]
        return self._restored(coefficients)

    @cached_property
    def _lowest(self) -> NDArray[np.int64]:
        down = (np.arange(self.image.height) / self.image.height) ** 2
        across = (np.arange(self.image.width) / self.image.width) ** 2
        distance = (down[:, None] + across).reshape(-1)
        return np.argsort(distance, kind="stable")[: self.k]


@final
@dataclass(frozen=True, eq=False)
class BestFrequencies(_Cosines):
    """The k largest coefficients and their places; 8 bytes each."""

    name: ClassVar[str] = "best_frequencies"

    def template(self, round: int) -> dict[str, Part]:
        """Places and values."""
        return sparse_template(self.k)

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        coefficients = self._transformed(vector)
        return sparse(coefficients, largest(coefficients, self.k))

    def _expand(self, payload: Payload) -> Tensor:
        return self._restored(spread(payload.tensors, self.size))
