from __future__ import annotations

import json
from pathlib import Path

import datasets
import pyarrow as pa
import pytest
from pyarrow import parquet

from burnish.data import read_examples
from burnish.errors import DataError, UsageError

ROWS = [
    {"text": 'He said, "no".\nThen left.', "label": "no", "key": 30},
    {"text": "Ünïcode, ja", "label": "yes", "key": 10},
    {"text": "plain", "label": "no", "key": 20},
]
TEXTS = tuple(row["text"] for row in ROWS)


def as_csv(path: Path, delimiter: str = ",") -> None:
    def quoted(value: object) -> str:
        return '"' + str(value).replace('"', '""') + '"'

    lines = [delimiter.join(map(quoted, row.values())) for row in ROWS]
    path.write_text("\n".join([delimiter.join(ROWS[0]), *lines]) + "\n", encoding="utf-8")


WRITERS = {
    "a.csv": as_csv,
    "a.TSV": lambda path: as_csv(path, "\t"),
    "a.jsonl": lambda path: path.write_text("\n\n".join(map(json.dumps, ROWS))),
    "a.json": lambda path: path.write_text(json.dumps(ROWS, indent=1)),
    "a.parquet": lambda path: parquet.write_table(pa.Table.from_pylist(ROWS), path),
    "saved": lambda path: datasets.Dataset.from_list(ROWS).save_to_disk(path),
}


@pytest.fixture(autouse=True)
def quiet():
    datasets.disable_progress_bars()


@pytest.mark.parametrize("name", WRITERS)
def test_every_kind_of_file_gives_the_same_examples(tmp_path, name):
    WRITERS[name](tmp_path / name)
    examples = read_examples(tmp_path / name, task="classification")
    assert examples.texts == TEXTS
    assert (examples.labels, examples.label_names) == ((0, 1, 0), ("no", "yes"))
    assert examples.ids == (0, 1, 2)
    keyed = read_examples(str(tmp_path / name), task="classification", id_column="key")
    assert keyed.ids == (30, 10, 20)


def lines(tmp_path: Path, *rows: dict) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def labelled(tmp_path: Path, *labels: object) -> Path:
    return lines(tmp_path, *({"text": "t", "label": label} for label in labels))


@pytest.mark.parametrize(
    ("given", "labels", "names"),
    [
        ((2, 0), (2, 0), ("0", "1", "2")),
        (("2", "0"), (2, 0), ("0", "1", "2")),
        ((1.0, 0.0), (1, 0), ("0", "1")),
        ((True, False), (1, 0), ("0", "1")),
        (("b", "a", "b"), (1, 0, 1), ("a", "b")),
        (("e", "-"), (1, 0), ("-", "e")),
    ],
)
def test_labels_are_indices_or_names(tmp_path, given, labels, names):
    found = read_examples(labelled(tmp_path, *given), task="classification")
    assert (found.labels, found.label_names) == (labels, names)


@pytest.mark.parametrize(
    ("given", "names", "labels"),
    [
        (("b",), ("c", "b", "a"), (1,)),
        ((1, "0"), ("no", "yes"), (1, 0)),
        (("20", "10"), ("10", "20"), (1, 0)),
    ],
)
def test_given_names_decide_the_index(tmp_path, given, names, labels):
    path = labelled(tmp_path, *given)
    found = read_examples(path, task="classification", label_names=names)
    assert (found.labels, found.label_names) == (labels, names)


def test_a_saved_data_set_brings_class_names_and_parts(tmp_path):
    features = datasets.Features(
        text=datasets.Value("string"), label=datasets.ClassLabel(names=["zebra", "ant"])
    )
    part = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [1, 1]}, features=features)
    datasets.DatasetDict(train=part, test=part.select([0])).save_to_disk(tmp_path / "saved")
    found = read_examples(tmp_path / "saved", task="classification", split="test")
    assert (found.texts, found.labels, found.label_names) == (("a",), (1,), ("zebra", "ant"))
    for split, came in [(None, "none was named"), ("dev", "'dev' is not there")]:
        with pytest.raises(DataError, match=rf"has the parts train, test, but {came}"):
            read_examples(tmp_path / "saved", task="classification", split=split)


