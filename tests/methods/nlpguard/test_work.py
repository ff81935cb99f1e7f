from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from burnish.methods.nlpguard.annotation import CATEGORIES
from burnish.methods.nlpguard.arms import Arm, Cost, Iterate, Plant
from burnish.methods.nlpguard.config import NlpguardConfig
from burnish.methods.nlpguard.ground import ground_of
from burnish.methods.nlpguard.work import answers_file, do
from burnish.runs.jobs import leave, read_result


def result(home, mitigation):
    return read_result(home, Arm("linear", mitigation, 0).key)


def test_the_classifier_as_it_was_is_explained_and_answered_for(config, audited):
    found = result(audited, "none")
    assert {"his", "her"} <= set(found["protected"])
    assert set(found["protected"].values()) == {"sex"}
    assert found["explained"] == 24
    assert found["rows_before"] == found["rows_after"] == 56
    assert "ledger" not in found
    with np.load(answers_file(audited, Arm("linear", "none", 0)), allow_pickle=False) as kept:
        assert kept["probabilities"].shape == (24, 2)
        assert (kept["items"] == ground_of(config, 0, 0, "linear").items).all()


def test_removal_leaves_less_and_its_ledger_replays(audited):
    before, after = result(audited, "none"), result(audited, "word_removal")
    share = {
        name: found["shares"]["all classes"]["protected"] / found["shares"]["all classes"]["listed"]
        for name, found in (("before", before), ("after", after))
    }
    assert share["after"] < share["before"]
    assert after["replays"] is True
    assert after["words"] == len(before["protected"])
    assert {edit[5] for edit in after["ledger"]} <= set(before["protected"])
    assert set(after["predictability"]) == {*CATEGORIES}


def test_a_loss_that_is_refused_is_told_and_then_allowed(audited):
    found = result(audited, "document_removal")
    assert "document_removal would " in found["refused"]
    assert found["lost"] == found["rows_before"] - found["rows_after"] > 0
    assert result(audited, "word_removal")["refused"] == ""


def test_rows_that_cannot_be_trained_on_are_told_and_stop_nothing(audited):
    found = result(audited, "document_removal")
    assert found["untrained"].endswith("take back some of the edits")
    assert found["replays"] is True
    assert "shares" not in found


def test_kept_originals_add_rows_and_strict_variants_put_in_no_protected_word(audited):
    kept, strict = result(audited, "word_variants_kept"), result(audited, "word_variants")
    assert kept["rows_after"] > strict["rows_after"] > strict["rows_before"]
    assert kept["replays"] is strict["replays"] is True


def test_a_classifier_that_is_not_shown_the_words_is_explained_without_them(audited):
    found = result(audited, "unawareness")
    assert found["shares"]["all classes"]["protected"] == 0
    assert "changed" not in found


def test_a_planted_word_comes_first_and_goes(audited):
    found = read_result(audited, Plant("linear").key)
    assert found["before"]["rank"] == 1
    assert found["after"] == {"rank": 0, "shrunk_rank": 0, "mass": 0.0}


def test_the_iterative_guard_ends_with_less(audited):
    found = read_result(audited, Iterate().key)
    assert found["end"] in ("reached", "nothing new", "rounds")
    assert found["shares"][found["chosen"]] == min(found["shares"]) < found["shares"][0]
    assert found["words"][0] == 0


def test_a_job_done_again_finds_the_same(config, audited):
    found = do(config, 0, audited, Arm("linear", "word_variants", 0))
    kept = result(audited, "word_variants")
    seconds = {"training_seconds", "explaining_seconds"}
    assert {k: v for k, v in found.items() if k not in seconds} == {
        k: v for k, v in kept.items() if k not in seconds
    }


def test_per_class_leaves_the_words_of_other_classes(config, audited, tmp_path):
    every = result(audited, "word_removal")
    own = replace(config, per_class=True)
    leave(Arm("linear", "none", 0), lambda job: do(own, 0, tmp_path, job), tmp_path)
    found = do(own, 0, tmp_path, Arm("linear", "word_removal", 0))
    by_class = result(tmp_path, "none")["protected_by_class"]
    assert "her" in by_class["nurse"]
    assert "her" not in by_class["engineer"]
    assert sum(found["edits"].values()) < sum(every["edits"].values())
    targets = ground_of(own, 0, 0, "minilm").targets
    names = ("engineer", "nurse")
    assert all(edit[5] in by_class[names[targets[edit[0]]]] for edit in found["ledger"])


@pytest.mark.parametrize("mitigation", ["none", "leace"])
def test_an_encoder_is_explained_in_its_own_words(config, bert, tokenizer, tmp_path, mitigation):
    bert.save_pretrained(tmp_path / "encoder")
    tokenizer.save_pretrained(tmp_path / "encoder")
    tiny = NlpguardConfig(
        data=config.data,
        kinds=("minilm",),
        encoder=str(tmp_path / "encoder"),
        mitigations=("leace",),
        encoder_mitigations=("leace",),
        epochs=1,
        encoder_texts=4,
        steps=2,
        top=5,
        swaps=1,
    )
    if mitigation != "none":
        leave(Arm("minilm", "none", 0), lambda job: do(tiny, 0, tmp_path, job), tmp_path)
    found = do(tiny, 0, tmp_path, Arm("minilm", mitigation, 0))
    assert found["explained"] == 4
    assert found["rows_before"] == 56


def test_the_whole_way_is_timed(config):
    found = do(config, 0, Path("nowhere"), Cost("linear"))
    assert 0 < found["seconds"] < 60
    assert found["peak_mb"] > 50
    assert not Path("nowhere").exists()
