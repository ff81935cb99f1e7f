from __future__ import annotations

import numpy as np
import pytest

from burnish.errors import DataError
from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.profiles import DEMOGRAPHIC, MADD, demographic, madd
from burnish.methods.socialsim.schema import EDGES
from burnish.methods.socialsim.world import World

STATE = Simulation(world=World(name="Tarn"), n_agents=500, seed=2).fresh()


def test_madd_by_hand(by_hand):
    agents = by_hand.agents(
        3,
        role=[0, 3, 4],
        community=[1, 0, 1],
        literacy=[0.5, 1.0, 0.0],
        susceptibility=[0.5, 0.0, 1.0],
        activity=[0.1, 0.4, 0.0],
        circadian=[0, 4, 1],
    )
    edges = by_hand.table(EDGES, 4, follower=[0, 0, 1, 2], followee=[1, 2, 2, 1])
    found = madd(agents, edges).to_pydict()
    assert found["role"] == ["benign", "bot", "operator"]
    assert found["interest_community"] == [1, 0, 1]
    assert found["trust_threshold"] == [0.5, 1.0, 0.0]
    assert found["dissemination_tendency"] == pytest.approx([0.375, 0.5, 0.5])
    assert found["social_influence"] == [0.0, 0.5, 0.5]
    assert found["activation_time"][1] == pytest.approx([1 / 24] * 24)
    assert int(np.argmax(found["activation_time"][0])) == 15


def test_profiles_of_a_world_have_their_ranges_and_marks():
    found = madd(STATE.agents.table(), STATE.graph.table())
    assert found.schema == MADD
    assert found.schema.metadata[b"watermark"] == b"synthetic"
    for name in ("trust_threshold", "dissemination_tendency"):
        values = found[name].to_numpy()
        assert 0 <= values.min() < values.max() <= 1
    assert found["social_influence"].to_numpy().sum() == pytest.approx(1)
    hours = np.stack(found["activation_time"].to_numpy())
    np.testing.assert_allclose(hours.sum(axis=1), 1, rtol=1e-5)


def test_the_demographic_profile_names_regions():
    agents = STATE.agents.table()
    found = demographic(agents, ("Old Quay", "Saltmarsh"))
    assert found.schema == DEMOGRAPHIC
    assert found.schema.metadata[b"watermark"] == b"synthetic"
    regions = np.array(found["region"].to_pylist())
    numbers = STATE.agents.region
    assert set(regions[numbers == 1]) == {"Saltmarsh"}
    assert set(regions[numbers == 3]) == {"region 3"}
    assert found["age_band"].to_pylist() == STATE.agents.age.tolist()
    assert found["neuroticism"].to_pylist() == STATE.agents.big_five[:, 4].tolist()


def test_tables_of_different_runs_are_refused(by_hand):
    with pytest.raises(DataError, match="an edge ends at an account that is not there"):
        madd(by_hand.agents(3), STATE.graph.table())
