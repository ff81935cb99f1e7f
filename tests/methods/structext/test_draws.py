from collections import Counter

import pytest

from burnish.methods.structext.draws import Draws


def test_the_key_decides_everything():
    first, again, other = Draws(b"key"), Draws(b"key"), Draws(b"kez")
    numbers = [first.below(1000) for _ in range(500)]
    assert numbers == [again.below(1000) for _ in range(500)]
    assert numbers != [other.below(1000) for _ in range(500)]


def test_a_known_stream_does_not_change():
    """Suites in the world were made from these numbers."""
    draws = Draws(b"burnish")
    known = [
        63,
        63,
        46,
        64,
        90,
        43,
        61,
        39,
        89,
        29,
        13,
        82,
        70,
        75,
        61,
        39,
        42,
        47,
        74,
        16,
        44,
        30,
        70,
        84,
        1,
    ]
    assert [draws.below(100) for _ in range(25)] == known


@pytest.mark.parametrize("bound", [2, 7, 26, 100])
def test_draws_are_uniform(bound):
    draws = Draws(b"uniform")
    counts = Counter(draws.many(bound, 5000) + [draws.below(bound) for _ in range(5000)])
    expected = 10000 / bound
    chi_squared = sum((counts[value] - expected) ** 2 / expected for value in range(bound))
    assert chi_squared < bound + 5 * (2 * bound) ** 0.5
    assert set(counts) <= set(range(bound))


def test_huge_bounds_are_filled():
    bound = 26**30
    numbers = [Draws(b"%d" % index).huge(bound) for index in range(400)]
    assert min(numbers) >= 0
    assert max(numbers) < bound
    assert sum(number < bound // 2 for number in numbers) == pytest.approx(200, abs=60)


def test_shuffling_keeps_the_items():
    assert sorted(Draws(b"s").shuffled(range(50))) == list(range(50))
    assert Draws(b"s").shuffled(range(50)) != list(range(50))
