from __future__ import annotations

import numpy as np
import pytest

from burnish.errors import UsageError
from burnish.methods.nlpguard.aggregation import WordSums
from burnish.methods.nlpguard.auditing import (
    Attribution,
    paired_sensitivity,
    relative_reduction,
    sensitivity,
    substitutes,
    table_reliance,
    word_reliance,
)
from burnish.methods.nlpguard.classifier import Attributed
from burnish.methods.nlpguard.training import train

TOP = {
    "stage": ("actress", "film", "British", "she"),
    "science": ("British", "theory"),
    "music": (),
}
PROTECTED = {"ACTRESS": "sex", "british": "race", "she": "sex", "widow": "sex"}
ROWS = [
    Attribution("stage", "actress", 2, 0.5),
    Attribution("stage", "film", 10, 0.3),
    Attribution("stage", "British", 5, 0.2),
    Attribution("stage", "she", 4, 0.25),
    Attribution("stage", "widow", 3, -0.9),  # speaks against, so does not count
    Attribution("science", "British", 1, 0.5),
    Attribution("science", "theory", 3, 0.5),
    Attribution("science", "law", 2, 0.0),
]


def test_shares_are_of_what_is_listed_even_where_lists_are_short():
    found = word_reliance(TOP, ROWS, PROTECTED)
    assert (found.shares["stage"].protected, found.shares["stage"].listed) == (3, 4)
    assert found.shares["stage"].value == 0.75
    assert found.shares["stage"].by_category == {"race": 1, "sex": 2}
    assert found.shares["science"].value == 0.5
    assert found.shares["music"].value is None
    assert found.pa == pytest.approx(4 / 6)
    assert found.identified == {"actress": "sex", "british": "race", "she": "sex"}


def test_mass_is_the_part_of_positive_attribution_on_protected_words():
    found = word_reliance(TOP, ROWS, PROTECTED)
    assert found.mass["stage"] == pytest.approx((1 + 1 + 1) / (1 + 3 + 1 + 1))
    assert found.mass["science"] == pytest.approx(0.5 / 2)
    assert found.mass["music"] is None
    assert found.mass["all classes"] == pytest.approx(3.5 / 8)


def test_without_protected_words_nothing_leans_on_them():
    found = word_reliance(TOP, ROWS, {})
    assert found.pa == 0
    assert found.mass["all classes"] == 0
    assert found.identified == {}


def test_a_reduction_is_relative_and_needs_something_to_reduce():
    assert relative_reduction(0.2, 0.05) == pytest.approx(0.75)
    assert relative_reduction(0.2, 0.3) == pytest.approx(-0.5)
    assert relative_reduction(0.0, 0.1) is None
    assert relative_reduction(None, 0.1) is None
    assert relative_reduction(0.1, None) is None


def test_words_found_anew_are_substitutes_and_edited_ones_are_not():
    after = word_reliance(
        {"stage": ("Widow", "film", "actress"), "science": ("theory",)}, [], PROTECTED
    )
    assert substitutes(after, {"Actress": "sex", "british": "race"}) == {"stage": ("Widow",)}
    assert after.pa == pytest.approx(2 / 4)  # substitutes count as any protected word does


def test_impossible_arguments_are_refused():
    with pytest.raises(UsageError, match="class may not be called 'all classes'"):
        word_reliance({"all classes": ()}, [], {})
    with pytest.raises(UsageError, match="'gender' is no category"):
        word_reliance({}, [], {"she": "gender"})


@pytest.fixture(scope="module")
def leaning():
    """A classifier for which nationality alone decides, and one word that does not matter."""
    texts = ["british man", "british woman", "french man", "french woman"] * 10
    return train("linear", texts, ["a", "a", "b", "b"] * 10, ["a", "b"], 0)


def swap(texts, seed):
    table = {"british": "french", "french": "british"}
    return [" ".join(table.get(word, word) for word in text.split()) for text in texts]


def test_a_classifier_that_leans_flips_and_another_swap_changes_nothing(leaning):
    texts = ["british man", "french cook", "old house", "tall tree"]
    found = sensitivity(leaning, texts, swap)
    assert found.flip_rate.estimate == 1
    assert (found.swapped, found.texts) == (2, 4)
    assert found.by_class == {"a": 1.0, "b": 1.0}
    plain, other = leaning.probabilities(texts[:2]), leaning.probabilities(swap(texts[:2], 0))
    expected = np.abs(plain.max(1) - other[[0, 1], plain.argmax(1)]).mean()
    assert found.gap.estimate == pytest.approx(expected, abs=1e-6)
    genders = sensitivity(
        leaning, texts, lambda rows, seed: [row.replace("man", "woman") for row in rows]
    )
    assert genders.flip_rate.estimate == 0
    assert genders.gap.estimate < 0.02
    assert genders.swapped == 1


def test_nothing_to_swap_gives_no_rate(leaning):
    found = sensitivity(leaning, ["old house"], swap)
    assert (found.flip_rate, found.gap, found.swapped, found.texts) == (None, None, 0, 1)
    assert found.by_class == {}


def test_several_swaps_of_a_text_are_no_more_texts(leaning):
    seeds = []

    def sometimes(texts, seed):
        seeds.append(seed)
        return swap(texts, seed) if seed % 2 else list(texts)

    found = sensitivity(leaning, ["british man", "french man"], sometimes, swaps=4, seed=3)
    assert len(set(seeds)) == 4
    assert found.swapped == 2
    assert found.flip_rate.estimate == 1
    again = sensitivity(leaning, ["british man", "french man"], sometimes, swaps=4, seed=3)
    assert again == found


def test_a_swap_must_keep_the_rows(leaning):
    with pytest.raises(UsageError, match="swap gave 1 texts for 2"):
        sensitivity(leaning, ["british", "french"], lambda texts, seed: texts[:1])
    with pytest.raises(UsageError, match="swaps must be at least 1"):
        sensitivity(leaning, ["british"], swap, swaps=0)


def test_wordings_made_by_others_are_compared_alike(leaning):
    texts = ["british man", "french man", "tall tree"]
    one = sensitivity(leaning, texts, swap, seed=1)
    other = paired_sensitivity(leaning, texts, swap(texts, 0), [0, 1, 2], seed=1)
    assert (other.flip_rate, other.gap) == (one.flip_rate, one.gap)
    assert (other.swapped, other.texts) == (2, 3)
    with pytest.raises(UsageError, match="pair up"):
        paired_sensitivity(leaning, texts, texts[1:], [0, 1, 2])


def test_a_table_of_a_corpus_is_read_alike():
    sums = WordSums(("stage", "music"))
    for words, scores in (
        (("she", "sang"), [0.75, 0.25]),
        (("she", "sang", "once"), [0.5, 0.25, -0.25]),
    ):
        spans = tuple((0, 1) for _ in words)
        sums.add([0], [Attributed(words, spans, np.array(scores))])
    found = table_reliance(sums.table(), {"she": "sex"}, 100)
    assert found.top == {"stage": ("she", "sang"), "music": ()}
    assert found.pa == 0.5
    assert found.mass == {
        "stage": pytest.approx(1.25 / 1.75),
        "music": None,
        "all classes": found.mass["stage"],
    }
    assert table_reliance(sums.table(), {"she": "sex"}, 1).pa == 1
