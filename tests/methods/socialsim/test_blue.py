from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from burnish.errors import ConfigError
from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.schema import ActionKind, Label, Measure, PostKind, Role, Veracity
from burnish.methods.socialsim.world import (
    BlueKind,
    BlueMeasure,
    Claim,
    PopulationSettings,
    Primitive,
    RedStep,
    World,
)

N, TICKS = 3000, 30
PEOPLE = PopulationSettings(bots=0.02, trolls=0.02, activity_scale=0.08)
RED = (
    RedStep(technique="flood", primitive=Primitive.TOPIC_FLOOD, start=1, end=24, intensity=1.0,
            parameters={"posts": 6}),
    RedStep(technique="swarm", primitive=Primitive.REPOST_SWARM, start=2, end=24, intensity=1.0),
)  # fmt: skip
CLAIMS = (Claim(code="C1"), Claim(code="C2", true=True))


def run(*measures, red=RED):
    world = World(name="x", claims=CLAIMS, population=PEOPLE, red=red, blue=measures)
    return Simulation(world=world, n_agents=N, seed=4).run(TICKS)


@pytest.fixture(scope="module")
def plain():
    return run()


def of(kind, **settings):
    return BlueMeasure(kind=kind, **settings)


def moderated(done, measure):
    rows = done.table("moderation").to_pandas()
    return rows[rows.measure == measure]


def campaign_reposts(done):
    actions, posts = done.table("actions").to_pandas(), done.table("posts").to_pandas()
    organic = actions[(actions.kind == ActionKind.REPOST) & (actions.policy == 0)]
    return (posts.claim.to_numpy()[organic.post] == 0).sum()


def test_labels_come_after_their_delay_to_false_posts_alone():
    done = run(of(BlueKind.LABEL, delay=5))
    posts, rows = done.table("posts").to_pandas(), moderated(done, Measure.LABEL)
    made = posts.tick.to_numpy()[rows.post]
    assert (rows.tick.to_numpy() - made == 5).all()
    assert (posts.veracity.to_numpy()[rows.post] == Veracity.FALSE).all()
    assert (posts.kind.to_numpy()[rows.post] != PostKind.REPOST).all()
    due = posts[(posts.claim == 0) & (posts.veracity == Veracity.FALSE)
                & (posts.kind != PostKind.REPOST) & (posts.tick <= TICKS - 1 - 5)]  # fmt: skip
    assert sorted(rows.post) == sorted(due.post)
    assert (posts.labels.to_numpy()[rows.post] & Label.WARNING > 0).all()


def test_a_late_start_labels_what_is_older_too():
    done = run(of(BlueKind.LABEL, delay=2, start=15))
    rows = moderated(done, Measure.LABEL)
    made = done.table("posts").column("tick").to_numpy()[rows.post]
    assert (made[rows.tick == 15] <= 13).all()
    assert (made[rows.tick == 15] < 10).any()


@pytest.mark.parametrize(
    "measure",
    [
        of(BlueKind.LABEL, delay=1, strength=3.0),
        of(BlueKind.DOWNRANK, delay=1, factor=0.01),
        of(BlueKind.EXPIRE, delay=1),
        of(BlueKind.PREBUNK, fraction=1.0, strength=1.0),
        of(BlueKind.DELAY, delay=20),
    ],
    ids=lambda m: m.kind.value,
)
def test_measures_lower_the_spread(plain, measure):
    assert campaign_reposts(run(measure)) < 0.75 * campaign_reposts(plain)


def test_prebunking_reaches_its_fraction_and_fades():
    done = run(of(BlueKind.PREBUNK, start=3, fraction=0.4, strength=0.8, half_life=9))
    ordinary = ~np.isin(done.state.agents.role, (Role.TROLL, Role.BOT, Role.OPERATOR))
    inoculation = done.state.agents.inoculation[ordinary]
    assert (inoculation > 0).mean() == pytest.approx(0.4, abs=0.04)
    ticks = TICKS - 1 - 3
    assert inoculation.max() == pytest.approx(0.8 * 0.5 ** (ticks / 9), rel=1e-3)
    assert not done.state.agents.inoculation[~ordinary].any()
    assert done.state.prebunked.tolist() == [1, 0]


def test_literacy_rises_and_returns(plain):
    done = run(of(BlueKind.LITERACY, start=3, fraction=1.0, strength=0.2, half_life=1.0))
    before = plain.state.agents.literacy
    assert done.state.agents.literacy == pytest.approx(before, abs=1e-6)
    lasting = run(of(BlueKind.LITERACY, start=3, fraction=1.0, strength=0.2, half_life=1e9))
    gain = lasting.state.agents.literacy - before
    assert gain.max() == pytest.approx(0.2, abs=1e-5)


