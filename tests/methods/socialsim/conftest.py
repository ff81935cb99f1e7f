"""Tiny tables with the schemas of a run."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest

from burnish.methods.socialsim.arms import World
from burnish.methods.socialsim.method import METHOD
from burnish.methods.socialsim.schema import AGENTS, BELIEFS, EXPOSURES, NO_CLAIM, POSTS
from burnish.methods.socialsim.schema import NONE as NO_POST
from burnish.methods.socialsim.variants import NONE, variants
from burnish.runs import Run
from burnish.runs.jobs import leave as leave_result


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
    above = [NO_POST if one is None else one for one in parent]
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


def made_up(**changes):
    """What a world leaves, as `measured` gives it, with numbers made up."""
    outcomes = dict.fromkeys(
        (
            *("false_claim_reposts", "true_reposts", "false_claim_views", "true_views"),
            *("people_restricted", "belief_esteban_ray", "exposure_gini"),
            *("false_cascade_mean_depth_edges", "false_cascade_mean_posts"),
            *("assets_restricted_percent", "people_restricted_percent"),
            "people_suspended_percent",
        ),
        100.0,
    )
    outcomes |= {"false_claim_reach_percent": 40.0, "belief_shift_people": 0.2}
    names = [name for name in changes if name in outcomes]
    outcomes |= {name: changes.pop(name) for name in names}
    facts = {"unshared_posts_share": 0.9, "in_degree_heavy_tail_flag": 1.0}
    whole = {
        "outcomes": outcomes,
        "sharers": 50,
        "late_reposts": 10,
        "reach": [0.0, 1.0, 2.0, 3.0, 4.0],
        "facts": facts,
        "holds": dict.fromkeys(facts, True),
        "sizes": {"true": [[1.0, 1.0], [3.0, 0.5]], "false": []},
    }
    return whole | changes


@pytest.fixture
def leave_worlds():
    """Leaves a made-up result of every world of a config below a folder."""

    def leave(home, config, change=lambda name, number: {}):
        for variant in variants(config):
            for number in range(variant.seeds):
                found = made_up(**change(variant.name, number))
                if (variant.name, number) == (NONE, 0):
                    found["predicted"] = {"seiz": {"label": 0.9}, "cascade": {"label": 0.8}}
                leave_result(World(variant.name, number), lambda job, found=found: found, home)

    return leave


@pytest.fixture
def open_run(tmp_path):
    """Opens a run of the method in a folder of its own."""
    opened = []

    def begin(config, name="run"):
        run = Run.open(tmp_path / name, METHOD, config, preset="quick", seed=1, resume=False)
        opened.append(run)
        return run

    yield begin
    for run in opened:
        run.close()


@pytest.fixture(scope="session")
def by_hand():
    """Builders of tables by hand."""
    return SimpleNamespace(
        posts=posts, agents=agents, exposures=exposures, beliefs=beliefs, table=table
    )
