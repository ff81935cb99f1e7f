from __future__ import annotations

import pytest
import torch

from burnish.errors import UsageError
from burnish.methods.cg_fedllm.synthetic import gaussian_updates


def test_each_matrix_keeps_its_mean_and_spread():
    draw = torch.Generator().manual_seed(0)
    matrix = torch.tensor([0, 1]).repeat(4000)
    scale, shift = torch.tensor([0.01, 3.0])[matrix], torch.tensor([5.0, -1.0])[matrix]
    updates = torch.randn(6, 8000, generator=draw) * scale + shift
    made = gaussian_updates(updates, matrix, count=10, generator=draw)
    assert (made.shape, made.dtype) == ((10, 8000), torch.float32)
    for kind in (0, 1):
        real, new = updates[:, matrix == kind], made[:, matrix == kind]
        assert float(new.mean()) == pytest.approx(float(real.mean()), abs=0.05 * real.std().item())
        assert float(new.std()) == pytest.approx(float(real.std()), rel=0.02)


def test_nothing_of_an_update_is_left_but_two_numbers_a_matrix():
    """Updates with the same mean and variance in another order give the same samples."""
    matrix = torch.zeros(50, dtype=torch.int32)
    updates = torch.randn(3, 50, generator=torch.Generator().manual_seed(1))
    mixed = updates.flip(1)
    made = [
        gaussian_updates(each, matrix, count=2, generator=torch.Generator().manual_seed(2))
        for each in (updates, mixed)
    ]
    assert torch.allclose(*made, atol=1e-6)


@pytest.mark.parametrize(
    ("shape", "numbers", "count"), [((3,), 3, 1), ((0, 3), 3, 1), ((2, 3), 4, 1), ((2, 3), 3, 0)]
)
def test_what_does_not_fit_is_refused(shape, numbers, count):
    with pytest.raises(UsageError, match="a matrix for each of the n, and count >= 1"):
        gaussian_updates(
            torch.zeros(shape),
            torch.zeros(numbers, dtype=torch.int32),
            count=count,
            generator=torch.Generator(),
        )
