from __future__ import annotations

import json

import pyarrow as pa
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value, load_from_disk
from pyarrow import parquet

from burnish.errors import DataError, UsageError
from burnish.methods.nlpguard.labelled_files import read_labelled

TEXTS = ["a plain one", "she said", "a third"]


def edited(found):
    """The second row rewritten, the third there twice, the second time rewritten."""
    one, two, three = found.rows
    return [one, two | {"text": 'said, "then"'}, three, three | {"text": "third"}]


def test_lines_of_a_csv_stay_as_they_are(tmp_path):
    raw = (
        'n,text,label\r\n"1","a plain\u2028 one",x\r\n'
        '2,"she\r\nsaid",\'y\'\r\n\r\n3,a third,"z ""z"""'
    )
    source, target = tmp_path / "in.csv", tmp_path / "new" / "out.csv"
    source.write_bytes(b"\xef\xbb\xbf" + raw.encode())
    found = read_labelled(str(source))
    assert [row["text"] for row in found.rows] == ["a plain\u2028 one", "she\r\nsaid", "a third"]
    assert [row["label"] for row in found.rows] == ["x", "'y'", 'z "z"']
    found.write(target, edited(found))
    assert target.read_bytes().decode() == (
        'n,text,label\r\n"1","a plain\u2028 one",x\r\n'
        '2,"said, ""then""",\'y\'\r\n3,a third,"z ""z"""\r\n3,third,"z ""z"""\r\n'
    )
    assert [row["text"] for row in read_labelled(str(target)).rows][1] == 'said, "then"'


def test_tabs_part_a_tsv(tmp_path):
    source = tmp_path / "in.tsv"
    source.write_text("text\tlabel\n" + "".join(f"{text}\tx\n" for text in TEXTS))
    found = read_labelled(str(source))
    found.write(tmp_path / "out.tsv", edited(found))
    lines = (tmp_path / "out.tsv").read_text().splitlines()
    assert lines == ["text\tlabel", "a plain one\tx", '"said, ""then"""\tx', "a third\tx",
                     "third\tx"]  # fmt: skip


def test_lines_of_json_stay_as_they_are(tmp_path):
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    first = '{ "label":1,  "text": "a plain one", "more": {"a": [1.50]} }'
    source.write_text(
        f'{first}\n\n{{"text": "she said", "label": 0, "é": null}}\n'
        '{"text": "a third", "label": 0}'
    )
    found = read_labelled(str(source))
    found.write(target, edited(found))
    lines = target.read_text(encoding="utf-8").splitlines()
    assert lines[0] == first
    assert json.loads(lines[1]) == {"text": 'said, "then"', "label": 0, "é": None}
    assert len(lines) == 4


def test_a_list_of_json(tmp_path):
    source, target = tmp_path / "in.json", tmp_path / "out.json"
    source.write_text(json.dumps([{"text": text, "label": 1, "n": 2.5} for text in TEXTS]))
    found = read_labelled(str(source))
    found.write(target, edited(found))
    assert json.loads(target.read_text())[1] == {"text": 'said, "then"', "label": 1, "n": 2.5}


def test_parquet_keeps_its_types(tmp_path):
    source, target = tmp_path / "in.parquet", tmp_path / "out.parquet"
    schema = pa.schema([("n", pa.int8()), ("text", pa.large_string()), ("label", pa.string())])
    parquet.write_table(
        pa.table({"n": [1, 2, None], "text": TEXTS, "label": ["x"] * 3}, schema=schema), source
    )
    found = read_labelled(str(source))
    found.write(target, edited(found))
    table = parquet.read_table(target)
    assert table.schema == schema
    assert table["n"].to_pylist() == [1, 2, None, None]
    assert table["text"].to_pylist() == ["a plain one", 'said, "then"', "a third", "third"]


def test_a_saved_data_set_keeps_its_features(tmp_path):
    features = Features({"text": Value("string"), "label": ClassLabel(names=["x", "y"])})
    data = Dataset.from_dict({"text": TEXTS, "label": [0, 1, 1]}, features=features)
    DatasetDict({"train": data, "test": data}).save_to_disk(tmp_path / "in")
    found = read_labelled(str(tmp_path / "in"), split="train")
    found.write(tmp_path / "out", edited(found))
    made = load_from_disk(str(tmp_path / "out"))
    assert made.features == features
    assert made["label"][:] == [0, 1, 1, 1]
    assert made["text"][1] == 'said, "then"'


def test_what_is_wrong_is_named_before_anything_is_written(tmp_path):
    source = tmp_path / "in.jsonl"
    source.write_text('{"text": "she", "label": 1}\n{"text": null, "label": 1}\n')
    with pytest.raises(DataError, match=r"in\.jsonl, line 2, column 'text', must be a text"):
        read_labelled(str(source))
    source.write_text('{"text": "she", "label": 1}\n')
    found = read_labelled(str(source), label=None)
    assert found.rows == [{"text": "she", "label": None, "row": 0}]
    with pytest.raises(UsageError, match=r"a file that ends in \.jsonl; got .*out.csv"):
        found.write(tmp_path / "out.csv", found.rows)
    with pytest.raises(UsageError, match=r"out\.jsonl cannot be written"):
        found.write(source / "out.jsonl", found.rows)


def test_a_csv_that_cannot_be_taken_apart_is_read_and_not_written(tmp_path):
    source, target = tmp_path / "long.csv", tmp_path / "out.csv"
    source.write_text(f"text,label\n{'she ' * 40_000},x\n")
    found = read_labelled(str(source))
    assert len(found.rows[0]["text"]) == 160_000
    with pytest.raises(DataError, match=r"field larger than field limit .* convert the file"):
        found.write(target, found.rows)
    assert not target.exists()
