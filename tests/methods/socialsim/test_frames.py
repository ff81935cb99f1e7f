"""Frames count what the tables list."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from burnish.methods.socialsim import recorded
from burnish.methods.socialsim.frames import (
    agent_variables,
    data_frames,
    model_variables,
    write_frames,
)
from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.recorded import Recorded
from burnish.methods.socialsim.schema import ActionKind
from burnish.methods.socialsim.world import Claim, PopulationSettings, World

N, TICKS = 300, 25
WORLD = World(
    name="Tarn",
    claims=(Claim(code="C1"), Claim(code="C2", true=True)),
    population=PopulationSettings(activity_scale=0.1),
    snapshot=10,
)


@pytest.fixture(scope="module")
def run():
    return Simulation(world=WORLD, n_agents=N, seed=6).run(TICKS)


@pytest.fixture(params=[7, 65_536])
def batches(request, monkeypatch):
    """Batches that end within a tick, and ones that do not."""
    monkeypatch.setattr(recorded, "ROWS", request.param)


@pytest.mark.usefixtures("batches")
def test_the_model_frame_counts_each_tick(run):
    frame, _ = data_frames(Recorded.of(run))
    actions, exposures = run.table("actions").to_pandas(), run.table("exposures").to_pandas()
    assert frame.index.tolist() == list(range(TICKS + 1))
    assert not frame.loc[0, "posts":"exposures_logged"].any()
    for tick in range(TICKS):
        of_tick = actions[actions.tick == tick]
        assert frame.likes[tick + 1] == (of_tick.kind == ActionKind.LIKE).sum()
        assert frame.posts[tick + 1] == (of_tick.kind == ActionKind.POST).sum()
        assert frame.active_agents[tick + 1] == of_tick.agent.nunique()
        assert frame.exposures_logged[tick + 1] == (exposures.tick == tick).sum()
    beliefs = run.table("beliefs").to_pandas()
    means = beliefs[beliefs.claim == 1].groupby("tick").belief.mean()
    assert frame.belief_C2.dropna().index.tolist() == [0, 10, 20]
    assert frame.belief_C2.dropna().tolist() == pytest.approx(means.tolist(), abs=1e-6)


@pytest.mark.usefixtures("batches")
def test_the_agent_frame_counts_so_far(run):
    _, frame = data_frames(Recorded.of(run))
    assert frame.index.names == ["Step", "AgentID"]
    assert len(frame) == 3 * N
    actions, beliefs = run.table("actions").to_pandas(), run.table("beliefs").to_pandas()
    for step in (0, 10, 20):
        before = actions[(actions.tick < step) & (actions.kind == ActionKind.REPOST)]
        expected = np.bincount(before.agent, minlength=N)
        assert frame.loc[step].reposts.tolist() == expected.tolist()
        own = beliefs[(beliefs.tick == step) & (beliefs.claim == 0)]
        assert frame.loc[step].belief_C1.tolist() == own.belief.tolist()
    assert frame.loc[20].reposts.sum() > 20


def test_frames_are_written_with_their_mark(run, tmp_path):
    paths = write_frames(Recorded.of(run), tmp_path / "frames")
    assert [path.name for path in paths] == ["model.parquet", "agents.parquet"]
    for path in paths:
        assert pq.read_schema(path).metadata[b"watermark"] == b"synthetic"
    assert pq.read_table(paths[0]).equals(model_variables(Recorded.of(run)))
    assert pq.read_table(paths[1]).num_rows == 3 * N
    assert len(list((tmp_path / "frames").iterdir())) == 2


def test_a_world_without_claims_has_no_agent_frame(tmp_path):
    done = Simulation(world=World(name="Tarn"), n_agents=50, seed=1).run(5, tmp_path / "run")
    there = Recorded.at(done.folder)
    assert list(agent_variables(there)) == []
    assert [path.name for path in write_frames(there, tmp_path)] == ["model.parquet"]
    model, agents = data_frames(there)
    assert 1 <= len(model) <= 6
    assert len(agents) == 0
