"""One pass over rows: only protected words are touched, and the ledger says how."""

from __future__ import annotations

import copy

import datasets
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import BertTokenizerFast

from burnish.errors import UsageError
from burnish.methods.nlpguard.annotation import Protected
from burnish.methods.nlpguard.ledger import DROPPED, Ledger
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.moderating import Change, MitigationError, moderate
from burnish.methods.nlpguard.strategies import (
    Hypernym,
    Masking,
    SentenceRemoval,
    WordRemoval,
    WordReplacement,
    WordVariants,
)
from burnish.methods.nlpguard.swaps import CounterfactualCopies, CounterfactualSubstitution, Swaps

PROTECTED = Protected(
    {"women": "sex", "woman": "sex", "he": "sex", "french": "race", "sri lankan": "race"}
)
ROWS = [
    {"text": "The WOMEN of  Paris,\tand Women's rights!", "label": "a"},
    {"text": "Nothing  to See here ,\n[PAD] really", "label": "a"},
    {"text": "A Sri  Lankan woman. She wrote. He did not.", "label": "b"},
    {"text": "French", "label": "b"},
    {"text": "A plain row.", "label": "b"},
]


NEAR = {"women": ["people", "folk"], "woman": ["person"], "he": ["they"]}


class Table:
    """Neighbours and hypernyms from a table."""

    def near(self, word, k, allowed):
        return [each for each in NEAR.get(word, []) if allowed(each)][:k]

    def climb(self, word, allowed):
        return next(iter(self.near(word, 1, allowed)), None)


SWAPS = Swaps({"women": "men", "woman": "man", "he": "she"}, {"n": ["french", "german", "thai"]})
STRATEGIES = [
    SentenceRemoval("sentence"),
    SentenceRemoval("document"),
    WordRemoval(),
    WordReplacement(Table()),
    WordVariants(Table()),
    WordVariants(Table(), keep_original=True),
    Hypernym(Table()),
    Masking(),
    CounterfactualCopies(SWAPS, copies=3),
    CounterfactualSubstitution(SWAPS),
]


def ids(strategy):
    kept = "_kept" if getattr(strategy, "keep_original", False) else ""
    return strategy.name + kept


def texts(rows):
    return [row["text"] for row in rows]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=ids)
def test_the_ledger_replays_every_strategy(strategy, tmp_path):
    before = copy.deepcopy(ROWS)
    result = moderate(ROWS, PROTECTED, strategy, allow_loss=True, seed=3)
    assert before == ROWS
    result.ledger.save(tmp_path / "ledger.parquet")
    assert Ledger.load(tmp_path / "ledger.parquet").replay(ROWS) == result.data
    assert result.rows_after == len(result.data)
    assert texts(result.data).count(ROWS[1]["text"]) == 1
    assert texts(result.data).count(ROWS[4]["text"]) == 1
    assert {edit.strategy for edit in result.ledger.edits} == {strategy.name}


words = st.sampled_from(
    ["women", "Woman", "HE", "French", "sri", "Lankan", "Dr", "x", ".", "! ", " ", "  ", "\n", "-",
     "'s", "“", ")", "é", "and "]
)  # fmt: skip


@pytest.mark.parametrize("strategy", STRATEGIES, ids=ids)
@given(st.lists(st.lists(words, max_size=12).map("".join), min_size=1, max_size=5))
def test_any_rows_are_replayed_and_keep_what_holds_no_word(strategy, drawn):
    rows = [{"text": text, "label": 0} for text in drawn]
    result = moderate(rows, PROTECTED, strategy, allow_loss=True)
    assert result.ledger.replay(rows) == result.data
    matcher = Matcher(PROTECTED)
    untouched = [text for text in drawn if not matcher.find(text)]
    kept = iter(texts(result.data))
    assert all(text in kept for text in untouched)  # in their order
    for edit in result.ledger.edits:
        assert edit.category == PROTECTED[edit.word]


@pytest.mark.parametrize(
    "strategy", [WordRemoval(), WordReplacement(Table()), Hypernym(Table()), Masking()], ids=ids
)
def test_no_protected_word_is_left(strategy):
    result = moderate(ROWS, PROTECTED, strategy, allow_loss=True)
    assert not Matcher(PROTECTED).presence(texts(result.data)).any()


@pytest.mark.parametrize("strategy", STRATEGIES, ids=ids)
def test_no_protected_words_leave_everything_as_it_is(strategy):
    result = moderate(ROWS, Protected({}), strategy)
    assert result.data == ROWS
    assert (result.changed, result.lost, len(result.ledger)) == (0, 0, 0)


