"""Strategies by their names."""

from __future__ import annotations

import subprocess
import sys

import pytest

from burnish.errors import UsageError
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.strategies import STRATEGIES, Means, strategy
from burnish.methods.nlpguard.swaps import Swaps

MATCHER = Matcher({"men": "sex"})


class Words:
    def near(self, word, k, allowed):
        return []

    def climb(self, word, allowed):
        return None


FULL = {"neighbours": Words(), "wordnet": Words(), "swaps": Swaps({"men": "women"}, {})}


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_bears_its_name(name):
    assert strategy(name, Means(matcher=MATCHER, **FULL)).name == name


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("word_replacement", "neighbours"),
        ("word_variants", "neighbours"),
        ("hypernym", "wordnet"),
        ("cda", "swaps"),
        ("cds", "swaps"),
    ],
)
def test_what_is_missing_is_named(name, needs):
    with pytest.raises(UsageError, match=f"this strategy needs {needs}"):
        strategy(name, Means(matcher=MATCHER))


def test_an_unknown_name_is_told_the_nearest():
    with pytest.raises(UsageError, match="did you mean 'word_removal'"):
        strategy("word_remove", Means(matcher=MATCHER))


def test_strict_filters_candidates_and_drops_originals():
    strict = strategy("word_variants", Means(matcher=MATCHER, k=3, **FULL))
    assert (strict.k, strict.keep_original) == (3, False)
    assert not strict.allowed("Men")
    assert strict.allowed("people")
    released = strategy("word_variants", Means(matcher=MATCHER, strict=False, **FULL))
    assert released.keep_original
    assert released.allowed("Men")
    assert not strategy("word_replacement", Means(matcher=MATCHER, **FULL)).allowed("men")
    assert not strategy("hypernym", Means(matcher=MATCHER, strict=False, **FULL)).allowed("men")


def test_naming_strategies_and_mitigators_draws_no_torch_in():
    code = (
        "import sys, burnish.methods.nlpguard.strategies as s, burnish.methods.nlpguard.mitigators;"
        "s.STRATEGIES; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
