"""The largest numbers, each with its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from burnish.codecs.base import VectorCodec
from burnish.codecs.errors import CorruptPayload
from burnish.codecs.protocol import Context, Part, Payload
from burnish.codecs.selecting import largest
from burnish.errors import ConfigError


def sparse_template(k: int) -> dict[str, Part]:
    """What `k` numbers and their places are on the wire: 8 bytes each."""
    return {"places": Part(torch.int32, (k,)), "values": Part(torch.float32, (k,))}


def sparse(values: NDArray[np.float32], places: NDArray[np.int64]) -> dict[str, Tensor]:
    """The numbers at the given places, and the places."""
    return {
        "places": torch.from_numpy(places.astype(np.int32)),
        "values": torch.from_numpy(values[places]),
    }


def spread(tensors: Mapping[str, Tensor], size: int) -> Tensor:
    """The inverse of `sparse`, zero elsewhere.

    Raises:
        CorruptPayload: the places do not increase or lie outside.
    """
    places = tensors["places"].long()
    if not (places[0] >= 0 and places[-1] < size and bool((places[1:] > places[:-1]).all())):
        raise CorruptPayload(
            f"wanted increasing places from 0 to {size - 1}, got places that are not; drop the "
            "payload"
        )
    vector = torch.zeros(size)
    vector[places] = tensors["values"]
    return vector


@final
@dataclass(frozen=True, eq=False)
class TopK(VectorCodec):
    """The k numbers of largest magnitude; 8 bytes each. Of equal magnitudes the first are sent.

    Attributes:
        k: 1 to size.

    Source: Aji and Heafield, arXiv 1704.05021; with error feedback (`Guarded`) as in Stich et al.,
    arXiv 1809.07599, algorithm 1.
    """

    name: ClassVar[str] = "top-k"

    k: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.k <= self.size:
            raise ConfigError(f"k is from 1 to the size {self.size}, got {self.k}")

    def template(self, round: int) -> dict[str, Part]:
        """Places and values."""
        return sparse_template(self.k)

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        values = vector.numpy()
        return sparse(values, largest(values, self.k))

    def _expand(self, payload: Payload) -> Tensor:
        return spread(payload.tensors, self.size)
