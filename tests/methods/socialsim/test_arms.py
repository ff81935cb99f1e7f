"""What a run does, and in which order."""

from __future__ import annotations

from dataclasses import replace

from burnish.methods.socialsim.arms import (
    AllCore,
    Calibrate,
    Cost,
    Detect,
    Hybrid,
    Loop,
    World,
    core_jobs,
    cost_jobs,
    pool_jobs,
)
from burnish.methods.socialsim.config import SocialsimConfig
from burnish.methods.socialsim.variants import NO_RED, PLAN, variants

FULL = SocialsimConfig(
    seeds=2,
    rankers=("chrono",),
    fact_seeds=3,
    detection_seeds=2,
    personas=6,
    all_llm_agents=40,
    scale=(1000, 2000, 1000),
)


def test_keys_are_unique():
    jobs = [*pool_jobs(FULL), *cost_jobs(FULL), *core_jobs(FULL)]
    keys = [job.key for job in jobs]
    assert len(set(keys)) == len(keys)
    assert not any(job.needs for job in jobs)


def test_every_twin_of_every_variant_is_run_and_the_shown_ones_first():
    jobs = pool_jobs(FULL)
    worlds = [job for job in jobs if isinstance(job, World)]
    assert len(worlds) == sum(each.seeds for each in variants(FULL))
    assert worlds[:2] == [World(PLAN, 0), World(NO_RED, 0)]
    assert [job.is_shown for job in worlds] == [True] * 2 + [False] * (len(worlds) - 2)
    assert sum(isinstance(job, Detect) for job in jobs) == 4


def test_costs_are_taken_only_where_sizes_are_given():
    assert cost_jobs(FULL) == [Cost(1000), Cost(2000), Loop()]
    assert cost_jobs(replace(FULL, scale=())) == []


def test_core_jobs_follow_the_calibration_they_read():
    assert core_jobs(FULL) == [Calibrate(), AllCore(), Hybrid()]
    assert core_jobs(replace(FULL, personas=0)) == [Hybrid()]
    assert core_jobs(replace(FULL, all_llm_agents=0)) == [Calibrate(), Hybrid()]
    assert core_jobs(replace(FULL, model="none")) == []
