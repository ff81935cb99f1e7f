"""What can be wrong with a vector, a payload or a codec."""

from __future__ import annotations

from burnish.errors import BurnishError, DataError, UsageError


class NotFinite(DataError):
    """A vector or tensor holds NaN or infinity; the message names it."""


class LayoutMismatch(UsageError):
    """Sender and receiver disagree on the order, number or initialisation of the numbers."""


class CorruptPayload(DataError):
    """Bytes that are no payload of the codec they were sent for."""


class IncompatibleCodec(UsageError):
    """A codec cannot be used where it was put, such as a non-linear one behind secure sums."""


class UnviableCodec(BurnishError):
    """A learned codec loses the updates it was made for; see its certificate."""
