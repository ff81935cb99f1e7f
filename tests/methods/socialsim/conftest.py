"""Tiny tables with the schemas of a run."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from burnish.methods.socialsim.schema import AGENTS, BELIEFS, EXPOSURES, NO_CLAIM, NONE, POSTS


def table(schema, n, **columns):
    """A table of n rows; columns that are not given are 0."""
    arrays = []
    for field in schema:
        values = np.broadcast_to(columns.pop(field.name, 0), n)
        arrays.append(pa.array(values.tolist(), field.type))
    assert not columns, f"no such columns: {columns}"
    return pa.Table.from_arrays(arrays, schema=schema)


def posts(parent, **columns):
    """Posts from parents; None is a post, all others are reposts unless `kind` is given."""
    n = len(parent)
    above = [NONE if one is None else one for one in parent]
    root = []
    for post, one in enumerate(parent):
        root.append(post if one is None else root[one])
    kind = [0 if one is None else 3 for one in parent]
    given = {"kind": kind, "claim": NO_CLAIM, "author": np.arange(n)} | columns
    return table(POSTS, n, post=np.arange(n), parent=above, root=root, **given)


def agents(n, **columns):
    return table(AGENTS, n, agent=np.arange(n), **columns)


def exposures(agent, post, **columns):
    return table(EXPOSURES, len(agent), agent=agent, post=post, **columns)


def beliefs(rows):
    """From (tick, claim, agent, belief)."""
    columns = dict(zip(("tick", "claim", "agent", "belief"), zip(*rows, strict=True), strict=True))
    return table(BELIEFS, len(rows), **columns)


@pytest.fixture(scope="session")
def by_hand():
    """Builders of tables by hand."""
    return SimpleNamespace(
        posts=posts, agents=agents, exposures=exposures, beliefs=beliefs, table=table
    )
