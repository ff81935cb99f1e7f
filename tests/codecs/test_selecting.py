from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from burnish.codecs.selecting import largest


def by_sorting(values, k):
    return np.sort(np.argsort(-np.abs(values), kind="stable")[:k])


@settings(max_examples=200, deadline=None)
@given(arrays.arrays(np.float32, st.integers(1, 60), elements=st.integers(-3, 3)), st.data())
def test_the_largest_and_of_equals_the_first(values, data):
    k = data.draw(st.integers(1, len(values)))
    assert np.array_equal(largest(values, k), by_sorting(values, k))


@pytest.mark.parametrize("k", [1, 10, 1000, 50_000, 199_999, 200_000])
@pytest.mark.parametrize("decimals", [1, 7])
def test_many_numbers_with_and_without_ties(k, decimals):
    values = np.random.default_rng(0).standard_normal(200_000).round(decimals).astype(np.float32)
    assert np.array_equal(largest(values, k), by_sorting(values, k))


def test_a_sample_that_misleads_changes_nothing():
    values = np.random.default_rng(0).standard_normal(200_000).astype(np.float32)
    values[:: 200_000 // 2**14 | 1] += 100  # all that a sample in equal steps sees
    for k in (100, 20_000):
        assert np.array_equal(largest(values, k), by_sorting(values, k))
