from __future__ import annotations

from collections import Counter

import pytest

from burnish.data import Examples, train_test
from burnish.errors import DataError


def of(n: int, **columns) -> Examples:
    given = {
        "task": "classification",
        "ids": tuple(range(n)),
        "texts": tuple(f"text {row}" for row in range(n)),
        "labels": tuple(row % 2 for row in range(n)),
        "label_names": ("no", "yes"),
    }
    return Examples(**(given | columns))


def test_taken_rows_keep_their_ids():
    taken = of(5, ids=(9, 8, 7, 6, 5)).take([3, 0])
    assert (taken.ids, taken.texts, taken.labels) == ((6, 9), ("text 3", "text 0"), (1, 0))
    assert len(taken) == 2


@pytest.mark.parametrize(
    ("columns", "complaint"),
    [
        ({"task": "regression"}, "task is classification, pairs or qa, got 'regression'"),
        ({"labels": (0,)}, "2 texts of a classification task need 2 labels, got 1"),
        ({"others": ("a", "b")}, "classification task need 0 others, got 2"),
        ({"task": "pairs"}, "2 texts of a pairs task need 2 others, got 0"),
        ({"ids": (4, 4)}, "ids must differ, but 4 is there twice"),
        ({"labels": (0, 2)}, r"from 0 to below the 2 label_names, got 0 to 2"),
        ({"labels": (-1, 0)}, "got -1 to 0"),
        (
            {
                "task": "qa",
                "others": ("q", "r"),
                "labels": (),
                "answers": ((0, "text"), (1, "text")),
            },
            "the answer of example 1, 'text', must stand in its context at character 1",
        ),
    ],
)
def test_columns_that_do_not_fit_are_refused(columns, complaint):
    with pytest.raises(DataError, match=complaint):
        of(2, **columns)


def test_a_row_cannot_be_taken_twice():
    with pytest.raises(DataError, match="ids must differ, but 1 is there twice"):
        of(3).take([1, 1])


def test_parts_have_the_classes_in_the_same_shares():
    examples = of(100, labels=(0,) * 80 + (1,) * 20)
    train, test = train_test(examples, test=0.25, seed=1)
    assert Counter(test.labels) == {0: 20, 1: 5}
    assert sorted(train.ids + test.ids) == list(range(100))
    assert train_test(examples, test=25, seed=1) == (train, test)
    assert train_test(examples, test=25, seed=2)[1] != test


def test_questions_are_parted_without_classes():
    examples = of(
        4, task="qa", labels=(), label_names=(), others=("?",) * 4, answers=((0, "t"),) * 4
    )
    assert [len(part) for part in train_test(examples, test=1, seed=0)] == [3, 1]


@pytest.mark.parametrize(
    ("test", "complaint"),
    [
        (0.0, "leave examples in both parts of 10, got 0.0"),
        (10, "leave examples in both parts of 10, got 10"),
        (5, r"same shares \(rarest of 2 classes: yes 1, no 9\); drop classes of one example"),
    ],
)
def test_parts_that_cannot_be_are_refused(test, complaint):
    with pytest.raises(DataError, match=complaint):
        train_test(of(10, labels=(0,) * 9 + (1,)), test=test, seed=0)
