from __future__ import annotations

import time

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from burnish.errors import UsageError
from burnish.methods.nlpguard.performance import (
    METRICS,
    Answers,
    _accuracy,
    _auc,
    _macro_f1,
    answers,
    averaged,
    compared,
    measure,
)
from burnish.methods.nlpguard.training import train


def made(n=80, classes=3, *, seed=0, skill=1.0, first=0, ties=False):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    logits = rng.normal(size=(n, classes))
    logits[np.arange(n), labels] += skill
    odds = np.exp(logits)
    probabilities = (odds / odds.sum(1, keepdims=True)).astype(np.float32)
    if ties:
        probabilities = np.round(probabilities, 1)
    return Answers(np.arange(first, first + n), labels, probabilities)


def test_metrics_are_those_of_scikit_learn():
    found = made()
    assert measure(found) == {
        "accuracy": pytest.approx(accuracy_score(found.labels, found.predicted)),
        "macro_f1": pytest.approx(f1_score(found.labels, found.predicted, average="macro")),
        "auc": pytest.approx(
            roc_auc_score(found.labels, found.probabilities, multi_class="ovr"), abs=1e-6
        ),
    }


def test_auc_of_two_classes_is_the_ordinary_one_and_of_one_class_none():
    two = made(classes=2)
    expected = roc_auc_score(two.labels, two.probabilities[:, 1])
    assert measure(two)["auc"] == pytest.approx(expected, abs=1e-6)
    one = Answers(two.items, np.zeros(80, int), two.probabilities)
    assert measure(one)["auc"] is None
    assert "auc" not in averaged([one], seed=0, resamples=20)


@pytest.mark.parametrize("ties", [False, True])
def test_resampled_metrics_equal_those_of_the_resampled_items(ties):
    found = made(ties=ties)
    drawn = np.random.default_rng(1).integers(0, 80, (20, 80))
    counts = np.stack([np.bincount(rows, minlength=80) for rows in drawn]).astype(float)
    for row, values in enumerate(
        zip(*(each(found, counts) for each in (_accuracy, _macro_f1, _auc)), strict=True)
    ):
        rows = drawn[row]
        again = Answers(np.arange(80), found.labels[rows], found.probabilities[rows])
        expected = measure(again)
        assert values == pytest.approx([expected[name] for name in METRICS], abs=1e-9)


def test_a_difference_that_is_always_there_has_an_interval_above_zero():
    before = [made(seed=seed, skill=0.5) for seed in range(5)]
    after = [
        Answers(run.items, run.labels, made(seed=seed, skill=2.5).probabilities)
        for seed, run in enumerate(before)
    ]
    found = compared(before, after, seed=0)
    for name in METRICS:
        mean = np.mean([measure(b)[name] - measure(a)[name] for a, b in zip(before, after)])  # noqa: B905
        assert found[name].estimate == pytest.approx(mean)
        assert 0 < found[name].low < found[name].estimate < found[name].high
    assert compared(before, after, seed=0) == found
    assert compared(before, after, seed=1) != found


def test_equal_answers_differ_by_nothing():
    runs = [made(seed=seed) for seed in range(3)]
    for interval in compared(runs, runs, seed=0).values():
        assert (interval.estimate, interval.low, interval.high) == (0, 0, 0)


def test_seeds_that_disagree_widen_the_interval():
    alike = [made(n=400, skill=2) for _ in range(5)]
    apart = [made(n=400, skill=skill) for skill in (0, 0.5, 2, 4, 8)]
    one, other = averaged(alike, seed=0), averaged(apart, seed=0)
    width = [found["accuracy"].high - found["accuracy"].low for found in (one, other)]
    assert width[1] > 2 * width[0]


def test_the_interval_of_one_run_is_that_of_a_share():
    run = made(n=400)
    found = averaged([run], seed=0)["accuracy"]
    spread = np.sqrt(found.estimate * (1 - found.estimate) / 400)
    assert found.high - found.low == pytest.approx(2 * 1.96 * spread, rel=0.1)


def test_seeds_may_have_test_items_of_their_own():
    runs = [made(seed=seed, first=40 * seed) for seed in range(3)]
    found = averaged(runs, seed=0)
    assert found["accuracy"].low < found["accuracy"].estimate < found["accuracy"].high


def test_runs_that_do_not_pair_up_are_refused():
    run = made()
    shuffled = Answers(run.items, np.roll(run.labels, 1), run.probabilities)
    with pytest.raises(UsageError, match="runs 0 before and after were not tested on the same"):
        compared([run], [shuffled], seed=0)
    with pytest.raises(UsageError, match="2 before and 1 after"):
        compared([run, run], [run], seed=0)
    with pytest.raises(UsageError, match="no runs to average"):
        averaged([], seed=0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"items": np.zeros(80, int)}, "answered twice"),
        ({"labels": np.full(80, 3)}, "labels are 0 to 2, got 3 to 3"),
        ({"labels": np.zeros(79, int)}, "answers are items"),
        ({"probabilities": np.full((80, 3), np.nan)}, "not finite"),
    ],
)
def test_answers_that_do_not_fit_are_refused(change, message):
    run = made()
    fields = {"items": run.items, "labels": run.labels, "probabilities": run.probabilities}
    with pytest.raises(UsageError, match=message):
        Answers(**fields | change)


def test_answers_come_from_a_classifier():
    texts = ["one", "two", "one two"]
    classifier = train("linear", texts, [0, 1, 1], ["a", "b"], 0)
    found = answers(classifier, texts, [0, 1, 0], [7, 8, 9])
    assert found.items.tolist() == [7, 8, 9]
    np.testing.assert_array_equal(found.probabilities, classifier.probabilities(texts))


def test_five_seeds_of_many_items_take_little_time():
    runs = [made(n=500, classes=6, seed=seed) for seed in range(5)]
    begun = time.process_time()
    compared(runs, runs, seed=0)
    assert time.process_time() - begun < 8
