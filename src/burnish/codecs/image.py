"""Vectors seen as one-channel images, for codecs that look at neighbouring numbers."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

_GRID = 64  # six halvings
_LEAST = 128  # reflection padding needs a latent grid of two at least


@dataclass(frozen=True, eq=False)
class Image:
    """How a vector of `height * width` numbers, row by row, makes an image.

    Attributes:
        height, width: before padding.
        factor: (height * width,), uint8: the group each number belongs to, such as 0 for the A
            matrices of LoRA and 1 for the B matrices; groups may differ in scale.
        factors: the groups' names.

    Source: CG-FedLLM, arXiv 2405.13746, table 1 (4096 x 2048 for LLaMA-7B). Departure: zero
    padding to multiples of 64, at least 128, for models of other sizes.
    """

    height: int
    width: int
    factor: Tensor
    factors: tuple[str, ...] = ("A", "B")

    @property
    def size(self) -> int:
        """Numbers in the vector."""
        return self.height * self.width

    @property
    def padded(self) -> tuple[int, int]:
        """Height and width after padding."""
        return _up(self.height), _up(self.width)

    def fold(self, vectors: Tensor) -> Tensor:
        """(..., size) to (..., padded height, padded width), zeros at the bottom and right."""
        image = vectors.reshape(*vectors.shape[:-1], self.height, self.width)
        height, width = self.padded
        return functional.pad(image, (0, width - self.width, 0, height - self.height))

    def unfold(self, images: Tensor) -> Tensor:
        """The inverse of `fold`; what lies in the padding is dropped."""
        inside = images[..., : self.height, : self.width]
        return inside.reshape(*images.shape[:-2], self.size)


def _up(length: int) -> int:
    return max(_LEAST, -(-length // _GRID) * _GRID)
