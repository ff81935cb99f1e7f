from __future__ import annotations

import numpy as np
import pytest

from burnish.data.partition import dirichlet, held_out, two_parts
from burnish.errors import DataError, UsageError


def drawn(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


GROUPS = [f"group {n % 12}" for n in range(600)]


def skew(parts: list[np.ndarray], groups: list[str]) -> float:
    """Mean over clients of the share that the client's largest group has."""
    names = np.array(groups)
    tops = [np.unique(names[part], return_counts=True)[1].max() / len(part) for part in parts]
    return float(np.mean(tops))


@pytest.mark.parametrize("alpha", [0.1, 0.5, 100.0])
def test_every_item_goes_to_one_client(alpha):
    parts = dirichlet(GROUPS, clients=10, alpha=alpha, generator=drawn())
    assert sorted(np.concatenate(parts)) == list(range(600))
    assert min(map(len, parts)) >= 1
    assert all((np.diff(part) > 0).all() for part in parts)


def test_a_small_alpha_gives_clients_groups_of_their_own():
    skews = [
        skew(dirichlet(GROUPS, clients=10, alpha=alpha, generator=drawn()), GROUPS)
        for alpha in (0.05, 0.5, 100.0)
    ]
    assert skews[0] > 0.4 > skews[1] > skews[2]
    assert skews[2] < 0.2


def test_clients_fare_alike_whatever_their_number():
    """With few items a group, shares that are cut and rounded would favour the last client."""
    groups = [f"group {n // 4}" for n in range(200)]
    many = np.zeros(20)
    for seed in range(60):
        parts = dirichlet(groups, clients=20, alpha=1.0, generator=drawn(seed))
        many += [len(part) for part in parts]
    assert many.min() / many.max() > 0.8


def test_a_seed_gives_the_same_parts():
    first, again, other = (
        dirichlet(GROUPS, clients=5, alpha=0.5, generator=drawn(seed)) for seed in (3, 3, 4)
    )
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


def test_every_client_gets_the_least_that_is_asked_for():
    sizes = np.arange(600) % 7 + 1
    parts = dirichlet(GROUPS, clients=8, alpha=0.5, generator=drawn(), sizes=sizes, least=120)
    assert min(sizes[part].sum() for part in parts) >= 120


def test_what_cannot_be_spread_is_told():
    with pytest.raises(
        DataError, match=r"3 texts in 1 groups, 3 together, cannot be spread over 4"
    ):
        dirichlet(["a"] * 3, clients=4, alpha=1.0, generator=drawn())
    with pytest.raises(UsageError, match="needs clients >= 1, alpha > 0"):
        dirichlet(["a"], clients=1, alpha=0.0, generator=drawn())
    with pytest.raises(UsageError, match=r"sizes must have the shape \(1,\), got \(2,\)"):
        dirichlet(["a"], clients=1, alpha=1.0, generator=drawn(), sizes=[1, 2])


@pytest.mark.parametrize(("n", "share", "size"), [(10, 0.3, 3), (2, 0.01, 1), (2, 0.99, 1)])
def test_two_parts_share_nothing_and_are_not_empty(n, share, size):
    first, second = two_parts(np.arange(n) + 5, share=share, generator=drawn())
    assert len(first) == size
    assert sorted([*first, *second]) == list(range(5, n + 5))


def test_two_parts_need_two_items():
    with pytest.raises(DataError, match="two parts need two items at least, got 1"):
        two_parts([4], share=0.5, generator=drawn())
    with pytest.raises(UsageError, match="share must be above 0 and below 1, got 1"):
        two_parts([4, 5], share=1, generator=drawn())


def test_what_is_held_out_has_the_groups_in_their_shares():
    groups = ["a"] * 300 + ["b"] * 100
    stay, out = held_out(groups, share=0.1, generator=drawn())
    assert sorted([*stay, *out]) == list(range(400))
    assert len(out) == 40
    assert abs(sum(row >= 300 for row in out) - 10) <= 1


def test_holding_out_needs_two_items():
    with pytest.raises(DataError, match="needs two at least, got 1"):
        held_out(["a"], share=0.5, generator=drawn())
