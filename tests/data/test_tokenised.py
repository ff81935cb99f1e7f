"""A dataset that was tokenised elsewhere, without its padding."""

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Sequence, Value

from burnish.data.tokenised import from_dataset
from burnish.errors import DataError

ROWS = {
    "example_id": [30, 10, 20],
    "input_ids": [[5, 6, 7, 0], [8, 9, 0, 0], [4, 3, 2, 1]],
    "attention_mask": [[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]],
    "label": [2, 0, 1],
}
ANSWERS = {"start_positions": [1, 0, 2], "end_positions": [2, 0, 3], "label": None}


def dataset(**changes):
    return Dataset.from_dict({k: v for k, v in (ROWS | changes).items() if v is not None})


def tokens(encoded):
    return [encoded.tokens[a:b].tolist()
            for a, b in zip(encoded.offsets, encoded.offsets[1:], strict=False)]  # fmt: skip


def test_padding_comes_off_and_goes_on_again_in_batches():
    found = from_dataset(dataset(), pad=39)
    assert (found.task, found.pad, len(found)) == ("classification", 39, 3)
    assert found.ids.tolist() == [30, 10, 20]
    assert found.labels.tolist() == [2, 0, 1]
    assert tokens(found) == [[5, 6, 7], [8, 9], [4, 3, 2, 1]]
    assert (found.tokens.dtype, found.offsets.dtype, found.types) == (np.int32, np.int64, None)
    batch = found.batch([1, 0])
    assert batch["input_ids"].tolist() == [[8, 9, 39], [5, 6, 7]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0], [1, 1, 1]]
    assert batch["labels"].tolist() == [0, 2]


def test_rows_without_a_mask_are_taken_whole_and_may_differ_in_length():
    found = from_dataset(dataset(attention_mask=None, input_ids=[[5, 6, 0], [8], [4, 3]]))
    assert tokens(found) == [[5, 6, 0], [8], [4, 3]]


def test_padding_on_the_left_comes_off_too_and_answers_move_along():
    found = from_dataset(
        dataset(
            input_ids=[[0, 5, 6, 7], [0, 0, 8, 9], [4, 3, 2, 1]],
            attention_mask=[[0, 1, 1, 1], [0, 0, 1, 1], [1, 1, 1, 1]],
            label=None,
            start_positions=[1, 2, 2],
            end_positions=[3, 3, 3],
        )
    )
    assert tokens(found) == [[5, 6, 7], [8, 9], [4, 3, 2, 1]]
    assert found.positions.tolist() == [[0, 2], [0, 1], [2, 3]]


def test_answers_and_token_types_are_read():
    found = from_dataset(dataset(**ANSWERS, token_type_ids=[[0, 1, 1, 0], [0, 1, 0, 0], [0] * 4]))
    assert found.task == "qa"
    assert found.labels.shape == (0,)
    assert found.positions.tolist() == [[1, 2], [0, 0], [2, 3]]
    assert found.types.tolist() == [0, 1, 1, 0, 1, 0, 0, 0, 0]
    batch = found.batch([2, 0])
    assert batch["start_positions"].tolist() == [2, 1]
    assert batch["end_positions"].tolist() == [3, 2]
    assert batch["token_type_ids"].tolist() == [[0] * 4, [0, 1, 1, 0]]


def test_a_dataset_is_read_alike_however_it_is_kept():
    """Shuffled, formatted for torch, of lists of one length, with named classes."""
    wanted = from_dataset(dataset())
    fixed = Features(
        {
            "example_id": Value("int64"),
            "input_ids": Sequence(Value("int32"), length=4),
            "attention_mask": Sequence(Value("int8"), length=4),
            "label": ClassLabel(names=["a", "b", "c"]),
        }
    )
    for made in (
        dataset().select([1, 2, 0]).select([2, 0, 1]),
        dataset().with_format("torch"),
        dataset().cast(fixed),
        dataset().rename_column("label", "labels"),
    ):
        found = from_dataset(made)
        assert found.ids.tolist() == wanted.ids.tolist()
        assert found.labels.tolist() == wanted.labels.tolist()
        assert tokens(found) == tokens(wanted)


def test_ids_that_are_words_become_row_numbers():
    assert from_dataset(dataset(example_id=["b", "a", "c"])).ids.tolist() == [0, 1, 2]


REFUSED = [
    ({"example_id": None}, r"no column 'example_id' \(banks need it\); it has input_ids, attent"),
    ({"input_ids": None}, r"no column 'input_ids' \(tokenise first\); it has example_id"),
    ({"label": None}, "no column label or labels, nor start_positions and end_positions; it has e"),
    ({"example_id": [1, 2, 2]}, "names example 2 twice; give each row an id of its own"),
    ({"example_id": [1, None, 2]}, "'example_id' has 1 rows without a value; drop them"),
    ({"label": [0.0, 1.5, 1.0]}, r"must hold classes as whole numbers, got 1\.5; a regression"),
    ({"label": [0.0, float("nan"), 1.0]}, "must hold classes as whole numbers, got nan"),
    ({"label": ["a", "b", "c"]}, "must hold classes as whole numbers, got 'a'; number them"),
    ({"label": [0, -1, 1]}, "counts classes from 0, got -1; drop rows without a class"),
    ({"attention_mask": [[1] * 4, [0] * 4, [1] * 4]}, "example in row 1 has no tokens; drop it"),
    ({"input_ids": [[1], [], [1]], "attention_mask": None}, "example in row 1 has no tokens; drop"),
    (
        {"attention_mask": [[1] * 4, [1] * 4, [1] * 3]},
        "row 2 has 4 input_ids and 3 in column 'attention_mask'; tokenise both together",
    ),
    (
        ANSWERS | {"end_positions": [2, 0, 4]},
        r"the answer in row 2 is at tokens \[2, 4\], but the row has 4; set both to 0",
    ),
]


@pytest.mark.parametrize(("changes", "message"), REFUSED)
def test_what_cannot_be_trained_on_is_refused(changes, message):
    with pytest.raises(DataError, match=message):
        from_dataset(dataset(**changes))
