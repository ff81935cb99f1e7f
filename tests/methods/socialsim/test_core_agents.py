from __future__ import annotations

import numpy as np
import pytest

from burnish.errors import ConfigError
from burnish.methods.socialsim.core_agents import choose_core
from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.schema import Role
from burnish.methods.socialsim.world import Claim, Primitive, RedStep, World

STATE = Simulation(world=World(name="x"), n_agents=20_000, seed=1).fresh()


def test_core_accounts_are_loud_ones_and_a_spread_of_the_rest():
    core = choose_core(STATE, 60)
    assert len(set(core.tolist())) == 60
    assert (np.diff(core.astype(int)) > 0).all()
    roles = STATE.agents.role[core]
    assert (roles == Role.OPERATOR).sum() >= 4
    assert (roles == Role.OUTLET).sum() >= 8
    hubs = np.argsort(-STATE.graph.followers.astype(int))[:10]
    assert np.isin(hubs, core).all()
    assert len(set(roles)) >= 5
    assert len(set(STATE.agents.community[core])) == 8


def test_few_and_all_accounts_can_be_core():
    assert len(choose_core(STATE, 1)) == 1
    small = Simulation(world=World(name="x"), n_agents=30, seed=1).fresh()
    assert choose_core(small, 30).tolist() == list(range(30))
    with pytest.raises(ConfigError, match="has 1 to 30 core accounts, got 31"):
        choose_core(small, 31)


def test_bots_that_still_sleep_are_no_core_accounts():
    add = RedStep(
        technique="T0150.008", primitive=Primitive.ADD_BOTS, start=5, end=6,
        parameters={"count": 300},
    )  # fmt: skip
    world = World(name="x", claims=(Claim(code="C1"),), red=(add,))
    state = Simulation(world=world, n_agents=100, seed=1).fresh()
    assert len(state.agents) == 400
    assert choose_core(state, 100).tolist() == list(range(100))
    assert choose_core(state, 40).max() < 100
    with pytest.raises(ConfigError, match="a world of 100 accounts has 1 to 100"):
        choose_core(state, 101)


def test_more_than_two_hundred_are_asked_for_by_name():
    assert len(choose_core(STATE, 200)) == 200
    with pytest.raises(ConfigError, match=r"up to 200 core accounts .*, got 201; .* pass most="):
        choose_core(STATE, 201)
    assert len(choose_core(STATE, 300, most=300)) == 300
