from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import mutual_info_score

from burnish.errors import UsageError
from burnish.methods.nlpguard.proxying import predictability, proxies

NAMES = ("sex", "race")


@pytest.fixture(scope="module")
def edited():
    """400 texts; "convent" goes with the first category, "paris" with the second, half the time."""
    rng = np.random.default_rng(0)
    held = rng.random((400, 2)) < [0.3, 0.5]
    texts = []
    for sex, race in held:
        words = list(rng.choice([f"w{n}" for n in range(20)], 3))
        words += ["convent"] if sex and rng.random() < 0.7 else []
        words += ["Paris"] if race and rng.random() < 0.5 else []
        words += ["beard"] if not sex and rng.random() < 0.5 else []
        texts.append(" ".join(words))
    return texts, held


def test_the_words_that_tell_come_first_with_their_information(edited):
    texts, held = edited
    found = proxies(texts, held, categories=NAMES, most=3)
    best = {name: next(each for each in found if each.category == name) for name in NAMES}
    assert {name: each.word for name, each in best.items()} == {"sex": "convent", "race": "paris"}
    for place, name in enumerate(NAMES):
        there = [best[name].word in text.lower().split() for text in texts]
        expected = mutual_info_score(there, held[:, place])
        assert best[name].information == pytest.approx(expected, abs=1e-12)
        assert best[name].share == 1
        assert best[name].base_share == pytest.approx(held[:, place].mean())
        assert best[name].texts == sum(there)
        assert best[name].significant
    assert len(found) == 6


def test_words_that_speak_against_a_category_are_no_proxies(edited):
    texts, held = edited
    found = proxies(texts, held, categories=NAMES, most=100)
    assert "beard" not in {each.word for each in found if each.category == "sex"}


def test_chance_alone_is_not_significant():
    rng = np.random.default_rng(1)
    texts = [" ".join(rng.choice([f"w{n}" for n in range(50)], 5)) for _ in range(300)]
    found = proxies(texts, rng.random((300, 2)) < 0.5, categories=NAMES, most=50)
    assert found
    assert not [each for each in found if each.significant]


def test_rare_and_excluded_words_are_left_out(edited):
    texts, held = edited
    found = proxies([*texts, "zebra"], [*held, [1, 1]], categories=NAMES, exclude=["CONVENT"])
    assert {"zebra", "convent"}.isdisjoint(each.word for each in found)
    assert proxies(["", ""], [[1, 0], [0, 0]], categories=NAMES) == []


def test_texts_tell_a_category_until_its_proxies_are_gone(edited):
    texts, held = edited
    before = predictability(texts, held, categories=NAMES)
    gone = [text.replace("convent", "").replace("beard", "") for text in texts]
    after = predictability(gone, held, categories=NAMES)
    assert before["sex"] > 0.85
    assert after["sex"] < 0.6
    assert after["race"] == pytest.approx(before["race"], abs=0.05)
    assert predictability(texts, held, categories=NAMES) == before


def test_a_category_that_is_hardly_there_has_no_predictability(edited):
    texts, held = edited
    rare = held.copy()
    rare[4:, 0] = False
    assert predictability(texts, rare, categories=NAMES)["sex"] is None


def test_presence_must_pair_up():
    with pytest.raises(UsageError, match="a row for each of the 2 texts"):
        proxies(["a", "b"], [[1, 0]], categories=NAMES)
