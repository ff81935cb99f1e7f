"""Groups that are given are treated alike: by a threshold each, or by a model trained for it."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.pipeline import make_pipeline

from burnish.data import load_set
from burnish.errors import BurnishError, DataError, MissingExtra, UsageError
from burnish.methods.nlpguard.annotation import Protected
from burnish.methods.nlpguard.linear import LinearClassifier
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.mitigators import (
    GroupReduction,
    GroupThresholds,
    Reduced,
    Thresholded,
)
from burnish.methods.nlpguard.rows import Rows
from burnish.methods.nlpguard.training import LinearSettings, train

CLASSES = ("state", "stage")
BOUNDS = {GroupThresholds: {}, GroupReduction: {"bound": 0.02}}
KINDS = pytest.mark.parametrize("kind", [GroupThresholds, GroupReduction])
CONSTRAINTS = pytest.mark.parametrize(
    ("constraint", "rates"),
    [
        ("true_positive_rate_parity", [1]),
        ("false_positive_rate_parity", [0]),
        ("equalized_odds", [0, 1]),
    ],
)


@pytest.fixture(scope="module")
def people():
    """Biographies of statesmen and of actors, whose group is whether they are American."""

    def part(examples):
        texts, labels = [], []
        for text, label in zip(examples.texts, examples.labels, strict=True):
            if (name := examples.label_names[label]) in CLASSES:
                texts.append(text)
                labels.append(CLASSES.index(name))
        groups = ["us" if "United States" in text else None for text in texts]
        return SimpleNamespace(texts=texts, labels=np.array(labels), groups=groups)

    found = load_set("occupations")
    people = SimpleNamespace(train=part(found.train), test=part(found.test))
    people.rows = rows(people.train.texts, people.train.labels.tolist())
    learn = partial(train, "linear", people.train.texts, people.train.labels, CLASSES, 0)
    people.linear = learn()
    people.weak = learn(linear=LinearSettings(inverse_penalty=0.03))  # errs by group, too
    return people


def rows(texts, labels):
    pairs = zip(texts, labels, strict=True)
    return Rows.of([{"text": text, "label": label} for text, label in pairs])


def fitted(mitigator, data):
    return mitigator.fit(data, Protected({}), Matcher({"he": "sex"}))


def wrapped(mitigator, people):
    return fitted(mitigator, people.rows).wrap(people.linear)


@pytest.fixture(scope="module")
def fair(people):
    """One of each kind, of a bound of 0.05."""
    return {
        kind: wrapped(kind(people.train.groups, bound=0.05, seed=3), people)
        for kind in (GroupThresholds, GroupReduction)
    }


def asked(classifier, part):
    given = (part.groups,) if isinstance(classifier, Thresholded) else ()
    return classifier.probabilities(part.texts, *given)


def difference(positive, part, label=None):
    """In the share called positive, between the groups; of one true label if it is given."""
    american = np.array(part.groups) == "us"
    there = np.ones(len(positive), bool) if label is None else part.labels == label
    return abs(positive[american & there].mean() - positive[~american & there].mean())


def drawn(classifier, part):
    """Which texts are called positive, (20, n): a row each of 20 seeds."""
    draws = [replace(classifier, seed=seed) for seed in range(20)]
    return np.stack([asked(each, part)[:, 1] for each in draws])


@KINDS
def test_the_difference_falls_below_the_bound_on_the_rows(people, fair, kind):
    plain = people.linear.probabilities(people.train.texts).argmax(1)
    assert difference(plain, people.train) > 0.4
    positive = drawn(fair[kind], people.train)
    assert difference(positive.mean(0), people.train) < 0.05 + 0.01  # for the draws
    assert (positive == people.train.labels).mean() > 0.8


@KINDS
def test_no_more_is_given_up_than_the_bound_asks_for(people, fair, kind):
    wide = wrapped(kind(people.train.groups, bound=0.2), people)
    positive, strict = drawn(wide, people.train), drawn(fair[kind], people.train)
    assert 0.1 < difference(positive.mean(0), people.train) < 0.2 + 0.01
    right = [(each == people.train.labels).mean() for each in (positive, strict)]
    assert right[0] > right[1] + 0.01


@KINDS
def test_new_texts_are_decided_on_fairly_too(people, fair, kind):
    plain = people.linear.probabilities(people.test.texts).argmax(1)
    assert difference(plain, people.test) > 0.3
    answers = asked(fair[kind], people.test)
    assert difference(answers.argmax(1), people.test) < 0.15
    assert answers.dtype == np.float32
    assert {*map(tuple, answers.tolist())} == {(0, 1), (1, 0)}


@KINDS
@CONSTRAINTS
def test_constraints_are_on_the_rates_they_name(people, kind, constraint, rates):
    plain = people.weak.probabilities(people.train.texts).argmax(1)
    mitigator = kind(people.train.groups, constraint=constraint, **BOUNDS[kind])
    positive = drawn(fitted(mitigator, people.rows).wrap(people.weak), people.train).mean(0)
    for label in rates:
        assert difference(plain, people.train, label) > 0.1
        assert difference(positive, people.train, label) < 0.05


@KINDS
def test_the_same_seed_gives_the_same_bytes(people, fair, kind):
    state = np.random.get_state()[1].tobytes()  # noqa: NPY002  # of what must not be drawn from
    one, other = fair[kind], wrapped(kind(people.train.groups, bound=0.05, seed=3), people)
    assert asked(one, people.train).tobytes() == asked(other, people.train).tobytes()
    reseeded = replace(one, seed=4)
    assert asked(one, people.train).tobytes() != asked(reseeded, people.train).tobytes()
    assert np.random.get_state()[1].tobytes() == state  # noqa: NPY002


@pytest.fixture(scope="module")
def thresholded(people):
    return wrapped(GroupThresholds(people.train.groups), people)


def test_the_group_decides_which_threshold_holds(people, thresholded):
    texts = people.test.texts
    american, others = (thresholded.probabilities(texts, [group] * len(texts))[:, 1]
                        for group in ("us", None))  # fmt: skip
    assert others.sum() > american.sum()  # Americans are called actors too easily
    assert (others >= american).all()  # a text keeps its draw
    assert thresholded.classes == CLASSES


def test_groups_of_a_text_may_be_looked_up(people, thresholded):
    looking = replace(
        thresholded, groups_of=lambda texts: ["us" if "United" in t else None for t in texts]
    )
    expected = asked(thresholded, people.test)
    np.testing.assert_array_equal(looking.probabilities(people.test.texts), expected)
    given = wrapped(GroupThresholds(people.train.groups, looking.groups_of), people)
    np.testing.assert_array_equal(given.probabilities(people.test.texts), expected)
    swapped = [None if group else "us" for group in people.test.groups]
    assert (looking.probabilities(people.test.texts, swapped) != expected).any()
    assert looking.probabilities([]).shape == (0, 2)


def test_groups_may_be_any_hashable_values(people):
    names = {"us": frozenset({"us"}), None: ("not", "us")}
    groups = [names[group] for group in people.train.groups]
    found = wrapped(GroupThresholds(groups), people)
    test = [names[group] for group in people.test.groups]
    plain = asked(wrapped(GroupThresholds(people.train.groups), people), people.test)
    np.testing.assert_array_equal(found.probabilities(people.test.texts, test), plain)


def test_thresholds_refuse_texts_whose_group_they_do_not_know(people, thresholded):
    with pytest.raises(UsageError, match=r"got texts alone; give probabilities\(texts, groups\)"):
        thresholded.probabilities(["a king"])
    with pytest.raises(UsageError, match="one group for each of 2 texts, got 1"):
        thresholded.probabilities(["a king", "a star"], ["us"])
    with pytest.raises(UsageError, match="the group of text 1 is none of the 2 that") as caught:
        thresholded.probabilities(["a king", "a star"], ["us", "martian"])
    assert "martian" not in str(caught.value)


def test_a_reduction_asks_for_no_group_and_draws_by_its_chances(people, fair):
    reduced = fair[GroupReduction]
    assert isinstance(reduced, Reduced)
    assert reduced.classes == CLASSES
    assert reduced.difference <= 0.05
    chances = reduced.chances(people.train.texts)
    assert ((chances > 0) & (chances < 1)).any()
    often = drawn(reduced, people.train).mean(0)
    np.testing.assert_array_equal(often[chances == 0], 0)
    np.testing.assert_array_equal(often[chances == 1], 1)
    assert abs(often - chances).max() < 0.5
    assert difference(chances, people.train) == pytest.approx(reduced.difference)
    assert reduced.probabilities([]).shape == (0, 2)


def test_a_reduction_keeps_the_words_and_settings_and_leaves_the_classifier(people, fair):
    pipeline = people.linear.pipeline
    assert fair[GroupReduction].linear.vectorizer is pipeline[0]
    assert len(fair[GroupReduction].models) > 1
    for _, model in fair[GroupReduction].models:
        assert model.get_params() | {"random_state": None} == pipeline[-1].get_params()
    fresh = train("linear", people.train.texts, people.train.labels, CLASSES, 0)
    np.testing.assert_array_equal(pipeline[-1].coef_, fresh.pipeline[-1].coef_)


TEXTS = ["he sang", "he ruled", "she sang", "she ruled", "he sang", "he sang", "she ruled"]
LABELS = ["b", "a", "b", "a", "b", "b", "a"]
SEXES = [text.split()[0] for text in TEXTS]


def pipeline(model):
    return LinearClassifier(make_pipeline(CountVectorizer(), model).fit(TEXTS, LABELS))


def test_labels_may_be_names_and_models_that_draw_are_seeded():
    classifier = pipeline(SGDClassifier(loss="log_loss", max_iter=5, tol=None))
    mitigation = fitted(GroupReduction(SEXES, bound=0.4, rounds=5), rows(TEXTS, LABELS))
    one, other = (mitigation.wrap(classifier) for _ in range(2))
    assert one.classes == ("a", "b")
    weights = [[model.coef_ for _, model in each.models if hasattr(model, "coef_")]
               for each in (one, other)]  # fmt: skip
    assert weights[0]
    np.testing.assert_array_equal(*weights)


@KINDS
@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (None, "needs the group of every row, got none; give groups"),
        (SEXES[:3], "one group for each of 7 rows, got 3"),
        (["he"] * 7, "makes groups equal, got one group"),
        (["x", *SEXES[1:]], r"that of row 0 \(1 rows\) has only 'b'; merge it"),
        ([*SEXES[:3], float("nan"), *SEXES[4:]], r"the group of row 3 is missing \(nan\)"),
        ([*SEXES[:3], np.float32("nan"), *SEXES[4:]], r"the group of row 3 is missing \(nan\)"),
        ([["he"], *SEXES[1:]], "the group of row 0 is a list, which is not hashable"),
        ([*SEXES[:6], (["she"],)], "the group of row 6 is a tuple, which is not hashable"),
    ],
)
def test_groups_that_cannot_be_made_equal_are_refused(kind, groups, message):
    with pytest.raises(UsageError, match=message) as caught:
        fitted(kind(groups), rows(TEXTS, LABELS))
    assert "\n" not in str(caught.value)


@KINDS
def test_only_two_classes_are_decided_between(people, kind):
    three = rows(TEXTS, ["c", *LABELS[1:]])
    with pytest.raises(UsageError, match="decides between two classes, got 3; train one class"):
        fitted(kind(SEXES), three)
    wrap = fitted(kind(SEXES), rows(TEXTS, LABELS)).wrap
    with pytest.raises(UsageError, match="decides between two classes, got 3"):
        wrap(train("linear", TEXTS, LABELS, ("a", "b", "c"), 0))
    with pytest.raises(DataError, match="the label of row 0 is 'b', which is no class"):
        wrap(people.linear)


class Unweighted(LogisticRegression):
    def fit(self, features, labels):
        return super().fit(features, labels)


def test_a_reduction_needs_a_linear_pipeline_whose_rows_can_weigh(thresholded):
    wrap = fitted(GroupReduction(SEXES), rows(TEXTS, LABELS)).wrap
    with pytest.raises(UsageError, match=r"a Thresholded has none \(no pipeline\)"):
        wrap(replace(thresholded, classifier=pipeline(LogisticRegression())))
    with pytest.raises(UsageError, match="which Unweighted does not take"):
        wrap(pipeline(Unweighted()))


def test_a_bound_that_is_not_reached_is_said(people):
    mitigator = GroupReduction(people.train.groups, bound=0.02, rounds=1)
    with pytest.raises(
        BurnishError, match=r"after at most 1 rounds groups differ by 0.*, and 0.02"
    ):
        wrapped(mitigator, people)


def test_settings_out_of_range_are_refused():
    with pytest.raises(UsageError, match="did you mean 'demographic_parity'"):
        GroupThresholds(SEXES, constraint="demographic")
    with pytest.raises(UsageError, match="there are: demographic_parity, equalized_odds, true"):
        GroupReduction(SEXES, constraint="luck")
    with pytest.raises(UsageError, match=r"from 0 to below 1, got -0.1"):
        GroupThresholds(SEXES, bound=-0.1)
    with pytest.raises(UsageError, match="from 0 to below 1, got nan"):
        GroupReduction(SEXES, bound=float("nan"))
    with pytest.raises(UsageError, match=r"meet equalized_odds exactly, got a bound of 0.1"):
        GroupThresholds(SEXES, constraint="equalized_odds", bound=0.1)
    with pytest.raises(UsageError, match="above 0 and a round at least, got 0 and 50"):
        GroupReduction(SEXES, bound=0)
    with pytest.raises(UsageError, match=r"above 0 and a round at least, got 0.02 and 0"):
        GroupReduction(SEXES, rounds=0)


@pytest.mark.parametrize(
    ("module", "kind"),
    [("fairlearn.postprocessing", GroupThresholds), ("fairlearn.reductions", GroupReduction)],
)
def test_fairlearn_is_named_where_it_is_missing(monkeypatch, module, kind):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=r"fairlearn, which .* run: pip install fairlearn"):
        fitted(kind(SEXES), rows(TEXTS, LABELS))
