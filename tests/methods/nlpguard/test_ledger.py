"""A ledger makes the edited rows again, and only from the rows that were edited."""

from __future__ import annotations

import pyarrow as pa
import pytest
from pyarrow import parquet

from burnish.errors import DataError
from burnish.methods.nlpguard.ledger import DROPPED, Edit, Ledger, applied
from burnish.methods.nlpguard.rows import Rows

ROWS = [{"text": text, "label": 0} for text in ("a man", "none", "old men", "a woman", "end")]


def edit(row, start, end, new, copy=0):
    old = ROWS[row]["text"][start:end]
    return Edit(row, start, end, old, new, old, "sex", "by_hand", copy)


def ledger(*edits):
    return Ledger(len(ROWS), Rows.of(ROWS).digest, list(edits))


def texts(rows):
    return [row["text"] for row in rows]


def test_untouched_rows_go_over_and_copies_stand_together():
    made = ledger(
        edit(0, 2, 5, "person"),
        edit(2, 0, 3, "young", copy=1),
        edit(2, 0, 4, "", copy=2),
        edit(2, 4, 7, "people", copy=2),
        edit(3, 0, 7, "", copy=DROPPED),
    )
    expected = ["a person", "none", "old men", "young men", "people", "end"]
    assert texts(made.replay(ROWS)) == expected
    assert (made.touched, made.dropped, len(made)) == (3, 1, 5)


def test_nothing_edited_is_nothing_changed():
    assert ledger().replay(ROWS) == ROWS
    assert ledger().replay(ROWS)[0] is not ROWS[0]


@pytest.mark.parametrize(
    "other",
    [ROWS[:-1], [*ROWS[:-1], {"text": "END", "label": 0}], ROWS[::-1]],
    ids=["fewer", "edited", "reordered"],
)
def test_other_rows_are_refused(other):
    with pytest.raises(DataError, match="give the rows as they were before"):
        ledger(edit(0, 2, 5, "person")).replay(other)


@pytest.mark.parametrize(
    ("edits", "message"),
    [
        ([edit(0, 2, 5, "x")._replace(old="dog")], "does not stand there at row 0"),
        ([edit(0, 2, 5, "x")._replace(end=9)], "does not stand there at row 0"),
        ([edit(0, 2, 5, "x")._replace(start=-3)], "does not stand there at row 0"),
        ([edit(0, 0, 4, "x"), edit(0, 3, 5, "y")], "overlap at row 0"),
        ([edit(2, 0, 3, "x"), edit(0, 2, 5, "y")], "out of order at row 0"),
        ([edit(0, 2, 5, "x")._replace(row=9)], "out of order at row 9"),
        ([edit(0, 2, 5, "x", copy=10**12)], "copies that are missing at row 0"),
        ([edit(0, 2, 5, "x", copy=2)], "copies that are missing at row 0"),
        ([edit(0, 2, 5, "x", copy=-2)], "copies that are missing at row 0"),
    ],
)
def test_a_damaged_ledger_is_refused(edits, message):
    with pytest.raises(DataError, match=message):
        ledger(*edits).replay(ROWS)


def test_parquet_keeps_everything(tmp_path):
    made = ledger(edit(0, 2, 5, "pérson"), edit(3, 0, 7, "", copy=DROPPED))
    made.save(tmp_path / "ledger.parquet")
    assert Ledger.load(tmp_path / "ledger.parquet") == made
    columns = parquet.read_table(tmp_path / "ledger.parquet").column_names
    assert columns == list(Edit._fields)
    ledger().save(tmp_path / "empty.parquet")
    assert Ledger.load(tmp_path / "empty.parquet").replay(ROWS) == ROWS


def test_half_a_surrogate_pair_is_told_before_anything_is_written(tmp_path):
    with pytest.raises(DataError, match="half of a surrogate pair; clean the texts first"):
        ledger(edit(0, 2, 5, "\ud800")).save(tmp_path / "x.parquet")
    assert not (tmp_path / "x.parquet").exists()


def test_a_file_that_is_no_ledger_is_refused(tmp_path):
    path = tmp_path / "x.parquet"
    with pytest.raises(DataError, match=r"x\.parquet is no ledger"):
        Ledger.load(path)
    path.write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match=r"x\.parquet is no ledger"):
        Ledger.load(path)
    parquet.write_table(pa.table({"row": [1]}), path)
    with pytest.raises(DataError, match=r"x\.parquet is no ledger"):
        Ledger.load(path)
    ledger(edit(0, 2, 5, "x")._replace(start=None)).save(path)
    with pytest.raises(DataError, match=r"x\.parquet is no ledger .*: a cell is empty"):
        Ledger.load(path)
    meta = {b"burnish.nlpguard.ledger": b'{"format": 2, "rows": 1, "digest": ""}'}
    parquet.write_table(pa.table({"row": [1]}).replace_schema_metadata(meta), path)
    with pytest.raises(DataError, match="format 2 is unknown, this version reads 1"):
        Ledger.load(path)


def test_applied_leaves_the_rest_as_it_was():
    changes = [edit(2, 0, 3, "young"), edit(2, 4, 7, "")]
    assert applied("old men, THE\tend", changes) == "young , THE\tend"
    assert applied("as is", []) == "as is"
