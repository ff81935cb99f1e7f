"""The factors of a mean of products, against the product itself."""

from __future__ import annotations

import pytest
import torch

from burnish.methods.cg_fedllm.aggregating import exact_product


def adapters(count, outer=9, inner=14, rank=2, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    return [{"a": draw(rank, inner), "b": draw(outer, rank)} for _ in range(count)]


def product(adapter):
    return adapter["b"] @ adapter["a"]


def by_hand(found, weights, rank):
    mean = sum(w * product(each).double() for each, w in zip(found, weights, strict=True))
    u, s, v = torch.linalg.svd(mean)
    return (u[:, :rank] * s[:rank]) @ v[:rank]


@pytest.mark.parametrize("count", [2, 3, 4, 6])  # of rank 2 in 9 x 14: by QR, then by product
def test_it_is_the_truncated_mean_of_the_products(count):
    found = adapters(count)
    weights = [(i + 1) / (count * (count + 1) / 2) for i in range(count)]
    joined = exact_product(found, weights, [("a", "b")])
    assert joined["a"].shape == (2, 14)
    torch.testing.assert_close(
        product(joined).double(), by_hand(found, weights, 2), atol=1e-5, rtol=1e-5
    )


def test_one_adapter_gives_itself():
    (found,) = adapters(1)
    joined = exact_product([found], [1.0], [("a", "b")])
    torch.testing.assert_close(joined["a"], found["a"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(joined["b"], found["b"], atol=1e-5, rtol=1e-5)


def test_the_mean_of_factors_would_be_another_adapter():
    found = adapters(2)
    joined = exact_product(found, [0.5, 0.5], [("a", "b")])
    halves = {name: (found[0][name] + found[1][name]) / 2 for name in "ab"}
    wanted = by_hand(found, [0.5, 0.5], 2).float()
    assert (product(joined) - wanted).norm() < 1e-3 * (product(halves) - wanted).norm()


@pytest.mark.parametrize("zero_a", [False, True])
def test_no_direction_dies_when_products_are_zero(zero_a):
    found = adapters(3)
    for each in found:
        each["b"].zero_()
        if zero_a:
            each["a"].zero_()
    joined = exact_product(found, [1 / 3] * 3, [("a", "b")])
    assert torch.linalg.matrix_rank(joined["a"]) == 2
    assert joined["b"].abs().max() == 0
