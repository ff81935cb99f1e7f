"""A running detector of accounts that repost in step. Sees times and accounts, reads no text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burnish.methods.socialsim.applying import Applied
from burnish.methods.socialsim.schema import ActionKind
from burnish.methods.socialsim.state import State

_MEMORY = 0.98  # per tick
_BURST, _BIRTH = 0.15, 0.5  # weight of one root in one tick, and of accounts made on one day
_YOUNG = 1  # ticks; an old root is reposted in step by its fame alone
_SCALE = 0.5


def watch(state: State, applied: Applied) -> None:
    """Update `state.scores` by a tick's reposts.

    An account gains for each other account that reposted the same young root in the same tick, and
    more for one that was made on the same day; the logarithm of their number counts.
    """
    state.synchrony *= np.float32(_MEMORY)
    reposts = applied.actions.kind == ActionKind.REPOST
    who, rows = applied.actions.agent[reposts], state.posts.rows
    root = rows["root"][applied.actions.post[reposts]]
    young = state.tick - rows["tick"][root].astype(np.int64) <= _YOUNG
    who, root = who[young], root[young]
    day = state.agents.created[who] // 24
    together = (root.astype(np.int64) << 20) + (day & 0xFFFFF)
    gain = _BURST * np.log(_group_sizes(root)) + _BIRTH * np.log(_group_sizes(together))
    np.add.at(state.synchrony, who, gain.astype(np.float32))
    np.expm1(-np.float32(_SCALE) * state.synchrony, out=state.scores)
    np.negative(state.scores, out=state.scores)


def _group_sizes(key: NDArray[np.integer]) -> NDArray[np.int64]:
    """How many rows share each row's key."""
    ranked = np.sort(key)
    return np.searchsorted(ranked, key, "right") - np.searchsorted(ranked, key, "left")
