"""Who lives in a world: traits in columns, drawn from conditional tables.

Demographics drive traits, as in arXiv 2512.22082; the tables below are ours and describe no real
population. Every account draws by its own number, so a larger world repeats a smaller one's.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from burnish.methods.socialsim.randomness import Stage, normals, stage_key, uniforms
from burnish.methods.socialsim.schema import AGENTS, BIG_FIVE, Flag, Role
from burnish.methods.socialsim.world import PopulationSettings

ASSETS = (Role.TROLL, Role.BOT, Role.OPERATOR)

_AGE_BANDS = (0.06, 0.20, 0.26, 0.24, 0.16, 0.08)  # shares
_EDUCATION = (  # shares of four levels, by age band
    (0.75, 0.25, 0.00, 0.00),
    (0.15, 0.40, 0.25, 0.20),
    (0.12, 0.33, 0.30, 0.25),
    (0.18, 0.37, 0.28, 0.17),
    (0.28, 0.40, 0.20, 0.12),
    (0.40, 0.38, 0.14, 0.08),
)
_LITERACY = (0.35, 0.45, 0.58, 0.68)  # mean, by education
_TRUST = (0.45, 0.46, 0.50, 0.52, 0.56, 0.60)  # mean, by age band
_CLOCKS = 4  # circadian profiles
_WHOLE_DAY = _CLOCKS  # profile of accounts that never sleep
_BULK_ACTIVITY = 0.3  # of bulk-created bots with signatures
_ROLE_ACTIVITY = {  # factor of, and least, activity
    Role.TROLL: (3.0, 0.10),
    Role.BOT: (2.0, 0.05),
    Role.OPERATOR: (3.0, 0.20),
    Role.OUTLET: (2.0, 0.30),
    Role.FACT_CHECKER: (2.0, 0.20),
}


@dataclass
class Agents:
    """Columns of n accounts; see `schema.AGENTS` for ranges. The loop changes the last six.

    `big_five` is (n, 5), everything else (n,).
    """

    role: NDArray[np.uint8]
    community: NDArray[np.uint16]
    age: NDArray[np.uint8]
    education: NDArray[np.uint8]
    region: NDArray[np.uint8]
    big_five: NDArray[np.int8]
    ideology: NDArray[np.float32]
    susceptibility: NDArray[np.float32]
    trust: NDArray[np.float32]
    circadian: NDArray[np.uint8]
    attention: NDArray[np.uint8]
    created: NDArray[np.int32]
    activity: NDArray[np.float32]
    literacy: NDArray[np.float32]
    inoculation: NDArray[np.float32]
    strikes: NDArray[np.uint8]
    flags: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.role)

    def table(self) -> pa.Table:
        """As `schema.AGENTS`, of this moment."""
        columns = {name: self.big_five[:, i] for i, name in enumerate(BIG_FIVE)}
        columns |= {f.name: getattr(self, f.name) for f in fields(self) if f.name != "big_five"}
        columns["agent"] = np.arange(len(self), dtype=np.uint32)
        return pa.table([columns[name].copy() for name in AGENTS.names], AGENTS)


def populate(settings: PopulationSettings, n: int, extra_bots: int, seed: int) -> Agents:
    """The accounts of a world.

    Args:
        settings: shares of roles and the rest.
        n: accounts, bulk-created bots included.
        extra_bots: how many of the last ones are bulk-created; they sleep until a step wakes them.
        seed: of every draw.

    Returns:
        Columns of n accounts.
    """
    key, who = stage_key(seed, -1, Stage.TRAIT), np.arange(n, dtype=np.uint32)
    bulk = who >= n - extra_bots
    role = np.where(bulk, np.uint8(Role.BOT), _roles(settings, uniforms(key, who, 0)))
    age = _choose(np.broadcast_to(_AGE_BANDS, (n, 6)), uniforms(key, who, 1))
    education = _choose(np.asarray(_EDUCATION)[age], uniforms(key, who, 2))
    ideology = _ideology(uniforms(key, who, 3), normals(key, who, 4))
    big_five = np.stack([normals(key, who, 10 + 2 * i) for i in range(5)], axis=1)
    literacy = np.asarray(_LITERACY)[education] + 0.12 * normals(key, who, 20)
    neuroticism = big_five[:, 4]
    susceptible = 0.75 - 0.5 * literacy + 0.06 * neuroticism + 0.10 * normals(key, who, 22)
    susceptible += 0.2 * (role == Role.VULNERABLE)
    trust = np.asarray(_TRUST)[age] + 0.15 * normals(key, who, 24)
    trust += 0.2 * np.isin(role, (Role.OUTLET, Role.FACT_CHECKER))
    clocks = (uniforms(key, who, 6) * _CLOCKS).astype(np.uint8)
    told_apart = settings.signatures & np.isin(role, ASSETS)
    return Agents(
        role=role,
        community=_quantiles(ideology, settings.communities),
        age=age,
        education=education,
        region=(uniforms(key, who, 7) * settings.regions).astype(np.uint8),
        big_five=np.clip(33 * big_five, -100, 100).astype(np.int8),
        ideology=ideology,
        susceptibility=_unit(susceptible),
        trust=_unit(trust),
        circadian=np.where(told_apart, np.uint8(_WHOLE_DAY), clocks),
        attention=np.full(n, settings.attention, np.uint8),
        created=_created(key, who, bulk & told_apart),
        activity=np.where(bulk, np.float32(0), _activity(settings, role, uniforms(key, who, 8))),
        literacy=_unit(literacy),
        inoculation=np.zeros(n, np.float32),
        strikes=np.zeros(n, np.uint8),
        flags=np.where(role == Role.OUTLET, np.uint8(Flag.VERIFIED), np.uint8(0)),
    )


def awake_activity(
    settings: PopulationSettings, bots: NDArray[np.uint32], seed: int
) -> NDArray[np.float32]:
    """Activity of (k,) bulk-created bots once they are awake.

    Without signatures each draws it like an ordinary account, so that it tells nothing.
    """
    if settings.signatures:
        return np.full(len(bots), _BULK_ACTIVITY, np.float32)
    role = np.full(len(bots), Role.BOT, np.uint8)
    return _activity(settings, role, uniforms(stage_key(seed, -1, Stage.TRAIT), bots, 8))


def circadian(tick: int) -> NDArray[np.float32]:
    """What the hour of a tick does to activity, by profile; each has mean 1 over a day."""
    hours = 2 * np.pi * (tick - np.array([15, 18, 20, 23])) / 24
    return np.append(1 + 0.8 * np.cos(hours), 1.0).astype(np.float32)


def _roles(settings: PopulationSettings, draw: NDArray[np.float64]) -> NDArray[np.uint8]:
    shares = (
        settings.vulnerable,
        settings.trolls,
        settings.bots,
        settings.operators,
        settings.outlets,
        settings.fact_checkers,
    )
    number = np.searchsorted(np.cumsum(shares), draw, side="right") + 1
    return np.where(number > len(shares), Role.BENIGN, number).astype(np.uint8)


def _choose(shares: NDArray[np.float64], draw: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Column drawn from each row's shares."""
    above = np.cumsum(shares, axis=1)[:, :-1] <= draw[:, None]
    chosen: NDArray[np.uint8] = above.sum(axis=1).astype(np.uint8)
    return chosen


