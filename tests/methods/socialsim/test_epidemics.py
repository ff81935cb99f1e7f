"""SIR and SEIZ: equations, chance and graphs agree where they must."""

from __future__ import annotations

import numpy as np
import pytest

from burnish.errors import UsageError
from burnish.methods.socialsim.epidemics import (
    Seiz,
    Sir,
    fit_seiz,
    neighbours,
    seiz_curve,
    seiz_graph,
    sir_chance,
    sir_curve,
    sir_graph,
)

RATES = Seiz(0.5, 0.3, 0.2, 0.01, 0.3, 0.4)
SHARES = (0.9, 0.05, 0.01, 0.04)


def random_graph(n, degree, seed):
    """CSR of a directed random graph with `degree` targets a node."""
    targets = np.random.default_rng(seed).integers(0, n, n * degree)
    return np.arange(0, n * degree + 1, degree), targets


def test_well_mixed_sir_peaks_within_two_percent_of_the_equation():
    model = Sir(0.4, 0.1)
    expected = sir_curve(model, 0.01, np.arange(101.0))[1]
    seen = sir_chance(model, 1000, 100_000, 100, np.random.default_rng(0))[1] / 100_000
    assert seen.max() == pytest.approx(expected.max(), rel=0.02)
    assert abs(int(seen.argmax()) - int(expected.argmax())) <= 1


def test_the_sir_peak_is_the_analytic_one():
    curve = sir_curve(Sir(0.4, 0.1), 1e-6, np.linspace(0, 200, 4001))
    ratio = 0.4 / 0.1
    assert curve[1].max() == pytest.approx(1 - (1 + np.log(ratio)) / ratio, abs=1e-4)
    np.testing.assert_allclose(curve.sum(axis=0), 1, atol=1e-9)


def test_people_are_conserved_by_chance_and_on_a_graph():
    path = sir_chance(Sir(0.9, 0.2), 10, 500, 40, np.random.default_rng(1))
    assert np.all(path.sum(axis=0) == 500)
    assert np.all(path >= 0)
    indptr, targets = random_graph(500, 6, 2)
    path = sir_graph(Sir(0.9, 0.2), indptr, targets, np.arange(10), 40, np.random.default_rng(3))
    assert np.all(path.sum(axis=0) == 500)
    assert path[2, -1] > 100


def test_sir_on_a_dense_random_graph_comes_close_to_the_equation():
    indptr, targets = random_graph(4000, 100, 4)
    model = Sir(0.2, 0.05)
    generator = np.random.default_rng(5)
    path = sir_graph(model, indptr, targets, np.arange(80), 80, generator) / 4000
    expected = sir_curve(model, 0.02, np.arange(81.0))
    assert path[1].max() == pytest.approx(expected[1].max(), rel=0.08)


def test_nothing_spreads_without_edges_or_contact():
    alone = np.zeros(11, np.int64)
    path = sir_graph(Sir(9, 0), alone, alone[:0], np.array([0]), 5, np.random.default_rng(0))
    assert np.all(path[1] == 1)
    indptr, targets = random_graph(10, 3, 0)
    path = sir_graph(Sir(0, 0), indptr, targets, np.array([0]), 5, np.random.default_rng(0))
    assert np.all(path[1] == 1)


def test_seiz_conserves_mass():
    curve = seiz_curve(RATES, SHARES, np.linspace(0, 168, 169))
    np.testing.assert_allclose(curve.sum(axis=0), 1, atol=1e-6)
    assert curve.min() > -1e-9


def test_seiz_without_exposed_and_sceptics_is_an_si_model():
    model = Seiz(0.3, 0, 0, 0, 1, 0)
    times = np.arange(60.0)
    seen = seiz_curve(model, (0.99, 0, 0.01, 0), times)[2]
    np.testing.assert_allclose(seen, 1 / (1 + 99 * np.exp(-0.3 * times)), rtol=1e-5)


def test_the_seiz_ratio_by_hand():
    assert RATES.ratio == pytest.approx((0.7 * 0.5 + 0.6 * 0.3) / 0.21)
    assert Seiz(1, 1, 0, 0, 0, 0).ratio == float("inf")


def test_seiz_on_a_graph_conserves_nodes_and_infects():
    indptr, targets = random_graph(2000, 12, 6)
    path = seiz_graph(
        RATES, indptr, targets, np.arange(20), np.arange(20, 100), 60, np.random.default_rng(7)
    )
    assert np.all(path.sum(axis=0) == 2000)
    assert path[:, 0].tolist() == [1900, 0, 20, 80]
    assert np.all(np.diff(path[0]) <= 0)
    assert np.all(np.diff(path[2]) >= 0)
    expected = seiz_curve(RATES, (0.95, 0, 0.01, 0.04), np.arange(61.0))[2, -1]
    assert path[2, -1] / 2000 == pytest.approx(expected, abs=0.08)


def test_a_fit_finds_a_curve_as_good_as_the_one_that_was_drawn():
    times = np.arange(0, 60.0, 4)
    drawn = seiz_curve(RATES, SHARES, times)[2]
    model, start = fit_seiz(times, drawn)
    again = seiz_curve(model, start, times)[2]
    assert np.abs(again - drawn).max() < 0.03 * drawn.max()


def test_neighbours_are_listed_node_by_node():
    indptr, targets = np.array([0, 2, 2, 5]), np.array([7, 8, 1, 2, 3])
    assert neighbours(indptr, targets, np.array([2, 1, 0, 2])).tolist() == [1, 2, 3, 7, 8, 1, 2, 3]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Sir(-1, 0), "rates are finite and at least 0"),
        (lambda: Sir(float("nan"), 0), "rates are finite and at least 0"),
        (lambda: Seiz(1, 1, 1, 1, 2, 0), "shares from 0 to 1, got 2 and 0"),
        (lambda: seiz_curve(RATES, (0.5, 0, 0, 0), np.arange(3.0)), "sum to 1"),
        (lambda: sir_curve(Sir(1, 1), 0.1, np.zeros(2)), "times ascend"),
        (lambda: fit_seiz(np.arange(3.0), np.zeros(3)), "8 times with a finite share each"),
        (lambda: sir_chance(Sir(1, 1), 5, 4, 1, np.random.default_rng(0)), "0 to 4 people"),
    ],
)
def test_wrong_calls_are_refused(call, message):
    with pytest.raises(UsageError, match=message):
        call()
