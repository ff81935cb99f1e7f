import pytest

from burnish.methods.structext.names import LETTERS, LOWER, TAGS, VALUES, WORDS, name


@pytest.mark.parametrize(
    ("index", "written"), [(0, "a"), (25, "z"), (26, "ab"), (27, "bb"), (51, "zb"), (52, "ac")]
)
def test_least_significant_digit_comes_first(index, written):
    assert name(index, LOWER) == written


def test_words_are_joined_by_the_separator():
    assert name(26 * 3 + 1, WORDS, " ") == "banana dentist"


def test_names_are_unique_and_read_back():
    for index in range(3 * 26**2):
        digits = [LOWER.index(letter) for letter in name(index, LOWER)]
        assert sum(digit * 26**place for place, digit in enumerate(digits)) == index


def test_tables_agree_with_the_definition():
    assert LETTERS.take(20, 900) == [name(index, LOWER) for index in range(20, 920)]
    assert VALUES.take(0, 27)[-2:] == ["a", "zy"]
    assert TAGS.at(26) == "AB"


def test_there_are_26_distinct_words():
    assert len(set(WORDS)) == 26
