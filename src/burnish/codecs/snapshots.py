"""Past updates on disk, to train codecs on and to test them with.

Knows nothing of codecs. A folder holds `image.safetensors`, which says what the vectors are, and a
file for each round; a file is there whole or not at all, and is mapped into memory, not read.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args, overload

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from burnish.codecs.checking import checked
from burnish.codecs.errors import LayoutMismatch
from burnish.codecs.image import Image
from burnish.errors import ConfigError, DataError, UsageError

Represent = Literal["state", "delta", "grad"]
_TRAIN = 0.8  # of the rounds
_FORMAT = "burnish snapshots 1"


@dataclass(frozen=True)
class Record:
    """What one client would have sent in one round.

    Attributes:
        round, client: when and by whom.
        vector: (size,), in the snapshots' representation.
        start: (size,), the adapter with which the round began.
        update: (size,), the change that the vector stands for: `vector - start` of a state.
    """

    round: int
    client: int
    vector: Tensor
    start: Tensor
    update: Tensor


@dataclass(frozen=True)
class Source:
    """What vectors are.

    Attributes:
        image: how they fold, and which of their numbers belong to A and which to B.
        represent: "state", the adapter after local training; "delta", its change over the round;
            "grad", a raw gradient.
        layout: hash of the order of the numbers.
        init: hash of the initialisation that all of them share.
    """

    image: Image
    represent: Represent
    layout: str = ""
    init: str = ""

    def __post_init__(self) -> None:
        if self.represent not in get_args(Represent):
            raise ConfigError(
                f"represent must be one of {', '.join(get_args(Represent))}, got {self.represent!r}"
            )

    def check(self, other: Source) -> None:
        """Whether another's vectors can stand beside these.

        Raises:
            LayoutMismatch: they differ in something.
        """
        for name in ("represent", "layout", "init"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                raise LayoutMismatch(
                    f"{name} must be {mine!r} as in what was collected so far, got {theirs!r}; "
                    "collect into another folder"
                )
        a, b = self.image, other.image
        if (a.height, a.width, a.factors) != (b.height, b.width, b.factors) or not torch.equal(
            a.factor, b.factor
        ):
            raise LayoutMismatch(
                f"the image must be {a.height} x {a.width} with the same factors, got "
                f"{b.height} x {b.width}; collect into another folder"
            )


@dataclass(frozen=True)
class _Round:
    """A file of a round, mapped when it is first looked at."""

    path: Path
    number: int

    @cached_property
    def start(self) -> Tensor:
        return self._mapped["start"]

    @cached_property
    def clients(self) -> tuple[int, ...]:
        return tuple(sorted(int(name) for name in self._mapped if name != "start"))

    def vector(self, client: int) -> Tensor:
        return self._mapped[str(client)]

    @cached_property
    def _mapped(self) -> dict[str, Tensor]:
        return _mapped(self.path)[0]


class Records(Sequence[Record]):
    """The records of some rounds, by round and client; made by `Snapshots`."""

    def __init__(self, source: Source, rounds: Sequence[_Round], *, subtract: bool) -> None:
        self.source = source
        self._rounds = tuple(rounds)
        self._subtract = subtract
        self._places = [(each, client) for each in self._rounds for client in each.clients]

    @property
    def rounds(self) -> tuple[int, ...]:
        """Their numbers, rising."""
        return tuple(each.number for each in self._rounds)

    @property
    def vectors(self) -> Sequence[Tensor]:
        """Every vector, mapped from disk where it is stored as such."""
        return _Vectors(self)

    def by_round(self) -> Iterator[list[Record]]:
        """The records of each round."""
        for each in self._rounds:
            yield [self._record(each, client) for client in each.clients]

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, size) vectors of different records; all of them if there are not so many.

        Raises:
            DataError: there are none.
        """
        if not self:
            raise DataError("there are no vectors to draw from; collect a round first")
        order = torch.randperm(len(self), generator=generator)[:count].tolist()
        return torch.stack([self[index].vector for index in order])

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> list[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | list[Record]:
        if isinstance(index, slice):
            return [self._record(*place) for place in self._places[index]]
        return self._record(*self._places[index])

    def _record(self, of: _Round, client: int) -> Record:
        stored, start = of.vector(client), of.start
        vector = stored - start if self._subtract else stored
        update = vector - start if self.source.represent == "state" else vector
        return Record(of.number, client, vector, start, update)


class _Vectors(Sequence[Tensor]):
    def __init__(self, records: Records) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> Tensor: ...
    @overload
    def __getitem__(self, index: slice) -> list[Tensor]: ...
    def __getitem__(self, index: int | slice) -> Tensor | list[Tensor]:
        if isinstance(index, slice):
            return [record.vector for record in self._records[index]]
        return self._records[index].vector


class Snapshots:
    """The updates of a federation that was run in order to train codecs.

    `train` has the first 80 % of the rounds, `heldout` the rest: codecs are trained on the past and
    judged by what came later. The source of the split is ours; the paper does not tell.

    Source: CG-FedLLM, arXiv 2405.13746, "TGAP" (temporal ensemble gradient-aware pre-training).
    """

    def __init__(self, folder: Path, stored: Source, *, represent: Represent | None = None) -> None:
        self.folder = folder
        self._stored = stored
        self.source = replace(stored, represent=represent or stored.represent)

    @classmethod
    def create(cls, folder: Path, source: Source) -> Snapshots:
        """Begin a collection in a folder, or go on with the one that is there.

        Raises:
            LayoutMismatch: what is there is of another kind.
            DataError: what is there cannot be read.
        """
        if (folder / "image.safetensors").exists():
            there = cls.open(folder)
            there.source.check(source)
            return there
        folder.mkdir(parents=True, exist_ok=True)
        image = source.image
        metadata = {
            "format": _FORMAT,
            "represent": source.represent,
            "layout": source.layout,
            "init": source.init,
            "height": str(image.height),
            "width": str(image.width),
            "factors": json.dumps(image.factors),
        }
        _write(folder / "image.safetensors", {"factor": image.factor}, metadata)
        return cls(folder, source)

    @classmethod
    def open(cls, folder: Path) -> Snapshots:
        """The collection in a folder.

        Raises:
            DataError: there is none, or it cannot be read.
        """
        path = folder / "image.safetensors"
        tensors, metadata = _mapped(path)
        try:
            if metadata["format"] != _FORMAT:
                raise ValueError(f"wanted the format {_FORMAT!r}, got {metadata['format']!r}")
            factors = tuple(json.loads(metadata["factors"]))
            height, width = int(metadata["height"]), int(metadata["width"])
            image = Image(height, width, tensors["factor"].clone(), factors)
            represent: Represent = metadata["represent"]  # type: ignore[assignment]
            return cls(folder, Source(image, represent, metadata["layout"], metadata["init"]))
        except (KeyError, ValueError) as error:
            raise DataError(f"{path} is no list of snapshots: {error}; collect again") from error

    def seen_as(self, represent: Represent) -> Snapshots:
        """The same updates in another representation: stored states also give their deltas.

        Raises:
            UsageError: the stored vectors do not tell it.
        """
        if represent != self._stored.represent and (self._stored.represent, represent) != (
            "state",
            "delta",
        ):
            raise UsageError(
                f"{self.folder} has vectors of kind {self._stored.represent!r}, which do not tell "
                f"{represent!r}; collect them as such"
            )
        return Snapshots(self.folder, self._stored, represent=represent)

    def append(self, round: int, start: Tensor, vectors: Mapping[int, Tensor]) -> None:
        """Write what the clients of a round made of its start; on disk when this returns.

        Args:
            round: above all rounds so far.
            start: (size,), the adapter the round began with.
            vectors: by client number, each (size,), in the stored representation.

        Raises:
            UsageError: the round is not a new one, or has no vectors.
            LayoutMismatch: a vector has another shape or type.
            NotFinite: a vector holds NaN or infinity.
        """
        least = max(self.rounds, default=0) + 1
        if round < least or not vectors:
            raise UsageError(
                f"the next round to append is {least} or later and has vectors, got round {round} "
                f"with {len(vectors)}; resume after the last round that is there"
            )
        named = {"start": start, **{str(client): each for client, each in vectors.items()}}
        size = self.source.image.size
        tensors = {name: checked(each, size, "a collection") for name, each in named.items()}
        _write(self._path(round), tensors, {"format": _FORMAT, "round": str(round)})

    @property
    def rounds(self) -> tuple[int, ...]:
        """Those that are there whole, rising."""
        found = (path.stem.removeprefix("round-") for path in self.folder.glob("round-*"))
        return tuple(sorted(int(number) for number in found if number.isdecimal()))

    @property
    def all(self) -> Records:
        """Every record."""
        return self._records(self.rounds)

    @property
    def train(self) -> Records:
        """The first 80 % of the rounds, at least one."""
        return self._records(self.rounds[: self._held_from])

    @property
    def heldout(self) -> Records:
        """The rounds after those of `train`; none if there is only one."""
        return self._records(self.rounds[self._held_from :])

    @property
    def _held_from(self) -> int:
        return max(1, int(_TRAIN * len(self.rounds)))

    def _records(self, rounds: Sequence[int]) -> Records:
        subtract = self._stored.represent == "state" and self.source.represent == "delta"
        files = [_Round(self._path(number), number) for number in rounds]
        return Records(self.source, files, subtract=subtract)

    def _path(self, round: int) -> Path:
        return self.folder / f"round-{round:06d}.safetensors"


def _write(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    partial = path.with_name(f"partial-{path.name}")
    save_file({name: each.contiguous() for name, each in tensors.items()}, partial, metadata)
    partial.replace(path)


def _mapped(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Tensors that lie on disk until they are looked at, and the file's notes."""
    try:
        with safe_open(path, framework="pt") as file:
            names = file.keys()
            return {name: file.get_tensor(name) for name in names}, dict(file.metadata() or {})
    except (OSError, SafetensorError) as error:
        why = " ".join(str(error).split())[:200]
        raise DataError(f"{path} cannot be read as snapshots: {why}; collect again") from error
