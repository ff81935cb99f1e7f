"""What a run does, and in which order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from burnish.methods.cg_fedllm.arms import Arm, Certify, Collect, Couple, Fit, arms_of, jobs_of
from burnish.methods.cg_fedllm.config import CgFedllmConfig
from burnish.runs.settings import build_config

SMALL = CgFedllmConfig(codecs=("int8", "pca", "autoencoder"))


def presets():
    return [pytest.param(build_config(CgFedllmConfig, name), id=name) for name in ("quick", "cpu")]


@pytest.mark.parametrize("config", presets())
def test_what_a_job_reads_is_made_by_another(config):
    jobs = jobs_of(config)
    keys = {job.key for job in jobs}
    assert len(keys) == len(jobs)
    for job in jobs:
        assert set(job.needs) <= keys, job


def test_every_codec_is_paired_with_float32_of_its_seed():
    arms = arms_of(replace(SMALL, seeds=3))
    for seed in range(3):
        own = [arm.codec for arm in arms if arm.seed == seed]
        assert own == ["fp32", "int8", "pca", "autoencoder"]


def test_codecs_without_training_need_no_collection():
    jobs = jobs_of(CgFedllmConfig(codecs=("int8", "sign"), certify_states=True, inits=3))
    assert all(isinstance(job, Arm) for job in jobs)


def test_states_are_certified_and_published_settings_federated_when_asked():
    jobs = jobs_of(replace(SMALL, as_published=True, certify_states=True, inits=2))
    assert Fit("autoencoder", "state") in jobs
    assert Fit("pca", "state") not in jobs
    assert {Certify("delta"), Certify("state"), Couple(1), Collect(1)} <= set(jobs)
    published = next(job for job in jobs if isinstance(job, Arm) and job.represent == "state")
    assert published.name == "autoencoder on state (plain)"
    assert published.needs == ("fit-autoencoder-state",)


def test_budgets_and_missing_safeguards_show_in_the_name():
    config = replace(SMALL, private_codec="sign", plain=("int8",), epsilons=(0.5, 8.0))
    names = [arm.name for arm in arms_of(config)]
    assert names[-3:] == ["int8 (plain)", "sign (epsilon 0.5)", "sign (epsilon 8)"]
