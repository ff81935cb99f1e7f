from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ks_2samp

from burnish.errors import ConfigError
from burnish.methods.socialsim.loop import Simulation
from burnish.methods.socialsim.red import targets_of
from burnish.methods.socialsim.schema import NO_TEXT, ActionKind, PolicyId, PostKind, Role
from burnish.methods.socialsim.world import (
    Claim,
    PopulationSettings,
    Primitive,
    RedStep,
    Targets,
    World,
)

N = 1500
PEOPLE = PopulationSettings(bots=0.03, trolls=0.02, operators=0.005, activity_scale=0.1)
WORLD = World(name="Port Vellmar", claims=(Claim(code="C1"), Claim(code="C2")), population=PEOPLE)
ASSETS = (Role.TROLL, Role.BOT, Role.OPERATOR)


def step(primitive, start=3, end=12, intensity=1.0, **rest):
    return RedStep(
        technique=primitive.value,
        primitive=primitive,
        start=start,
        end=end,
        intensity=intensity,
        **rest,
    )


SEED = step(Primitive.TOPIC_FLOOD, start=2, parameters={"posts": 4})


def run(*steps, ticks=14):
    return Simulation(world=replace(WORLD, red=steps), n_agents=N, seed=2).run(ticks)


def by_red(done, kind):
    actions = done.table("actions").to_pandas()
    return actions[(actions.policy == PolicyId.RED) & (actions.kind == kind)]


def planted(done):
    posts = done.table("posts").to_pandas()
    return posts[(posts.claim == 0) & (posts.kind == PostKind.POST)]


def test_planted_posts_are_codes_without_a_text():
    done = run(SEED)
    posts = planted(done)
    assert len(posts) == 4 * 10
    assert (posts.text == NO_TEXT).all()
    assert (posts.stance == np.float32(0.8)).all()
    assert set(done.state.agents.role[posts.author]) <= set(ASSETS)


def test_a_step_runs_from_its_start_to_before_its_end():
    assert set(planted(run(step(Primitive.TOPIC_FLOOD, start=5, end=8))).tick) == {5, 6, 7}


def test_a_ramp_goes_from_the_kernel_of_truth_to_the_distortion():
    ramp = step(Primitive.STANCE_RAMP, parameters={"start_stance": 0.1, "end_stance": 0.9})
    stances = planted(run(ramp)).groupby("tick").stance.first()
    assert stances[3] == pytest.approx(0.1)
    assert stances[11] == pytest.approx(0.9)
    assert (np.diff(stances) > 0).all()


def test_a_trial_has_two_variants_and_one_tick():
    posts = planted(run(step(Primitive.TRIAL, parameters={"posts": 3})))
    assert sorted(posts.stance.tolist()) == pytest.approx([0.4] * 3 + [0.8] * 3)
    assert set(posts.tick) == {3}


def test_a_swarm_reposts_one_post_in_one_tick():
    done = run(SEED, step(Primitive.REPOST_SWARM, start=3, end=4))
    reposts = by_red(done, ActionKind.REPOST)
    bots = (done.state.agents.role == Role.BOT).sum()
    assert len(reposts) == bots
    assert reposts.post.nunique() == 1
    half = run(SEED, step(Primitive.REPOST_SWARM, start=3, end=4, intensity=0.5))
    assert len(by_red(half, ActionKind.REPOST)) == pytest.approx(bots / 2, abs=bots / 4)


def test_a_burst_of_replies_goes_under_one_post_of_others():
    done = run(step(Primitive.REPLY_SWARM, start=6, end=7))
    replies = by_red(done, ActionKind.REPLY)
    assert len(replies) > 20
    assert replies.target.nunique() == 1
    assert done.state.agents.role[replies.target.iloc[0]] not in ASSETS
    made = done.table("posts").to_pandas().query("kind == 1 and tick == 6 and claim == 0")
    assert len(made) == len(replies)


def test_amplification_reposts_planted_posts_alone():
    done = run(SEED, step(Primitive.AMPLIFY, parameters={"boost": 8.0}))
    reposts = by_red(done, ActionKind.REPOST)
    assert len(reposts) > 50
    assert set(reposts.post) <= set(planted(done).post)


def test_false_likes_and_reports_are_by_assets():
    done = run(
        SEED,
        step(Primitive.COORDINATED_ENGAGEMENT),
        step(Primitive.TOPIC_FLOOD, stance=-0.5, start=2),
        step(Primitive.FALSE_REPORTS),
    )
    likes, reports = by_red(done, ActionKind.LIKE), by_red(done, ActionKind.REPORT)
    assert len(likes) > 50
    assert len(reports) > 50
    roles = done.state.agents.role
    assert set(roles[np.concatenate([likes.agent, reports.agent])]) <= set(ASSETS)
    stance = done.table("posts").column("stance").to_numpy()
    assert (stance[reports.post] < 0).all()


def test_follow_trains_join_assets():
    before = Simulation(world=WORLD, n_agents=N, seed=2).fresh().graph.table().num_rows
    done = run(step(Primitive.FOLLOW_TRAIN, parameters={"edges": 6}), ticks=4)
    edges = done.state.graph.table().to_pandas()
    new = edges[edges.birth == 3]
    assert len(new) > 100
    assert len(edges) > before
    roles = done.state.agents.role
    assert set(roles[new.follower]) <= set(ASSETS)
    assert set(roles[new.followee]) <= set(ASSETS)


