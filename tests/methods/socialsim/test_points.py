"""From what jobs left to points."""

from __future__ import annotations

from dataclasses import replace

import pytest

from burnish.evidence import find, interval_of
from burnish.methods.socialsim import points
from burnish.methods.socialsim.arms import AllCore, Calibrate, Cost, Detect, Hybrid, Loop
from burnish.methods.socialsim.config import SocialsimConfig
from burnish.methods.socialsim.variants import NO_RED, NONE, PLAN, variants
from burnish.runs.jobs import leave

CONFIG = SocialsimConfig(
    seeds=2, measures=("label",), rankers=("chrono",), fact_seeds=2, detection_seeds=1
)
PLAIN = replace(CONFIG, rankers=(), fact_seeds=0)
SHIFTS = {NONE: 0.5, NO_RED: 0.1, "label": 0.2, PLAN: 0.1}


def of(run, name, **tags):
    return find(run.points(), name, **tags)


def one(run, name, **tags):
    (found,) = of(run, name, **tags)
    return found


def left(home, job, found):
    leave(job, lambda _: found, home)


@pytest.fixture
def logged(open_run, leave_worlds, tmp_path):
    """A run with the worlds of a config left, as a function."""

    def log(config, change, *steps):
        leave_worlds(tmp_path, config, change)
        run = open_run(config)
        for step in steps:
            step(run, tmp_path, config)
        return run

    return log


def halved(name, number):
    reposts = 100.0 + 20 * number
    return {"false_claim_reposts": reposts / 2 if name == "label" else reposts}


def test_outcomes_are_means_with_intervals_over_seeds(logged):
    run = logged(CONFIG, halved, points.log_worlds)
    mean = one(run, "false_claim_reposts_count", world=NONE)
    assert (mean.value, mean.tags["n"]) == (110.0, 2)
    low, high = interval_of(mean)
    assert 100.0 <= low <= 110.0 <= high <= 120.0
    assert one(run, "sharers_count", world=NONE).value == 50.0
    assert one(run, "late_false_reposts_count", world=NONE).value == 10.0


def test_changes_are_against_the_right_twin(logged):
    run = logged(CONFIG, halved, points.log_worlds)
    change = one(run, "change_percent", world="label", outcome="false_claim_reposts_count")
    assert change.value == -50.0
    assert {point.tags["world"]: point.tags["against"] for point in of(run, "change_percent")} == {
        PLAN: NONE,
        "label": NONE,
        NONE: NO_RED,
        "ranker-chrono": "ranker-chrono-no-red",
    }


def test_what_the_twin_has_none_of_has_no_percentage(logged):
    def none_without(name, number):
        return {"false_claim_reposts": 0.0 if name == NO_RED else 9.0}

    run = logged(PLAIN, none_without, points.log_worlds)
    outcome = "false_claim_reposts_count"
    assert not of(run, "change_percent", world=NONE, outcome=outcome)
    assert one(run, "change_score", world=NONE, outcome=outcome).value == 9.0


def test_one_seed_has_no_interval(logged):
    run = logged(replace(PLAIN, seeds=1), halved, points.log_worlds)
    assert interval_of(one(run, "false_claim_reposts_count", world=NONE)) is None
    change = one(run, "change_percent", world="label", outcome="false_claim_reposts_count")
    assert (change.value, interval_of(change), change.tags["n"]) == (-50.0, None, 1)


def test_a_value_that_is_missing_is_left_out_of_the_mean(logged):
    def change(name, number):
        return {"belief_shift_people": None if number else 0.25}

    run = logged(PLAIN, change, points.log_worlds)
    found = one(run, "belief_shift_score", world=NONE)
    assert (found.value, found.tags["n"]) == (0.25, 1)


def test_a_scenario_without_a_campaign_is_compared_as_well(logged, tmp_path):
    text = scenario_text()
    (tmp_path / "quiet.yaml").write_text(text)
    config = replace(CONFIG, scenario=str(tmp_path / "quiet.yaml"))
    assert not variants(config)[0].campaign
    run = logged(config, halved, points.log_worlds, points.log_protection)
    change = one(run, "change_percent", world="label", outcome="false_claim_reposts_count")
    assert change.value == -50.0


def scenario_text():
    return """
burnish_scenario: 1
name: Still water
world: {name: Port Vellmar, regions: [Old Quay], topics: [harbour]}
claims: [{code: C1, about: The harbour is closed., is_true: false, topic: harbour}]
"""


def test_protection_is_what_is_left_of_the_campaign_s_shift(logged):
    def change(name, number):
        return {"belief_shift_people": SHIFTS.get(name, 0.4)}

    run = logged(CONFIG, change, points.log_protection)
    found = {p.tags["world"]: p.value for p in of(run, "belief_shift_left_percent")}
    assert found == {"label": pytest.approx(25.0), PLAN: pytest.approx(0.0)}


def test_a_campaign_without_a_shift_leaves_nothing_to_protect(logged):
    run = logged(PLAIN, lambda name, number: {}, points.log_protection)
    found = one(run, "belief_shift_left_percent", world="label")
    assert (found.value, found.tags["n"]) == (None, 0)


