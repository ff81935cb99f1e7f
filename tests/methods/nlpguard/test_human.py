"""Words out to raters and votes back, through what spreadsheets do to files."""

import csv

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from burnish.errors import DataError, UsageError
from burnish.methods.nlpguard.annotation import key
from burnish.methods.nlpguard.human import Ballot, HumanAnnotator, export_words, read_ballot

WORDS = ["Polish", "fiancé", "novel", "=cmd|' /C calc'!A0", "12e34", "'tis"]
CONTEXTS = {"Polish": ["+1 Polish\nwriter", "a", "b", "c"], "novel": ["@SUM(A1) novel"]}


def cells(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def filled(path, labels, **save):
    """The exported table with the column `category` filled in, saved as a spreadsheet would."""
    header, *rows = cells(path)
    at = header.index("category")
    for row, label in zip(rows, labels, strict=True):
        row[at] = label
    encoding, delimiter = save.get("encoding", "utf-8-sig"), save.get("delimiter", ",")
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([header, *rows])


def test_no_cell_begins_like_a_formula(tmp_path):
    export_words(tmp_path / "a.csv", WORDS, CONTEXTS)
    table = cells(tmp_path / "a.csv")
    assert not [c for row in table for c in row if c.startswith(("=", "+", "-", "@", "\t"))]
    assert table[0] == ["id", "word", "context 1", "context 2", "context 3", "category", "comment"]
    assert table[1][2:5] == ["'+1 Polish writer", "a", "b"]


@pytest.mark.parametrize(
    "save",
    [
        {},
        {"encoding": "utf-8"},
        {"encoding": "cp1252", "delimiter": ";"},
        {"encoding": "utf-16", "delimiter": "\t"},
    ],
    ids=str,
)
def test_votes_come_back_whatever_the_spreadsheet_saved(tmp_path, save):
    path = tmp_path / "anna.csv"
    export_words(path, WORDS, CONTEXTS)
    filled(path, ["Race", " sex ", "NONE", "none", "", "undecided"], **save)
    ballot = read_ballot(path)
    assert ballot.rater == "anna"
    assert ballot.labels == {
        "polish": "race",
        "fiancé": "sex",
        "novel": "none",
        key(WORDS[3]): "none",
        "'tis": "undecided",
    }


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=12).filter(key))
def test_any_word_comes_back_as_it_went(tmp_path, word):
    export_words(tmp_path / "a.csv", [word])
    filled(tmp_path / "a.csv", ["race"])
    assert read_ballot(tmp_path / "a.csv").labels == {key(word): "race"}


def test_a_spreadsheet_that_drops_the_apostrophe_changes_nothing(tmp_path):
    path = tmp_path / "a.csv"
    export_words(path, ["=x", "-y"])
    filled(path, ["none", "none"])
    path.write_text(path.read_text("utf-8-sig").replace("'", ""))
    assert read_ballot(path).labels == {"=x": "none", "-y": "none"}


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (",12e34,", ",1.2E+35,", r"line 6: word '1.2E\+35' is not the one that was asked"),
        ("fiancé", "fiancÃ©", "line 3: word 'fiancÃ©' is not the one"),
        ("race", "rase", "line 2: 'rase' is no category; did you mean 'race'"),
        ("category", "kategorie", "category is not there once"),
        ("comment", "word", "word is not there once"),
        ("race", "", "holds no vote"),
        ("race", '"race', r"a\.csv, line \d+: "),
    ],
)
def test_what_went_wrong_is_named_with_its_line(tmp_path, before, after, message):
    path = tmp_path / "a.csv"
    export_words(path, WORDS)
    filled(path, ["race", "", "", "", "", ""])
    text = path.read_text("utf-8-sig")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_ballot(path)


def test_two_votes_on_one_word_are_refused(tmp_path):
    path = tmp_path / "a.csv"
    export_words(path, ["king"])
    filled(path, ["sex"])
    row = path.read_text("utf-8-sig").splitlines()[1]
    with path.open("a", encoding="utf-8") as file:
        file.write(row.replace("sex", "none") + "\n")
    with pytest.raises(DataError, match="'king' is 'none' here and 'sex' before"):
        read_ballot(path)


def test_files_that_are_no_tables_are_refused(tmp_path):
    with pytest.raises(DataError, match="cannot read votes from"):
        read_ballot(tmp_path / "no.csv")
    for content in (b"", b"\x00\x01\x81\x8d", b"PK\x03\x04\x81", b"\xff\xfe\x00"):
        (tmp_path / "a.csv").write_bytes(content)
        with pytest.raises(DataError, match=r"a\.csv"):
            read_ballot(tmp_path / "a.csv")


def test_only_distinct_words_go_out(tmp_path):
    for words in ([], ["King", "king"], [" "]):
        with pytest.raises(UsageError, match="distinct words"):
            export_words(tmp_path / "a.csv", words)
    assert not (tmp_path / "a.csv").exists()


def test_raters_vote_and_silence_is_undecided(tmp_path):
    for rater, labels in {"a": ["sex", "none"], "b": ["sex", ""], "c": ["none", ""]}.items():
        export_words(tmp_path / f"{rater}.csv", ["king", "novel"])
        filled(tmp_path / f"{rater}.csv", labels)
    people = HumanAnnotator.read(sorted(tmp_path.glob("*.csv")))
    assert people.raters == ("a", "b", "c")
    king, novel, other = people.annotate(["King", "novel", "other"])
    assert (king.category, king.votes) == ("sex", ("sex", "sex", "none"))
    assert (novel.category, novel.votes) == ("none", ("none",))
    assert (other.category, other.votes) == ("undecided", ())


def test_ballots_have_distinct_raters_and_comments_are_kept():
    ballot = Ballot("a", {"king": "sex"}, {"king": "a title"})
    assert HumanAnnotator([ballot]).annotate(["KING"])[0].rationale == "a title"
    for ballots in ([], [ballot, ballot]):
        with pytest.raises(UsageError, match="one ballot a rater"):
            HumanAnnotator(ballots)
