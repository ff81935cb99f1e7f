"""The social world, ours beside the baselines: `python benchmarks/socialsim.py [--json] [--small]`.

Run it on an idle machine; `--small` leaves out the million accounts. What is compared takes turns
in one process, after a run that compiles; the fastest of several turns counts.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from _printing import print_all
from _socialsim_dense import dense_feeds
from _socialsim_mesa import MesaWorld

from burnish.methods.socialsim.feed import feeds, refresh_pool
from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.python_loop import PythonLoop
from burnish.methods.socialsim.rule_policy import RuleCoefficients
from burnish.methods.socialsim.world import Claim, Event, FeedSettings, RankerKind, World

Row = dict[str, str | int | float | None]

WORLD = World(
    name="Port Vellmar",
    claims=(Claim(code="C1"),),
    events=(Event(tick=6, posts=3, claim=0, stance=0.8),),
)
SIZES = (1_000, 10_000, 100_000, 1_000_000)
LEAST_RATIO, MOST_SLOPE, LEAST_DENSE_RATIO = 50.0, 1.1, 20.0


def baseline_rows(n: int = 10_000, ticks: int = 72, turns: int = 3) -> list[Row]:
    """Exposures per second of one world, all rows on, building it aside."""
    simulation = Simulation(world=WORLD, n_agents=n, seed=3)
    simulation.run(30)
    engines: dict[str, Callable[[], tuple[float, int]]] = {
        "ours, 1 worker": lambda: _ours(simulation, 1, ticks),
        "ours, 2 workers": lambda: _ours(simulation, 2, ticks),
        "loop of objects": lambda: _looped(simulation, ticks),
        "Mesa": lambda: _mesa(simulation, ticks),
    }
    best: dict[str, tuple[float, int]] = {}
    for _ in range(turns):
        for name, engine in engines.items():
            seconds, exposures = engine()
            if name not in best or seconds < best[name][0]:
                best[name] = seconds, exposures
    speeds = {name: exposures / seconds for name, (seconds, exposures) in best.items()}
    return [
        {
            "engine": name,
            "accounts": n,
            "ticks": ticks,
            "seconds": best[name][0],
            "exposures": best[name][1],
            "exposures_per_s": speed,
            "speedup_over_loop_ratio": speed / speeds["loop of objects"],
            "speedup_over_mesa_ratio": speed / speeds["Mesa"],
            "lowest_ratio": LEAST_RATIO if "ours" in name else None,
        }
        for name, speed in speeds.items()
    ]


def cost_rows(sizes: tuple[int, ...] = SIZES, ticks: int = 48) -> list[Row]:
    """Seconds per tick by size with all tables written, and the slope on log axes."""
    rows: list[Row] = []
    Simulation(world=WORLD, n_agents=1000, seed=3).run(30)
    for n in sizes:
        simulation = Simulation(world=WORLD, n_agents=n, seed=3, workers=2)
        begun = time.perf_counter()
        state = simulation.fresh()
        built = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            done = simulation.run(ticks, Path(folder), state=state)
        seconds = time.perf_counter() - built
        rows.append(
            {
                "accounts": n,
                "build_s": built - begun,
                "tick_ms": 1000 * seconds / ticks,
                "exposures_per_s": done.exposures / seconds,
                "peak_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
                "slope": None,
                "highest_slope": MOST_SLOPE,
            }
        )
    logs = np.log([[float(row["accounts"] or 0), float(row["tick_ms"] or 0)] for row in rows])
    rows[-1]["slope"] = float(np.polyfit(logs[:, 0], logs[:, 1], 1)[0])
    return rows


def dense_rows(n: int = 20_000, turns: int = 3) -> list[Row]:
    """One tick of feeds by similarity and recency: ours for who is awake, a table for everyone."""
    settings = FeedSettings(ranker=RankerKind.SIMILARITY_RECENCY)
    world = World(name="Port Vellmar", claims=WORLD.claims, feed=settings)
    state = Simulation(world=world, n_agents=n, seed=3).run(48).state
    awake = np.flatnonzero(np.arange(n) % 20 == 0).astype(np.uint32)
    refresh_pool(state, settings)
    ours, table = [], []
    with ThreadPoolExecutor(1) as pool:
        for _ in range(turns):
            state.memory[:], state.memory_at[:] = 0xFFFFFFFF, 0
            begun = time.perf_counter()
            shown = feeds(state, settings, RuleCoefficients(), awake, pool=pool, workers=1)
            ours.append(time.perf_counter() - begun)
            begun = time.perf_counter()
            best = dense_feeds(state, settings.window, 10)
            table.append(time.perf_counter() - begun)
    content = state.posts.rows["content"][shown.post]
    owner = np.repeat(np.arange(len(awake)), np.diff(shown.start))
    overlap = [np.isin(best[u], content[owner == a]).mean() for a, u in enumerate(awake[:500])]
    return [
        {
            "ranker": name,
            "accounts": n,
            "tick_ms": 1000 * min(seconds),
            "speedup_ratio": min(table) / min(seconds),
            "lowest_ratio": lowest,
            "feed_overlap_share": share,
        }
        for name, seconds, lowest, share in (
            ("ours", ours, LEAST_DENSE_RATIO, float(np.mean(overlap))),
            ("dense table", table, None, 1.0),
        )
    ]


def _ours(simulation: Simulation, workers: int, ticks: int) -> tuple[float, int]:
    settings = {name: getattr(simulation, name) for name in ("world", "n_agents", "seed")}
    own = Simulation(**settings, workers=workers)
    state = own.fresh()
    begun = time.perf_counter()
    done = own.run(ticks, state=state)
    return time.perf_counter() - begun, done.exposures


def _looped(simulation: Simulation, ticks: int) -> tuple[float, int]:
    loop = PythonLoop(simulation)
    begun = time.perf_counter()
    exposures = loop.run(ticks).exposures
    return time.perf_counter() - begun, exposures


def _mesa(simulation: Simulation, ticks: int) -> tuple[float, int]:
    world = MesaWorld(simulation)
    begun = time.perf_counter()
    for _ in range(ticks):
        world.step()
    return time.perf_counter() - begun, world.loop.result.exposures


if __name__ == "__main__":
    sizes = SIZES[:-1] if "--small" in sys.argv[1:] else SIZES
    print_all(
        {
            "One world of 10,000 accounts, by engine": baseline_rows,
            "Cost by size, all tables written, 2 workers": lambda: cost_rows(sizes),
            "A tick of feeds against a dense table of 20,000 accounts": dense_rows,
        }
    )
