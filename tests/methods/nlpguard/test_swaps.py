"""Swaps keep the category, the case and everything around."""

from __future__ import annotations

import numpy as np
import pytest

from burnish.errors import UsageError
from burnish.methods.nlpguard.annotation import key
from burnish.methods.nlpguard.ledger import applied
from burnish.methods.nlpguard.lexicon import Lexicon
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.swaps import (
    CounterfactualCopies,
    CounterfactualSubstitution,
    Swaps,
    counterfactuals,
)

PAIRS = {"he": "she", "him": "her", "his": "her", "her": "his", "king": "queen", "wife": "husband"}
PAIRS |= {"hubby": "wife"}
GROUPS = {"nation": ["french", "thai", "sri lankan"], "one": ["lonely"], "king": ["king", "duke"]}
TERMS = [*PAIRS, *PAIRS.values(), *GROUPS["nation"], "lonely", "polish", "duke", "unknown"]
MATCHER = Matcher(dict.fromkeys(TERMS, "sex"))
SWAPS = Swaps(PAIRS, GROUPS, {"polish": "nation", "unknown": "nowhere"})


def swapped(text, seed=0):
    return counterfactuals([text], MATCHER, SWAPS, seed=seed)[0]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He met the KING.", "She met the QUEEN."),
        ("She saw a Queen's crown", "He saw a King's crown"),
        ("the hubby and the wife", "the wife and the husband"),
        ("We saw him.", "We saw her."),
        ("We saw her.", "We saw him."),
        ("We saw her  and left", "We saw him  and left"),
        ("Her book", "His book"),
        ("his old book", "her old book"),
        ("the book is his", "the book is hers"),
        ("gave her the book", "gave him the book"),
        ("We saw her yesterday", "We saw him yesterday"),
        ("Nothing to  swap, unknown or lonely", "Nothing to  swap, unknown or lonely"),
    ],
)
def test_pairs(text, expected):
    assert swapped(text) == expected


def test_a_group_gives_every_other_member_and_never_the_word_itself():
    seen = {swapped("A French poem", seed) for seed in range(40)}
    assert seen == {"A Thai poem", "A Sri lankan poem"}


def test_an_ambiguous_word_is_swapped_but_never_swapped_for():
    assert {swapped("polish", seed) for seed in range(60)} == set(GROUPS["nation"])


def test_a_paired_word_is_in_no_group():
    assert swapped("king and duke") == "queen and duke"
    assert "duke" not in SWAPS
    assert "KING" in SWAPS


def test_a_word_that_comes_twice_is_swapped_alike():
    for seed in range(20):
        one, other = swapped("French and french", seed).split(" and ")
        assert key(one) == key(other)


def test_texts_without_swaps_are_the_same_and_a_seed_gives_the_same():
    texts = ["", "none here", "French he"] * 5
    made = counterfactuals(texts, MATCHER, SWAPS, seed=4)
    assert made == counterfactuals(texts, MATCHER, SWAPS, seed=4)
    assert [new == old for new, old in zip(made, texts, strict=True)] == [True, True, False] * 5


def rewritten(strategy, text, seed=0):
    draw = np.random.default_rng(seed)
    return [applied(text, each) for each in strategy.rewrite(text, MATCHER.find(text), draw)]


def test_copies_are_added_to_the_text():
    assert rewritten(CounterfactualCopies(SWAPS), "he came") == ["he came", "she came"]
    assert len(rewritten(CounterfactualCopies(SWAPS, copies=4), "french")) == 5


def test_substitution_takes_the_place_of_the_text_half_of_the_time():
    half = CounterfactualSubstitution(SWAPS)
    seen = [rewritten(half, "he", seed)[0] for seed in range(200)]
    assert 70 < seen.count("she") < 130
    always = CounterfactualSubstitution(SWAPS, probability=1.0)
    assert {rewritten(always, "he", seed)[0] for seed in range(20)} == {"she"}


def test_wrong_numbers_are_refused():
    with pytest.raises(UsageError, match="copies are at least 1, got 0"):
        CounterfactualCopies(SWAPS, copies=0)
    with pytest.raises(UsageError, match=r"probability is from 0 to 1, got 1\.5"):
        CounterfactualSubstitution(SWAPS, probability=1.5)
    with pytest.raises(UsageError, match="a word and its counterpart differ, got 'He' twice"):
        Swaps({"He": "he"}, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The women's rights", "The men's rights"),
        ("MEN'S room, the boys' school", "WOMEN'S room, the girls' school"),
        ("Mr. and Mrs. Smith", "Mrs. and Mr. Smith"),
        ("She's tall; he’d go", "He's tall; she'd go"),
        (
            "He said his book was hers and she told him.",
            "She said her book was his and he told her.",
        ),
        ("all-male, a New Mother", "all-female, a New Father"),
        ("governesses, actresses", "tutors, actors"),
        ("thank God", "thank God"),
        ("my mother-in-law's step-mother", "my father-in-law's step-father"),
    ],
)
def test_the_shipped_pairs_keep_case_plural_and_possession(text, expected):
    lexicon = Lexicon()
    made = counterfactuals([text], Matcher(lexicon.terms), Swaps.of_lexicon(lexicon))
    assert made == [expected]


def test_names_of_several_words_keep_their_capitals():
    lexicon = Lexicon()
    swaps, matcher = Swaps.of_lexicon(lexicon), Matcher(lexicon.terms)
    made = counterfactuals(["a French poet from France"] * 400, matcher, swaps)
    several = [text for text in made if len(text.split()) > 5]
    assert several
    for text in several:
        words = text.removeprefix("a ").replace(" poet from ", " ").split()
        assert all(word[0].isupper() or word in ("of", "the", "and") for word in words), text


def test_the_shipped_lexicon_swaps_within_categories():
    lexicon = Lexicon()
    swaps, matcher = Swaps.of_lexicon(lexicon), Matcher(lexicon.terms)
    terms = [term for term in lexicon.terms if term in swaps]
    assert len(terms) > 400
    made = counterfactuals(terms, matcher, swaps)
    moved = [
        (old, new)
        for old, new in zip(terms, made, strict=True)
        if key(old) == key(matcher.find(old)[0].term) and new in lexicon.terms
    ]
    assert len(moved) > 400
    # a widow and a stepmother have a counterpart whatever they are listed under
    crossed = [(old, new) for old, new in moved if lexicon.terms[old] != lexicon.terms[new]]
    assert len(crossed) <= 0.02 * len(moved), crossed
    assert all(old != new for old, new in moved)
