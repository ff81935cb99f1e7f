import json
from pathlib import Path

import pytest

from burnish.errors import DataError
from burnish.methods.structext.conformance import check
from burnish.methods.structext.generate import build
from burnish.methods.structext.release import load_release
from burnish.methods.structext.sample import Sample


def as_released(sample: Sample, folder: Path, number: int) -> None:
    """Write a sample the way the official repository stores it."""
    shots = len(sample.shots)
    home = folder / "Benchmark" / f"{shots}Shotbenchmark" / sample.language / sample.task
    home.mkdir(parents=True, exist_ok=True)
    record = {
        "Question": sample.question,
        "Answer": sample.answer,
        "Label": {
            "typename": sample.language,
            "node_number": sample.difficulty.depth,
            "n_ary_ratio": sample.difficulty.width,
            "para_len_ratio": sample.difficulty.columns,
            "few_shot_num": shots,
            "other_label_list": [sample.task],
        },
        "Reference": sample.text,
        "RuleHint": "a hint",
    }
    if shots:
        record["examples"] = [
            {"Question": shot.question + " ", "Answer": shot.answer, "Reference": shot.text}
            for shot in sample.shots
        ]
    (home / f"{number:03}.json").write_text(json.dumps(record))


@pytest.fixture
def clone(tmp_path):
    suite = build(profile="official", shots=(0, 2), n=2, seed=1)
    for number, sample in enumerate(suite):
        as_released(sample, tmp_path, number)
    (tmp_path / "package.json").write_text("{}")
    return suite, tmp_path


def test_every_sample_is_read_with_its_rule(clone):
    suite, folder = clone
    loaded = load_release(folder)
    key = ["rule", "text", "question", "answer", "compare", "difficulty", "profile"]
    contents = [{tuple(getattr(s, name) for name in key) for s in some} for some in (suite, loaded)]
    assert contents[0] == contents[1]
    assert len(loaded) == len(suite)
    assert {len(sample.shots) for sample in loaded} == {0, 2}
    assert {sample.hint for sample in loaded} == {""}
    assert {sample.hint for sample in load_release(folder, hints=True)} == {"a hint"}


def test_a_clone_can_be_checked(clone):
    _, folder = clone
    report = check(folder)
    assert report.passed
    assert len(report.checked) == 29


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Question": "Who?"}, "field Question: no rule of tree asks 'Who"),
        ({"Reference": 3}, "field Reference: wanted str, got int"),
        ({"Label": {"typename": "toml"}}, "field typename: wanted one of tree, csv"),
        ({"Label": {"typename": "tree"}}, "field node_number: wanted int, got nothing"),
        ({"examples": ["x"]}, "wanted an object, got str"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, change, message):
    (sample,) = build(rules=["tree.2"], grid=[(1, 1)], profile="official")
    as_released(sample, tmp_path, 0)
    (path,) = tmp_path.rglob("*.json")
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=message) as caught:
        load_release(tmp_path)
    assert str(path) in str(caught.value)


def test_a_folder_without_samples_is_refused(tmp_path):
    with pytest.raises(DataError, match="wanted a clone of MikeGu721/StrucText-Eval"):
        load_release(tmp_path)
