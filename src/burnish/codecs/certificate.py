"""What a codec loses of updates, and whether it may be used.

Works for every codec, learned or not; knows nothing of how codecs work.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, Self, runtime_checkable

import torch
from torch import Tensor

from burnish.codecs.checking import all_finite
from burnish.codecs.errors import NotFinite, UnviableCodec
from burnish.codecs.protocol import Codec, Context, Joining, Payload
from burnish.codecs.snapshots import Record, Records
from burnish.codecs.wire import fingerprint
from burnish.errors import DataError

LEAST_COSINE = 0.9
NORM_RATIOS = (0.5, 2.0)
LEAST_MATCHED = 0.9
"""Share of pairs of inputs of which a codec that looks at its input tells who is who."""
_PAIRED = 16  # records whose decoded vectors are held in memory to be paired with all the others
_STRETCH = 1 << 16
_ROUNDING = 1e-9  # of scalar products in float64: equal vectors must not seem to differ


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """What became of updates that a codec encoded and decoded.

    With X a vector as it is sent and X^ what is decoded; sums run over all records.

    Attributes:
        codec: its name.
        fingerprint: of the very codec.
        represent: what X is: a state, a delta or a gradient.
        records: how many.
        finite: whether every X^ has finite numbers; the numbers below are None if not.
        relative_errors: of each factor, sum ||X^ - X||^2 / sum ||X||^2.
        update_cosine: of the update a record stands for and its decoded one, mean over records.
        aggregate_cosine: of the mean update of a round and its decoded one, mean over rounds.
        b_norm_ratio: sqrt(sum ||X^||^2 / sum ||X||^2) over factor B; None without such a factor.
        matched_error: as the relative errors, over all numbers, for up to 16 records.
        shuffled_error: the same with each X^ held against every other record's X: as high as
            `matched_error` if the decoder does not look at its input.
        matched_share: of the pairs among those records, the share in which X^_i, X^_j are nearer to
            X_i, X_j than to X_j, X_i; None for a single record.
        energy_over_error: signal-to-noise ratio, sum ||X||^2 / sum ||X^ - X||^2.
        energy_over_mean_error: the paper's, with the error per number instead of its sum, larger
            by as many times as a vector has numbers.
        reasons: a line for everything that a viable codec must not have.

    A ratio over zero is None: such as the signal-to-noise ratios of a codec without loss.

    Source: the criteria are ours; "energy over mean error" is how CG-FedLLM, arXiv 2405.13746,
    prints signal-to-noise ratios in table 1.
    """

    codec: str
    fingerprint: str
    represent: str
    records: int
    finite: bool
    relative_errors: Mapping[str, float | None] = field(default_factory=dict)
    update_cosine: float | None = None
    aggregate_cosine: float | None = None
    b_norm_ratio: float | None = None
    matched_error: float | None = None
    shuffled_error: float | None = None
    matched_share: float | None = None
    energy_over_error: float | None = None
    energy_over_mean_error: float | None = None

    @property
    def input_dependent(self) -> bool:
        """Whether decoded vectors tell their own inputs from others'."""
        return self.matched_share is not None and self.matched_share >= LEAST_MATCHED

    @property
    def viable(self) -> bool:
        """Whether nothing speaks against the codec.

        Finite, every factor's error below 1, both cosines at least 0.9, norm ratio of B from 0.5
        to 2, input-dependent.
        """
        return not self.reasons

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why the codec is not viable, a line each; none if it is."""
        if not self.finite:
            return ("decoded vectors hold NaN or infinity",)
        return tuple(self._lines())

    def _lines(self) -> Iterator[str]:
        for factor, error in self.relative_errors.items():
            if error is None or not error < 1:
                yield f"relative squared error of {factor} is {_shown(error)}, wanted below 1"
        for name in ("update_cosine", "aggregate_cosine"):
            cosine: float | None = getattr(self, name)
            if cosine is None or not cosine >= LEAST_COSINE:
                what = name.replace("_", " ")
                yield f"{what} is {_shown(cosine)}, wanted at least {LEAST_COSINE}"
        low, high = NORM_RATIOS
        if "B" in self.relative_errors and not (
            self.b_norm_ratio is not None and low <= self.b_norm_ratio <= high
        ):
            yield f"norm ratio of B is {_shown(self.b_norm_ratio)}, wanted from {low} to {high}"
        if not self.input_dependent:
            yield (
                f"decoded vectors are nearer to their own inputs than to others' in "
                f"{_shown(self.matched_share)} of the pairs, wanted at least {LEAST_MATCHED}"
            )

    def as_dict(self) -> dict[str, Any]:
        """Everything, as JSON has it."""
        told = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            **told,
            "relative_errors": dict(self.relative_errors),
            "input_dependent": self.input_dependent,
            "viable": self.viable,
            "reasons": list(self.reasons),
        }

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Self:
        """The inverse of `as_dict`; verdicts are computed, not read.

        Raises:
            DataError: a field is missing or of another type.
        """
        found: dict[str, Any] = {each.name: told.get(each.name) for each in fields(cls)}
        errors = found["relative_errors"]
        if not isinstance(errors, dict):
            raise DataError(f"relative_errors must be an object, got {errors!r}; certify anew")
        for name, value in [*found.items(), *errors.items()]:
            wanted = _TYPES.get(name, (float, int, type(None)))
            if not isinstance(value, wanted):
                raise DataError(f"{name} of a certificate cannot be {value!r}; certify anew")
        return cls(**found)


_TYPES: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("codec", "fingerprint", "represent"), (str,)),
    "records": (int,),
    "finite": (bool,),
    "relative_errors": (dict,),
}


@runtime_checkable
class Certified(Protocol):
    """A codec that loses what it was not trained for, and says what of it is known."""

    @property
    def certificate(self) -> Certificate | None:
        """None before it was certified."""
        ...

    def certified(self, certificate: Certificate) -> Codec:
        """The same codec with a certificate."""
        ...


def viability(codec: Codec) -> tuple[str, ...]:
    """What speaks against using a codec by itself, a line each; none for codecs of fixed loss."""
    if not isinstance(codec, Certified):
        return ()
    if codec.certificate is None:
        return ("it has no certificate",)
    return codec.certificate.reasons


def require_viable(codec: Codec, *, allow_unviable: bool = False) -> None:
    """Refuse a codec whose certificate says that it loses the updates.

    Raises:
        UnviableCodec: something speaks against it, and `allow_unviable` is not set.
    """
    against = viability(codec)
    if against and not allow_unviable:
        raise UnviableCodec(
            f"{codec.name} is not viable: {'; '.join(against)}; guard it with gain and error "
            "feedback, take another codec, or pass allow_unviable=True"
        )


def certify(codec: Codec, records: Records, generator: torch.Generator) -> Certificate:
    """Encode and decode records that a codec was not trained on, and compare.

    Every record is a first message: codecs remember nothing from one to the next. A round's mean is
    that of `Joining` codecs for them, else the unweighted mean of the decoded vectors.

    Args:
        codec: of the records' size; left as it is.
        records: at least one, such as `Snapshots.heldout`.
        generator: draws the records that are paired.

    Raises:
        DataError: there are no records.
        LayoutMismatch: the codec is for others.
    """
    if not records:
        raise DataError("a certificate needs held-out records, got none; collect two rounds")
    chosen = torch.randperm(len(records), generator=generator)[:_PAIRED]
    tally = _Tally(codec, records, frozenset(chosen.tolist()))
    try:
        for group in records.by_round():
            tally.add(group)
    except NotFinite:  # of a decoded vector: records hold none
        statistics: dict[str, Any] = {"finite": False}
    else:
        statistics = {"finite": True, **tally.statistics()}
    return Certificate(
        codec=codec.name,
        fingerprint=fingerprint(codec),
        represent=records.source.represent,
        records=len(records),
        **statistics,
    )


class _Tally:
    """What is added up while records are compared, round by round."""

    def __init__(self, codec: Codec, records: Records, chosen: frozenset[int]) -> None:
        self.codec = codec
        self.source = records.source
        self.factor = records.source.image.factor.long()
        self.chosen = chosen
        self.seen = 0
        factors = len(records.source.image.factors)
        self.energies, self.decoded, self.errors = torch.zeros(3, factors, dtype=torch.float64)
        self.update_cosines: list[float] = []
        self.aggregate_cosines: list[float] = []
        self.paired: list[tuple[Tensor, Tensor]] = []

    def add(self, group: Sequence[Record]) -> None:
        """The records of a round.

        Raises:
            NotFinite: a decoded vector holds NaN or infinity.
        """
        payloads: list[Payload] = []
        mean, joint = torch.zeros(2, self.source.image.size)
        for record in group:
            payload, found = self._sent(record)
            self._compare(record, found)
            mean += record.vector / len(group)
            joint += found / len(group)
            if isinstance(self.codec, Joining):
                payloads.append(payload)
        if isinstance(self.codec, Joining):
            joint = self.codec.join(payloads, [1 / len(group)] * len(group), {})
        start = group[0].start
        self.aggregate_cosines.append(
            _cosine(self._update(mean, start), self._update(joint, start))
        )

    def statistics(self) -> dict[str, Any]:
        """The fields of a certificate."""
        names = self.source.image.factors
        energy, error = float(self.energies.sum()), float(self.errors.sum())
        ratio = None
        if "B" in names:
            index = names.index("B")
            squared = _ratio(float(self.decoded[index]), float(self.energies[index]))
            ratio = None if squared is None else math.sqrt(squared)
        per_number = _ratio(error, self.source.image.size * len(self.update_cosines))
        return {
            "relative_errors": {
                name: _ratio(float(self.errors[index]), float(self.energies[index]))
                for index, name in enumerate(names)
            },
            "update_cosine": _mean(self.update_cosines),
            "aggregate_cosine": _mean(self.aggregate_cosines),
            "b_norm_ratio": ratio,
            "energy_over_error": _ratio(energy, error),
            "energy_over_mean_error": _ratio(energy / len(self.update_cosines), per_number),
            **_pairing(self.paired),
        }

    def _sent(self, record: Record) -> tuple[Payload, Tensor]:
        context = Context(record.round, record.client, self.source.layout, self.source.init)
        payload = self.codec.encode(record.vector, context)
        found = self.codec.decode(payload)
        if not all_finite(found):
            raise NotFinite(f"a decoded {self.codec.name} vector holds NaN or infinity")
        return payload, found

    def _compare(self, record: Record, found: Tensor) -> None:
        truth, decoded = record.vector.double(), found.double()
        self.energies += self._by_factor(truth.square())
        self.decoded += self._by_factor(decoded.square())
        self.errors += self._by_factor((decoded - truth).square())
        self.update_cosines.append(_cosine(record.update, self._update(found, record.start)))
        if self.seen in self.chosen:
            self.paired.append((record.vector, found))
        self.seen += 1

    def _by_factor(self, squares: Tensor) -> Tensor:
        return torch.bincount(self.factor, weights=squares, minlength=len(self.energies))

    def _update(self, vector: Tensor, start: Tensor) -> Tensor:
        return vector - start if self.source.represent == "state" else vector


def _pairing(paired: Sequence[tuple[Tensor, Tensor]]) -> dict[str, float | None]:
    """How much nearer decoded vectors are to their own inputs than to others'."""
    inputs, decoded = ([each[index] for each in paired] for index in (0, 1))
    products = _products(decoded, inputs)
    lengths = torch.stack([_dot(each, each) for each in inputs])
    squares = torch.stack([_dot(each, each) for each in decoded])
    errors = squares[:, None] + lengths - 2 * products  # of decoded i against input j
    energy = float(lengths.mean())
    if len(paired) == 1:
        return {"matched_error": _ratio(float(errors[0, 0]), energy)}
    own = products.diagonal()
    # of two inputs and their decoded vectors, how much smaller the error is than if exchanged
    gain = own[:, None] + own - products - products.T
    noise = _ROUNDING * (squares.max() * lengths.max()).sqrt()
    above = torch.triu(gain > noise, diagonal=1).sum()
    others = ~torch.eye(len(paired), dtype=torch.bool)
    return {
        "matched_error": _ratio(float(errors.diagonal().mean()), energy),
        "shuffled_error": _ratio(float(errors[others].mean()), energy),
        "matched_share": float(above) / (len(paired) * (len(paired) - 1) / 2),
    }


