"""What a run leaves, by hand on small tables, and on a run."""

from __future__ import annotations

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest

from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.measuring import (
    LATE,
    measured,
    reach_by_tick,
    repost_ages,
    sharers_by_tick,
)
from burnish.methods.socialsim.schema import PostKind, Role, Veracity
from burnish.methods.socialsim.world import Claim, World

FALSE, TRUE = int(Veracity.FALSE), int(Veracity.TRUE)


@pytest.fixture
def story(by_hand):
    """Post 0 is a false claim at tick 2; 1, 2 and 3 come of it; 4 is a true claim, reposted by 5.

    6 is an untracked false post, reposted by 7.
    """
    return by_hand.posts(
        [None, 0, 1, 0, None, 4, None, 6],
        tick=[2, 5, 20, 9, 3, 4, 3, 8],
        claim=[0, 0, 0, 0, 1, 1, -1, -1],
        veracity=[FALSE] * 4 + [TRUE] * 2 + [FALSE] * 2,
        kind=[0, 3, 3, int(PostKind.REPLY), 0, 3, 0, 3],
        author=[0, 1, 1, 2, 3, 4, 3, 4],
    )


def test_ages_count_from_the_first_post_of_a_tracked_false_claim(story):
    assert repost_ages(story).tolist() == [3, 18]
    assert (repost_ages(story) > LATE).sum() == 1


def test_reach_grows_by_people_once_each(by_hand, story):
    roles = [int(Role.BOT), 0, 0, int(Role.VULNERABLE), 0]
    tables = {
        "agents": by_hand.agents(5, role=roles),
        "posts": story,
        # 1 sees the claim twice, 0 is a bot, 3 sees it late, 2 only a true claim, 4 untracked
        "exposures": by_hand.exposures(
            [1, 1, 0, 3, 2, 4], [0, 1, 0, 2, 4, 6], tick=[3, 6, 3, 21, 4, 4]
        ),
    }
    found = reach_by_tick(tables, 22)
    assert found.tolist() == [0.0] * 3 + [25.0] * 18 + [50.0]


def test_reach_of_nothing_is_zero(by_hand, story):
    tables = {
        "agents": by_hand.agents(3),
        "posts": story,
        "exposures": by_hand.exposures([], []),
    }
    assert reach_by_tick(tables, 4).tolist() == [0.0] * 4


def test_sharers_post_or_pass_on_and_do_not_reply(story):
    run = SimpleNamespace(
        ticks=22, table=lambda name: {"posts": story}[name], state=SimpleNamespace(agents=range(5))
    )
    found = sharers_by_tick(run)
    assert len(found) == 22
    assert [found[tick] for tick in (1, 2, 4, 5, 21)] == [0, 1, 1, 2, 2]


@pytest.fixture(scope="module")
def run():
    world = World(name="x", claims=(Claim(code="C1"), Claim(code="C2", true=True)))
    return Simulation(world=world, n_agents=2000, seed=3).run(12)


def test_what_is_measured_is_json_and_agrees_with_the_tables(run):
    found = measured(run, falsity=1.7)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert len(found["reach"]) == 12
    assert found["reach"][-1] == pytest.approx(found["outcomes"]["false_claim_reach_percent"])
    assert found["exposures"] == run.exposures
    assert set(found["facts"]) == set(found["holds"])
    assert found["facts"]["unshared_posts_share"] > 0.5


def test_cascade_sizes_are_told_as_shares_that_fall_from_one(run):
    for curve in measured(run, falsity=1.7)["sizes"].values():
        sizes, shares = np.transpose(curve)
        assert len(curve) <= 24
        assert sizes[0] == 1
        assert shares[0] == 1.0
        assert (np.diff(sizes) > 0).all()
        assert (np.diff(shares) <= 0).all()
        assert shares[-1] > 0


def test_a_quiet_world_has_numbers_that_are_missing_and_not_nought():
    quiet = Simulation(world=World(name="x"), n_agents=100, seed=1).run(1)
    found = measured(quiet, falsity=1.0)
    assert found["outcomes"]["false_cascade_mean_posts"] is None
    assert found["sharers"] == found["late_reposts"] == 0
    assert not any(math.isnan(value) for value in found["reach"])
