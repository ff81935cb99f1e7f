"""MS1 and MS2: sentences and words go, and what is left reads as if they never were."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest

from burnish.errors import UsageError
from burnish.methods.nlpguard.ledger import applied
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.strategies.removal import (
    SentenceRemoval,
    WordRemoval,
    removals,
    sentences,
)

TERMS = ["woman", "women", "old", "he", "mr", "french", "american"]
MATCHER = Matcher(dict.fromkeys(TERMS, "sex"))
DRAW = np.random.default_rng(0)


def without(strategy, text):
    variants = strategy.rewrite(text, MATCHER.find(text), DRAW)
    return [applied(text, changes) for changes in variants]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("the woman wrote", "the wrote"),
        ("Woman wrote", "wrote"),
        ("so wrote the woman", "so wrote the"),
        ("the woman, they say", "the, they say"),
        ("the old woman wrote", "the wrote"),
        ("the old French woman", "the"),
        ("Old French woman!", "!"),
        ("(woman here)", "(here)"),
        ("a (woman) b", "a () b"),
        ("of  women  there", "of   there"),
        ("line\nwoman wrote", "line\nwrote"),
        ("by a woman\nnext", "by a\nnext"),
        ("the woman's book, women's", "the book,"),
        ("a woman-owned shop", "a owned shop"),
        ("an anti-French poem", "an anti poem"),
        ("a French-American poem", "a poem"),
        ("“Woman”", "“”"),
        ("shewoman womanly Mewomen", "shewoman womanly Mewomen"),
        ("woman", ""),
        ("So Mr. Smith wrote", "So Smith wrote"),
        ("(Mr. Smith)", "(Smith)"),
        ("He and Mr.", "and."),
        ("a woman. Then", "a. Then"),
    ],
)
def test_a_word_goes_with_the_space_that_joined_it(text, left):
    assert without(WordRemoval(), text) == [left]


@pytest.mark.parametrize(
    "text", ["old old woman", "woman - old -woman", "he, he he; he", "old-woman-made he", " he he "]
)
def test_removals_are_disjoint_in_order_and_one_for_each_match(text):
    matches = MATCHER.find(text)
    changes = removals(text, matches)
    assert [change.word for change in changes] == [match.term for match in matches]
    for change, match in zip(changes, matches, strict=True):
        assert change.start <= match.start < match.whole_end <= change.end
        assert not change.new
    assert all(one.end <= other.start for one, other in itertools.pairwise(changes))


@pytest.mark.parametrize(
    "parts",
    [
        ["One. ", "Two! ", "Three?"],
        ["No stop"],
        ["“Quoted.” ", "Then."],
        ["Mr. Smith met Dr. J. R. Doe. ", "Then he left."],
        ["The U.S. Army came... and left."],
        ["Wait... ", "What?"],
        ["a line\n\n", "another  \n", "last"],
        ["He paid 3.50 dollars. ", "Then 4."],
        ["Ends with space. "],
        ["それは。", "これは！", "はい"],
        ["e.g. Paris or Rome. ", "Yes."],
    ],
)
def test_sentences(parts):
    text = "".join(parts)
    assert [text[start:end] for start, end in sentences(text)] == parts


@pytest.mark.parametrize("noise", [".", " ", ".'", "\n", ". ", "a. "])
def test_noise_is_cut_in_time_that_grows_with_its_length(noise):
    text = noise * 100_000
    began = time.perf_counter()
    spans = list(sentences(text))
    assert time.perf_counter() - began < 5  # a square of the length takes minutes
    assert (spans[0][0], spans[-1][1]) == (0, len(text))


def test_no_text_has_no_sentence():
    assert list(sentences("")) == []


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("One. The woman. Three.", ["One. Three."]),
        ("The woman. Two. Three.", ["Two. Three."]),
        ("One. Two.  The woman.", ["One. Two."]),
        ("One. A woman. The women.", ["One."]),
        ("A woman. One. The women. He. Two", ["One. Two"]),
        ("A woman. He.", []),
        ("Mr. Smith wrote. The rest stays.", ["The rest stays."]),
    ],
)
def test_sentences_that_hold_a_word_go(text, left):
    assert without(SentenceRemoval(), text) == left


def test_each_word_of_a_sentence_is_on_record():
    text = "One. The old woman and he. Three."
    (changes,) = SentenceRemoval().rewrite(text, MATCHER.find(text), DRAW)
    assert [change.word for change in changes] == ["old", "woman", "he"]
    assert "".join(text[change.start : change.end] for change in changes) == (
        "The old woman and he. "
    )


def test_a_phrase_over_two_sentences_takes_both():
    matcher = Matcher({"new york": "race"})
    text = "So new\nyork came. The end."
    changes = SentenceRemoval().rewrite(text, matcher.find(text), DRAW)
    assert [applied(text, each) for each in changes] == ["The end."]


def test_sentences_go_in_time_that_grows_with_the_text():
    text = "The woman wrote. A line. " * 20_000
    matches = MATCHER.find(text)
    began = time.perf_counter()
    (changes,) = SentenceRemoval().rewrite(text, matches, DRAW)
    assert time.perf_counter() - began < 5  # a square of the length takes minutes
    assert applied(text, changes) == "A line. " * 20_000


def test_a_document_goes_whole():
    assert without(SentenceRemoval("document"), "One. The woman.") == []


def test_another_unit_is_refused():
    with pytest.raises(UsageError, match="unit is sentence or document, got 'word'"):
        SentenceRemoval("word")
