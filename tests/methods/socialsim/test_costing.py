"""What a world costs, taken here in small and in this process."""

from __future__ import annotations

from burnish.methods.socialsim import costing
from burnish.methods.socialsim.config import SocialsimConfig

CONFIG = SocialsimConfig(agents=1000, hours=3)


def test_a_world_s_cost_counts_its_tables_and_leaves_none(tmp_path):
    found = costing._cost(CONFIG, 1, tmp_path, 1000)
    assert (found["agents"], found["ticks"]) == (1000, 3)
    assert found["edges"] > 10_000
    assert min(found[name] for name in ("seconds", "build_seconds", "exposures")) > 0
    assert 0 < found["tables_mb"] < 1
    assert not any(tmp_path.iterdir())


def test_both_engines_take_turns(monkeypatch):
    for name, value in (("_LOOP_AGENTS", 300), ("_LOOP_HOURS", 6), ("_TURNS", 1)):
        monkeypatch.setattr(costing, name, value)
    found = costing._race(CONFIG, 1)
    assert found["threads"] >= 1
    assert set(found["rates"]) == {"ours", "ours, one thread", "loop"}
    assert min(found["rates"].values()) > 0
