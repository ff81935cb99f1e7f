"""Inequality against hand values."""

from __future__ import annotations

import math

import numpy as np
import pytest

from burnish.errors import UsageError
from burnish.methods.socialsim.inequality import gini, top_share


def test_gini_by_hand():
    assert gini(np.array([1, 1, 1, 1])) == 0
    assert gini(np.array([0, 0, 0, 8])) == 0.75
    assert gini(np.array([1, 2, 3, 4])) == 0.25


def test_gini_is_half_the_relative_mean_difference_whatever_the_order():
    amounts = np.random.default_rng(0).pareto(2, 60)
    slow = np.abs(amounts[:, None] - amounts).mean() / (2 * amounts.mean())
    assert gini(amounts) == pytest.approx(slow)
    assert gini(amounts[::-1] * 7) == pytest.approx(slow)


def test_top_share_counts_at_least_one_holder():
    assert top_share(np.array([1, 1, 8])) == 0.8
    assert top_share(np.arange(1, 201)) == (199 + 200) / (200 * 201 / 2)
    assert top_share(np.array([3, 4]), top=1.0) == 1


def test_nobody_having_anything_is_not_measured():
    assert math.isnan(gini(np.zeros(3)))
    assert math.isnan(top_share(np.zeros(3)))


@pytest.mark.parametrize("amounts", [[], [1, -1], [1, np.nan], [np.inf]])
def test_amounts_that_are_none_are_refused(amounts):
    with pytest.raises(UsageError, match="finite numbers of at least 0"):
        gini(np.array(amounts))


def test_a_top_that_is_no_share_is_refused():
    with pytest.raises(UsageError, match="share above 0 and up to 1, got 0"):
        top_share(np.array([1]), top=0)
