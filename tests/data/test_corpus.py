from __future__ import annotations

import json

import datasets
import pytest

from burnish import assets
from burnish.data.corpus import CORPORA, Corpus, load_corpus, read_corpus
from burnish.errors import AssetMissing, DataError, UsageError


def here(name: str) -> Corpus:
    try:
        assets.path(CORPORA[name].asset)
    except AssetMissing as missing:
        pytest.skip(str(missing))
    return load_corpus(name)


def test_the_messages_belong_to_presidents():
    corpus = here("state-of-the-union")
    assert len(corpus) == len(corpus.groups) == 233
    assert len(set(corpus.groups)) == 43
    assert corpus.groups[0] == "George Washington"
    assert corpus.texts[0].startswith("Fellow-Citizens of the Senate")
    assert sum(map(len, corpus.texts)) == 10_759_831


def test_the_posts_belong_to_one_of_two_groups_and_come_once():
    corpus = here("dreaddit")
    assert set(corpus.groups) == {"stress", "no stress"}
    assert len(set(corpus.texts)) == len(corpus) == 3531


def test_every_corpus_is_of_an_asset():
    assert all(record.asset in assets.ASSETS for record in CORPORA.values())


def test_an_unknown_corpus_gets_the_nearest_one():
    with pytest.raises(UsageError, match="unknown corpus 'dreadit'; did you mean 'dreaddit'"):
        load_corpus("dreadit")


def test_taking_rows_keeps_texts_with_their_groups():
    corpus = Corpus(("a", "b", "c"), ("x", "y", "z"), "note")
    assert corpus.take([2, 0]) == Corpus(("c", "a"), ("z", "x"), "note")


def test_a_user_s_file_gives_its_texts_and_groups(tmp_path):
    path = tmp_path / "mine.jsonl"
    rows = [{"body": "one", "who": "a"}, {"body": "two", "who": 7}]
    path.write_text("\n".join(map(json.dumps, rows)))
    corpus = read_corpus(path, text="body", group="who")
    assert (corpus.texts, corpus.groups) == (("one", "two"), ("a", "7"))


def test_classes_of_a_data_set_s_folder_go_by_their_names(tmp_path):
    features = datasets.Features(
        {"text": datasets.Value("string"), "group": datasets.ClassLabel(names=["law", "news"])}
    )
    rows = {"text": ["one", "two"], "group": [1, 0]}
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(tmp_path / "saved")
    assert read_corpus(tmp_path / "saved").groups == ("news", "law")


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ("text,group\nhello,a\n,b\n", r"row 2, column 'text', must be a text, but is empty"),
        ("text,group\nhello,\n", r"row 1, column 'group', must be a name .* but is empty"),
        ("text,kind\nhello,a\n", "has no column 'group'; there are: 'text', 'kind'"),
        ("text,group\n", "has no rows; give at least one text"),
    ],
)
def test_a_bad_cell_is_named(tmp_path, rows, complaint):
    path = tmp_path / "mine.csv"
    path.write_text(rows)
    with pytest.raises(DataError, match=complaint):
        read_corpus(path)


def test_a_group_that_is_no_name_is_named(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text('{"text": "a", "group": 1.5}')
    with pytest.raises(DataError, match=r"line 1, column 'group', must be a name .* is a float"):
        read_corpus(path)


def test_text_and_group_cannot_be_one_column(tmp_path):
    with pytest.raises(UsageError, match="are two columns, got 'text' for both"):
        read_corpus(tmp_path / "x.csv", text="text", group="text")
