"""MS3 to MS5: what stands in the place of protected words."""

from __future__ import annotations

import numpy as np
import pytest

from burnish.errors import UsageError
from burnish.methods.nlpguard.ledger import applied
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.neighbours import WordVectors
from burnish.methods.nlpguard.strategies.replacement import (
    Hypernym,
    Masking,
    WordReplacement,
    WordVariants,
    cased,
    unprotected,
)

MATCHER = Matcher({"women": "sex", "french": "race", "she": "sex"})
LEXICON = Matcher({"women": "sex", "men": "sex", "french": "race", "german": "race"})
WORDS = ["women", "men", "people", "folk", "crowd", "group", "german", "thing"]
# the angle to "women" grows along the list, and "french" points to the last two
ANGLES = np.array([0, 1, 2, 3, 4, 5, 80, 81]) / 60
VECTORS = WordVectors(
    [*WORDS, "french"],
    range(9),
    np.stack([np.cos([*ANGLES, 1.4]), np.sin([*ANGLES, 1.4])], axis=1),
    lambda word: [],
)
STRICT = unprotected(LEXICON)


def rewritten(strategy, text, seed=0):
    draw = np.random.default_rng(seed)
    variants = strategy.rewrite(text, MATCHER.find(text), draw)
    return [applied(text, changes) for changes in variants]


class Counting:
    """Neighbours that note what they are asked for."""

    def __init__(self):
        self.asked = []

    def near(self, word, k, allowed):
        self.asked.append((word, k))
        return VECTORS.near(word, k, allowed)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("make", [WordReplacement, WordVariants])
def test_defect_7_k_reaches_the_search(make, k):
    """The number of synonyms never reached the search."""
    neighbours = Counting()
    strategy = make(neighbours, k)
    seen = {text for seed in range(60) for text in rewritten(strategy, "Women went", seed)}
    assert neighbours.asked == [("women", k)]  # and each word is looked up once
    assert seen == {f"{word.title()} went" for word in ("men", "people", "folk")[:k]}


def test_a_protected_neighbour_is_passed_over():
    strategy = WordReplacement(VECTORS, 2, STRICT)
    seen = {text for seed in range(40) for text in rewritten(strategy, "the women", seed)}
    assert seen == {"the people", "the folk"}


def test_a_possessive_mark_stays_with_the_new_word():
    assert rewritten(WordReplacement(VECTORS, 1), "Women's day") == ["Men's day"]


def test_a_word_without_neighbours_is_removed():
    assert rewritten(WordReplacement(VECTORS, 1), "and she said women") == ["and said men"]
    nothing = WordReplacement(VECTORS, 3, lambda word: False)
    assert rewritten(nothing, "the women said") == ["the said"]


def test_the_ith_variant_takes_the_ith_neighbours():
    strategy = WordVariants(VECTORS, 3, STRICT)
    assert rewritten(strategy, "women, French WOMEN") == [
        "people, Thing PEOPLE",
        "folk, Group FOLK",
        "crowd, Crowd CROWD",
    ]


def test_a_word_with_fewer_neighbours_goes_round():
    few = unprotected(Matcher(dict.fromkeys([*WORDS[1:3], *WORDS[5:], "french"], "sex")))
    strategy = WordVariants(VECTORS, 5, few)
    assert rewritten(strategy, "women") == ["folk", "crowd"]
    few_near = WordVariants(Near({"women": "abc", "french": "x"}), 5)
    assert rewritten(few_near, "she women french") == ["a x", "b x", "c x"]
    assert rewritten(few_near, "so she said") == ["so said"]


class Near:
    def __init__(self, words):
        self.words = words

    def near(self, word, k, allowed):
        return list(self.words.get(word, ""))[:k]

    def climb(self, word, allowed):
        found = self.words.get(word)
        return found if found and allowed(found) else None


def test_the_original_is_kept_on_demand():
    strategy = WordVariants(VECTORS, 2, STRICT, keep_original=True)
    assert rewritten(strategy, "women") == ["women", "people", "folk"]
    assert "kept originals" in strategy.caution
    assert "kept originals" not in WordVariants(VECTORS).caution


def test_a_hypernym_comes_in_the_case_of_the_word_or_the_word_goes():
    strategy = Hypernym(Near({"women": "person", "french": "German"}), STRICT)
    assert rewritten(strategy, "Women, she and the French") == ["Person, and the"]
    assert rewritten(strategy, "So “WOMEN”, Women. (Women)") == ["So “PERSON”, person. (Person)"]
    assert rewritten(Hypernym(Near({"french": "German"})), "the french") == ["the German"]


def test_a_mask_stands_for_every_word():
    assert rewritten(Masking(), "The women's French") == ["The [MASK]'s [MASK]"]
    with pytest.raises(UsageError, match="mask token is not empty"):
        Masking(" ")


@pytest.mark.parametrize("make", [WordReplacement, WordVariants])
def test_no_neighbours_are_refused(make):
    with pytest.raises(UsageError, match="k counts neighbours and is at least 1, got 0"):
        make(VECTORS, 0)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("women", "men", "men"),
        ("Women", "men", "Men"),
        ("WOMEN", "men", "MEN"),
        ("I", "they", "They"),
        ("women", "German", "German"),
        ("Sri Lankan", "south african", "South African"),
        ("Sri lankan", "south african", "South african"),
        ("Trans Women", "women of the sea", "Women of the Sea"),
        ("Latter-day Saint", "jehovah's witness", "Jehovah's witness"),
        ("Anglo-Saxon", "jehovah's witness", "Jehovah's Witness"),
        ("Woman's", "old people", "Old people"),
        ("élan", "x", "x"),
        ("Élan", "éa", "Éa"),
    ],
)
def test_cased(old, new, expected):
    assert cased(old, new) == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("French", "sri lankan", "Sri Lankan"),
        ("french", "sri lankan", "sri lankan"),
        ("Koran", "book of mormon", "Book of Mormon"),
        ("Jew", "bahá'í", "Bahá'í"),
        ("IRISH", "sri lankan", "SRI LANKAN"),
    ],
)
def test_a_name_has_a_capital_at_each_word(old, new, expected):
    assert cased(old, new, name=True) == expected
