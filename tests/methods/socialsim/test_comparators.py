"""What SEIZ and independent cascades say of a measure."""

from __future__ import annotations

import math

import numpy as np
import pytest

from burnish.methods.socialsim.comparators import (
    cascade_ratios,
    contact_factor,
    predicted,
    seiz_ratios,
)
from burnish.methods.socialsim.config import SocialsimConfig
from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.rule_policy import RuleCoefficients
from burnish.methods.socialsim.variants import NONE, variants
from burnish.methods.socialsim.world import BlueKind, BlueMeasure, World

AGES = np.array([1, 2, 5, 30])  # half of them come after 3 hours


def factor(kind, ages=AGES, **numbers):
    return contact_factor(BlueMeasure(kind=kind, **numbers), ages)


@pytest.mark.parametrize("kind", [BlueKind.LABEL, BlueKind.DEBUNK])
def test_a_label_takes_its_strength_from_what_comes_late(kind):
    assert factor(kind, delay=3, strength=math.log(4)) == pytest.approx(1 - 0.5 * 0.75)
    assert factor(kind, delay=30, strength=1.0) == 1.0


def test_other_contacts_by_hand():
    assert factor(BlueKind.DOWNRANK, delay=3, factor=0.2) == pytest.approx(0.6)
    assert factor(BlueKind.EXPIRE, delay=4) == 0.5
    slope = RuleCoefficients().inoculated[1]
    left = 1 - 0.5 * (1 - math.exp(-slope * 0.5))
    assert factor(BlueKind.PREBUNK, fraction=0.5, strength=0.5) == pytest.approx(left)
    most = 1 - 0.5 * (1 - math.exp(-slope))
    assert factor(BlueKind.PREBUNK, fraction=0.5, strength=9.0) == pytest.approx(most)


@pytest.mark.parametrize("kind", [BlueKind.SUSPEND, BlueKind.NOTES, BlueKind.LITERACY])
def test_measures_that_do_not_act_on_contacts_are_left_out(kind):
    assert factor(kind) is None


def test_without_reposts_no_delay_is_worth_anything():
    assert factor(BlueKind.LABEL, ages=np.zeros(0, int), delay=0) == 1.0


@pytest.fixture(scope="module")
def run():
    config = SocialsimConfig(agents=2000)
    none = next(each for each in variants(config) if each.name == NONE)
    return none.simulation(2000, 4).run(72)


def test_no_change_is_a_ratio_of_one_and_less_contact_is_less(run):
    found = seiz_ratios(run, {"same": 1.0, "half": 0.5, "none": 0.0})
    assert found["same"] == pytest.approx(1.0)
    assert found["none"] < found["half"] < 1.0


def test_cascades_from_no_contact_are_their_seeds_alone(run):
    factors = {"none": 0.0, "half": 0.5, "same": 1.0}
    found = cascade_ratios(run, factors, np.random.default_rng(0))
    assert 0 < found["none"] < found["half"] < 1.0
    assert found["same"] == pytest.approx(1.0, abs=0.1)


def test_predictions_repeat_themselves_and_name_measures_that_act(run):
    measures = {
        "label": BlueMeasure(kind=BlueKind.LABEL, delay=1),
        "suspend": BlueMeasure(kind=BlueKind.SUSPEND),
    }
    first, again = (predicted(run, measures, np.random.default_rng(2)) for _ in range(2))
    assert first == again
    assert {model: set(ratios) for model, ratios in first.items()} == {
        "seiz": {"label"},
        "cascade": {"label"},
    }


def test_where_nobody_shared_nothing_is_predicted():
    quiet = Simulation(world=World(name="x"), n_agents=100, seed=1).run(2)
    found = predicted(quiet, {"label": BlueMeasure(kind=BlueKind.LABEL)}, np.random.default_rng(0))
    assert found == {"seiz": {}, "cascade": {}}
