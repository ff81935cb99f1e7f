"""A whole run in small, and going on after a kill."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

from burnish.errors import ConfigError
from burnish.evidence import find
from burnish.methods.socialsim import run as story
from burnish.methods.socialsim.arms import core_jobs, pool_jobs
from burnish.methods.socialsim.checkpoints import ManifestMismatch
from burnish.methods.socialsim.config import SocialsimConfig
from burnish.methods.socialsim.method import METHOD
from burnish.runs import execute, read_record

MICRO = SocialsimConfig(
    agents=1000,
    hours=10,
    seeds=2,
    measures=("downrank",),
    rankers=("chrono",),
    fact_seeds=1,
    model="scripted",
    core=3,
    core_agents=200,
    core_hours=4,
    personas=8,
    probe_items=10,
    all_llm_agents=60,
    all_llm_hours=5,
    replay_nodes=50,
    workers=1,
)


def perform(out, config=MICRO, resume=False):
    return execute(METHOD, config, preset="quick", seed=5, out=out, resume=resume)


def without_time(run):
    """Points by what they are; seconds differ from run to run."""
    return [point for point in run.points() if not point.name.endswith("_seconds")]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return perform(tmp_path_factory.mktemp("whole") / "run")


def test_every_job_leaves_a_result_and_every_part_a_point(whole):
    home = whole.artifact("worlds")
    for job in (*pool_jobs(MICRO), *core_jobs(MICRO)):
        assert (home / f"{job.key}.json").exists()
    points = whole.points()
    for name in (
        *("change_percent", "reach_percent", "unshared_posts_share", "js_divergence_nats"),
        *("cascade_ks_score", "replayed_same_rate", "false_claim_reach_percent"),
    ):
        assert find(points, name), name
    (same,) = find(points, "replayed_same_rate")
    assert same.value == 1.0


def test_pages_charts_and_verdicts_are_there(whole):
    record = read_record(whole.folder)
    assert record.manifest.status == "finished"
    assert "synthetic throughout" in record.manifest.notes["scenario"]
    assert {"replayed": "holds", "million": "not_tested"}.items() <= {
        claim.id: claim.verdict for claim in record.manifest.claims
    }.items()
    for page in ("replay.html", "comparison.html"):
        assert "synthetic" in whole.artifact(page).read_text().lower()


def test_a_run_that_was_killed_goes_on_to_the_same_points(whole, tmp_path, monkeypatch):
    out, leave = tmp_path / "run", story.leave

    def killed(job, work, home):
        if job.key == "core/hybrid":
            raise KeyboardInterrupt
        leave(job, work, home)

    shutil.copytree(whole.folder, out)
    home = out / "artifacts" / "worlds"
    for lost in ("worlds/plan-0", "worlds/none-1", "core/all", "core/hybrid"):
        (home / f"{lost}.json").unlink()
    posts = next((home / "runs" / "plan" / "posts").glob("*.parquet"))
    posts.write_bytes(posts.read_bytes()[:100])  # it was being written
    calls = home / "core" / "all.jsonl"
    calls.write_bytes(calls.read_bytes()[:-20])
    (out / "points.jsonl").write_text("")
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps(manifest | {"status": "running"}))
    with monkeypatch.context() as patch:
        patch.setattr(story, "leave", killed)
        with pytest.raises(KeyboardInterrupt):
            perform(out, resume=True)
    assert (home / "core" / "all.json").exists()
    assert not read_record(out).points
    resumed = perform(out, resume=True)
    assert without_time(resumed) == without_time(whole)
    assert read_record(out).manifest.figures == read_record(whole.folder).manifest.figures


def test_a_scenario_that_has_changed_since_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(story, "pool_jobs", lambda config: 1 / 0)  # before anything is run
    first, second = tmp_path / "edges.csv", "follower,followee\n1,2\n"
    first.write_text(second)
    config = replace(MICRO, edges=str(first))
    with pytest.raises(ZeroDivisionError):
        perform(tmp_path / "run", config)
    with pytest.raises(ZeroDivisionError):
        perform(tmp_path / "run", config, resume=True)
    first.write_text(second + "2,3\n")
    with pytest.raises(ManifestMismatch, match=r"was begun with .* other edges; name another"):
        perform(tmp_path / "run", config, resume=True)


def test_edges_that_are_not_there_are_one_line(tmp_path):
    with pytest.raises(Exception, match=r"no\.csv cannot be read: No such file"):
        perform(tmp_path / "run", replace(MICRO, edges="no.csv"))


def test_a_world_too_large_for_memory_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(story, "perform", lambda jobs, do, home, **rest: do(jobs[0]))
    monkeypatch.setattr("burnish.methods.socialsim.footprint._REST", 10**15)
    with pytest.raises(ConfigError, match="GB are free"):
        perform(tmp_path / "run")
