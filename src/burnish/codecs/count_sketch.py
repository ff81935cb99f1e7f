"""FetchSGD: updates hashed into few buckets, and found again by the server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from burnish.codecs.base import VectorCodec
from burnish.codecs.checking import remembered, to_keep
from burnish.codecs.draws import public_bytes, public_words
from burnish.codecs.protocol import Context, Part, Payload
from burnish.codecs.selecting import largest
from burnish.errors import ConfigError


@final
@dataclass(frozen=True, eq=False)
class CountSketch(VectorCodec):
    """rows x columns sums of signed numbers; 4 bytes each.

    Encoding is linear, decoding is not: estimates are medians, and of those the k largest are
    kept. Behind secure sums, give the summed sketch to `join` as the one payload.

    Attributes:
        columns: buckets a row, a multiple of 8 from 8, no more than hold the whole vector.
        k: numbers that a joint update changes, 1 to the size.
        rows: independent hashes, of which the median is taken; odd.
        momentum: of the server, inside the sketch; from 0 to below 1. Made for raw gradients: a
            joint update sums to 1 / (1 - momentum) times what came in.
        seed: of the hashes; public.

    Source: Rothchild et al., arXiv 2007.07682, algorithm 1, learning rate 1. Departure: a hash
    turns every stretch of `columns` neighbours by a random number of places; two numbers of
    different stretches meet with probability 1 / columns, as in the paper, two of one never.
    """

    name: ClassVar[str] = "sketch"

    columns: int
    k: int
    rows: int = 5
    momentum: float = 0.9
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 8 <= self.columns < self.size + 8 or self.columns % 8:
            raise ConfigError(
                f"columns is a multiple of 8, below {self.size + 8}, got {self.columns}"
            )
        if not 1 <= self.k <= self.size:
            raise ConfigError(f"k is from 1 to the size {self.size}, got {self.k}")
        if not 1 <= self.rows < 100 or not self.rows % 2:
            raise ConfigError(f"rows is odd and below 100, got {self.rows}")
        if not 0 <= self.momentum < 1:
            raise ConfigError(f"momentum is from 0 to below 1, got {self.momentum}")

    def template(self, round: int) -> dict[str, Part]:
        """The sketch."""
        return {"sketch": Part(torch.float32, (self.rows, self.columns))}

    def join(
        self, payloads: Sequence[Payload], weights: Sequence[float], memory: dict[str, Tensor]
    ) -> Tensor:
        """Momentum and error feedback on the mean sketch; the k largest numbers it tells.

        Keeps `sketch.momentum` and `sketch.error` in the receiver's memory.

        Raises:
            NotFinite: sums overflow; memory stays as it was.
        """
        velocity = self._kept(memory, "sketch.momentum").mul(self.momentum)
        for payload, weight in zip(payloads, weights, strict=True):
            velocity.add_(payload.tensors["sketch"], alpha=weight)
        error = to_keep(self._kept(memory, "sketch.error") + velocity, "sketch.error")
        update = self._found(error)
        error.sub_(self._sketch(update))
        kept = {"sketch.momentum": velocity, "sketch.error": to_keep(error, "sketch.error")}
        memory.update(kept)
        return update

    def _kept(self, memory: Mapping[str, Tensor], name: str) -> Tensor:
        shape = (self.rows, self.columns)
        kept = remembered(memory, name, shape)
        return torch.zeros(shape) if kept is None else kept

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        return {"sketch": self._sketch(vector)}

    def _expand(self, payload: Payload) -> Tensor:
        return self._found(payload.tensors["sketch"])

    def _sketch(self, vector: Tensor) -> Tensor:
        sketch = np.zeros((self.rows, self.columns), np.float32)
        values = vector.numpy()
        with np.errstate(over="ignore", invalid="ignore"):  # the receiver's checks see it
            for stretch, turns, signs in self._stretches():
                part = values[stretch]
                for row, turn, sign in zip(sketch, turns, signs, strict=True):
                    signed = part * sign
                    room = min(len(signed), self.columns - turn)  # up to the end of the row
                    row[turn : turn + room] += signed[:room]
                    row[: len(signed) - room] += signed[room:]
        return torch.from_numpy(sketch)

    def _found(self, sketch: Tensor) -> Tensor:
        """The k largest of the estimates, zero elsewhere."""
        values = sketch.numpy()
        estimates = np.empty(self.size, np.float32)
        for stretch, turns, signs in self._stretches():
            for row, turn, sign in zip(values, turns, signs, strict=True):
                room = min(len(sign), self.columns - turn)
                sign[:room] *= row[turn : turn + room]
                sign[room:] *= row[: len(sign) - room]
            estimates[stretch] = _median(signs)
        places = largest(estimates, self.k)
        found = np.zeros(self.size, np.float32)
        found[places] = estimates[places]
        return torch.from_numpy(found)

    def _stretches(self) -> Iterator[tuple[slice, list[int], NDArray[np.float32]]]:
        """Neighbours, how far each row turns them, and their signs in each row."""
        count = -(-self.size // self.columns)
        turns = public_words(self.rows * count, self.seed, self.name, "turns")
        offsets = (turns % np.uint64(self.columns)).astype(np.int64).reshape(count, self.rows)
        each = self.columns // 8
        bits = [
            public_bytes(count * each, self.seed, self.name, "signs", row)
            for row in range(self.rows)
        ]
        for number, start in enumerate(range(0, self.size, self.columns)):
            length = min(self.columns, self.size - start)
            raw = np.stack([row[number * each : (number + 1) * each] for row in bits])
            signs = np.unpackbits(raw, axis=1, count=length) * np.float32(-2) + np.float32(1)
            yield slice(start, start + length), offsets[number].tolist(), signs


def _median(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Over the first axis, of odd length: neighbours trade places until all are in order."""
    rows = rows.copy()
    for step in range(len(rows)):
        for low in range(step % 2, len(rows) - 1, 2):
            least = np.minimum(rows[low], rows[low + 1])
            np.maximum(rows[low], rows[low + 1], out=rows[low + 1])
            rows[low] = least
    middle: NDArray[np.float32] = rows[len(rows) // 2]
    return middle
