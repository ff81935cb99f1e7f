"""Runs that lie in folders, read back."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from burnish.errors import BurnishError, DataError, UsageError
from burnish.methods.socialsim.cascade_trees import cascades
from burnish.methods.socialsim.comparing import outcome
from burnish.methods.socialsim.kept import KeptRun, effect_between, runs_in
from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.stylised_facts import facts
from burnish.methods.socialsim.world import BlueKind, BlueMeasure, Claim, World

PLAIN = World(name="x", claims=(Claim(code="C1"), Claim(code="C2", true=True)))
SIM = Simulation(world=PLAIN, n_agents=600, seed=1)
LIMITED = replace(SIM, world=replace(PLAIN, blue=(BlueMeasure(kind=BlueKind.RATE_LIMIT, cap=0),)))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    for name, simulation in (("none", SIM), ("limited", LIMITED)):
        for seed in (12, 3):
            replace(simulation, seed=seed).run(8, folder / name / str(seed))
    return folder


def test_a_run_is_read_back_as_it_was(home):
    kept = KeptRun.at(home / "none" / "3")
    assert (kept.claims, kept.claims_true) == (("C1", "C2"), (False, True))
    assert (kept.seed, kept.n_agents, kept.sampling) == (3, 600, 0.02)
    assert repr(kept.outcomes()) == repr(outcome(replace(SIM, seed=3).run(8)))  # NaN != NaN


def test_facts_are_those_of_the_graph_that_it_began_with(home):
    run = replace(SIM, seed=3)
    expected = facts(cascades(run.run(8).table("posts")), run.fresh().graph.followers)
    assert repr(KeptRun.at(home / "none" / "3").facts()) == repr(expected)


def test_runs_come_by_seed_whether_alone_or_together(home):
    assert [run.seed for run in runs_in(home / "limited")] == [3, 12]
    assert [run.seed for run in runs_in(home / "limited" / "12")] == [12]


def test_an_effect_is_that_of_twins(home):
    found = effect_between(runs_in(home / "limited"), runs_in(home / "none"), seed=0)
    by_name = {effect.metric: effect for effect in found}
    assert by_name["posts"].seeds == 2
    same = effect_between(runs_in(home / "none"), runs_in(home / "none"), seed=0)
    assert {effect.difference.estimate for effect in same} == {0.0}
    assert any(effect.difference.estimate for effect in found)


@pytest.mark.parametrize("other", ["none/3", "other size", "other claims"])
def test_runs_that_are_no_twins_are_refused(home, tmp_path, other):
    if other == "none/3":
        runs = runs_in(home / other)
    else:
        changed = (
            replace(SIM, n_agents=500, seed=12)
            if other == "other size"
            else replace(SIM, world=World(name="x", claims=(Claim(code="C7"),)), seed=12)
        )
        changed.run(2, tmp_path / "other")
        runs = runs_in(tmp_path / "other")
    with pytest.raises(UsageError, match="twins share seed, accounts and claims, got seeds 12"):
        effect_between(runs_in(home / "none" / "12"), runs, seed=0)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "[]",
        "{}",
        '{"world": 3}',
        '{"world": {"claims": [1], "feed": {"sampling": 1}}, "seed": 1, "n_agents": 3}',
        '{"world": {"claims": [], "feed": {"sampling": 1}}, "seed": Infinity, "n_agents": 3}',
        "[" * 100_000,
    ],
)
def test_a_folder_without_a_run_is_refused(tmp_path, text):
    if text is not None:
        (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(DataError, match="holds no run; give a folder that `burnish socialsim run`"):
        runs_in(tmp_path)


def test_a_damaged_table_is_named(home, tmp_path):
    shutil.copytree(home / "none" / "3", tmp_path / "run")
    (tmp_path / "run" / "posts" / "00000.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(BurnishError, match=r"a file below .*posts is no Parquet"):
        KeptRun.at(tmp_path / "run").outcomes()


def test_a_manifest_that_lies_about_sampling_is_refused(home, tmp_path):
    shutil.copytree(home / "none" / "3", tmp_path / "run")
    manifest = tmp_path / "run" / "manifest.json"
    plain = json.loads(manifest.read_text())
    plain["world"]["feed"]["sampling"] = 0
    manifest.write_text(json.dumps(plain))
    with pytest.raises(UsageError, match="sampling is a share above 0"):
        KeptRun.at(tmp_path / "run").outcomes()
