"""Labels, keys and the immutable set of protected words."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burnish.errors import DataError, UsageError
from burnish.methods.nlpguard.annotation import (
    CATEGORIES,
    Annotation,
    Protected,
    hashed,
    key,
    undecided,
)

SOME = Protected({"Women": "sex", "sri  lankan": "race", "aged": "age"}, undecided=["may"])


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("STRASSE", "straße"),
        ("İstanbul", "istanbul"),
        ("KADIN", "kadın"),
        ("women\u2019s", "Women's"),
        ("African\u2011American", "african-american"),
        ("film_maker", "film-maker"),
        ("  Sri\u00a0 Lankan ", "sri lankan"),
        ("wo\u00admen", "women"),
        ("fiance\u0301", "fiancé"),
        ("ＷＯＭＡＮ", "woman"),
    ],
)
def test_spellings_of_a_word_have_one_key(left, right):
    assert key(left) == key(right)


@given(st.text(max_size=20))
def test_a_key_is_its_own_key(word):
    assert key(key(word)) == key(word)


def test_there_are_nine_categories():
    assert len(set(CATEGORIES)) == 9
    assert list(CATEGORIES) == sorted(CATEGORIES)


def test_a_label_and_a_score_are_checked():
    with pytest.raises(UsageError, match="'rase' is no category; did you mean 'race'"):
        Annotation(word="x", category="rase")
    with pytest.raises(UsageError, match="'nay' is no category"):
        Annotation(word="x", category="race", votes=("race", "nay"))
    with pytest.raises(UsageError, match="score is a share from 0 to 1, got 70"):
        Annotation(word="x", category="race", score=70)


def test_logs_name_a_word_by_its_hash():
    assert hashed("Women") == hashed("WOMEN") != hashed("woman")
    assert "women" not in repr(SOME)


def test_words_are_found_in_any_spelling():
    assert SOME["WOMEN"] == "sex"
    assert "Sri Lankan" in SOME
    assert "may" not in SOME
    assert SOME.words == ("aged", "sri lankan", "women")
    assert SOME.of("race") == ("sri lankan",)
    assert SOME.of("disability") == ()
    with pytest.raises(UsageError, match="'none' is no category"):
        SOME.of("none")


def test_annotations_become_a_set_and_nothing_undecided_is_lost():
    found = Protected.of_annotations(
        [
            Annotation(word="king", category="sex"),
            Annotation(word="novel", category="none"),
            undecided("polish", source="nobody", reason="no answer"),
        ]
    )
    assert dict(found) == {"king": "sex"}
    assert found.undecided == ("polish",)


def test_an_override_is_a_copy_with_a_record():
    moved = SOME.override("aged", "none", "cheese").override("May", "sex", "a name here")
    assert "aged" not in moved
    assert moved["may"] == "sex"
    assert moved.undecided == ()
    assert [(o.word, o.before, o.after) for o in moved.overrides] == [
        ("aged", "age", "none"),
        ("may", "undecided", "sex"),
    ]
    assert SOME["aged"] == "age"
    assert SOME.overrides == ()


@pytest.mark.parametrize(
    ("word", "category", "reason", "message"),
    [
        ("aged", "old", "x", "'old' is no category"),
        ("aged", "undecided", "x", "'undecided' is no category"),
        ("aged", "none", "  ", "names a word and a reason"),
        (" ", "age", "x", "names a word and a reason"),
    ],
)
def test_an_override_needs_word_label_and_reason(word, category, reason, message):
    with pytest.raises(UsageError, match=message):
        SOME.override(word, category, reason)


def test_two_categories_for_one_word_are_refused():
    with pytest.raises(UsageError, match="'jewish' is both 'race' and 'religion and belief'"):
        Protected({"Jewish": "race", "jewish": "religion and belief"})
    with pytest.raises(UsageError, match="not empty"):
        Protected({"  ": "race"})


def test_saved_and_loaded_it_is_the_same(tmp_path):
    before = SOME.override("aged", "none", "cheese, \u201cold\u201d")
    before.save(tmp_path / "p.json")
    first = (tmp_path / "p.json").read_bytes()
    after = Protected.load(tmp_path / "p.json")
    after.save(tmp_path / "p.json")
    assert after == before
    assert hash(after) == hash(before)
    assert (tmp_path / "p.json").read_bytes() == first
    assert after != SOME


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{",
        '{"format": 2, "categories": {}, "undecided": [], "overrides": []}',
        '{"format": 1, "categories": {"a": "raze"}, "undecided": [], "overrides": []}',
        '{"format": 1, "categories": {"a": 3}, "undecided": [], "overrides": []}',
        '{"format": 1, "categories": ["a"], "undecided": [], "overrides": []}',
        '{"format": 1, "categories": {}, "undecided": "may", "overrides": []}',
        '{"format": 1, "categories": {}, "undecided": [], "overrides": [{"word": "a"}]}',
        "[" * 100_000,
    ],
)
def test_a_file_that_is_something_else_is_refused(tmp_path, content):
    (tmp_path / "p.json").write_text(content)
    with pytest.raises(DataError, match=r"p\.json holds no protected words"):
        Protected.load(tmp_path / "p.json")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"cannot read protected words from .*no\.json"):
        Protected.load(tmp_path / "no.json")


def test_the_file_is_plain_json(tmp_path):
    SOME.save(tmp_path / "p.json")
    content = json.loads((tmp_path / "p.json").read_text(encoding="utf-8"))
    assert content["categories"] == {"aged": "age", "sri lankan": "race", "women": "sex"}