def test_downranking_hits_false_posts_and_what_is_reported():
    flags = RedStep(technique="flags", primitive=Primitive.FALSE_REPORTS, start=2, end=25,
                    intensity=1.0)  # fmt: skip
    honest = replace(RED[0], technique="honest", stance=-0.9)
    done = run(of(BlueKind.DOWNRANK, delay=4, factor=0.5), red=(*RED, honest, flags))
    posts, rows = done.table("posts").to_pandas(), moderated(done, Measure.DOWNRANK)
    veracity = posts.veracity.to_numpy()[rows.post]
    assert (veracity == Veracity.FALSE).sum() > 50
    assert (veracity == Veracity.TRUE).sum() > 3  # collateral of false reports
    assert (posts.visibility.to_numpy()[rows.post] <= 0.5).all()


def test_a_daily_cap_is_never_exceeded(plain):
    done = run(of(BlueKind.RATE_LIMIT, cap=3))
    counts = []
    for each in (done, plain):
        posts = each.table("posts").to_pandas()
        counts.append(posts.groupby(["author", posts.tick // 24]).size().max())
    assert counts[0] == 3 < counts[1]
    assert len(moderated(done, Measure.RATE_LIMIT)) > 100


def test_a_duplicate_limit_caps_reposts_of_a_root_in_a_tick(plain):
    done = run(of(BlueKind.DUPLICATE_LIMIT, cap=4))
    most = []
    for each in (done, plain):
        posts = each.table("posts").to_pandas().query("kind == 3")
        most.append(posts.groupby(["root", "tick"]).size().max())
    assert most[0] == 4 < most[1]
    assert len(moderated(done, Measure.DUPLICATE_LIMIT)) > 10


def test_held_posts_are_seen_after_the_delay():
    done = run(of(BlueKind.DELAY, delay=6, start=2))
    posts, exposures = done.table("posts").to_pandas(), done.table("exposures").to_pandas()
    held = posts[(posts.claim == 0) & (posts.kind != PostKind.REPOST) & (posts.tick >= 2)]
    seen = exposures[exposures.post.isin(held.post)]
    age = seen.tick.astype(int).to_numpy() - posts.tick.to_numpy()[seen.post].astype(int)
    assert len(seen) > 20
    assert age.min() >= 6


def test_expired_posts_are_amplified_no_more():
    done = run(of(BlueKind.EXPIRE, delay=3))
    posts = done.table("posts").to_pandas()
    labelled = set(moderated(done, Measure.EXPIRE).post)
    spread = posts[posts.kind.isin((PostKind.REPOST, PostKind.QUOTE))]
    root_tick = posts.tick.to_numpy()[spread.root]
    late = spread[(spread.tick - root_tick >= 3) & spread.root.isin(labelled)]
    assert len(late) == 0
    assert len(labelled) > 50


def test_suspension_finds_the_accounts_that_move_in_step():
    done = run(of(BlueKind.SUSPEND, threshold=0.5, strikes=1))
    gone = moderated(done, Measure.SUSPEND).agent
    roles = done.state.agents.role[gone]
    assert (roles == Role.BOT).mean() > 0.8
    assert len(gone) > 0.8 * (done.state.agents.role == Role.BOT).sum()


def test_a_lower_threshold_restricts_more_benign_accounts():
    benign = []
    for threshold in (0.5, 0.05):
        done = run(of(BlueKind.SUSPEND, threshold=threshold, strikes=1))
        gone = moderated(done, Measure.SUSPEND).agent
        benign.append((done.state.agents.role[gone] <= Role.VULNERABLE).sum())
    assert benign[1] > benign[0]


def test_notes_are_shown_on_false_posts():
    done = run(of(BlueKind.NOTES, raters=0.6, threshold=0.4))
    posts, rows = done.table("posts").to_pandas(), moderated(done, Measure.NOTE)
    assert len(rows) > 3
    assert (posts.veracity.to_numpy()[rows.post] == Veracity.FALSE).mean() > 0.8
    assert (rows.value >= np.float32(0.4)).all()
    assert (posts.labels.to_numpy()[rows.post] & Label.NOTE > 0).all()


def test_a_measure_without_false_claims_touches_nothing():
    quiet = run(of(BlueKind.LABEL, delay=1), red=())
    assert len(moderated(quiet, Measure.LABEL)) == 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fraction": 2.0}, "fraction of label is a share from 0 to 1"),
        ({"delay": -1}, "delay of label is at least 0"),
        ({"start": 5, "end": 5}, "a measure ends after it starts"),
        ({"half_life": 0}, "half_life is above 0"),
    ],
)
def test_bad_measures_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        of(BlueKind.LABEL, **settings)
