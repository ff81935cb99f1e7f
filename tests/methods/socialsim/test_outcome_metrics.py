"""What a run came to, counted by hand."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest

from burnish.errors import UsageError
from burnish.methods.socialsim.outcome_metrics import outcomes
from burnish.methods.socialsim.schema import MODERATION, NONE, Measure

BENIGN, VULNERABLE, BOT = 0, 1, 3


def moderation(*rows):
    tick, post, value = [0] * len(rows), [NONE] * len(rows), [1.0] * len(rows)
    measures, agents = [int(measure) for measure, _ in rows], [agent for _, agent in rows]
    return pa.table([tick, measures, post, agents, value], schema=MODERATION)


@pytest.fixture(scope="module")
def run(by_hand):
    """Four people, one bot; a false claim reposted twice, a true story, and idle talk."""
    return {
        "agents": by_hand.agents(5, role=[BENIGN, BENIGN, VULNERABLE, VULNERABLE, BOT]),
        "posts": by_hand.posts(
            [None, 0, 1, None, None],
            author=[4, 0, 2, 1, 1],
            claim=[0, 0, 0, -1, -1],
            veracity=[2, 2, 2, 1, 0],
        ),
        "exposures": by_hand.exposures([0, 2, 0, 4, 3, 1], [0, 1, 2, 0, 3, 4]),
        "beliefs": by_hand.beliefs(
            [(0, 0, agent, 0.0) for agent in range(5)]
            + [(0, 1, agent, 0.9) for agent in range(5)]
            + [(24, 0, agent, belief) for agent, belief in enumerate([0.1, 0.2, 0.5, 0.6, 1.0])]
            + [(24, 1, agent, -0.9) for agent in range(5)]
        ),
        "moderation": moderation(
            (Measure.SUSPEND, 4),
            (Measure.STRIKE, 0),
            (Measure.SUSPEND, 1),
            (Measure.RATE_LIMIT, 1),
            (Measure.RATE_LIMIT, 2),
            (Measure.LABEL, 3),
        ),
    }


@pytest.fixture(scope="module")
def found(run):
    return outcomes(run, claims_true=[False, True], sampling=0.5)


def test_spread_of_the_false_claim(found):
    assert found["false_claim_reposts"] == 2
    assert found["true_reposts"] == 0
    assert found["false_cascade_mean_posts"] == 3
    assert found["false_cascade_mean_depth_edges"] == 2
    assert found["false_cascade_mean_virality_edges"] == pytest.approx(4 / 3)


def test_reach_counts_people_once_and_no_assets(found):
    assert found["false_claim_reach_percent"] == 50
    assert found["false_claim_views"] == 3


def test_untracked_views_stand_for_those_not_logged(found):
    assert found["true_views"] == 2
    assert found["views"] == 3 + 2 + 2


def test_exposure_is_shared_out_among_authors(found):
    # views by all, bots included: author 4 has 2, 0 has 1, 2 has 1, 1 has 4, 3 has none
    assert found["exposure_top_percent"] == 50
    assert found["exposure_gini"] == pytest.approx((0 * -4 + 1 * -2 + 1 * 0 + 2 * 2 + 4 * 4) / 40)


def test_belief_shifts_are_of_false_claims_and_people(found):
    assert found["belief_shift_people"] == pytest.approx((0.1 + 0.2 + 0.5 + 0.6) / 4)
    assert found["belief_shift_benign"] == pytest.approx(0.15)
    assert found["belief_shift_vulnerable"] == pytest.approx(0.55)
    assert found["belief_variance"] > 0


def test_collateral_counts_restricted_people(found):
    assert found["people_restricted"] == 2  # strikes and labels restrict nobody
    assert found["people_restricted_percent"] == 50
    assert found["people_suspended_percent"] == 25
    assert found["assets_restricted_percent"] == 100


def test_an_empty_run_measures_nothing_and_does_not_fail(run):
    empty = {name: table if name == "agents" else table.slice(0, 0) for name, table in run.items()}
    found = outcomes(empty, claims_true=[False, True], sampling=1)
    assert found["posts"] == found["views"] == 0
    assert math.isnan(found["belief_shift_people"])
    assert math.isnan(found["false_cascade_mean_posts"])


def test_a_sampling_of_nothing_is_refused(run):
    with pytest.raises(UsageError, match="share above 0 and up to 1, got 0"):
        outcomes(run, claims_true=[False], sampling=0)
