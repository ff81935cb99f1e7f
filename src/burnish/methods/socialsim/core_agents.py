"""Which accounts a language model decides for: the loud ones, and a sample of everyone else."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from burnish.errors import ConfigError
from burnish.methods.socialsim.acting import Ids
from burnish.methods.socialsim.randomness import Stage, stage_key, uniforms
from burnish.methods.socialsim.schema import Role
from burnish.methods.socialsim.state import State

_LOUD = 0.5  # most of the places that operators, outlets and hubs take


MOST = 200  # core accounts, unless asked for more: each costs calls of a model


def choose_core(state: State, count: int, *, most: int = MOST) -> Ids:
    """Core accounts: (count,) u32, ascending.

    Up to half are operators, outlets and then the most followed accounts, in equal parts as far as
    there are any; the rest go round the pairs of role and community, so that each is heard.
    Bulk-created accounts that no step has woken yet are passed over.

    Args:
        state: before tick 0.
        count: how many, at most as many as there are accounts awake.
        most: that may be asked for.

    Raises:
        ConfigError: more than either, or less than 1.
    """
    if count > most:
        raise ConfigError(
            f"up to {most} core accounts think with a model, got {count}; ask for fewer or pass "
            "most="
        )
    awake = np.flatnonzero(state.agents.activity > 0)
    n = len(awake)
    if not 1 <= count <= n:
        raise ConfigError(f"a world of {n} accounts has 1 to {n} core accounts, got {count}")
    role, draw = state.agents.role, _draw(state)
    places = int(_LOUD * count)
    loud: list[int] = []
    for kind in (Role.OPERATOR, Role.OUTLET):
        those = np.flatnonzero(role == kind)
        loud += those[np.argsort(draw[those], kind="stable")][: places // 3].tolist()
    by_fame = awake[np.argsort(-state.graph.followers[awake].astype(np.int64), kind="stable")]
    loud += by_fame[~np.isin(by_fame, loud)][: places - len(loud)].tolist()
    others = np.setdiff1d(awake, loud)
    cell = role[others].astype(np.int64) * 65_536 + state.agents.community[others]
    order = np.lexsort((draw[others], cell))
    ranked = cell[order]
    turn = np.arange(len(order)) - np.searchsorted(ranked, ranked)
    spread = others[order[np.lexsort((draw[others][order], turn))]][: count - len(loud)]
    return np.sort(np.concatenate([np.array(loud, np.int64), spread])).astype(np.uint32)


def _draw(state: State) -> NDArray[np.float64]:
    who = np.arange(len(state.agents), dtype=np.uint32)
    return uniforms(stage_key(state.seed, -1, Stage.LLM), who, 0)