def test_pairs_have_two_texts(tmp_path):
    path = lines(tmp_path, {"premise": "a", "claim": "b", "same": "no"})
    found = read_examples(path, task="pairs", text="premise", other="claim", label="same")
    assert (found.texts, found.others, found.labels) == (("a",), ("b",), (0,))


@pytest.mark.parametrize(
    "answers",
    [
        {"answers": {"text": ["Ann", "the Ann"], "answer_start": [2, 0]}},
        {"answer": "Ann", "answer_start": 2},
        {"answer": "Ann", "answer_start": "2"},
    ],
)
def test_questions_have_an_answer_in_the_context(tmp_path, answers):
    path = lines(tmp_path, {"context": "I Ann", "question": "who"} | answers)
    found = read_examples(path, task="qa")
    assert (found.texts, found.others, found.answers) == (("I Ann",), ("who",), ((2, "Ann"),))
    parquet.write_table(
        pa.Table.from_pylist([json.loads(path.read_text())]), tmp_path / "a.parquet"
    )
    assert read_examples(tmp_path / "a.parquet", task="qa") == found


@pytest.mark.parametrize(
    ("answers", "complaint"),
    [
        ({"answers": {"text": [], "answer_start": []}}, "line 1, column 'answers', must be an ans"),
        ({"answers": "Ann"}, "line 1, column 'answers', must be an answer"),
        ({"answer": "Ann", "answer_start": None}, "line 1, column 'answer', must be an answer"),
        (
            {"answer": "Ann", "answer_start": 1},
            "'Ann' must stand in 'context' at character 1, but it is at 2; count characters",
        ),
        ({"answer": "Bob", "answer_start": 0}, "but it is nowhere in it"),
        ({"answer": "Ann", "answer_start": -3}, "at character -3, but it is at 2"),
        ({}, "no column 'answer_start'"),
    ],
)
def test_an_answer_that_is_not_there_is_refused(tmp_path, answers, complaint):
    path = lines(tmp_path, {"context": "I Ann", "question": "who"} | answers)
    with pytest.raises(DataError, match=complaint):
        read_examples(path, task="qa")


MISTAKES = {
    "a.csv": [
        (b"text,label\na,0\nb\n", r"a\.csv, line 3, has 1 fields where the first line has 2"),
        (b"text,label\na,0\nb,1,2\n", "line 3, has 3 fields where the first line has 2"),
        (b"text,label\na,0\nb\xff,1\n", r"a\.csv, line 3, must be UTF-8, but has the byte 0xff"),
        (b"", r"a\.csv cannot be read: Empty CSV file"),
        (b"text,label\n", r"a\.csv has no rows"),
        (b"text,text,label\na,b,0\n", "has several columns 'text'; rename all but one"),
        (b"txt,label\na,0\n", "has no column 'text'; there are: 'txt', 'label'"),
        (b"text,label\na,0\n ,1\n", "row 2, column 'text', must be a text, but is empty"),
        (b"text,label\na,0\nb,\n", "row 2, column 'label', must be a class, but is missing"),
        (b"text,label\na,0\nb,0.5\n", r"row 2, column 'label', must be a class index.*'0\.5'"),
    ],
    "a.jsonl": [
        (b'{"text": "a"}\n\xe9\n', r"a\.jsonl, line 2, must be UTF-8"),
        (b'{"text": "a", "label": 0}\n\n{"text": "b", "la', "line 3, must be one JSON object"),
        (b'{"text": "a", "label": 0}\n[1]', "line 2, must be one JSON object, got a list"),
        (b'{"text": 3, "label": 0}', "line 1, column 'text', must be a text, but is a int"),
        (b'{"text": "a", "label": 0}\n{"text": "b"}', "line 2, column 'label', .* is missing"),
    ],
    "a.json": [
        (b'{"text": ["a"]}', r"a\.json must be a JSON list of objects"),
        (b'[{"text": "a",]', r"a\.json, line 1, is no JSON: .* name the file \.jsonl"),
    ],
    "a.parquet": [(b"PAR1 not", r"a\.parquet cannot be read as Parquet")],
    "a.xlsx": [(b"PK", r"must end in one of \.csv, \.tsv, \.jsonl, \.json, \.parquet")],
}


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [(name, *mistake) for name, mistakes in MISTAKES.items() for mistake in mistakes],
)
def test_a_file_with_a_mistake_is_one_line(tmp_path, name, content, complaint):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=complaint) as caught:
        read_examples(tmp_path / name, task="classification")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("labels", "names", "complaint"),
    [
        ((0, 0.5), None, r"line 2, column 'label', must be a class index.* but is 0\.5"),
        ((0, -1), None, r"from 0 to 9999, but is -1; .* drop rows without label"),
        ((0, 123456), None, r"from 0 to 9999, but is 123456"),
        ((0, 2), ("a", "b"), r"from 0 to 1, but is 2"),
        (("a", "c"), ("a", "b"), r"line 2, column 'label', must be one of a, b, but is 'c'"),
        ((0, [1]), None, r"line 2, column 'label', must be a class, but is \[1\]"),
        ((0, "x"), None, r"line 2, .* must be a class index.* but is 'x'"),
    ],
)
def test_a_label_that_is_no_class_is_refused(tmp_path, labels, names, complaint):
    with pytest.raises(DataError, match=complaint):
        read_examples(labelled(tmp_path, *labels), task="classification", label_names=names)


