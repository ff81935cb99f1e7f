from __future__ import annotations

from dataclasses import replace

import pytest

from burnish.methods.nlpguard.racing import race


@pytest.fixture(scope="module")
def found(config, bert, tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder")
    bert.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    both = replace(config, kinds=("linear", "minilm"), encoder=str(folder), epochs=1)
    return race(both, 0)


def test_every_side_is_timed(found):
    assert found["linear"]["seconds"].keys() == {"ours", "one text at a time"}
    assert found["minilm"]["seconds"].keys() == {
        "ours",
        "ours, steps as needed",
        "captum",
        "one text and step at a time",
    }
    assert all(taken > 0 for side in found.values() for taken in side["seconds"].values())


def test_values_are_captums_and_complete(found):
    assert found["minilm"]["difference"] < 1e-4
    assert found["minilm"]["complete_share"] > 0.9
