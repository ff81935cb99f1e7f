"""One job each: a world, or bots to be found."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from burnish.methods.socialsim.arms import Detect, World
from burnish.methods.socialsim.config import SocialsimConfig
from burnish.methods.socialsim.tables import read
from burnish.methods.socialsim.variants import NO_RED, NONE, PLAN
from burnish.methods.socialsim.work import do, shown_folder, world_seed

CONFIG = SocialsimConfig(agents=1000, hours=12, seeds=2, detection_agents=5000)


def test_a_world_that_is_shown_leaves_its_tables_also_over_torn_ones(tmp_path):
    folder = shown_folder(tmp_path, PLAN)
    (folder / "posts").mkdir(parents=True)
    (folder / "posts" / "00099.parquet").write_text("torn")
    found = do(CONFIG, 3, tmp_path, World(PLAN, 0))
    assert read(folder, "agents").num_rows >= 1000
    assert not (folder / "posts" / "00099.parquet").exists()
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_other_worlds_leave_none(tmp_path):
    first, again = (do(CONFIG, 3, tmp_path, World(NO_RED, 1)) for _ in range(2))
    assert first == again
    assert "predicted" not in first
    assert not any(tmp_path.iterdir())


def test_the_first_world_without_countermeasures_is_what_others_predict_from(tmp_path):
    found = do(replace(CONFIG, hours=40), 3, tmp_path, World(NONE, 0))
    assert set(found["predicted"]) == {"seiz", "cascade"}
    assert set(found["predicted"]["seiz"]) == {"label", "downrank"}
    assert "predicted" not in do(CONFIG, 3, tmp_path, World(NONE, 1))


def test_seeds_differ_by_number_and_run():
    seeds = {world_seed(seed, number) for seed in (1, 2) for number in (0, 1)}
    assert len(seeds) == 4


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    home = tmp_path_factory.mktemp("detection")
    return {kind: do(CONFIG, 3, home, Detect(kind, 0)) for kind in (True, False)}


def test_swarming_bots_are_found_and_idle_ones_are_not(found):
    assert 30 < found[True]["guilty"] == found[False]["guilty"] < 70
    assert found[True]["auroc"] > 0.9
    assert found[True]["f1"] > 0.8
    assert found[False]["auroc"] < 0.65
    assert found[False]["f1"] < 0.2
    assert 0.3 < found[False]["text_auroc"] < 0.7
