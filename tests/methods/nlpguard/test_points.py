from __future__ import annotations

import pytest

from burnish.evidence import find
from burnish.methods.nlpguard.arms import Arm, Cost, Race
from burnish.methods.nlpguard.method import METHOD
from burnish.methods.nlpguard.points import log_cost, log_race, pairs_of
from burnish.runs import Run
from burnish.runs.jobs import leave, read_result


def value(run, name, **tags):
    (point,) = find(run.points(), name, **tags)
    return point.value


def test_arms_come_together_seed_by_seed(config, audited):
    found = {(kind, name): arms for kind, name, arms in pairs_of(audited, config)}
    assert [arm.number for arm in found["linear", "none"]] == [0, 1]
    assert ("minilm", "none") not in found
    # of one seed too little is left to train on
    assert len(found["linear", "document_removal"]) == 1


def test_shares_and_reductions_are_means_over_seeds(config, audited, finished):
    pairs = []
    for number in range(config.seeds):
        shares = []
        for name in ("none", "word_removal"):
            own = read_result(audited, Arm("linear", name, number).key)["shares"]["all classes"]
            shares.append(own["protected"] / own["listed"])
        pairs.append(shares)
    tags = {"kind": "linear", "mitigation": "word_removal"}
    assert value(finished, "pa_percent", **tags) == pytest.approx(
        50 * sum(after for _, after in pairs), abs=1e-5
    )
    assert value(finished, "reduction_percent", **tags) == pytest.approx(
        50 * sum(1 - after / before for before, after in pairs), abs=1e-5
    )
    (point,) = find(finished.points(), "pa_percent", **tags)
    assert point.tags["n"] == 2
    assert point.tags["low"] <= point.value <= point.tags["high"]


def test_answers_are_compared_with_none(finished):
    names = {point.name for point in finished.points()}
    assert {"accuracy_percent", "macro_f1_percent", "auc_percent"} <= names
    changes = find(finished.points(), "accuracy_change_points")
    assert "none" not in {point.tags["mitigation"] for point in changes}
    kept = value(finished, "accuracy_percent", kind="linear", mitigation="none")
    same = value(finished, "accuracy_change_points", kind="linear", mitigation="word_removal")
    after = value(finished, "accuracy_percent", kind="linear", mitigation="word_removal")
    assert same == pytest.approx(after - kept, abs=1e-4)


def test_what_was_refused_and_replayed_is_told(finished):
    assert value(finished, "refused_share", mitigation="document_removal") == 1
    assert value(finished, "refused_share", mitigation="word_removal") == 0
    assert {point.value for point in find(finished.points(), "replayed_share")} == {1}
    assert value(finished, "lost_rows_percent", mitigation="document_removal") > 30
    assert value(finished, "untrained_count", mitigation="document_removal") == 1
    (point,) = find(finished.points(), "pa_percent", mitigation="document_removal")
    assert point.tags["n"] == 1


def test_words_and_checks_are_told(finished):
    words = find(finished.points(), "top_word_rank", mitigation="none", label="nurse")
    assert [point.value for point in words] == list(range(1, len(words) + 1))
    assert {point.tags["category"] for point in words} == {"", "sex"}
    assert value(finished, "planted_rank", moment="before") == 1
    assert [p.step for p in find(finished.points(), "guard_pa_percent")][:2] == [0, 1]
    assert not find(finished.points(), "llm_parsed_percent")
    assert all(point.tags["attribution"] > 0 for point in words)


def test_substitutes_and_edits_are_those_of_the_repair(audited, finished):
    repaired = read_result(audited, Arm("linear", "word_removal", 0).key)
    told = {point.tags["word"] for point in find(finished.points(), "substitute_rank")}
    assert told == {word for words in repaired["substitutes"].values() for word in words}
    assert told.isdisjoint(read_result(audited, Arm("linear", "none", 0).key)["protected"])
    edits = find(finished.points(), "ledger_rank")
    assert [point.tags["old"] for point in edits] == [edit[3] for edit in repaired["ledger"]]


def test_shorter_lists_are_told(finished):
    shorter = find(finished.points(), "pa_of_fewer_percent", mitigation="none")
    assert [point.tags["top"] for point in shorter] == ["10"]
    (blind,) = find(finished.points(), "blind_pa_percent", mitigation="none")
    assert 0 < blind.value < 100


def test_races_and_cost_are_told(config, tmp_path):
    home = tmp_path / "audit"
    race = {
        "linear": {"seconds": {"ours": 0.5, "ours, steps as needed": 0.2, "theirs": 2.0}},
        "minilm": {"seconds": {"ours": 1.0}, "difference": 1e-6, "complete_share": 1.0},
    }
    leave(Race(), lambda job: race, home)
    leave(Cost("linear"), lambda job: {"seconds": 3.0, "peak_mb": 700.0}, home)
    with Run.open(tmp_path / "run", METHOD, config, preset="quick", seed=0, resume=False) as opened:
        log_race(opened, home)
        log_cost(opened, home, config)
    points = opened.points()
    assert [p.value for p in find(points, "explained_texts_per_second")] == [2, 5, 0.5, 1]
    assert [(p.value, p.tags["over"]) for p in find(points, "speedup_ratio")] == [(4, "theirs")]
    assert value(opened, "captum_difference_ratio", kind="minilm") == 1e-6
    assert value(opened, "pipeline_seconds", kind="linear") == 3
    assert value(opened, "peak_memory_mb", kind="linear") == 700
