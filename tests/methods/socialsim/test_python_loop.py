from __future__ import annotations

import numpy as np
import pytest

from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.python_loop import PythonLoop
from burnish.methods.socialsim.schema import ActionKind
from burnish.methods.socialsim.world import World

SIMULATION = Simulation(world=World(name="x"), n_agents=3000, seed=3)


def test_the_loop_of_objects_and_the_engine_behave_alike():
    loop, engine = PythonLoop(SIMULATION).run(24), SIMULATION.run(24)
    assert loop.exposures == pytest.approx(engine.exposures, rel=0.1)
    kinds = np.bincount(engine.table("actions").column("kind").to_numpy(), minlength=9)
    for kind, margin in (
        (ActionKind.LIKE, 0.1),
        (ActionKind.REPOST, 0.2),
        (ActionKind.POST, 0.1),
    ):
        assert loop.actions[kind] == pytest.approx(kinds[kind], rel=margin)


def test_the_loop_repeats_itself():
    first, second = (PythonLoop(SIMULATION).run(5) for _ in range(2))
    assert first.actions == second.actions
