from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from burnish.errors import DataError
from burnish.methods.nlpguard.config import NlpguardConfig
from burnish.methods.nlpguard.ground import encoder_settings, ground_of, swapped


def test_parts_are_disjoint_and_make_up_the_whole(config, job_rows):
    ground = ground_of(config, 0, 0, "linear")
    assert ground.classes == ("engineer", "nurse")
    assert len(ground.test) == len(ground.labels) == len(ground.items) == 24
    assert set(ground.train.texts).isdisjoint(ground.test)
    assert sorted([*ground.train.texts, *ground.test]) == sorted(row["text"] for row in job_rows)
    assert np.bincount(ground.labels).tolist() == [12, 12]


def test_numbers_part_anew_and_items_stay_the_same(config):
    one, same, other = (ground_of(config, 0, number, "linear") for number in (0, 0, 1))
    assert one.test == same.test != other.test
    by_item = dict(zip(one.items.tolist(), one.test, strict=True))
    both = [item for item in other.items.tolist() if item in by_item]
    texts = dict(zip(other.items.tolist(), other.test, strict=True))
    assert both
    assert all(by_item[item] == texts[item] for item in both)


def test_texts_of_the_same_words_are_in_one_part(tmp_path):
    path = tmp_path / "twice.csv"
    lines = [f"Text {row // 2}{'!' if row % 2 else ''},{'ab'[row // 2 % 2]}" for row in range(80)]
    path.write_text("\n".join(["text,label", *lines]))
    ground = ground_of(NlpguardConfig(data=str(path)), 0, 0, "linear")
    train, test = ({text.strip("!") for text in part} for part in (ground.train.texts, ground.test))
    assert train.isdisjoint(test)
    apart = ground_of(NlpguardConfig(data=str(path), grouped=False), 0, 0, "linear")
    assert not {text.strip("!") for text in apart.train.texts}.isdisjoint(
        text.strip("!") for text in apart.test
    )


def test_examples_are_drawn_in_the_shares_of_the_classes(config):
    ground = ground_of(replace(config, examples=40), 0, 0, "linear")
    assert len(ground.train) + len(ground.test) == 40
    assert np.bincount([*ground.targets, *ground.labels]).tolist() == [20, 20]


def test_an_encoder_can_be_given_fewer_examples(config):
    fewer = replace(config, encoder_examples=40)
    sizes = [len(found.train) + len(found.test) for found in _of_both_kinds(fewer)]
    assert sizes == [80, 40]
    assert all(len(found.train) == 28 for found in _of_both_kinds(replace(config, examples=40)))


def _of_both_kinds(config):
    return [ground_of(config, 0, 0, kind) for kind in ("linear", "minilm")]


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_both_parts_have_texts_whatever_the_share(config, share):
    ground = ground_of(replace(config, test_share=share), 0, 0, "linear")
    assert len(ground.train)
    assert len(ground.test)


def test_data_that_cannot_be_parted_are_refused(tmp_path):
    path = tmp_path / "few.csv"
    few = NlpguardConfig(data=str(path))
    path.write_text("text,label\n" + "".join(f"text {row},a\n" for row in range(20)) + "one,b\n")
    with pytest.raises(DataError, match="the class 'b' has 1 different texts, and 10 are"):
        ground_of(few, 0, 0, "linear")
    path.write_text("text,label\n" + "".join(f"text {row},a\nsame,b\n" for row in range(20)))
    with pytest.raises(DataError, match="the class 'b' has 1 different texts"):
        ground_of(few, 0, 0, "linear")
    other = tmp_path / "one.csv"
    other.write_text("text,label\n" + "".join(f"text {row},a\n" for row in range(20)))
    with pytest.raises(DataError, match="texts of at least two classes are wanted"):
        ground_of(NlpguardConfig(data=str(other)), 0, 0, "linear")


def test_protected_words_are_swapped_and_nothing_else():
    assert swapped(["she met a king", "a bridge"], 0) == ["he met a queen", "a bridge"]


def test_the_head_learns_ten_times_as_fast(config):
    settings = encoder_settings(replace(config, learning_rate=1e-4))
    assert (settings.learning_rate, settings.head_rate) == (1e-4, pytest.approx(1e-3))
