import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from burnish.errors import BurnishError, UsageError
from burnish.methods.cap.weights import kept_count, threshold_mask, top_mask


def by_hand(values, keep):
    """Indices of the `keep` highest; of equals, the first."""
    order = sorted(range(len(values)), key=lambda place: (-values[place], place))
    return [place in order[:keep] for place in range(len(values))]


def random_scores(*shapes, seed=0, levels=None):
    generator = torch.Generator().manual_seed(seed)
    found = [torch.randn(shape, generator=generator) for shape in shapes]
    return [(each * levels).round() for each in found] if levels else found


@pytest.mark.parametrize("levels", [None, 2])
@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.99, 1.0])
def test_the_highest_of_each_matrix_stay(keep, levels):
    scores = random_scores((7, 5), (3, 11), levels=levels)
    for mask, each in zip(top_mask(scores, keep, "matrix"), scores, strict=True):
        wanted = by_hand(each.flatten().tolist(), kept_count(each.numel(), keep))
        assert mask.flatten().tolist() == wanted


@pytest.mark.parametrize("levels", [None, 2])
@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.99, 1.0])
def test_the_highest_of_each_row_stay(keep, levels):
    (scores,) = random_scores((6, 13), levels=levels)
    (mask,) = top_mask([scores], keep, "row")
    for row, each in zip(mask.tolist(), scores.tolist(), strict=True):
        assert row == by_hand(each, kept_count(13, keep))


@pytest.mark.parametrize("levels", [None, 2])
@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.99, 1.0])
def test_the_highest_of_all_matrices_stay(keep, levels):
    scores = random_scores((7, 5), (3, 11), (4, 4), levels=levels)
    masks = top_mask(scores, keep, "global")
    together = torch.cat([each.flatten() for each in scores]).tolist()
    found = torch.cat([mask.flatten() for mask in masks]).tolist()
    assert found == by_hand(together, kept_count(len(together), keep))
    assert [mask.shape for mask in masks] == [each.shape for each in scores]


@given(
    rows=st.lists(
        st.lists(st.sampled_from([-1.0, 0.0, -0.0, 0.5, 2.0]), min_size=4, max_size=4),
        min_size=1,
        max_size=6,
    ),
    keep=st.floats(0, 1),
    ranking=st.sampled_from(["matrix", "global", "row"]),
)
@settings(max_examples=60, deadline=None)
def test_the_number_kept_is_exact_whatever_ties(rows, keep, ranking):
    scores = torch.tensor(rows)
    (mask,) = top_mask([scores], keep, ranking)
    if ranking == "row":
        assert mask.sum(1).tolist() == [kept_count(4, keep)] * len(rows)
    else:
        assert int(mask.sum()) == kept_count(scores.numel(), keep)
    if mask.any() and not mask.all() and ranking != "row":
        assert scores[mask].min() >= scores[~mask].max()


@pytest.mark.parametrize("ranking", ["matrix", "global", "row"])
def test_a_matrix_of_equal_scores_keeps_its_first_weights(ranking):
    (mask,) = top_mask([torch.zeros(3, 4)], 0.5, ranking)
    wanted = [[1, 1, 0, 0]] * 3 if ranking == "row" else [[1] * 4, [1, 1, 0, 0], [0] * 4]
    assert mask.int().tolist() == wanted


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_other_number_formats_are_ranked_exactly(dtype):
    (scores,) = random_scores((20, 30))
    scores = scores.to(dtype)
    (mask,) = top_mask([scores], 0.3, "matrix")
    assert mask.flatten().tolist() == by_hand(scores.flatten().tolist(), 180)


def test_a_transposed_matrix_breaks_ties_by_its_own_rows():
    scores = torch.zeros(4, 3).T
    (mask,) = top_mask([scores], 0.5, "matrix")
    assert mask.int().tolist() == [[1] * 4, [1, 1, 0, 0], [0] * 4]


def test_scores_are_left_alone():
    scores = random_scores((9, 9), (5, 5))
    before = [each.clone() for each in scores]
    for ranking in ("matrix", "global", "row"):
        top_mask(scores, 0.4, ranking)
    assert all(torch.equal(a, b) for a, b in zip(scores, before, strict=True))


@pytest.mark.parametrize("ranking", ["matrix", "global", "row"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_scores_that_are_not_finite_raise(bad, ranking):
    scores = random_scores((3, 3), (3, 3))
    scores[1][2, 1] = bad
    with pytest.raises(BurnishError, match=r"cannot be ranked.*lower the learning rate"):
        top_mask(scores, 0.5, ranking)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_out_of_range_raises(share):
    with pytest.raises(UsageError, match=f"between 0 and 1, got {share}"):
        top_mask([torch.ones(2, 2)], share, "matrix")


@pytest.mark.parametrize(("total", "share", "count"), [(100, 0.29, 29), (10, 0.55, 5), (7, 1, 7)])
def test_the_number_kept_is_rounded_down(total, share, count):
    assert kept_count(total, share) == count


def test_scores_above_the_threshold_stay_and_equal_ones_go():
    scores = torch.tensor([[0.1, 0.2], [0.3, 0.2]])
    assert threshold_mask(scores, 0.2, 0.0).tolist() == [[False, False], [True, False]]


@pytest.mark.parametrize("least", [0.005, 0.1, 1.0])
def test_a_threshold_that_takes_too_much_leaves_the_best(least):
    (scores,) = random_scores((30, 10))
    mask = threshold_mask(scores, 100.0, least)
    keep = math.ceil(least * 300)
    assert mask.flatten().tolist() == by_hand(scores.flatten().tolist(), keep)


def test_a_threshold_refuses_scores_that_are_not_finite():
    with pytest.raises(BurnishError, match="cannot be ranked"):
        threshold_mask(torch.tensor([[1.0, float("nan")]]), 0.5, 0.0)
