"""Random draws that any process can repeat: a stream of integers made from a key alone.

Seeding a Mersenne Twister costs as much as a small document, so the stream is BLAKE2b of the key
and a block number: the same on every machine, Python version and hash seed.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

Item = TypeVar("Item")

_BLOCK = struct.Struct("<8Q")


class Draws:
    """Uniform integers from one key; the n-th draw depends on the key and the draws before."""

    __slots__ = ("_block", "_key", "_words")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._words: list[int] = list(_BLOCK.unpack(blake2b(key).digest()))
        self._block = 0

    def below(self, bound: int) -> int:
        """Uniform in 0..bound-1, for bounds far below 2**64."""
        try:
            return self._words.pop() * bound >> 64
        except IndexError:
            self._refill()
            return self._words.pop() * bound >> 64

    def between(self, low: int, high: int) -> int:
        """Uniform in low..high, both included."""
        return low + self.below(high - low + 1)

    def many(self, bound: int, count: int) -> list[int]:
        """`count` draws uniform in 0..bound-1."""
        words = self._words
        while len(words) < count:
            self._refill()
        taken = words[-count:]
        del words[-count:]
        return [word * bound >> 64 for word in taken]

    def huge(self, bound: int) -> int:
        """Uniform in 0..bound-1 for a bound of any size."""
        if bound >> 32 == 0:
            return self.below(bound)
        bits = bound.bit_length() + 64
        number = 0
        for _ in range(-(-bits // 64)):
            number = number << 64 | self.below(1 << 64)
        return number * bound >> -(-bits // 64) * 64

    def pick(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[Item]) -> list[Item]:
        """The items in uniformly random order."""
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            other = self.below(last + 1)
            result[last], result[other] = result[other], result[last]
        return result

    def _refill(self) -> None:
        self._block += 1
        digest = blake2b(b"%b#%d" % (self._key, self._block)).digest()
        self._words[:0] = _BLOCK.unpack(digest)