def test_curves_are_means_every_four_hours_and_the_first_seed_s_sizes(logged):
    def change(name, number):
        return {"reach": [0.0, 1.0, 2.0, 3.0, 4.0 + 2 * number]}

    run = logged(PLAIN, change, points.log_curves)
    reach = {p.step: p.value for p in of(run, "reach_percent", world=NONE)}
    assert reach == {0: 0.0, 4: 5.0}
    sizes = {p.step: p.value for p in of(run, "cascades_at_least_share", world=NONE)}
    assert sizes == {1: 1.0, 3: 0.5}


def test_predictions_and_facts_are_told(logged):
    def change(name, number):
        holds = {"unshared_posts_share": number == 0, "in_degree_heavy_tail_flag": True}
        return {"holds": holds}

    run = logged(
        CONFIG, change, lambda run, home, config: points.log_predictions(run, home),
        points.log_facts,
    )  # fmt: skip
    assert one(run, "predicted_sharers_ratio", world="label", model="seiz").value == 0.9
    assert one(run, "predicted_sharers_ratio", world="label", model="cascade").value == 0.8
    assert one(run, "unshared_posts_share", world="facts").value == 0.9
    assert one(run, "in_degree_heavy_tail_rate", world="facts").value == 1.0
    held = {p.tags["fact"]: p.value for p in of(run, "fact_holds_share", world="facts")}
    assert held == {"unshared_posts_share": 0.5, "in_degree_heavy_tail_flag": 1.0}


def test_detection_is_told_of_both_kinds_of_bots(open_run, tmp_path):
    for swarming in (True, False):
        scores = dict.fromkeys(
            ("f1", "precision", "recall", "auroc", "text_auroc"), float(swarming)
        )
        left(tmp_path, Detect(swarming, 0), scores)
    run = open_run(CONFIG)
    points.log_detection(run, tmp_path, CONFIG)
    assert one(run, "detector_f1_score", bots="swarming").value == 1.0
    assert one(run, "detector_text_auroc_score", bots="idle").value == 0.0


def test_costs_have_a_slope_and_a_race(open_run, tmp_path):
    config = replace(CONFIG, scale=(1000, 10_000, 1000))
    for agents, seconds in ((1000, 2.0), (10_000, 20.0)):
        row = {"agents": agents, "ticks": 10, "seconds": seconds, "build_seconds": 1.0}
        left(tmp_path, Cost(agents), row | {"peak_mb": 3.0, "tables_mb": 4.0, "exposures": 100})
    left(
        tmp_path,
        Loop(),
        {"threads": 2, "rates": {"ours": 300.0, "ours, one thread": 150.0, "loop": 3.0}},
    )
    run = open_run(config)
    points.log_costs(run, tmp_path, config)
    assert one(run, "cost_slope_score").value == pytest.approx(1.0)
    assert one(run, "tick_ms", agents=1000).value == 200.0
    assert one(run, "exposures_per_second", agents=10_000).value == 5.0
    assert one(run, "speedup_over_loop_ratio", threads=2).value == 100.0
    assert one(run, "speedup_over_loop_ratio", threads=1).value == 50.0
    assert one(run, "engine_exposures_per_second", engine="loop").value == 3.0


HYBRID = {"seconds": 9.0, "core": 10, "sessions": 40, "calls": 99, "texts": 3, "fallbacks": 1}


@pytest.mark.parametrize(
    ("changed", "fallbacks", "same"),
    [
        ({"same_bytes": True}, 2.5, 1.0),
        ({"same_bytes": False}, 2.5, 0.0),
        ({"same_bytes": None, "sessions": 0, "fallbacks": 0}, None, None),
    ],
)
def test_the_hybrid_world_is_told(open_run, tmp_path, changed, fallbacks, same):
    left(tmp_path, Hybrid(), HYBRID | changed)
    run = open_run(CONFIG)
    points.log_core(run, tmp_path, CONFIG)
    assert one(run, "hybrid_fallbacks_percent").value == fallbacks
    assert one(run, "replayed_same_rate").value == same
    assert one(run, "hybrid_seconds", agents=2000, core=10).value == 9.0
    assert not of(run, "cascade_ks_score")


def test_calibration_and_the_small_world_are_told(open_run, tmp_path):
    config = replace(CONFIG, personas=6, all_llm_agents=40)
    fitted = {"probes": 600, "held_out": 300, "seconds": 1.0, "js_nats": 0.01, "ece": 0.02}
    fitted |= {"marginal_js_nats": 0.03, "by_role": {"bot": 0.04}, "by_label": {}}
    fitted |= {"agreement": [0.1, 0.0, 0.2], "label_effect": [0.3, 0.2, 0.4]}
    left(tmp_path, Calibrate(), fitted)
    both = {"ks": 0.1, "seconds": 2.0, "cascades": [5, 6], "mean_sizes": [1.5, 1.6]}
    left(tmp_path, AllCore(), both)
    left(tmp_path, Hybrid(), HYBRID | {"same_bytes": True})
    run = open_run(config)
    points.log_core(run, tmp_path, config)
    ours = of(run, "js_divergence_nats", model="calibrated rule")
    assert [(p.value, p.tags.get("only")) for p in ours] == [(0.01, None), (0.04, "bot")]
    assert interval_of(one(run, "agreement_slope_nats")) == (0.0, 0.2)
    assert one(run, "cascade_ks_score", agents=40).value == 0.1
    assert one(run, "small_world_cascades_count", by="rule").value == 6
