"""Tables, comparisons and gains of evaluations, against sums done by hand."""

import numpy as np
import pytest

from burnish.errors import UsageError
from burnish.evidence.intervals import wilson
from burnish.methods.structext.answerers import Answer
from burnish.methods.structext.evaluation import evaluate
from burnish.methods.structext.results import load_log, normalised_gain
from burnish.methods.structext.sample import Difficulty, Sample

SUITE = [
    Sample(
        language=language,
        task="PathWalk",
        rule=f"{language}.2",
        difficulty=Difficulty(depth, 1),
        text=f"{language} {depth} {index // 2}",
        question=f"question {index}",
        answer="alpha beta gamma delta",
    )
    for language in ("json", "yaml")
    for depth in (2, 10)
    for index in range(6)
]


class Saying:
    """Says what a function of the sample's place in the suite says."""

    def __init__(self, identity, say):
        self.identity = identity
        self.say = say

    def prompt_hash(self, sample):
        return sample.id

    def answers(self, samples):
        for index, sample in enumerate(samples):
            yield index, Answer(text=self.say(SUITE.index(sample)))


GOLD = "alpha beta gamma delta"
PART = "alpha beta gamma"
HALF = evaluate(SUITE, Saying("half", lambda i: GOLD if i % 2 else PART))
BAD = evaluate(SUITE, Saying("bad", lambda i: GOLD if i % 6 == 0 else ""))
BEST = evaluate(SUITE, Saying("best", lambda i: GOLD))


def test_table_by_tags_sorts_numbers_as_numbers():
    rows = HALF.table(["language", "depth"])
    assert [tuple(row.by.values()) for row in rows] == [
        ("json", 2),
        ("json", 10),
        ("yaml", 2),
        ("yaml", 10),
    ]
    assert all(row.n == 6 for row in rows)
    assert rows[0].scores["exact"] == wilson(3, 6)


def test_graded_scores_get_a_bootstrap_interval_around_the_mean():
    mean = HALF.table()[0].scores["rouge_l_75"]
    assert mean.estimate == pytest.approx((1 + 6 / 7) / 2, abs=1e-6)
    assert mean.low <= mean.estimate <= mean.high


def test_flat_rows_are_plain_data():
    flat = HALF.table(["depth"])[0].flat()
    assert flat["depth"] == 2
    assert flat["exact"] == 0.5
    assert flat["exact_low"] < 0.5 < flat["exact_high"]


def test_unknown_tags_are_refused():
    with pytest.raises(UsageError, match="unknown tag 'colour'; known are: language, task"):
        HALF.table(["colour"])


def test_compare_is_paired_and_signed():
    found = HALF.compare(BAD)["exact"]
    assert (found.n, found.ours) == (24, 0.5)
    assert found.theirs == pytest.approx(4 / 24)
    assert found.difference.estimate == pytest.approx(0.5 - 4 / 24)
    back = BAD.compare(HALF)["exact"].difference
    assert back.estimate == pytest.approx(-found.difference.estimate)
    assert found.difference.low > 0


def test_compare_uses_common_samples_only():
    part = evaluate(SUITE[:6], Saying("part", lambda i: GOLD))
    assert HALF.compare(part)["exact"].n == 6
    nothing = evaluate([], Saying("nothing", lambda i: GOLD))
    with pytest.raises(UsageError, match="nothing to compare"):
        HALF.compare(nothing)


def test_comparing_with_oneself_is_a_tie():
    difference = HALF.compare(HALF)["rouge_l_75"].difference
    assert difference.bounds == (0.0, 0.0)


def test_gain_by_hand():
    (gain,) = HALF.normalised_gain(BAD, BEST, metric="exact")
    assert gain.value == pytest.approx((12 - 4) / (24 - 4))
    assert gain.low < gain.value < gain.high
    assert len(HALF.normalised_gain(BAD, BEST, metric="exact", by=["language", "depth"])) == 4


def test_gain_of_floor_and_ceiling():
    (floor,), (ceiling,) = (run.normalised_gain(BAD, BEST, metric="exact") for run in (BAD, BEST))
    assert (floor.value, floor.low, floor.high) == (0, 0, 0)
    assert (ceiling.value, ceiling.low, ceiling.high) == (1, 1, 1)


def test_gain_is_undefined_where_there_is_nothing_to_gain():
    (gain,) = HALF.normalised_gain(BEST, BEST, metric="exact")
    assert (gain.value, gain.low, gain.high) == (None, None, None)
    assert normalised_gain([], [], []).value is None


def test_gain_interval_is_undefined_where_a_resample_is():
    gain = normalised_gain([1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [1.0, 0.0, 0.0])
    assert gain.value == 1
    assert gain.low is None


def test_gain_interval_covers_the_truth():
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(40):
        score = (rng.random(150) < 0.6).astype(float)
        constant = (rng.random(150) < 0.2).astype(float)
        gain = normalised_gain(score, constant, np.ones(150), seed=trial)
        covered += gain.low <= (0.6 - 0.2) / (1 - 0.2) <= gain.high
    assert covered >= 34


def test_a_missing_log_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError, match="no evaluation log at"):
        load_log(tmp_path)