def _products(left: Sequence[Tensor], right: Sequence[Tensor]) -> Tensor:
    """(left, right): scalar products in float64, of a stretch of numbers at a time."""
    total = torch.zeros(len(left), len(right), dtype=torch.float64)
    for start in range(0, len(left[0]), _STRETCH):
        here = slice(start, start + _STRETCH)
        rows = torch.stack([each[here] for each in left]).double()
        total += rows @ torch.stack([each[here] for each in right]).double().T
    return total


def _dot(left: Tensor, right: Tensor) -> Tensor:
    return _products([left], [right])[0, 0]


def _cosine(left: Tensor, right: Tensor) -> float:
    """0 if either is zero, 1 if both are."""
    lengths = float(_dot(left, left)), float(_dot(right, right))
    if not all(lengths):
        return float(not any(lengths))
    return float(_dot(left, right)) / math.sqrt(lengths[0]) / math.sqrt(lengths[1])


def _ratio(part: float, whole: float | None) -> float | None:
    """None over zero, but 0 where both are."""
    if not whole:
        return None if part else 0.0
    return part / whole


def _mean(numbers: Sequence[float]) -> float:
    return math.fsum(numbers) / len(numbers)


def _shown(number: float | None) -> str:
    return "none" if number is None else f"{number:.3g}"