def test_frames_and_datasets_are_edited_alike_and_stay():
    expected = texts(moderate(ROWS, PROTECTED, WordRemoval()).data)
    frame, dataset = pd.DataFrame(ROWS), datasets.Dataset.from_list(ROWS)
    edited = moderate(frame, PROTECTED, WordRemoval())
    assert isinstance(edited.data, pd.DataFrame)
    assert edited.data["text"].tolist() == expected
    assert edited.ledger.replay(frame).equals(edited.data)
    pd.testing.assert_frame_equal(frame, pd.DataFrame(ROWS))
    edited = moderate(dataset, PROTECTED, WordRemoval())
    assert isinstance(edited.data, datasets.Dataset)
    assert edited.data["text"][:] == expected
    assert edited.ledger.replay(dataset)[:] == edited.data[:]
    assert dataset[:] == datasets.Dataset.from_list(ROWS)[:]


def test_what_is_recorded_of_an_edit():
    result = moderate(ROWS, PROTECTED, Masking("#"), allow_loss=True)
    first = result.ledger.edits[0]
    assert first == (0, 4, 9, "WOMEN", "#", "women", "sex", "mask", 0)
    phrase = next(edit for edit in result.ledger.edits if edit.category == "race")
    assert (phrase.row, phrase.old, phrase.word) == (2, "Sri  Lankan", "sri lankan")
    assert (result.changed, result.lost) == (3, 0)


def test_a_dropped_row_is_recorded_for_each_word_it_was_dropped_for():
    result = moderate(ROWS, PROTECTED, SentenceRemoval("document"), allow_loss=True)
    dropped = [edit for edit in result.ledger.edits if edit.row == 2]
    assert [edit.word for edit in dropped] == ["sri lankan", "woman", "he"]
    assert "".join(edit.old for edit in dropped) == ROWS[2]["text"]
    assert {edit.copy for edit in dropped} == {DROPPED}


# Defects of the official code, version 0.0.7.


