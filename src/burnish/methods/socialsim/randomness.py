"""Draws that are looked up, not generated: U(seed, tick, stage, agent, draw).

A draw depends on its five numbers alone, so neither the order of the work nor the number of
workers can change a run. Every number is mixed by splitmix64 (Steele, Lea and Flood 2014).
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from burnish.methods.socialsim.compiled import compiled

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_U30, _U27, _U31, _U11, _U24 = (np.uint64(bits) for bits in (30, 27, 31, 11, 24))
_TO_UNIT = 2.0**-53


class Stage(IntEnum):
    """What a draw is for."""

    TRAIT = 1
    GRAPH = 2
    ACT = 3
    FEED = 4
    DECIDE = 5
    WRITE = 6
    LOG = 7
    RANK = 8
    RED = 9
    BLUE = 10
    RATE = 11
    LLM = 12
    PAIR = 13


@compiled
def mixed(value: np.uint64) -> np.uint64:
    """One step of splitmix64 from the state `value`."""
    z = value + _GOLDEN
    z = (z ^ (z >> _U30)) * _FIRST
    z = (z ^ (z >> _U27)) * _SECOND
    return z ^ (z >> _U31)


@compiled
def bits(key: np.uint64, agent: int, draw: int) -> np.uint64:
    """64 bits for one agent and draw (up to 2^24) under a key of `stage_key`."""
    return mixed(key ^ mixed((np.uint64(agent) << _U24) ^ np.uint64(draw)))


@compiled
def uniform(key: np.uint64, agent: int, draw: int) -> float:
    """A number in [0, 1) for one agent and draw."""
    return float(bits(key, agent, draw) >> _U11) * _TO_UNIT


def _mix(value: int) -> int:
    mask = (1 << 64) - 1
    z = (value + int(_GOLDEN)) & mask
    z = ((z ^ (z >> 30)) * int(_FIRST)) & mask
    z = ((z ^ (z >> 27)) * int(_SECOND)) & mask
    return z ^ (z >> 31)


def stage_key(seed: int, tick: int, stage: Stage) -> np.uint64:
    """What seed, tick and stage come to; with agent and draw it gives a number.

    Args:
        seed: any whole number; its lowest 64 bits count.
        tick: from 0, or -1 for what happens before the first.
        stage: what the draws are for.
    """
    mask = (1 << 64) - 1
    return np.uint64(_mix(_mix(_mix(seed & mask) ^ (tick & mask)) ^ int(stage)))


def uniforms(key: np.uint64, agents: NDArray[np.integer], draw: int) -> NDArray[np.float64]:
    """`uniform` of many agents: (n,) in [0, 1)."""
    with np.errstate(over="ignore"):
        inner = _mixed_all((agents.astype(np.uint64) << _U24) ^ np.uint64(draw))
        unit = (_mixed_all(key ^ inner) >> _U11) * _TO_UNIT
    return np.asarray(unit, np.float64)


def normals(key: np.uint64, agents: NDArray[np.integer], draw: int) -> NDArray[np.float64]:
    """Standard normal numbers from draws `draw` and `draw` + 1, by Box and Muller: (n,)."""
    radius = np.sqrt(-2 * np.log1p(-uniforms(key, agents, draw)))
    turn = np.cos(2 * np.pi * uniforms(key, agents, draw + 1))
    return np.asarray(radius * turn, np.float64)


def _mixed_all(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    z = value + _GOLDEN
    z = (z ^ (z >> _U30)) * _FIRST
    z = (z ^ (z >> _U27)) * _SECOND
    return z ^ (z >> _U31)
