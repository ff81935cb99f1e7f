"""What has been done already: a set of (account, post) pairs that grows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burnish.methods.socialsim.compiled import compiled, lean
from burnish.methods.socialsim.randomness import mixed

_FREE = np.uint64(0xFFFFFFFFFFFFFFFF)
_SHIFT, _ONE = np.uint64(32), np.uint64(1)


class KeySet:
    """Likes and reposts of accounts (below 2^31), at most one of each post.

    Attributes:
        places: (2^k,) u64, open addressing; a number shifted by 32 bits, or-ed with the post. The
            number is twice the account for a like and one more for a repost.
        count: how many are taken.
    """

    def __init__(self) -> None:
        self.places: NDArray[np.uint64] = np.full(1024, _FREE)
        self.count = 0

    def reserve(self, more: int) -> None:
        """Make room, so that `add` may be called `more` times."""
        size = len(self.places)
        while size < 2 * (self.count + more):
            size *= 2
        if size > len(self.places):
            grown = np.full(size, _FREE)
            _move(self.places, grown)
            self.places = grown

    def keys(self) -> NDArray[np.uint64]:
        """Every pair, in ascending order."""
        return np.sort(self.places[self.places != _FREE])

    @classmethod
    def of(cls, keys: NDArray[np.uint64]) -> KeySet:
        """A set of given pairs."""
        made = cls()
        made.reserve(len(keys))
        _move(keys, made.places)
        made.count = len(keys)
        return made


@lean
def add(places: NDArray[np.uint64], number: int, post: int) -> bool:
    """Put a pair in; False when it was there."""
    key = (np.uint64(number) << _SHIFT) | np.uint64(post)
    mask = np.uint64(len(places)) - _ONE
    at = mixed(key) & mask
    while places[at] != _FREE:
        if places[at] == key:
            return False
        at = (at + _ONE) & mask
    places[at] = key
    return True


@compiled
def _move(source: NDArray[np.uint64], places: NDArray[np.uint64]) -> None:
    mask = np.uint64(len(places)) - _ONE
    for key in source:
        if key != _FREE:
            at = mixed(key) & mask
            while places[at] != _FREE:
                at = (at + _ONE) & mask
            places[at] = key