def test_targets_are_followed_and_some_follow_back():
    wanted = Targets(min_susceptibility=0.7)
    done = run(step(Primitive.SELECT_TARGETS, targets=wanted), ticks=4)
    edges = done.state.graph.table().to_pandas()
    new = edges[edges.birth == 3]
    roles, susceptibility = done.state.agents.role, done.state.agents.susceptibility
    out = new[np.isin(roles[new.follower], ASSETS)]
    back = new[~np.isin(roles[new.follower], ASSETS)]
    assert (susceptibility[out.followee] >= np.float32(0.7)).mean() > 0.95
    assert 0.1 < len(back) / len(out) < 0.7


def test_groups_take_assets_in():
    echo = run(step(Primitive.ECHO_CHAMBER, targets=Targets(community=2)), ticks=4)
    across = run(step(Primitive.CROSS_GROUP), ticks=4)
    for done, inside in ((echo, None), (across, False)):
        edges = done.state.graph.table().to_pandas()
        new = edges[edges.birth == 3]
        community = done.state.agents.community
        assert len(new) >= 1
        if inside is None:
            assert set(community[new.follower]) == {2}
        else:
            assert (community[new.follower] != community[new.followee]).all()


@pytest.mark.parametrize(
    ("targets", "check"),
    [
        (Targets(community=3), lambda a: a.community == 3),
        (Targets(roles=(Role.VULNERABLE,)), lambda a: a.role == Role.VULNERABLE),
        (Targets(min_susceptibility=0.8), lambda a: a.susceptibility >= np.float32(0.8)),
        (Targets(ideology=(-0.2, 0.1)), lambda a: (a.ideology >= -0.2) & (a.ideology <= 0.1)),
        (Targets(roles=(Role.BOT,)), lambda a: a.role == Role.BOT),
        (Targets(regions=(0, 4)), lambda a: (a.region == 0) | (a.region == 4)),
        (Targets(ages=(0, 5)), lambda a: (a.age == 0) | (a.age == 5)),
        (Targets(education=(3,)), lambda a: a.education == 3),
        (
            Targets(big_five={"openness": (20, 100), "neuroticism": (-10, 10)}),
            lambda a: (a.big_five[:, 0] >= 20) & (np.abs(a.big_five[:, 4].astype(int)) <= 10),
        ),
        (
            Targets(regions=(1,), ages=(2, 3), education=(1, 2)),
            lambda a: (a.region == 1) & np.isin(a.age, (2, 3)) & np.isin(a.education, (1, 2)),
        ),
    ],
)
def test_targets_pass_their_filter(targets, check):
    state = Simulation(world=WORLD, n_agents=N, seed=2).fresh()
    chosen = targets_of(state, targets)
    expected = check(state.agents)
    if not targets.roles:
        expected &= ~np.isin(state.agents.role, ASSETS)
    assert chosen.tolist() == np.flatnonzero(expected).tolist()
    assert len(chosen) > 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": 5, "end": 5}, "a step ends after it starts"),
        ({"intensity": 1.5}, "intensity of trial is a share"),
        ({"stance": float("nan")}, "stance of trial is -1 to 1"),
    ],
)
def test_bad_steps_are_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        step(Primitive.TRIAL, **changes)


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ({"ages": (6,)}, "ages are numbers from 0 to 5, got 6"),
        ({"education": (-1,)}, "education are numbers from 0 to 3, got -1"),
        ({"big_five": {"opennes": (0, 1)}}, "no trait 'opennes'; did you mean 'openness'"),
        ({"big_five": {"openness": (30, 20)}}, "lowest, highest from -100 to 100; got 30, 20"),
        ({"big_five": {"openness": (0, 101)}}, "lowest, highest from -100 to 100; got 0, 101"),
    ],
)
def test_bad_targets_are_refused(targets, message):
    with pytest.raises(ConfigError, match=message):
        Targets(**targets)


def test_a_step_at_an_unknown_region_is_refused():
    aimed = step(Primitive.SELECT_TARGETS, targets=Targets(regions=(6,)))
    with pytest.raises(ConfigError, match=r"regions of select_targets .* from 0 to 5, got 6"):
        replace(WORLD, red=(aimed,))


@pytest.mark.parametrize("signatures", [True, False])
def test_woken_bots_are_told_apart_by_activity_only_with_signatures(signatures):
    people = replace(PEOPLE, signatures=signatures)
    add = step(Primitive.ADD_BOTS, start=1, parameters={"count": 800})
    world = replace(WORLD, population=people, red=(add,))
    agents = Simulation(world=world, n_agents=N, seed=2).run(3).state.agents
    woken, benign = agents.activity[N:], agents.activity[:N][agents.role[:N] == Role.BENIGN]
    if signatures:
        assert set(woken) == {np.float32(0.3)}
        return
    assert len(np.unique(woken)) > 400
    assert ks_2samp(woken, benign).pvalue > 0.01
    # and each draws its own, whatever else the campaign does
    alone = Simulation(world=world, n_agents=N, seed=2).run(2).state.agents.activity[N:]
    assert (alone == woken).all()


def test_a_step_about_an_unknown_claim_is_refused():
    with pytest.raises(ConfigError, match="has 2 claims, and a plan is about number 2"):
        replace(WORLD, red=(step(Primitive.TRIAL, claim=2),))
