"""Suites as Hugging Face data sets, there and back, offline."""

from dataclasses import replace
from pathlib import Path

import pytest

datasets = pytest.importorskip("datasets")

from burnish.errors import DataError  # noqa: E402
from burnish.methods.structext import (  # noqa: E402
    Difficulty,
    Sample,
    Shot,
    Suite,
    build,
    export_datasets,
    to_dataset,
)
from burnish.methods.structext.exports import from_dataset  # noqa: E402


@pytest.fixture(scope="module")
def suite() -> Suite:
    awkward = Sample(
        language="yaml",
        task="TextRetrieval",
        rule="yaml.1",
        difficulty=Difficulty(2, 3, 4),
        text='id: "ä"\u2028\r\n  \tsubs: []\n',
        question='object "ä"?',
        answer="",
        shots=(Shot("a\n", "b", "c"), Shot("", "", "")),
        hint="look\nhere",
        compare="line_multiset",
        profile="official",
        simple_shots=True,
    )
    built = build(rules=("json.4", "csv.2"), grid=((1, 1), (2, 1)), shots=(0, 2), n=1, seed=5)
    return Suite((awkward, *built))


def test_a_data_set_gives_the_suite_back(suite: Suite) -> None:
    dataset = to_dataset(suite)
    assert dataset["id"][:] == [sample.id for sample in suite]
    assert list(from_dataset(dataset)) == list(suite)


def test_an_exported_folder_is_read_by_load_dataset(suite: Suite, tmp_path: Path) -> None:
    folder = export_datasets(suite, tmp_path / "set")
    read = datasets.load_dataset(str(folder), split="test", cache_dir=str(tmp_path / "cache"))
    assert list(from_dataset(read)) == list(suite)


def test_a_suite_without_shots_keeps_its_columns(suite: Suite) -> None:
    bare = Suite((replace(suite[0], shots=()),))
    assert to_dataset(bare).features == to_dataset(suite).features
    assert list(from_dataset(to_dataset(bare))) == list(bare)


def test_the_card_says_what_is_inside(suite: Suite, tmp_path: Path) -> None:
    card = (export_datasets(suite, tmp_path / "set") / "README.md").read_text(encoding="utf-8")
    assert f"{len(suite)} questions" in card
    assert "Generator profile: corrected and official." in card
    assert "| csv | 4 |\n| json | 4 |\n| yaml | 1 |\n" in card
    for column in to_dataset(suite).column_names:
        assert f"| `{column}` |" in card


def test_an_edited_row_is_not_taken(suite: Suite) -> None:
    edited = to_dataset(suite).map(lambda row: {"answer": row["answer"] + "!"})
    with pytest.raises(DataError, match=f"row 0 says its id is {suite[0].id}"):
        from_dataset(edited)


def test_a_foreign_data_set_is_told_which_columns_it_lacks(suite: Suite) -> None:
    with pytest.raises(DataError, match="missing here: answer, hint"):
        from_dataset(to_dataset(suite).remove_columns(["hint", "answer"]))
