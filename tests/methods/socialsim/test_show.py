"""Charts and tables, from hand-made points."""

from __future__ import annotations

import json

import pytest

from burnish.methods.socialsim import points
from burnish.methods.socialsim.config import SocialsimConfig
from burnish.methods.socialsim.show import draw

WHOLE = SocialsimConfig(
    seeds=2,
    measures=("label", "rate_limit"),
    label_delays=(1, 48),
    thresholds=(0.9, 0.05),
    rankers=("chrono",),
    fact_seeds=2,
)


def figures(run):
    """Charts and tables by title."""
    found = {}
    for file in (run.folder / "artifacts" / "figures").glob("*.json"):
        plain = json.loads(file.read_text())
        (content,) = plain.values()
        found[content["title"]] = content
    return found


@pytest.fixture
def drawn(open_run, leave_worlds, tmp_path):
    def draw_all(config, more=lambda run: None):
        leave_worlds(tmp_path, config, lambda name, number: {"true_views": 90.0 + number})
        run = open_run(config)
        points.log_worlds(run, tmp_path, config)
        points.log_protection(run, tmp_path, config)
        points.log_curves(run, tmp_path, config)
        points.log_predictions(run, tmp_path)
        points.log_facts(run, tmp_path, config)
        more(run)
        draw(run)
        return figures(run)

    return draw_all


def costs(run):
    for agents, seconds in ((1000, 2.0), (10_000, 21.239)):
        run.log("run_seconds", seconds, agents=agents)
        run.log("tick_ms", seconds, agents=agents)
        run.log("tables_mb", 1.0, agents=agents)
    run.log("detector_f1_score", 0.0, bots="idle", n=1)
    run.log("detector_auroc_score", 0.9, bots="swarming", n=1)
    run.log("cascade_ks_score", 0.123, agents=40)


def test_everything_that_was_measured_is_drawn(drawn):
    assert set(drawn(WHOLE, costs)) == {
        "Reach of the false claims",
        "Reach of false claims under each countermeasure",
        "Reposts of false claims under each countermeasure",
        "Collateral: views of true stories under each countermeasure",
        "How early must a label come?",
        "Suspension: what a lower threshold costs",
        "Cascade sizes without a campaign",
        "Cost by size",
        "What each countermeasure does to the false claims",
        "Collateral",
        "The campaign under other rankers, without countermeasures",
        "Stylised facts, without a campaign",
        "Finding bots",
        "Cost of a run",
        "Core agents",
    }


def test_what_was_not_measured_is_not_drawn(drawn):
    found = drawn(SocialsimConfig(measures=("label",)))
    assert "How early must a label come?" not in found
    assert "The campaign under other rankers, without countermeasures" not in found
    assert "Cost of a run" not in found
    note = found["Reach of false claims under each countermeasure"]["note"]
    assert note == "1 seed: no interval can be given."


def test_nothing_is_drawn_of_nothing(open_run):
    run = open_run(WHOLE)
    draw(run)
    assert figures(run) == {}


def test_bars_are_measures_alone_and_have_their_intervals(drawn):
    chart = drawn(WHOLE)["Collateral: views of true stories under each countermeasure"]
    (series,) = chart["series"]
    assert series["x"] == ["label", "rate limit"]
    assert len(series["low"]) == len(series["high"]) == 2
    assert chart["note"] == "Mean over 2 twins; lines: 95 % interval."


def test_sweeps_are_in_order_of_their_number(drawn):
    found = drawn(WHOLE)
    for title, x in (
        ("How early must a label come?", [1, 48]),
        ("Suspension: what a lower threshold costs", [0.05, 0.9]),
    ):
        assert {tuple(series["x"]) for series in found[title]["series"]} == {tuple(x)}


def test_measures_stand_beside_predictions_and_what_is_left(drawn):
    table = drawn(WHOLE)["What each countermeasure does to the false claims"]
    rows = {row[0]: row for row in table["rows"]}
    assert list(rows)[:3] == [
        "the campaign itself, against none", "the scenario's own plan", "label",
    ]  # fmt: skip
    assert {"label at 1", "label at 48", "rate limit", "suspend from 0.9"} < set(rows)
    assert not any("chrono" in name for name in rows)
    assert rows["label"][-3:] == [1.0, 0.9, 0.8]
    assert rows["rate limit"][-2:] == [None, None]
    assert len(table["columns"]) == len(rows["label"])


def test_rankers_stand_beside_the_scenario_s_own(drawn):
    table = drawn(WHOLE)["The campaign under other rankers, without countermeasures"]
    assert [row[0] for row in table["rows"]] == ["the scenario's own", "chrono"]
    assert table["rows"][0][1].startswith("40.0 [40.0")


def test_costs_and_core_agents_are_rows(drawn):
    found = drawn(WHOLE, costs)
    assert [row[:3] for row in found["Cost of a run"]["rows"]] == [
        [1000, None, 2.0],
        [10_000, None, 21.24],
    ]
    assert found["Core agents"]["rows"] == [["cascade sizes, model against rule (KS)", "0.123"]]
    assert [row[0] for row in found["Finding bots"]["rows"]] == [
        "swarming", "idle, without signatures",
    ]  # fmt: skip
