"""The embedded sets, as they are read from the pulled assets; what was not pulled is skipped."""

from __future__ import annotations

import functools
import re
import time

import numpy as np
import pytest

from burnish import assets
from burnish.data import SETS, TextSet, load_set
from burnish.data.sets.parts import distinct, spread, text_key
from burnish.errors import AssetMissing, DataError, UsageError

# What docs/assets.md says of them: sizes of the parts, share of each class in percent.
SIZES = {
    "dreaddit": (2816, 715, [47.6, 52.4]),
    "tweets": (27478, 6868, [43.6, 38.1, 18.3]),
    "spam": (2291, 3031, [75.8, 24.2]),
    "bbq": (2268, 552, []),
    "medqa-pairs": (1488, 372, [50, 50]),
    "occupations": (1102, 468, [34.1, 17.2, 15.3, 14.4, 10.6, 8.4]),
}


@functools.cache
def loaded(name: str) -> tuple[TextSet, float]:
    begun = time.process_time()
    return load_set(name), time.process_time() - begun


def whole(name: str) -> TextSet:
    try:
        return loaded(name)[0]
    except AssetMissing as missing:
        pytest.skip(str(missing))


@pytest.fixture(params=SETS)
def found(request) -> TextSet:
    return whole(request.param)


def test_sizes_and_shares_are_those_of_the_docs(found):
    train, test, shares = SIZES[found.name]
    assert (len(found.train), len(found.test)) == (train, test)
    both = np.bincount(found.train.labels + found.test.labels)
    assert np.round(100 * both / max(both.sum(), 1), 1).tolist() == shares
    assert found.train.task == found.test.task == SETS[found.name].task
    assert found.licence == assets.ASSETS[SETS[found.name].asset].licence
    assert found.note


def test_no_text_is_in_both_parts_and_none_is_empty(found):
    train, test = (
        {text_key(text) for text in (*part.texts, *part.others)}
        if found.train.task == "pairs"
        else {text_key(text) for text in part.texts}
        for part in (found.train, found.test)
    )
    assert not train & test
    assert "" not in train | test
    assert not set(found.train.ids) & set(found.test.ids)


def test_reading_takes_little_time(found):
    assert loaded(found.name)[1] < 3  # CPU seconds; about 1 at most, without imports, when idle


def test_test_items_do_not_depend_on_the_seed_and_draws_are_nested():
    small = load_set_or_skip("dreaddit", train=100, test=50, seed=1)
    again = load_set("dreaddit", train=100, test=50, seed=1)
    other = load_set("dreaddit", train=200, test=60, seed=2)
    larger = load_set("dreaddit", train=200, test=60, seed=1)
    assert again == small
    assert larger.test == other.test
    assert larger.test.ids[:50] == small.test.ids
    assert larger.train.ids[:100] == small.train.ids
    assert set(other.train.ids) != set(larger.train.ids)


def load_set_or_skip(name: str, **sizes: int) -> TextSet:
    whole(name)
    return load_set(name, **sizes)


def test_a_small_draw_has_the_classes_own_shares():
    drawn = load_set_or_skip("tweets", train=300)
    assert np.bincount(drawn.train.labels) == pytest.approx([130, 114, 56], abs=2)


def test_scenarios_of_bbq_are_in_one_part():
    found = whole("bbq")
    shared = set(found.train.others) & set(found.test.others)
    assert not shared
    assert {answer for _, answer in found.test.answers}
    for example, (start, answer) in zip(found.test.texts, found.test.answers, strict=True):
        assert example[start : start + len(answer)] == answer


def test_wordings_pair_up():
    found = whole("medqa-pairs")
    for part in (found.train, found.test):
        same, different = part.take(range(1, len(part), 2)), part.take(range(0, len(part), 2))
        assert set(same.labels) == {1}
        assert set(different.labels) == {0}
        assert same.texts == different.texts  # so that no text tells its label
        assert not set(zip(same.texts, same.others, strict=True)) & set(
            zip(different.texts, different.others, strict=True)
        )


def test_mails_have_no_headers_and_no_mark_up():
    found = whole("spam")
    texts = found.train.texts + found.test.texts
    assert not any("<html" in text[:500].lower() for text in texts)
    assert not any(text.startswith(("Return-Path:", "Received:", "Message-Id:")) for text in texts)
    # One spammer's template came broken: the headers are what its body says.
    quoting = [text for text in texts if "Return-Path:" in text[:100]]
    assert [text.partition(" Return-Path")[0] for text in quoting] == ["HELLO $NAME"]


def test_biographies_name_no_occupation_of_a_class_and_no_dates():
    found = whole("occupations")
    texts = " ".join(found.train.texts + found.test.texts).lower()
    words = set(re.findall(r"\w+", texts))
    assert not words & {"writer", "poets", "kings", "playwright", "painter", "filmmaker", "actress"}
    assert {"king of", "film maker"}.isdisjoint(texts)
    assert not re.search(r"\(\d|  | ,|\d-\d{4}\)", texts)
    assert {"novelist", "she", "english"} <= words  # other occupations are no labels
    assert "English lyric" in found.train.texts + found.test.texts


def test_wrong_names_and_numbers_are_refused():
    with pytest.raises(UsageError, match="unknown data set 'tweet'; did you mean 'tweets'"):
        load_set("tweet")
    whole("dreaddit")
    with pytest.raises(DataError, match=r"dreaddit train has 2,816 examples, 3,000 were asked for"):
        load_set("dreaddit", train=3000)
    with pytest.raises(DataError, match=r"dreaddit test has 715 examples, 0 were asked for"):
        load_set("dreaddit", test=0)


def test_before_a_pull_the_command_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("BURNISH_CACHE", str(tmp_path))
    with pytest.raises(AssetMissing, match="run: burnish assets pull tweets-sentiment"):
        load_set("tweets")


def test_retweets_share_a_key():
    assert text_key("RT @ann: Good NEWS http://t.co/a1 #go") == text_key("good news, go @bob")
    assert text_key("https://t.co/x @ann") == ""


def test_of_near_duplicates_the_first_stays_with_the_commonest_label():
    assert distinct(["a", "b", "a", "", "a", "b"], [0, 2, 1, 0, 1, 1]) == [(0, 1), (1, 2)]


def test_every_beginning_of_a_spread_has_the_same_shares():
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    order = spread(labels, np.random.default_rng(0))
    assert sorted(order) == list(range(1000))
    for size in (10, 50, 200, 1000):
        counts = np.bincount(labels[order[:size]], minlength=3)
        assert np.abs(counts - size * np.array([0.6, 0.3, 0.1])).max() <= 1
