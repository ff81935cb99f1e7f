from __future__ import annotations

import numpy as np
import pytest

from burnish.methods.socialsim.acting import Feeds
from burnish.methods.socialsim.beliefs import update
from burnish.methods.socialsim.graph import Graph
from burnish.methods.socialsim.population import populate
from burnish.methods.socialsim.schema import NONE, Label, Veracity
from burnish.methods.socialsim.state import POST, State
from burnish.methods.socialsim.world import BeliefForm, BeliefSettings, Claim, PopulationSettings

TRUST = 0.5


def moved(belief, stances, settings, *, inoculation=0.0, **post):
    """Belief of account 0 after it is shown posts of these stances by account 1."""
    agents = populate(PopulationSettings(), 3, 0, seed=1)
    empty = np.zeros(0, np.uint32)
    state = State.new(agents, Graph.of(empty, empty, 3), (Claim(code="C1"),), 4, seed=1)
    state.agents.trust[1] = TRUST
    state.agents.inoculation[0] = inoculation
    state.beliefs[:] = belief
    rows = np.zeros(len(stances), POST)
    ids = np.arange(len(stances), dtype=np.uint32)
    rows["author"], rows["content"], rows["root"], rows["parent"] = 1, ids, ids, NONE
    rows["stance"] = stances
    for name, value in post.items():
        rows[name] = value
    state.posts.add(rows)
    state.prebunked[:] = 1
    state.first_beliefs[:] = -0.5
    byte = np.zeros(len(ids), np.uint8)
    feeds = Feeds(np.array([0, len(ids)]), ids, byte, byte, byte, byte)
    update(state, settings, np.zeros(1, np.uint32), feeds)
    return float(state.beliefs[0, 0])


def test_the_mean_pull_of_what_is_near_moves_a_belief():
    settings = BeliefSettings(step=0.1, confidence=0.6)
    # 0.9 is out of reach, and counts in the mean as nothing
    assert moved(0.0, [0.4, 0.2, 0.9], settings) == pytest.approx(0.1 * TRUST * 0.6 / 3)


def test_what_is_far_repels():
    settings = BeliefSettings(step=0.1, confidence=0.3, repulsion=0.5)
    assert moved(0.0, [0.8], settings) == pytest.approx(-0.1 * 0.5 * TRUST)


def test_anchoring_pulls_back_to_the_first_belief():
    settings = BeliefSettings(step=0.1, anchoring=0.9)
    assert moved(0.0, [0.4], settings) == pytest.approx(0.9 * 0.1 * TRUST * 0.4 + 0.1 * -0.5)


def test_deffuant_takes_exposures_one_by_one():
    settings = BeliefSettings(form=BeliefForm.DEFFUANT, step=0.5, confidence=1)
    first = 0.5 * TRUST * 0.4
    assert moved(0.0, [0.4, 0.2], settings) == pytest.approx(first + 0.5 * TRUST * (0.2 - first))


def test_a_label_takes_its_share_of_the_weight():
    settings = BeliefSettings(step=0.1, label_effect=0.25)
    plain = moved(0.0, [0.4], settings)
    assert moved(0.0, [0.4], settings, labels=Label.WARNING) == pytest.approx(0.75 * plain)


def test_inoculation_weakens_false_posts_alone():
    settings = BeliefSettings(step=0.1)
    plain = moved(0.0, [0.4], settings)
    false = moved(0.0, [0.4], settings, veracity=Veracity.FALSE, inoculation=0.7)
    true = moved(0.0, [0.4], settings, veracity=Veracity.TRUE, inoculation=0.7)
    assert false == pytest.approx(0.3 * plain)
    assert true == pytest.approx(plain)


def test_a_debunk_pulls_the_other_way_and_leaves_a_residue():
    settings = BeliefSettings(step=0.1, correction=0.5)
    after = moved(0.2, [0.6], settings, veracity=Veracity.FALSE, labels=Label.DEBUNK)
    assert after == pytest.approx(0.2 + 0.1 * 0.5 * (-0.6 - 0.2))


def test_posts_without_a_claim_move_nothing():
    assert moved(0.3, [0.4], BeliefSettings(anchoring=0.5), claim=-1) == pytest.approx(0.3)
