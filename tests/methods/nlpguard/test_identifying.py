from __future__ import annotations

import numpy as np
import pytest

from burnish.errors import UsageError
from burnish.methods.nlpguard.aggregation import WordSums
from burnish.methods.nlpguard.annotation import Override, Protected
from burnish.methods.nlpguard.classifier import Attributed
from burnish.methods.nlpguard.identifying import (
    by_label,
    contexts_of,
    identify,
    known_words,
    top_words,
)
from burnish.methods.nlpguard.lexicon import Lexicon


def table(**lists):
    """Words by class, best first."""
    sums = WordSums(tuple(lists))
    for place, words in enumerate(lists.values()):
        scores = np.linspace(0.9, 0.1, len(words)) / len(words)
        each = Attributed(tuple(words), tuple((0, 1) for _ in words), scores)
        sums.add([place, place], [each, each])
    return sums.table()


def test_words_of_all_lists_come_once_and_marks_are_no_words():
    found = top_words(table(a=["women", "...", "ward"], b=["wo\u00admen", "steel"]), 3)
    assert len(found) == 3
    assert {"steel", "ward"} < set(found)


def test_contexts_are_whole_short_texts_and_sentences_of_long_ones():
    long = "Nothing here. " * 40 + "There the Poles won. And more."
    found = contexts_of(["poles", "ward"], ["two poles", long, *["poles"] * 9])
    assert found["poles"][:2] == ["two poles", "There the Poles won. "]
    assert len(found["poles"]) == 5
    assert found["ward"] == []


def test_overrides_are_made_again_where_their_word_comes_up():
    overrides = [Override("her", "sex", "none", "why"), Override("king", "sex", "none", "why")]
    found = identify(table(a=["her", "woman", "ward"]), Lexicon(), 3, overrides=overrides)
    assert dict(found) == {"woman": "sex"}
    assert [each.word for each in found.overrides] == ["her"]


def test_what_was_decided_takes_the_place_of_the_lexicon():
    lexicon = Lexicon()
    decided = Protected({"african-american": "religion and belief", "zorblat": "age"})
    known = known_words(lexicon, decided, ["her", "ward"])
    assert "her" not in known
    assert known["zorblat"] == "age"
    assert known["his"] == "sex"
    assert {known[w] for w in known if w.lower().replace("-", " ") == "african american"} == {
        "religion and belief"
    }


@pytest.mark.parametrize("labels", [["a", "b"], [0, 1], ["0", "1"]])
def test_each_class_has_its_own_words_and_those_of_no_list(labels):
    words = Protected({"her": "sex", "his": "sex", "old age": "age"})
    found = by_label(words, table(a=["her", "ward"], b=["his", "steel"]), 2, labels)
    assert {label: set(own) for label, own in found.items()} == {
        labels[0]: {"her", "old age"},
        labels[1]: {"his", "old age"},
    }


def test_labels_that_are_no_classes_are_refused():
    with pytest.raises(UsageError, match="no row has a label of the classes a, b"):
        by_label(Protected({"her": "sex"}), table(a=["her"], b=["his"]), 2, ["x"])
