"""The small world of accounts again, as a Mesa model."""

from __future__ import annotations

import mesa

from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.python_loop import Account, Doing, PythonLoop


class MesaAccount(mesa.Agent):
    """An account that Mesa steps."""

    def __init__(self, model: MesaWorld, account: Account) -> None:
        super().__init__(model)
        self.account = account

    def step(self) -> None:
        self.model.todo += self.model.loop.session(self.account, self.model.tick)


class MesaWorld(mesa.Model):
    """The world of `PythonLoop`, scheduled and collected by Mesa."""

    def __init__(self, simulation: Simulation) -> None:
        super().__init__(rng=simulation.seed)
        self.loop, self.tick = PythonLoop(simulation), 0
        self.todo: list[Doing] = []
        for account in self.loop.accounts:
            MesaAccount(self, account)
        self.datacollector = mesa.DataCollector(
            model_reporters={"exposures": lambda model: model.loop.result.exposures}
        )

    def step(self) -> None:
        self.todo = []
        self.loop.begin(self.tick)
        self.agents.do("step")
        self.loop.finish(self.todo, self.tick)
        self.datacollector.collect(self)
        self.tick += 1
