"""Tables of a run are read the same from its folder and from memory."""

from __future__ import annotations

import json

import pytest

from burnish.errors import BurnishError, DataError
from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.recorded import Recorded
from burnish.methods.socialsim.schema import TABLES
from burnish.methods.socialsim.world import Claim, World

SIM = Simulation(world=World(name="Tarn", claims=(Claim(code="C1"),)), n_agents=200, seed=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    target = tmp_path_factory.mktemp("run")
    SIM.run(30, target)
    return target


def test_a_folder_and_memory_tell_the_same(folder):
    kept, there = Recorded.of(SIM.run(30)), Recorded.at(folder)
    assert there.claims == kept.claims == ("C1",)
    assert (there.ticks, kept.ticks) == (None, 30)
    for name in TABLES:
        assert there.table(name).equals(kept.table(name))
    assert there.table("posts").num_rows > 50


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"manifest\.json is no manifest of a run \(FileNotFound"):
        Recorded.at(tmp_path)
    (tmp_path / "manifest.json").write_text('{"world": []}')
    with pytest.raises(DataError, match=r"is no manifest of a run \(TypeError"):
        Recorded.at(tmp_path)


def test_a_code_that_carries_a_message_is_refused(tmp_path):
    manifest = {"world": {"claims": [{"code": "believe me: the water is bad"}]}}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="a claim's code is up to 16 letters and digits"):
        Recorded.at(tmp_path)


def test_a_damaged_table_is_named(tmp_path):
    SIM.run(2, tmp_path)
    (tmp_path / "posts" / "00000.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(BurnishError, match=r"00000\.parquet is no table of a run"):
        Recorded.at(tmp_path).table("posts")
