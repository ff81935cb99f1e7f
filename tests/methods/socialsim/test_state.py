"""Posts get ids that follow on, up to the last that fits."""

from __future__ import annotations

import numpy as np
import pytest

from burnish.errors import ConfigError
from burnish.methods.socialsim import state
from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.schema import NONE
from burnish.methods.socialsim.state import MAX_POSTS, POST, Posts
from burnish.methods.socialsim.world import Claim, World


def test_room_grows_and_keeps_what_is_there():
    posts = Posts.with_room(1)
    for author in range(5):
        rows = np.zeros(2, POST)
        rows["author"] = author
        posts.add(rows)
    assert posts.rows["author"].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_an_id_past_32_bits_is_refused_before_anything_is_kept():
    assert MAX_POSTS == NONE == 2**32 - 1
    posts = Posts(np.zeros(1, POST), MAX_POSTS - 1)
    with pytest.raises(ConfigError, match=r"up to 4294967295 posts .*; use fewer ticks"):
        posts.add(np.zeros(2, POST))
    assert len(posts) == MAX_POSTS - 1


def test_a_run_that_needs_more_posts_stops_with_one_error(monkeypatch):
    monkeypatch.setattr(state, "MAX_POSTS", 20)
    with pytest.raises(ConfigError, match="up to 20 posts"):
        Simulation(world=World(name="x"), n_agents=1000, seed=1).run(24)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prior": float("nan")}, "prior of C1 is a belief from -1 to 1, got nan"),
        ({"prior": 1.5}, "prior of C1 is a belief from -1 to 1, got 1.5"),
        ({"spread": float("nan")}, "spread of C1 is at least 0, got nan"),
        ({"spread": float("inf")}, "spread and partisan of C1 are finite"),
        ({"partisan": float("nan")}, "spread and partisan of C1 are finite"),
    ],
)
def test_a_belief_that_is_no_number_is_refused(given, message):
    with pytest.raises(ConfigError, match=message):
        Claim(code="C1", **given)
