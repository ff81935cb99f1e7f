import json
from dataclasses import replace

import pytest

from burnish.errors import DataError
from burnish.methods.structext.generate import build
from burnish.methods.structext.sample import Difficulty, Sample, Shot, Suite, assemble, load, write


@pytest.fixture(scope="module")
def suite() -> Suite:
    return build(languages=["json", "org"], shots=(0, 2), hints=(False, True), seed=3)


def test_a_suite_comes_back_as_it_was_written(suite, tmp_path):
    path = suite.to_jsonl(tmp_path / "suite.jsonl")
    assert load(path) == suite
    assert [sample.id for sample in load(path)] == [sample.id for sample in suite]
    assert sorted(tmp_path.iterdir()) == [path]


def test_the_fast_way_makes_the_same_sample(suite):
    for sample in suite[:20]:
        shared = {name: value for name, value in vars(sample).items() if name != "id"}
        item = (shared.pop("text"), shared.pop("question"), shared.pop("answer"))
        twin = assemble(shared, item, shared.pop("shots"))
        assert twin == sample == Sample(**{k: v for k, v in vars(sample).items() if k != "id"})
        assert hash(twin) == hash(sample)


def test_ids_are_hashes_of_the_content(suite):
    sample = suite[0]
    assert replace(sample).id == sample.id
    others = [
        replace(sample, answer=sample.answer + "x"),
        replace(sample, hint="look"),
        replace(sample, shots=(Shot("t", "q", "a"),)),
        replace(sample, difficulty=Difficulty(1, 1, 7)),
        replace(sample, simple_shots=True),
    ]
    assert len({sample.id, *(other.id for other in others)}) == 6
    assert len({sample.id for sample in suite}) == len(suite)


def test_a_failed_write_leaves_the_old_file(suite, tmp_path):
    path = suite.to_jsonl(tmp_path / "suite.jsonl")
    before = path.read_bytes()

    def failing():
        yield suite[0]
        raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        write(failing(), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_slices_are_suites(suite):
    assert isinstance(suite[2:5], Suite)
    assert list(suite[2:5]) == [suite[2], suite[3], suite[4]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.pop("answer"), "line 2: field 'answer' is missing"),
        (lambda r: r.update(colour="red"), "line 2: unknown field 'colour'"),
        (lambda r: r.update(text=5), "line 2, field text: wanted str, got int"),
        (lambda r: r.update(simple_shots=1), "field simple_shots: wanted bool, got int"),
        (lambda r: r.update(compare="loose"), "field compare: wanted one of exact, line_multiset"),
        (lambda r: r.update(profile="mine"), "field profile: wanted one of official, corrected"),
        (lambda r: r["difficulty"].update(depth=True), "field difficulty, field depth: wanted int"),
        (lambda r: r["difficulty"].pop("width"), "field difficulty: field 'width' is missing"),
        (lambda r: r.update(shots=[{"text": ""}]), "field shots: field 'question' is missing"),
        (lambda r: r.update(shots=["x"]), "field shots: wanted an object, got str"),
        (lambda r: r.update(answer="other"), "field id: the content has the id .* write the suite"),
    ],
)
def test_a_damaged_line_is_named(suite, tmp_path, change, message):
    path = suite[:3].to_jsonl(tmp_path / "suite.jsonl")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    change(records[1])
    path.write_text("\n".join(map(json.dumps, records)))
    with pytest.raises(DataError, match=message) as caught:
        load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", r"line 1: not JSON"),
        (b"[]", r"line 1: wanted an object, got list"),
        (b"\xff", r"not UTF-8"),
    ],
)
def test_what_is_no_suite_is_refused(tmp_path, content, message):
    path = tmp_path / "suite.jsonl"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        load(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere.jsonl: cannot be read: No such file"):
        load(tmp_path / "nowhere.jsonl")
