"""Safeguards around any codec: the best gain, error feedback, and another codec to fall back on.

All of them are the sender's. A receiver decodes what comes with the codec that made it, and the
header's gain; it needs to know of a guard only which codecs its payloads may be of.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import final

import torch
from torch import Tensor

from burnish.codecs.checking import checked, remembered, to_keep
from burnish.codecs.errors import IncompatibleCodec, LayoutMismatch
from burnish.codecs.protocol import Codec, Context, Joining, Part, Payload, Setting
from burnish.codecs.wire import GAIN_BOUND, fingerprint, members
from burnish.errors import ConfigError

_RESIDUAL = "residual"
_ASIDE = "fallback."
_STRETCH = 1 << 15


@dataclass(frozen=True)
class _Attempt:
    """A payload under its gain, what the receiver will decode, and how near that is."""

    payload: Payload
    decoded: Tensor
    cosine: float


@final
@dataclass(frozen=True, eq=False)
class Guarded:
    """A codec, and what makes sure that its payloads do no harm.

    With P the vector plus the residual and P^ what P's payload decodes to:

    - gain: the payload decodes to a P^ with a = <P, P^> / ||P^||^2, so that its error
      ||P - a P^||^2 = (1 - cos^2) ||P||^2 is never above that of sending nothing;
    - error feedback: the residual P - a P^ is kept, in the sender's memory as `residual`, and added
      to the next vector;
    - fallback: where cos(P, P^) is below `least_cosine`, the other codec's payload is sent.

    A receiver needs no guard: `decode` is the codecs' own. The gain of a linear codec is
    multiplied into its tensors, so that the guarded codec stays linear; others' travels in the
    header. Memory of the codecs keeps its own names, of the fallback under `fallback.`.

    Attributes:
        codec: decoded on its own (not a `Joining` one: what its receiver makes of many payloads
            has no residual that one sender could know).
        error_feedback: not around a codec that keeps what it leaves out itself, such as `Dgc`.
        gain: whether a is as above; else it is 1. Around such a codec P is the vector alone: what
            was waiting is sent as far as it helps the present update, and the rest is lost.
        fallback: another codec of the same size, or None.
        least_cosine: -1 to 1.

    Source: error feedback, arXiv 1901.09847, algorithm 2; the gain and the fallback are ours.
    """

    codec: Codec
    error_feedback: bool = True
    gain: bool = True
    fallback: Codec | None = None
    least_cosine: float = 0.1

    def __post_init__(self) -> None:
        if not -1 <= self.least_cosine <= 1:
            raise ConfigError(f"least_cosine is from -1 to 1, got {self.least_cosine}")
        for each in self.members:
            _check_inside(each, self.error_feedback)
            if each.size != self.codec.size:
                raise LayoutMismatch(
                    f"codec and fallback take vectors of one size, got {self.codec.size} and "
                    f"{each.size}"
                )

    @property
    def members(self) -> tuple[Codec, ...]:
        """Whose payloads are sent: the codec's, and the fallback's if there is one."""
        return (self.codec,) if self.fallback is None else (self.codec, self.fallback)

    @property
    def name(self) -> str:
        """The codec's."""
        return self.codec.name

    @property
    def size(self) -> int:
        """The codec's."""
        return self.codec.size

    @property
    def linear(self) -> bool:
        """Whether the codec is, and nothing else is ever sent."""
        return self.codec.linear and self.fallback is None

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The codec's: a payload does not tell whether it was guarded."""
        return self.codec.settings

    def template(self, round: int) -> dict[str, Part]:
        """The codec's; the fallback has its own."""
        return self.codec.template(round)

    def nbytes(self, round: int = 1) -> int:
        """The codec's."""
        return self.codec.nbytes(round)

    def state_dict(self) -> dict[str, Tensor]:
        """The codec's."""
        return self.codec.state_dict()

    def encode(self, vector: Tensor, context: Context) -> Payload:
        """The payload of the vector and the residual, by whichever codec is near enough.

        Raises:
            LayoutMismatch, NotFinite: as a codec's `encode`; memory is left as it was.
        """
        wanted = checked(vector, self.size, self.name)
        if self.error_feedback:
            residual = remembered(context.memory, _RESIDUAL, (self.size,))
            wanted = wanted if residual is None else wanted + residual
        memory = dict(context.memory)
        sent = self._attempt(self.codec, wanted, replace(context, memory=memory))
        if self.fallback is not None and sent.cosine < self.least_cosine:
            if _feeds_back(self.codec):  # nothing of what it would have sent was sent
                memory = dict(context.memory)
            with _own_memory(replace(context, memory=memory), _ASIDE) as aside:
                sent = self._attempt(self.fallback, wanted, aside)
        if self.error_feedback:
            residual = torch.sub(wanted, sent.decoded, out=sent.decoded)
            memory[_RESIDUAL] = to_keep(residual, _RESIDUAL)
        context.memory.clear()
        context.memory.update(memory)
        return sent.payload

    def decode(self, payload: Payload) -> Tensor:
        """By the codec that made it."""
        header = payload.header
        for each in self.members:
            if (each.name, fingerprint(each)) == (header.codec, header.fingerprint):
                return each.decode(payload)
        raise LayoutMismatch(
            f"wanted a payload of {' or '.join(each.name for each in self.members)}, got one of "
            f"{header.codec} {header.fingerprint[:12]}; both sides need the same settings"
        )

    def _attempt(self, codec: Codec, wanted: Tensor, context: Context) -> _Attempt:
        payload = codec.encode(wanted, context)
        decoded = codec.decode(payload)
        dot, energy = _dot(wanted, decoded), _dot(decoded, decoded)
        length = math.sqrt(_dot(wanted, wanted)) * math.sqrt(energy)
        cosine = dot / length if length else 1.0 if not energy else 0.0
        gain = _rounded(dot / energy) if self.gain and energy else 1.0
        if gain == 1.0:
            return _Attempt(payload, decoded, cosine)
        if codec.linear:
            payload = replace(
                payload, tensors={name: part * gain for name, part in payload.tensors.items()}
            )
            return _Attempt(payload, codec.decode(payload), cosine)
        payload = replace(payload, header=replace(payload.header, gain=gain))
        # the receiver's own operation, so that the residual is of the very floats it will have
        return _Attempt(payload, decoded.mul_(gain), cosine)


