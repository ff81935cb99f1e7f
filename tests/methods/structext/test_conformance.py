import json
import os
from pathlib import Path

import pytest

from burnish.errors import DataError
from burnish.methods.structext.conformance import check

RECORD = {
    "id": "r1",
    "rule": "tree.2",
    "difficulty": {"depth": 1, "width": 1, "columns": 6},
    "text": "n->o",
    "question": "What is the depth of node o? Answer an integer, root is of depth 0.",
    "answer": "1",
    "compare": "exact",
    "known_issues": [],
}


def written(folder: Path, *records: dict) -> Path:
    path = folder / "visible.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_the_released_answers_are_reproduced():
    folder = os.environ.get("BURNISH_CONFORMANCE")
    if not folder:
        pytest.skip("set BURNISH_CONFORMANCE to the folder that contains structext/visible.jsonl")
    report = check(folder)
    assert report.mismatches == ()
    assert report.passed
    assert len(report.checked) == 29
    assert sum(report.checked.values()) == 346
    assert len(report.excluded) == 2


def test_a_wrong_reference_is_reported(tmp_path):
    bad = RECORD | {"id": "r2", "answer": "7"}
    broken = RECORD | {"id": "r3", "text": "n-o"}
    path = written(tmp_path, RECORD, bad, broken)
    report = check(tmp_path)
    assert not report.passed
    assert [(m.id, m.wanted, m.got[:6]) for m in report.mismatches] == [
        ("r2", "7", "1"),
        ("r3", "1", "error:"),
    ]
    assert report.as_dict()["rules"] == [{"rule": "tree.2", "checked": 3, "solved": 1}]
    assert "1 of 3 answers agree" in str(report)
    assert check(path) == report


def test_references_known_to_be_wrong_are_left_out(tmp_path):
    flagged = RECORD | {"answer": "7", "known_issues": ["question-path-truncated"]}
    report = check(written(tmp_path, RECORD, flagged))
    assert report.passed
    assert report.excluded == ("r1",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rule": "toml.1"}, "line 1: not a conformance record .*rule 'toml.1'"),
        ({"compare": "loose"}, "compare 'loose' is unknown"),
        ({"difficulty": 3}, "line 1: not a conformance record"),
    ],
)
def test_records_are_checked(tmp_path, change, message):
    with pytest.raises(DataError, match=message):
        check(written(tmp_path, RECORD | change))


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match="found no such file"):
        check(tmp_path)
