"""Projection on the directions past updates had."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Self, final

import torch
from torch import Tensor

from burnish.codecs.base import VectorCodec
from burnish.codecs.checking import check_made_for
from burnish.codecs.chunking import CHUNK
from burnish.codecs.errors import NotFinite
from burnish.codecs.protocol import Context, Part, Payload, Setting
from burnish.errors import ConfigError, DataError

_RANK = 1e-10  # share of the largest eigenvalue below which one is rounding, in float64


@final
@dataclass(frozen=True, eq=False)
class Pca(VectorCodec):
    """Coordinates in an orthonormal basis that both sides have; 4 bytes a component.

    Not centred, so that sums of payloads decode to sums of vectors.

    Attributes:
        size: of a vector, from the basis.
        basis: (components, size), rows orthonormal.
        layout, init: hashes of what it was made from, "" for anything; others are refused, since
            directions of one initialisation mean nothing under another.
    """

    name: ClassVar[str] = "pca"
    linear: ClassVar[bool] = True

    size: int = field(init=False)
    basis: Tensor
    layout: str = ""
    init: str = ""

    def __post_init__(self) -> None:
        if self.basis.dim() != 2 or self.basis.dtype != torch.float32:
            raise ConfigError(
                "basis is (components, size) of float32, got shape "
                f"{tuple(self.basis.shape)} of {self.basis.dtype}"
            )
        object.__setattr__(self, "size", self.basis.shape[1])
        super().__post_init__()

    @classmethod
    def fit(
        cls,
        vectors: Tensor | Sequence[Tensor],
        components: int | None = None,
        *,
        layout: str = "",
        init: str = "",
    ) -> Self:
        """The principal directions of past updates.

        Through the Gram matrix of the updates, so that the cost is m^2 size for m of them; reads
        every vector twice, a stretch at a time, so that they may lie on disk.

        Args:
            vectors: m vectors of one size, float32.
            components: how many directions; None for as many as the vectors span.
            layout: hash of the vectors' layout.
            init: hash of their initialisation.

        Raises:
            DataError: the vectors span fewer directions than asked for, or differ in size.
            NotFinite: one holds NaN or infinity.
        """
        sizes = {len(vector) for vector in vectors}
        if len(sizes) != 1:
            raise DataError(
                f"directions are found in vectors of one size, got the sizes {sorted(sizes)}; "
                "collect updates of one adapter"
            )
        gram = sum(
            (stretch @ stretch.T for stretch in _stretches(vectors)),
            start=torch.zeros(len(vectors), len(vectors), dtype=torch.float64),
        )
        if not gram.isfinite().all():
            raise NotFinite(
                "wanted finite numbers in the vectors, got NaN or infinity; drop such updates"
            )
        energies, mixes = torch.linalg.eigh(gram)
        energies, mixes = energies.flip(0), mixes.flip(1)
        rank = int((energies > _RANK * energies[0].clamp(min=1e-300)).sum())
        wanted = rank if components is None else components
        if not 1 <= wanted <= rank:
            raise DataError(
                f"{len(vectors)} vectors span {rank} directions, {wanted} components were asked "
                "for; collect more vectors or ask for fewer"
            )
        mix = (mixes[:, :wanted] / energies[:wanted].sqrt()).T
        basis = torch.cat([(mix @ part).float() for part in _stretches(vectors)], dim=1)
        return cls(basis, layout, init)

    @property
    def settings(self) -> Mapping[str, Setting]:
        """How many components, and what of; the basis is state."""
        return {"components": len(self.basis), "layout": self.layout, "init": self.init}

    def state_dict(self) -> dict[str, Tensor]:
        """The basis."""
        return {"basis": self.basis}

    def template(self, round: int) -> dict[str, Part]:
        """The coordinates."""
        return {"coordinates": Part(torch.float32, (len(self.basis),))}

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        check_made_for(self.name, self, context)
        return {"coordinates": self.basis @ vector}

    def _expand(self, payload: Payload) -> Tensor:
        return payload.tensors["coordinates"] @ self.basis


def _stretches(vectors: Tensor | Sequence[Tensor]) -> Iterator[Tensor]:
    """All vectors' next columns, (m, up to CHUNK) float64, again and again."""
    for start in range(0, len(vectors[0]), CHUNK):
        yield torch.stack([vector[start : start + CHUNK] for vector in vectors]).double()
