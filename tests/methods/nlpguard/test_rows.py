"""Rows of three kinds go out as they came in, and the originals stay."""

from __future__ import annotations

import copy

import datasets
import numpy as np
import pandas as pd
import pytest

from burnish.errors import DataError, UsageError
from burnish.methods.nlpguard.rows import Rows

ROWS = [
    {"id": 1, "text": "He  went.", "label": "a", "tags": ["x"]},
    {"id": 2, "text": "Ünïcode\n", "label": "b", "tags": []},
    {"id": 3, "text": "", "label": "a", "tags": ["y", "z"]},
]


def frame():
    return pd.DataFrame(ROWS, index=[10, 11, 12])


def dataset():
    names = datasets.ClassLabel(names=["a", "b"])
    return datasets.Dataset.from_list(ROWS).cast_column("label", names)


def test_dicts_come_back_as_new_dicts():
    rows = copy.deepcopy(ROWS)
    made = Rows.of(iter(rows)).rebuild([2, 0, 0], ["new", "He  went.", "She"])
    assert made == [{**ROWS[2], "text": "new"}, ROWS[0], {**ROWS[0], "text": "She"}]
    made[1]["label"] = "changed"
    assert rows == ROWS


def test_a_frame_keeps_index_and_types():
    before = frame()
    made = Rows.of(before).rebuild([2, 0], ["new", "He  went."])
    assert made.index.tolist() == [12, 10]
    assert made["text"].tolist() == ["new", "He  went."]
    assert made.dtypes.equals(before.dtypes)
    pd.testing.assert_frame_equal(before, frame())
    texts = before["text"].tolist()
    pd.testing.assert_frame_equal(Rows.of(before).rebuild([0, 1, 2], texts), before)
    copies = Rows.of(before).rebuild([0, 0, 2], ["one", "two", "three"])
    assert copies["text"].tolist() == ["one", "two", "three"]
    assert copies.index.tolist() == [10, 10, 12]
    assert Rows.of(copies).rebuild([2, 1], ["c", "b"])["text"].tolist() == ["c", "b"]


def test_a_new_text_is_not_lost_in_a_column_of_categories():
    before = frame().astype({"text": "category"})
    made = Rows.of(before).rebuild([1, 0], ["new", "He  went."])
    assert made["text"].tolist() == ["new", "He  went."]
    assert isinstance(before["text"].dtype, pd.CategoricalDtype)


def test_a_stream_comes_back_as_dicts():
    stream = datasets.Dataset.from_list(ROWS).to_iterable_dataset()
    assert Rows.of(stream).rebuild([1, 0], ["new", "He  went."]) == [
        {**ROWS[1], "text": "new"},
        ROWS[0],
    ]


def test_a_dataset_keeps_features_and_format():
    before = dataset().with_format("numpy", columns=["label"])
    rows = Rows.of(before)
    assert rows.labels == (0, 1, 0)
    made = rows.rebuild([1, 0], ["new", "He  went."])
    assert made.features == before.features
    assert made.format["type"] == "numpy"
    assert made.with_format(None)["text"][:] == ["new", "He  went."]
    assert made.with_format(None)["id"][:] == [2, 1]
    assert isinstance(made[0]["label"], np.generic)


def test_a_shuffled_dataset_is_read_in_its_own_order():
    before = dataset().select([2, 0])
    assert Rows.of(before).texts == ("", "He  went.")
    assert Rows.of(before).rebuild([0, 1], ["", "He  went."])[:] == before[:]


def test_labels_may_be_missing_where_none_are_wanted():
    assert Rows.of([{"t": "x"}], text="t", label=None).labels == (None,)


def test_the_digest_tells_where_texts_end():
    ab, a_b = ([{"text": each} for each in texts] for texts in (["ab", "c"], ["a", "bc"]))
    assert Rows.of(ab, label=None).digest != Rows.of(a_b, label=None).digest


@pytest.mark.parametrize("make", [lambda: ROWS, frame, dataset], ids=["dicts", "frame", "dataset"])
@pytest.mark.parametrize("column", ["text", "label"])
def test_a_missing_column_is_named(make, column):
    with pytest.raises(DataError, match="no column 'nowhere'; there are: 'id', 'text', 'label'"):
        Rows.of(make(), **{column: "nowhere"})


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ([], UsageError, "rows are wanted, got none"),
        (pd.DataFrame({"text": [], "label": []}), UsageError, "got none"),
        ("text", UsageError, "got a str"),
        ({"text": []}, UsageError, "got a dict"),
        (datasets.DatasetDict(), UsageError, "got a DatasetDict"),
        (7, UsageError, "got a int"),
        ([{"text": "x", "label": 1}, "y"], DataError, "row 1 must be a dict, got a str"),
        ([{"text": "x", "label": [1]}], DataError, "row 0, column 'label', must be one label"),
        ([{"text": None, "label": 1}], DataError, "row 0, column 'text', must be a string"),
    ],
)
def test_other_things_are_refused(data, error, message):
    with pytest.raises(error, match=message):
        Rows.of(data)
