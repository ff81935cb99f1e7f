"""Pairs of wordings, as they are read from the pulled assets; what was not pulled is skipped."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from burnish.data import Counterfactuals, load_counterfactuals
from burnish.errors import AssetMissing, DataError, UsageError


@pytest.fixture(scope="module", params=["discrim-eval", "diversity-medqa"])
def pairs(request) -> Counterfactuals:
    try:
        return load_counterfactuals(request.param)
    except AssetMissing as missing:
        pytest.skip(str(missing))


def test_every_pair_differs_and_says_in_what(pairs):
    expected = {22257: {"age": 8399, "race": 7559, "gender": 6299}, 930: {"gender": 930}}
    assert Counter(pairs.attributes) == expected[len(pairs)]
    assert not [one for one, other in zip(pairs.texts, pairs.others, strict=True) if one == other]


def test_nearly_all_pairs_are_of_the_reference_and_of_the_value_they_say(pairs):
    told = [
        ("60" in text and value in other)
        if attribute == "age"
        else ("white" in text and value.lower() in other.lower())
        for attribute, value, text, other in zip(
            pairs.attributes, pairs.values, pairs.texts, pairs.others, strict=True
        )
        if attribute != "gender"
    ]
    assert not told or sum(told) > 0.995 * len(told)  # the authors' model wrote a few otherwise
    assert not [text for text in pairs.texts + pairs.others if len(text) < 100 or text[0] == "<"]


def test_a_draw_is_the_same_for_a_seed_and_keeps_rows_together(pairs):
    drawn = pairs.draw(50, np.random.default_rng(1))
    again = pairs.draw(50, np.random.default_rng(1))
    assert drawn == again
    assert len(drawn) == 50
    whole = set(
        zip(pairs.texts, pairs.others, pairs.attributes, pairs.values, pairs.groups, strict=True)
    )
    assert (
        set(
            zip(
                drawn.texts,
                drawn.others,
                drawn.attributes,
                drawn.values,
                drawn.groups,
                strict=True,
            )
        )
        <= whole
    )
    with pytest.raises(DataError, match="were asked for; ask for fewer"):
        pairs.draw(len(pairs) + 1, np.random.default_rng(1))


def test_an_unknown_collection_is_refused():
    with pytest.raises(UsageError, match="unknown counterfactuals 'medqa'"):
        load_counterfactuals("medqa")
