"""Every world of a run differs from its twin by one thing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from burnish.errors import ConfigError, DataError
from burnish.methods.socialsim.config import MeasureName, SocialsimConfig
from burnish.methods.socialsim.variants import (
    FACTS,
    NO_FALSITY,
    NO_POOL,
    NO_RED,
    NONE,
    PLAIN_FACTS,
    PLAN,
    WIDE_POOL,
    detection_world,
    hours_of,
    label_name,
    measure_named,
    plans_of,
    ranker_names,
    scenario_of,
    suspend_name,
    variants,
)
from burnish.methods.socialsim.world import BlueKind, RankerKind

PLAIN = SocialsimConfig(agents=200, measures=("label", "prebunk"), measure_delay=7)
WIDE = replace(
    PLAIN,
    seeds=2,
    label_delays=(1, 48),
    thresholds=(0.9, 0.05),
    rankers=("chrono", "chrono"),
    fact_seeds=3,
)


def by_name(config):
    return {each.name: each for each in variants(config)}


def test_the_three_twins_come_first_and_differ_by_plan_and_campaign():
    plan, none, no_red = variants(PLAIN)[:3]
    assert (plan.name, none.name, no_red.name) == (PLAN, NONE, NO_RED)
    assert plan.world == scenario_of(PLAIN).world
    assert none.world == replace(plan.world, blue=())
    assert no_red.world == replace(plan.world, blue=(), red=())
    assert plan.world.blue
    assert plan.world.red


def test_names_are_unique_even_where_a_ranker_is_given_twice():
    names = [each.name for each in variants(WIDE)]
    assert len(set(names)) == len(names) == 3 + 2 + 2 + 2 + 2 + 4
    assert set(ranker_names("chrono")) < set(names)


def test_every_measure_stands_alone():
    found = by_name(replace(PLAIN, measures=MeasureName.__args__))
    for name in MeasureName.__args__:
        world = found[name].world
        assert [measure.kind.value for measure in world.blue] == [name]
        assert replace(world, blue=()) == found[NONE].world


def test_delay_and_strength_of_the_run_go_to_the_measures_that_have_them():
    config = replace(PLAIN, label_strength=0.33)
    label = measure_named("label", config)
    assert (label.delay, label.strength) == (7, 0.33)
    assert measure_named("debunk", config).strength != 0.33
    suspend = measure_named("suspend", config)
    assert suspend.threshold == 0.9
    assert suspend.delay == measure_named("suspend", replace(config, measure_delay=1)).delay


def test_delays_and_thresholds_are_swept_by_name():
    found = plans_of(WIDE)
    assert list(found) == [
        "label", "prebunk", "label-at-1", "label-at-48", "suspend-from-0.9", "suspend-from-0.05",
    ]  # fmt: skip
    assert [found[label_name(delay)].delay for delay in (1, 48)] == [1, 48]
    low = found[suspend_name(0.05)]
    assert (low.kind, low.threshold, low.strikes) == (BlueKind.SUSPEND, 0.05, 1)


def test_a_ranker_has_a_twin_without_the_campaign():
    found = by_name(WIDE)
    with_red, without = (found[name] for name in ranker_names("chrono"))
    assert with_red.world.feed.ranker is without.world.feed.ranker is RankerKind.CHRONO
    assert replace(with_red.world, red=()) == without.world
    assert not with_red.world.blue


def test_facts_are_held_in_worlds_without_a_campaign():
    found = by_name(WIDE)
    facts = [found[name] for name in (PLAIN_FACTS, NO_FALSITY, NO_POOL, WIDE_POOL)]
    assert {each.name for each in facts} == FACTS
    assert all(not each.world.red and not each.world.blue and each.seeds == 3 for each in facts)
    assert [each.falsity for each in facts] == [1.7, 1.0, 1.7, 1.7]
    assert [each.world.feed.k_out for each in facts[2:]] == [0, 8]
    assert not FACTS & set(by_name(PLAIN))


def test_twins_have_the_same_accounts_and_graph():
    found = by_name(PLAIN)
    plan, no_red = (found[name].simulation(300, 5).fresh() for name in (PLAN, NO_RED))
    assert len(plan.agents) > 300  # the campaign's bots are there, asleep, without it too
    for column in ("role", "ideology", "activity"):
        assert np.array_equal(getattr(plan.agents, column), getattr(no_red.agents, column))
    assert plan.graph.table().equals(no_red.graph.table())


def test_falsity_without_appeal_is_another_rule():
    found = by_name(WIDE)
    plain, even = (found[name].simulation(200, 1).policy for name in (PLAIN_FACTS, NO_FALSITY))
    assert plain.coefficients != even.coefficients
    assert even.coefficients == plain.coefficients.with_falsity(1.0)


def test_bots_to_be_found_swarm_or_bear_no_signature():
    world = scenario_of(PLAIN).world
    swarming, idle = (detection_world(world, swarming=which) for which in (True, False))
    assert [step.intensity for step in swarming.red] == [1.0, 1.0]
    assert not idle.red
    assert not swarming.blue
    assert swarming.population == replace(idle.population, signatures=True)
    assert not idle.population.signatures
    assert swarming.population.bots == 0.01


def test_hours_are_the_scenario_s_unless_given():
    assert hours_of(PLAIN) == scenario_of(PLAIN).ticks == 168
    assert hours_of(replace(PLAIN, hours=12)) == 12


def test_a_user_s_graph_takes_the_generator_s_place(tmp_path):
    path = tmp_path / "edges.csv"
    path.write_text("follower,followee\n1,2\n2,3\n")
    config = replace(PLAIN, edges=str(path))
    graph = by_name(config)[NONE].simulation(200, 0).fresh().graph
    assert int(graph.length.sum()) == 2


def test_a_scenario_that_is_not_there_is_refused():
    with pytest.raises(DataError, match=r"nowhere\.yaml: No such file"):
        variants(replace(PLAIN, scenario="nowhere.yaml"))


def test_a_measure_that_no_one_knows_is_refused():
    with pytest.raises(ConfigError, match="no countermeasure is called 'censor'"):
        measure_named("censor", PLAIN)
