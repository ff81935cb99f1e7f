from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from burnish.errors import UsageError
from burnish.methods.nlpguard.subgroups import power_mean, subgroups

NAMES = ("race", "sex")


@pytest.fixture
def scored():
    """A score that is right, but for texts of the first category, which it pushes up."""
    rng = np.random.default_rng(0)
    positive = rng.random(400) < 0.4
    held = rng.random((400, 2)) < 0.3
    scores = positive + rng.normal(0, 0.3, 400) + 0.7 * held[:, 0]
    return positive, scores / 4, held


def test_a_score_that_is_pushed_up_has_a_low_bpsn(scored):
    positive, scores, held = scored
    found = subgroups(positive, scores, held, categories=NAMES, threshold=0.2)
    race, sex = found.rows
    assert race.bpsn_auc < 0.8 < race.subgroup_auc
    assert race.bnsp_auc > 0.99
    assert sex.bpsn_auc == pytest.approx(found.overall_auc, abs=0.05)
    assert race.parity_difference > 0.2 > abs(sex.parity_difference)
    assert race.texts == held[:, 0].sum()
    assert found.overall_auc == pytest.approx(roc_auc_score(positive, scores))


def test_areas_are_of_the_texts_that_their_names_say(scored):
    positive, scores, held = scored
    race = subgroups(positive, scores, held, categories=NAMES).rows[0]
    inside = held[:, 0]
    for rows, found in (
        (inside, race.subgroup_auc),
        ((inside & ~positive) | (~inside & positive), race.bpsn_auc),
        ((inside & positive) | (~inside & ~positive), race.bnsp_auc),
    ):
        assert found == pytest.approx(roc_auc_score(positive[rows], scores[rows]))
    called = scores >= 0.5
    expected = called[inside & positive].mean() - called[~inside & positive].mean()
    assert race.opportunity_difference == pytest.approx(expected)


def test_what_is_undefined_is_none_and_no_part_of_the_mean():
    held = np.array([[1, 0], [1, 0], [0, 0], [0, 0]], bool)
    found = subgroups([1, 1, 0, 1], [0.9, 0.8, 0.1, 0.7], held, categories=NAMES)
    race, sex = found.rows
    assert (race.subgroup_auc, race.bnsp_auc) == (None, 1.0)
    assert (sex.subgroup_auc, sex.parity_difference, sex.opportunity_difference) == (None,) * 3
    assert found.power_means["subgroup_auc"] is None
    assert found.power_means["bnsp_auc"] == 1.0


def test_bad_values_weigh_most_in_the_power_mean():
    by_hand = ((0.5**-5 + 0.9**-5) / 2) ** (-1 / 5)
    assert power_mean([0.5, 0.9]) == pytest.approx(by_hand)
    assert by_hand < 0.6
    assert power_mean([0.9, 0.0]) == 0
    with pytest.raises(UsageError, match="needs values of at least 0"):
        power_mean([])


def test_columns_must_pair_up():
    with pytest.raises(UsageError, match="pair up"):
        subgroups([1, 0], [0.5], [[0, 0]], categories=NAMES)
    with pytest.raises(UsageError, match="not finite"):
        subgroups([1, 0], [0.5, np.nan], [[0, 0]] * 2, categories=NAMES)