def _ideology(side: NDArray[np.float64], spread: NDArray[np.float64]) -> NDArray[np.float32]:
    """Two camps that overlap."""
    return np.clip(np.where(side < 0.5, -0.35, 0.35) + 0.3 * spread, -1, 1).astype(np.float32)


def _quantiles(ideology: NDArray[np.float32], communities: int) -> NDArray[np.uint16]:
    order = np.argsort(ideology, kind="stable")
    community = np.empty(len(ideology), np.uint16)
    community[order] = np.arange(len(ideology)) * communities // max(1, len(ideology))
    return community


def _activity(
    settings: PopulationSettings, role: NDArray[np.uint8], draw: NDArray[np.float64]
) -> NDArray[np.float32]:
    low, high = settings.activity_range
    activity = settings.activity_scale * ((1 - draw) ** (-1 / settings.activity_shape) - 1)
    for kind, (factor, least) in _ROLE_ACTIVITY.items():
        if kind in ASSETS and not settings.signatures:
            continue
        activity = np.where(role == kind, np.maximum(least, factor * activity), activity)
    return np.clip(activity, low, high).astype(np.float32)


def _created(key: np.uint64, who: NDArray[np.uint32], bulk: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Ordinary accounts over eight years, bulk ones within an hour of each other."""
    ordinary = -1 - (uniforms(key, who, 9) * 70_000).astype(np.int32)
    return np.where(bulk, np.int32(-48), ordinary)


def _unit(value: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.clip(value, 0.0, 1.0).astype(np.float32)