def test_defect_1_a_word_that_the_tokenizer_splits_is_removed_whole_without_padding(tmp_path):
    """Removal by word pieces let split words survive, and wrote "[PAD]"."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "wo", "##men", "the", "wrote"]
    (tmp_path / "vocab.txt").write_text("\n".join(pieces))
    tokenizer = BertTokenizerFast(vocab=str(tmp_path / "vocab.txt"))
    assert tokenizer.tokenize("The women wrote") == ["the", "wo", "##men", "wrote"]
    rows = [{"text": "The women wrote", "label": 0}, {"text": "The wrote", "label": 0}]
    result = moderate(rows, Protected({"women": "sex"}), WordRemoval())
    assert texts(result.data) == ["The wrote", "The wrote"]
    assert "[PAD]" not in "".join(texts(result.data))


def test_defect_2_case_and_spacing_stay_as_they_were():
    """Every row came back in small letters and re-spaced."""
    result = moderate(ROWS, PROTECTED, WordRemoval(), allow_loss=True)
    assert texts(result.data) == [
        "The of  Paris,\tand rights!",
        ROWS[1]["text"],
        "A. She wrote. did not.",
        "",
        ROWS[4]["text"],
    ]


def test_defect_3_words_by_label_edit_only_rows_of_that_label():
    """The per-class mode went over the letters of each word."""
    rows = [{"text": f"A woman, {label}, he said", "label": label} for label in "abc"]
    by_label = {"a": Protected({"woman": "sex"}), "b": Protected({"he": "sex"})}
    result = moderate(rows, by_label, WordRemoval())
    assert texts(result.data) == ["A, a, he said", "A woman, b, said", "A woman, c, he said"]


def test_defect_7_words_beside_punctuation_are_found():
    """Words were cut at white space, kept their punctuation and never matched."""
    rows = [{"text": text, "label": 0} for text in ('(Women), "he"; french.', "women!", "“he”?")]
    result = moderate(rows, PROTECTED, WordRemoval(), allow_loss=True)
    assert texts(result.data) == ['(), "";.', "!", "“”?"]


def test_defect_3_words_by_label_are_no_string():
    with pytest.raises(UsageError, match="got a str for 'a'"):
        moderate(ROWS, {"a": "women"}, WordRemoval())
    with pytest.raises(UsageError, match="got a tuple for 'a'"):
        moderate(ROWS, {"a": ("women",)}, WordRemoval())


def test_a_label_that_no_row_has_is_named():
    with pytest.raises(UsageError, match="no row has the label 'z'; there are: 'a', 'b'"):
        moderate(ROWS, {"z": PROTECTED}, WordRemoval())


# The guard on losses.


def test_a_class_is_not_emptied():
    rows = [{"text": "French", "label": "b"}] + [{"text": "x", "label": "a"}] * 9
    with pytest.raises(
        MitigationError, match=r"no row of the class 'b' with a word.*allow_loss=True"
    ):
        moderate(rows, PROTECTED, SentenceRemoval())
    result = moderate(rows, PROTECTED, SentenceRemoval(), allow_loss=True)
    assert (result.lost, result.rows_after) == (1, 9)
    assert any("1 of 10 rows (10.0 %) are lost" in note for note in result.notes)


@pytest.mark.parametrize(("hit", "fails"), [(3, False), (4, True)])
def test_thirty_percent_of_the_rows_may_go(hit, fails):
    rows = [{"text": "he" if i < hit else "x", "label": "a"} for i in range(10)]
    if fails:
        with pytest.raises(
            MitigationError, match="remove or empty 4 of 10 rows, and 30% are allowed"
        ):
            moderate(rows, PROTECTED, SentenceRemoval("document"))
    else:
        assert moderate(rows, PROTECTED, SentenceRemoval("document")).lost == 3


def test_rows_left_without_a_word_count_as_lost():
    rows = [{"text": "French", "label": "b"}, {"text": "?", "label": "b"}]
    rows += [{"text": "x", "label": "a"}] * 9
    with pytest.raises(MitigationError, match="no row of the class 'b' with a word in it"):
        moderate(rows, PROTECTED, WordRemoval())
    result = moderate(rows, PROTECTED, WordRemoval(), allow_loss=True)
    assert (result.lost, result.rows_after) == (0, 11)
    rows = [{"text": "he" if i < 4 else "x", "label": "a"} for i in range(10)]
    with pytest.raises(MitigationError, match="word_removal would remove or empty 4 of 10 rows"):
        moderate(rows, PROTECTED, WordRemoval())
    # what never held a word is no loss
    rows = [{"text": "?", "label": "b"}, {"text": "", "label": "c"}, {"text": "x he", "label": "a"}]
    assert moderate(rows, PROTECTED, WordRemoval()).changed == 1


# What strategies give.


class Given:
    name, caution = "given", ""

    def __init__(self, *variants):
        self.variants = variants

    def rewrite(self, text, matches, draw):
        return self.variants


def change(start, end, new):
    return Change(start, end, new, "he", "sex")


@pytest.mark.parametrize(
    ("variants", "expected"),
    [
        ([], []),
        ([[]], ["he x"]),
        ([[change(0, 2, "she")], []], ["he x", "she x"]),
        ([[change(0, 2, "she")], [change(0, 3, "she ")]], ["she x"]),
        ([[change(0, 2, "he")], [change(0, 2, "it")]], ["he x", "it x"]),
        ([[change(0, 4, "")], [change(0, 4, " ?!")]], ["", " ?!"]),
    ],
    ids=["dropped", "as it is", "original first", "twice", "no change", "nothing left"],
)
def test_variants_are_sifted(variants, expected):
    rows = [{"text": "he x", "label": 0}, {"text": "y", "label": 0}]
    result = moderate(rows, PROTECTED, Given(*variants), allow_loss=True)
    assert texts(result.data) == [*expected, "y"]
    assert result.ledger.replay(rows) == result.data


def test_a_seed_gives_the_same_bytes(tmp_path):
    rows = [{"text": f"french he women {i}", "label": 0} for i in range(50)]
    strategy = WordReplacement(Table(), k=2)
    results = [moderate(rows, PROTECTED, strategy, seed=seed) for seed in (1, 1, 2)]
    assert results[0].data == results[1].data != results[2].data
    for at, result in enumerate(results[:2]):
        result.ledger.save(tmp_path / str(at))
    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes()


def test_a_row_of_which_nothing_is_left_stays_and_is_told():
    rows = [{"text": text, "label": 0} for text in ("French", "?", "so, he", "x")]
    result = moderate(rows, PROTECTED, WordRemoval())
    assert texts(result.data) == ["", "?", "so,", "x"]
    assert result.notes == ("1 rows held nothing else and are left without a word",)


def test_notes_tell_what_is_known_to_go_wrong():
    result = moderate(ROWS, PROTECTED, WordVariants(Table(), keep_original=True))
    assert "kept originals leave every protected word" in result.notes[0]
    assert "5 rows became 9" in result.notes[-1]
