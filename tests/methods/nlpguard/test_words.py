import numpy as np
import pytest

from burnish.methods.nlpguard.words import add_up, align, continues, word_spans


def words(text):
    return [text[start:end] for start, end in word_spans(text)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", []),
        ("  \n", []),
        ("A nurse, 33!", ["A", "nurse", ",", "33", "!"]),
        ("women's", ["women", "'", "s"]),
        ("l\u2019homme", ["l", "\u2019", "homme"]),
        ("African-American", ["African", "-", "American"]),
        ("हिन्दी naïve", ["हिन्दी", "naïve"]),
        ("e\u0301te\u0301", ["e\u0301te\u0301"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),
        ("...", [".", ".", "."]),
    ],
)
def test_words_are_runs_of_letters_and_single_other_characters(text, wanted):
    assert words(text) == wanted


def test_pieces_of_a_word_add_up():
    text = "unbelievable women"
    pieces = np.array([(0, 2), (2, 8), (8, 12), (13, 15), (15, 18)])
    there, sums = add_up(np.array([1.0, 2, 3, 4, -5]), pieces, word_spans(text))
    assert there == [0, 1]
    assert sums.tolist() == [6, -1]


def test_pieces_of_blanks_belong_to_no_word_and_a_leading_blank_to_the_word_behind_it():
    text = "a  bee"
    pieces = np.array([(0, 1), (1, 2), (2, 6)])  # "a", " ", " bee", as byte-level tokenizers cut
    there, sums = add_up(np.array([1.0, 10, 100]), pieces, word_spans(text))
    assert (there, sums.tolist()) == ([0, 1], [1, 100])


def test_words_behind_the_cut_have_no_score():
    there, sums = add_up(np.array([2.0]), np.array([(0, 3)]), word_spans("one two three"))
    assert (there, sums.tolist()) == ([0], [2])


def test_trailing_blanks_and_no_words_at_all_are_no_error():
    there, sums = add_up(np.array([1.0]), np.array([(0, 2)]), word_spans("  "))
    assert there == []
    assert sums.shape == (0,)


def test_tokens_that_continue_a_word_are_marked():
    text = "Unbelievable king"
    pieces = np.array([(0, 2), (2, 8), (8, 12), (13, 17)])
    assert continues(text, pieces) == ["Un", "##believ", "##able", "king"]


def test_tokens_are_found_in_their_text_without_case_accents_and_marks():
    text = "Élan, unbelievable  king"
    tokens = ["elan", ",", "un", "##believ", "##able", "▁king"]
    found = [text[start:end] for start, end in align(tokens, text)]
    assert found == ["Élan", ",", "un", "believ", "able", "king"]


def test_a_token_that_is_not_there_covers_nothing_and_stops_nobody():
    text = "a straße b"
    spans = align(["a", "[UNK]", "", "b"], text)
    assert [text[start:end] for start, end in spans] == ["a", "", "", "b"]


def test_repeated_tokens_are_found_one_after_the_other():
    assert align(["he", "he", "he"], "he he").tolist() == [[0, 2], [3, 5], [5, 5]]
