from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from burnish.data import eval_batches, plan_batches
from burnish.errors import UsageError

LENGTHS = st.lists(st.integers(1, 500), min_size=1, max_size=400)


def padding(batches, lengths) -> float:
    """Share of the cells of all batches that is padding."""
    cells = sum(len(rows) * lengths[rows].max() for rows in batches)
    return 1 - sum(lengths[rows].sum() for rows in batches) / cells


@settings(max_examples=60, deadline=None)
@given(LENGTHS, st.integers(1, 9), st.integers(1, 3), st.integers(0, 9))
def test_every_row_comes_once_an_epoch(lengths, batch_size, epochs, seed):
    rng = np.random.default_rng(seed)
    plan = plan_batches(lengths, batch_size=batch_size, epochs=epochs, generator=rng)
    per_epoch = -(-len(lengths) // batch_size)
    assert len(plan) == epochs * per_epoch
    for epoch in range(epochs):
        batches = plan[epoch * per_epoch : (epoch + 1) * per_epoch]
        assert sorted(np.concatenate(batches)) == list(range(len(lengths)))
        sizes = sorted(map(len, batches))
        assert sizes[1:] == [batch_size] * (per_epoch - 1)


@settings(max_examples=30, deadline=None)
@given(LENGTHS, st.integers(1, 9))
def test_evaluation_takes_every_row_once_and_the_longest_first(lengths, batch_size):
    batches = eval_batches(lengths, batch_size)
    order = np.concatenate(batches)
    assert sorted(order) == list(range(len(lengths)))
    assert (np.diff(np.array(lengths)[order]) <= 0).all()


def test_the_generator_alone_decides_the_plan():
    lengths = np.random.default_rng(0).integers(5, 100, 300)
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    plans = [
        plan_batches(lengths, batch_size=8, epochs=2, generator=np.random.default_rng(seed))
        for seed in (3, 3, 4)
    ]
    assert [b.tolist() for b in plans[0]] == [b.tolist() for b in plans[1]]
    assert [b.tolist() for b in plans[0]] != [b.tolist() for b in plans[2]]
    assert [b.tolist() for b in plans[0][:38]] != [b.tolist() for b in plans[0][38:]]
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


def test_little_is_padded_and_lengths_are_mixed_over_the_epoch():
    lengths = np.random.default_rng(0).integers(5, 129, 4000)
    rng = np.random.default_rng(1)
    plan = plan_batches(lengths, batch_size=16, epochs=1, generator=rng)
    shuffled = np.array_split(rng.permutation(4000), 250)
    assert padding(plan, lengths) < 0.05 < 0.4 < padding(shuffled, lengths)
    means = np.array([lengths[rows].mean() for rows in plan])
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.2


@pytest.mark.parametrize(
    ("batch_size", "epochs", "complaint"),
    [(0, 1, "batch_size must be at least 1, got 0"), (1, 0, "epochs must be at least 1, got 0")],
)
def test_nothing_to_plan_is_refused(batch_size, epochs, complaint):
    with pytest.raises(UsageError, match=complaint):
        plan_batches([3], batch_size=batch_size, epochs=epochs, generator=np.random.default_rng(0))
