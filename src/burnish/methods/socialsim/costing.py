"""What worlds cost: seconds, memory and exposures, each world in a process of its own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from burnish.methods.socialsim.config import SocialsimConfig
from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.python_loop import PythonLoop
from burnish.methods.socialsim.variants import NO_RED, NONE, hours_of, variant_named
from burnish.runs.machine import cores, peak_mb

_WARM = 1000, 30  # accounts and ticks of a run that compiles
_LOOP_AGENTS, _LOOP_HOURS, _TURNS = 10_000, 72, 3


def cost_of(config: SocialsimConfig, seed: int, home: Path, agents: int) -> dict[str, Any]:
    """Time and memory of one world with all tables written below `home`, building it aside."""
    return _alone(_cost, config, seed, home, agents)


def beside_loop(config: SocialsimConfig, seed: int) -> dict[str, Any]:
    """Exposures per second of ours, on all cores and on one, and of a loop over objects."""
    return _alone(_race, config, seed)


def _alone(work: Callable[..., dict[str, Any]], *given: Any) -> dict[str, Any]:
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(work, *given).result()


def _simulation(config: SocialsimConfig, agents: int, seed: int, world: str = NONE) -> Simulation:
    variant = variant_named(world, config)
    return variant.simulation(agents, seed)


def _cost(config: SocialsimConfig, seed: int, home: Path, agents: int) -> dict[str, Any]:
    ticks = hours_of(config)
    _simulation(config, _WARM[0], seed).run(_WARM[1])
    simulation = replace(_simulation(config, agents, seed), workers=cores())
    begun = time.perf_counter()
    state = simulation.fresh()
    built = time.perf_counter()
    edges = int(state.graph.length.sum())
    with tempfile.TemporaryDirectory(dir=home) as folder:
        run = simulation.run(ticks, Path(folder), state=state)
        seconds = time.perf_counter() - built
        written = sum(file.stat().st_size for file in Path(folder).rglob("*.parquet"))
    return {
        "agents": agents,
        "ticks": ticks,
        "edges": edges,
        "build_seconds": built - begun,
        "seconds": seconds,
        "exposures": run.exposures,
        "tables_mb": written / 1e6,
        "peak_mb": peak_mb(),
    }


def _race(config: SocialsimConfig, seed: int) -> dict[str, Any]:
    _simulation(config, _WARM[0], seed).run(_WARM[1])
    simulation = _simulation(config, _LOOP_AGENTS, seed, NO_RED)  # the loop knows no campaign
    threads = {"ours": cores(), "ours, one thread": 1}
    best = dict.fromkeys((*threads, "loop"), 0.0)
    for _ in range(_TURNS):
        for name, workers in threads.items():
            own = replace(simulation, workers=workers)
            state = own.fresh()
            begun = time.perf_counter()
            run = own.run(_LOOP_HOURS, state=state)
            best[name] = max(best[name], run.exposures / (time.perf_counter() - begun))
        objects = PythonLoop(simulation)
        begun = time.perf_counter()
        looped = objects.run(_LOOP_HOURS)
        best["loop"] = max(best["loop"], looped.exposures / (time.perf_counter() - begun))
    return {"threads": threads["ours"], "rates": best}
