from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.schema import Role
from burnish.methods.socialsim.world import (
    Claim,
    PopulationSettings,
    Primitive,
    RedStep,
    World,
)

BULK = 60
STEPS = (
    RedStep(technique="b", primitive=Primitive.ADD_BOTS, start=0, end=30, intensity=1.0,
            parameters={"count": BULK}),
    RedStep(technique="f", primitive=Primitive.TOPIC_FLOOD, start=1, end=24, intensity=1.0),
    RedStep(technique="s", primitive=Primitive.REPOST_SWARM, start=2, end=24, intensity=1.0),
)  # fmt: skip


def scores(red):
    people = PopulationSettings(bots=0.0, trolls=0.01, activity_scale=0.08)
    world = World(name="x", claims=(Claim(code="C1"),), population=people, red=red)
    state = Simulation(world=world, n_agents=3000, seed=4).run(30).state
    return state.scores, state.agents.role == Role.BOT


def test_bots_that_repost_in_step_stand_out():
    score, bot = scores(STEPS)
    assert ((score >= 0) & (score <= 1)).all()
    assert score[bot].mean() > 0.9
    assert np.quantile(score[~bot], 0.99) < 0.3


def test_bots_that_do_not_swarm_look_like_others():
    still = (STEPS[0], STEPS[1], replace(STEPS[2], intensity=0.0))
    score, bot = scores(still)
    assert score[bot].mean() == pytest.approx(score[~bot].mean(), abs=0.1)
