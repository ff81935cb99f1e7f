"""The accounts of a run in the profile schemas of others, as Arrow tables.

Both are our reading of published descriptions, derived from our own columns: the demographic one is
how we already draw accounts, the MADD one is a view for comparing and changes nothing in a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from burnish.errors import DataError
from burnish.methods.socialsim.columns import column, rows_of
from burnish.methods.socialsim.population import circadian
from burnish.methods.socialsim.schema import BIG_FIVE, WATERMARK, Role

HOURS = 24
_TENDENCY = 0.5  # theta: weight of activity in the tendency, the rest is susceptibility


def _schema(*columns: tuple[str, pa.DataType]) -> pa.Schema:
    return pa.schema([pa.field(*own, nullable=False) for own in columns], WATERMARK)


MADD = _schema(
    ("agent", pa.uint32()),
    ("role", pa.string()),
    ("interest_community", pa.uint16()),
    ("trust_threshold", pa.float32()),  # 0 to 1
    ("dissemination_tendency", pa.float32()),  # 0 to 1
    ("social_influence", pa.float64()),  # sums to 1 where anyone is followed
    ("activation_time", pa.list_(pa.float32(), HOURS)),  # by hour of the day, sums to 1
)
DEMOGRAPHIC = _schema(
    ("agent", pa.uint32()),
    ("role", pa.string()),
    ("age_band", pa.uint8()),  # 0 the youngest
    ("education", pa.uint8()),  # 0 the least schooling
    ("region", pa.string()),
    *((trait, pa.int8()) for trait in BIG_FIVE),  # -100 to 100
    ("ideology", pa.float32()),  # -1 to 1
)


def madd(agents: pa.Table, edges: pa.Table) -> pa.Table:
    """The five attributes of MADD, as `MADD`, one row an account.

    - interest community: our community, one of them; MADD scores several by what a user wrote.
    - trust threshold: how well an account tells false from true, (literacy + 1 - susceptibility)
      / 2; MADD asks a model.
    - dissemination tendency: theta a / max a + (1 - theta) s with theta 0.5, activity a and
      susceptibility s. MADD adds a power law of shares and the interest in a topic; our accounts
      have no interests, and s stands there.
    - social influence: followers over the sum of all followers, as in MADD.
    - activation time: what share of a day's activity falls in each hour, from the circadian
      profile; MADD counts it in logs.

    Args:
        agents: as `schema.AGENTS`.
        edges: as `schema.EDGES`, of the moment that influence is wanted for.

    Raises:
        DataError: a column is missing, or an edge ends at an account that is not there.

    Source: arXiv 2507.16848, section 3.1.1, and the definitions beside its code.
    """
    ids = column(agents, "agent")
    rows = rows_of(ids, column(edges, "followee"))
    if (rows < 0).any():
        raise DataError("an edge ends at an account that is not there; give tables of one run")
    followers = np.bincount(rows, minlength=len(ids)).astype(np.float64)
    activity = column(agents, "activity").astype(np.float64)
    susceptibility = column(agents, "susceptibility").astype(np.float64)
    threshold = (column(agents, "literacy") + 1 - susceptibility) / 2
    loudest = activity.max(initial=0)
    tendency = _TENDENCY * (activity / loudest if loudest else activity)
    tendency += (1 - _TENDENCY) * susceptibility
    day = np.stack([circadian(hour) for hour in range(HOURS)], axis=1) / HOURS
    hours = day[column(agents, "circadian")].astype(np.float32)
    columns = [
        pa.array(ids),
        pa.array(_roles(agents)),
        pa.array(column(agents, "community")),
        pa.array(threshold.astype(np.float32)),
        pa.array(tendency.astype(np.float32)),
        pa.array(followers / max(1.0, followers.sum())),
        pa.FixedSizeListArray.from_arrays(pa.array(hours.ravel()), HOURS),
    ]
    return pa.Table.from_arrays(columns, schema=MADD)


def demographic(agents: pa.Table, regions: Sequence[str] = ()) -> pa.Table:
    """Demographic and psychological attributes, as `DEMOGRAPHIC`, one row an account.

    The default here: accounts are drawn so (`population.populate`), demographics first and traits
    from them.

    Args:
        agents: as `schema.AGENTS`.
        regions: names by number; "region 3" where there is none.

    Raises:
        DataError: a column is missing.

    Source: arXiv 2512.22082, which conditions traits on demographics; its bands could not be
    recovered, so bands and levels are ours and belong to no real population.
    """
    numbers = column(agents, "region")
    count = int(numbers.max(initial=0)) + 1
    names = [regions[i] if i < len(regions) else f"region {i}" for i in range(count)]
    columns = [
        column(agents, "agent"),
        _roles(agents),
        column(agents, "age"),
        column(agents, "education"),
        np.array(names, object)[numbers],
        *(column(agents, trait) for trait in BIG_FIVE),
        column(agents, "ideology"),
    ]
    return pa.table([pa.array(own) for own in columns], DEMOGRAPHIC)


def _roles(agents: pa.Table) -> NDArray[Any]:
    names: NDArray[Any] = np.array([role.name.lower() for role in Role], object)
    chosen: NDArray[Any] = names[column(agents, "role")]
    return chosen
