from __future__ import annotations

from dataclasses import replace

from burnish.methods.nlpguard.arms import (
    Agree,
    Arm,
    Cost,
    Iterate,
    Plant,
    Race,
    alone_of,
    arms_of,
    jobs_of,
)
from burnish.methods.nlpguard.config import ENCODER_ONLY, NlpguardConfig

EVERYTHING = NlpguardConfig(
    kinds=("linear", "minilm"),
    mitigations=("word_removal", "mask", "leace"),
    encoder_mitigations=("word_removal", "leace"),
    seeds=3,
    other_seeds=1,
    llm="some-model",
)


def test_the_headline_has_every_seed_and_others_fewer():
    found = [(arm.kind, arm.mitigation, arm.number) for arm in arms_of(EVERYTHING)]
    assert found.count(("minilm", "word_removal", 2)) == 1
    assert ("minilm", "leace", 0) in found
    assert ("minilm", "leace", 1) not in found
    assert ("linear", "mask", 2) in found  # a linear model takes no time


def test_a_linear_model_is_spared_what_needs_vectors_and_an_encoder_what_is_not_asked():
    found = {(arm.kind, arm.mitigation) for arm in arms_of(EVERYTHING)}
    assert not [name for kind, name in found if kind == "linear" and name in ENCODER_ONLY]
    assert ("minilm", "mask") not in found


def test_keys_are_distinct_and_every_need_is_a_job():
    jobs = jobs_of(EVERYTHING)
    keys = [job.key for job in jobs]
    assert len(set(keys)) == len(keys)
    assert {need for job in jobs for need in job.needs} <= set(keys)
    assert Arm("minilm", "leace", 0).needs == ("arms/minilm-none-0",)
    assert Arm("minilm", "none", 0).needs == ()


def test_checks_are_jobs_where_they_are_asked_for():
    jobs = jobs_of(EVERYTHING)
    assert [job for job in jobs if not isinstance(job, Arm)] == [
        Plant("linear"),
        Plant("minilm"),
        Iterate(),
        Agree("minilm"),
    ]
    assert alone_of(EVERYTHING) == []
    timed = alone_of(replace(EVERYTHING, race=True))
    assert timed == [[Race()], [Cost("linear")], [Cost("minilm")]]
    bare = replace(EVERYTHING, planted=(), guard_rounds=0, llm="")
    assert all(isinstance(job, Arm) for job in jobs_of(bare))
    encoder = replace(EVERYTHING, kinds=("minilm",))
    assert Iterate() not in jobs_of(encoder)