def _check_inside(codec: Codec, error_feedback: bool) -> None:
    if isinstance(codec, Joining):
        raise IncompatibleCodec(
            f"{codec.name} payloads are read together, so gain, error feedback and fallback mean "
            "nothing for one of them; use it without a guard"
        )
    if members(codec) != (codec,):
        raise IncompatibleCodec(f"{codec.name} is guarded already; guard it once")
    if error_feedback and _feeds_back(codec):
        raise IncompatibleCodec(
            f"{codec.name} keeps what it leaves out itself and would be fed it twice; set "
            "error_feedback=False"
        )


def guarded_as_may_be(codec: Codec, fallback: Codec | None = None) -> Codec:
    """A codec with every safeguard that has a meaning for it; none for `Joining` codecs."""
    if isinstance(codec, Joining):
        return codec
    return Guarded(codec, error_feedback=not _feeds_back(codec), fallback=fallback)


def _feeds_back(codec: Codec) -> bool:
    return bool(getattr(codec, "feeds_back", False))


@contextmanager
def _own_memory(context: Context, prefix: str) -> Iterator[Context]:
    """The context with the part of its memory that lies under a prefix."""
    own = {
        name.removeprefix(prefix): kept
        for name, kept in context.memory.items()
        if name.startswith(prefix)
    }
    yield replace(context, memory=own)
    context.memory.update({prefix + name: kept for name, kept in own.items()})


def _dot(left: Tensor, right: Tensor) -> float:
    """In float64, a stretch at a time: squares of float32 may overflow or vanish."""
    total = 0.0
    for start in range(0, len(left), _STRETCH):
        stretch = slice(start, start + _STRETCH)
        total += float(torch.dot(left[stretch].double(), right[stretch].double()))
    return total


def _rounded(gain: float) -> float:
    """To float32, which the receiver multiplies in, and within what a header may say."""
    return float(torch.tensor(max(-GAIN_BOUND, min(GAIN_BOUND, gain))))