@pytest.mark.parametrize(
    ("ids", "complaint"),
    [
        ((4, 4), r"line 2, column 'key', must be an id of its own, but 4 is also in line 1"),
        ((4, "x"), r"line 2, column 'key', must be a whole number, but is 'x'"),
        ((4, None), r"line 2, column 'key', must be a whole number, but is missing"),
    ],
)
def test_ids_that_are_not_unique_numbers_are_refused(tmp_path, ids, complaint):
    path = lines(tmp_path, *({"text": "t", "label": 0, "key": key} for key in ids))
    with pytest.raises(DataError, match=complaint):
        read_examples(path, task="classification", id_column="key")
    with pytest.raises(DataError, match="has no column 'nope'; there are: 'text', 'label', 'key'"):
        read_examples(path, task="classification", id_column="nope")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"task": "regression"}, "task is classification, pairs or qa"),
        ({"task": "pairs"}, "pairs need the column of the second text; give other"),
        (
            {"task": "classification", "other": "b"},
            "classification has one text, got other='b'; use the task pairs",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_refused(arguments, complaint):
    with pytest.raises(UsageError, match=complaint):
        read_examples("nowhere.csv", **arguments)


@pytest.mark.parametrize("spec", ["nowhere.csv", "owner/name", "owner/name:config", "a/b/c"])
def test_what_is_not_there_is_told_before_any_network(spec):
    with pytest.raises(DataError, match=r"neither a file nor a folder; .* name the split"):
        read_examples(spec, task="classification")


def test_a_part_of_a_file_and_a_folder_of_another_kind_are_refused(tmp_path):
    path = labelled(tmp_path, 0)
    with pytest.raises(DataError, match=r"one file and has no part 'train'; leave split out"):
        read_examples(path, task="classification", split="train")
    with pytest.raises(DataError, match=r"is no folder that datasets\.save_to_disk has made"):
        read_examples(tmp_path, task="classification")
    WRITERS["saved"](tmp_path / "saved")
    with pytest.raises(DataError, match=r"has no parts, so no 'train'; leave split out"):
        read_examples(tmp_path / "saved", task="classification", split="train")


def test_a_hub_data_set_that_cannot_be_had_is_one_line(monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    complaint = r"no-one/nothing:x, part 'train', cannot be had from the Hugging Face hub: "
    with pytest.raises(DataError, match=complaint) as caught:
        read_examples("no-one/nothing:x", task="classification", split="train")
    assert "\n" not in str(caught.value)
