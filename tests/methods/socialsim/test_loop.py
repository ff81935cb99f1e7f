from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import duckdb
import numpy as np
import pytest

from burnish.errors import BurnishError, ConfigError, UsageError
from burnish.methods.socialsim.acting import Actions, Feeds
from burnish.methods.socialsim.automaton import AutomatonPolicy
from burnish.methods.socialsim.checkpoints import ManifestMismatch
from burnish.methods.socialsim.loop import Core, Simulation
from burnish.methods.socialsim.rule_policy import RulePolicy
from burnish.methods.socialsim.schema import (
    NONE,
    TABLES,
    ActionKind,
    Flag,
    Measure,
    PolicyId,
    PostKind,
    Role,
)
from burnish.methods.socialsim.world import (
    BlueKind,
    BlueMeasure,
    Claim,
    Event,
    NetworkSettings,
    PopulationSettings,
    Primitive,
    RedStep,
    Targets,
    World,
)

TICKS = 40


def step(primitive, start=4, end=36, **rest):
    return RedStep(technique=primitive.value, primitive=primitive, start=start, end=end, **rest)


RED = (
    step(Primitive.ADD_BOTS, start=1, parameters={"count": 30}, intensity=1.0),
    step(Primitive.FOLLOW_TRAIN, start=2, intensity=1.0, parameters={"edges": 5}),
    step(Primitive.SELECT_TARGETS, targets=Targets(min_susceptibility=0.6), intensity=1.0),
    step(Primitive.TRIAL, intensity=1.0),
    step(Primitive.STANCE_RAMP, intensity=1.0, parameters={"start_stance": 0.2, "end_stance": 0.9}),
    step(Primitive.REPOST_SWARM, intensity=0.9),
    step(Primitive.REPLY_SWARM, intensity=0.5),
    step(Primitive.TOPIC_FLOOD, intensity=0.5),
    step(Primitive.AMPLIFY, intensity=1.0),
    step(Primitive.CROSS_GROUP, intensity=1.0),
    step(Primitive.ECHO_CHAMBER, intensity=1.0, targets=Targets(community=1)),
    step(Primitive.COORDINATED_ENGAGEMENT, intensity=1.0),
    step(Primitive.FALSE_REPORTS, intensity=1.0),
)
BLUE = (
    BlueMeasure(kind=BlueKind.PREBUNK, start=2, fraction=0.5, strength=0.8),
    BlueMeasure(kind=BlueKind.LITERACY, start=2, fraction=0.5, strength=0.2),
    BlueMeasure(kind=BlueKind.DEBUNK, delay=8),
    BlueMeasure(kind=BlueKind.LABEL, delay=4),
    BlueMeasure(kind=BlueKind.NOTES, raters=0.5, threshold=0.05),
    BlueMeasure(kind=BlueKind.DOWNRANK, delay=6),
    BlueMeasure(kind=BlueKind.RATE_LIMIT, cap=4),
    BlueMeasure(kind=BlueKind.DELAY, delay=2, start=20),
    BlueMeasure(kind=BlueKind.EXPIRE, delay=10),
    BlueMeasure(kind=BlueKind.SUSPEND, start=6, threshold=0.2, strikes=1),
    BlueMeasure(kind=BlueKind.DUPLICATE_LIMIT, cap=5),
)
CLAIMS = (Claim(code="C1"), Claim(code="C2", true=True, topic=2))
EVENTS = (Event(tick=3, topic=2, salience=3.0, posts=4, claim=1, stance=0.8),)


def world(**changes):
    settings = {
        "name": "Port Vellmar",
        "claims": CLAIMS,
        "events": EVENTS,
        "population": PopulationSettings(bots=0.02, trolls=0.02, activity_scale=0.08),
        "network": NetworkSettings(mean_degree=12),
        "snapshot": 10,
    }
    return World(**(settings | changes))


FULL = Simulation(world=world(red=RED, blue=BLUE), n_agents=900, seed=5)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(folder.rglob("*.parquet"))
    return {str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return FULL.run(TICKS, tmp_path_factory.mktemp("run"), checkpoint=15)


def test_two_workers_write_the_same_bytes(run, tmp_path, monkeypatch):
    for least in ("_WORTH_SHARING", "_MANY_AWAKE"):
        monkeypatch.setattr(f"burnish.methods.socialsim.ticking.{least}", 0)
    replace(FULL, workers=2).run(TICKS, tmp_path)
    assert digests(tmp_path) == digests(run.folder)


def test_threads_that_share_the_rule_s_work_write_the_same_bytes(tmp_path, monkeypatch):
    """At a size where they do so of themselves."""
    shared, part = [], Feeds.part

    def noted(self, low, high):
        shared.append(high - low)
        return part(self, low, high)

    busy = world(population=PopulationSettings(activity_scale=0.6))
    large = Simulation(world=busy, n_agents=20_000, seed=2)
    large.run(12, tmp_path / "one")
    assert not shared
    monkeypatch.setattr(Feeds, "part", noted)
    replace(large, workers=2).run(12, tmp_path / "two")
    assert len(shared) == 2 * 11
    assert min(shared) > 1000
    assert digests(tmp_path / "two") == digests(tmp_path / "one")


def test_a_run_that_was_killed_goes_on_to_the_same_bytes(run, tmp_path):
    FULL.run(TICKS, tmp_path, checkpoint=15)
    for name in TABLES:
        for file in (tmp_path / name).glob("*.parquet"):
            if file.stem != "00000" or name == "posts":
                file.unlink()
    (tmp_path / "checkpoints" / "00030.npz").unlink()
    resumed = FULL.run(TICKS, tmp_path, checkpoint=15)
    assert digests(tmp_path) == digests(run.folder)
    assert resumed.exposures == run.exposures


def test_the_newest_two_checkpoints_are_kept(run, tmp_path):
    FULL.run(TICKS, tmp_path, checkpoint=7)
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept == ["00028.npz", "00035.npz"]
    assert digests(tmp_path) == digests(run.folder)


@pytest.mark.parametrize("rest", [0, 100, 20_000])
def test_a_run_whose_newest_checkpoint_is_torn_goes_on_from_the_other(run, tmp_path, rest):
    FULL.run(30, tmp_path, checkpoint=10)
    torn = tmp_path / "checkpoints" / "00030.npz"
    torn.write_bytes(torn.read_bytes()[:rest])
    resumed = FULL.run(35, tmp_path, checkpoint=4)
    [warning] = [text for text in resumed.warnings if "checkpoint" in text]
    assert "00030.npz is no checkpoint" in warning
    assert "an earlier one was gone on from" in warning
    # the torn one is not taken for one of the two
    kept = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert kept == ["00028.npz", "00032.npz"]
    last = FULL.run(TICKS, tmp_path, checkpoint=4)
    assert not any("checkpoint" in text for text in last.warnings)
    assert digests(tmp_path) == digests(run.folder)


@pytest.mark.parametrize(("ticks", "checkpoint"), [(30, 10), (30, None)])
def test_a_folder_of_a_longer_run_is_refused_as_it_is(tmp_path, ticks, checkpoint):
    FULL.run(ticks, tmp_path, checkpoint=checkpoint)
    before = digests(tmp_path)
    with pytest.raises(ManifestMismatch, match="holds a run of more than 20 ticks"):
        FULL.run(20, tmp_path, checkpoint=5)
    assert digests(tmp_path) == before
    assert FULL.run(ticks, tmp_path).exposures > 0


def test_a_finished_run_goes_on_when_more_ticks_are_asked_for(run, tmp_path):
    FULL.run(30, tmp_path, checkpoint=15)
    FULL.run(TICKS, tmp_path, checkpoint=15)
    assert digests(tmp_path) == digests(run.folder)


def test_another_seed_gives_other_bytes(run, tmp_path):
    replace(FULL, seed=6).run(TICKS, tmp_path)
    mine, other = digests(run.folder), digests(tmp_path)
    assert all(mine[name] != other[name] for name in mine if name in other)


def test_a_folder_of_another_run_is_refused(run):
    other = replace(FULL, world=world(red=RED))
    with pytest.raises(ManifestMismatch, match="holds a run with another world"):
        other.run(TICKS, run.folder)


def test_a_damaged_checkpoint_is_named(tmp_path):
    FULL.run(16, tmp_path, checkpoint=15)
    (tmp_path / "checkpoints" / "00015.npz").write_bytes(b"PK not a checkpoint")
    with pytest.raises(BurnishError, match="is no checkpoint: "):
        FULL.run(TICKS, tmp_path, checkpoint=15)


def test_a_checkpoint_is_read_without_unpickling(tmp_path):
    FULL.run(16, tmp_path, checkpoint=15)
    path = tmp_path / "checkpoints" / "00015.npz"
    np.savez(path, plain=np.array([{"a": 1}], object))
    with pytest.raises(BurnishError, match="allow_pickle=False"):
        FULL.run(TICKS, tmp_path, checkpoint=15)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("state.ring", lambda a: np.full_like(a, 10**9), "it points to posts that are not there"),
        ("graph.followee", lambda a: a + 10**6, "it points to accounts that are not there"),
        ("graph.length", lambda a: a + 10**6, "its columns do not belong together"),
        ("state.beliefs", lambda a: a[:5], "its columns do not belong together"),
        ("state.scores", lambda a: a[:-1], "its columns do not belong together"),
        ("agents.role", lambda a: a + np.uint8(99), "it points to roles that are not there"),
        ("agents.trust", lambda a: a[:-1], "its columns do not belong together"),
        ("state.memory_at", lambda a: a + np.uint8(99), "its columns do not belong together"),
    ],
)
def test_a_checkpoint_that_points_outside_is_refused(tmp_path, name, change, message):
    FULL.run(16, tmp_path, checkpoint=15)
    path = tmp_path / "checkpoints" / "00015.npz"
    with np.load(path) as arrays:
        changed = {key: change(value) if key == name else value for key, value in arrays.items()}
    np.savez(path, **changed)
    with pytest.raises(BurnishError, match=message):
        FULL.run(TICKS, tmp_path, checkpoint=15)


def test_every_table_is_marked_synthetic(run):
    for name, schema in TABLES.items():
        table = run.table(name)
        assert table.schema.metadata[b"watermark"] == b"synthetic"
        assert table.schema.names == schema.names
    assert json.loads((run.folder / "manifest.json").read_text())["watermark"] == "synthetic"


def test_tables_can_be_queried_with_duckdb(run):
    files = str(run.folder / "posts" / "*.parquet")
    counted = duckdb.sql(f"select count(*) from read_parquet('{files}')").fetchall()  # noqa: S608
    assert counted == [(len(run.state.posts),)]


def test_every_red_step_and_every_measure_leaves_a_trace(run):
    names = set(run.table("events").column("name").to_pylist())
    assert {s.technique for s in RED} <= names
    measures = set(run.table("moderation").column("measure").to_pylist())
    assert measures == {int(m) for m in Measure}


def test_posts_form_trees(run):
    posts = run.table("posts").to_pandas()
    assert (posts.post == np.arange(len(posts))).all()
    fresh = posts.kind == PostKind.POST
    assert (posts.root[fresh] == posts.post[fresh]).all()
    assert (posts.parent[fresh] == NONE).all()
    below = posts[~fresh]
    parent = posts.iloc[below.parent]
    assert (parent.tick.to_numpy() < below.tick.to_numpy()).all()
    assert (parent.root.to_numpy() == below.root.to_numpy()).all()
    assert (parent.depth.to_numpy() + 1 == below.depth.to_numpy()).all()
    assert below.depth.max() >= 3


def test_counters_are_what_the_tables_say(run):
    posts, actions = run.table("posts").to_pandas(), run.table("actions").to_pandas()
    shares = posts[posts.kind.isin((PostKind.REPOST, PostKind.QUOTE))].parent.value_counts()
    assert (posts.shares[shares.index] == shares).all()
    assert posts.shares.sum() == shares.sum()
    assert posts.likes.sum() == (actions.kind == ActionKind.LIKE).sum()
    made = actions.kind.isin(
        (ActionKind.POST, ActionKind.REPOST, ActionKind.QUOTE, ActionKind.REPLY)
    )
    assert made.sum() == len(posts)


def test_an_account_reposts_a_root_once(run):
    posts = run.table("posts").to_pandas()
    reposts = posts[posts.kind == PostKind.REPOST]
    assert len(reposts) > 500
    assert not reposts.duplicated(["author", "root"]).any()


def test_exposures_to_tracked_claims_are_all_logged(tmp_path):
    everything = replace(world(red=RED).feed, sampling=1.0)
    full = Simulation(world=world(red=RED, feed=everything), n_agents=600, seed=2).run(20)
    some = Simulation(world=world(red=RED), n_agents=600, seed=2).run(20)
    claim = full.table("posts").column("claim").to_numpy()
    exposures = [r.table("exposures").to_pandas() for r in (full, some)]
    tracked = [e[claim[e.post] >= 0] for e in exposures]
    assert len(exposures[0]) == full.exposures
    assert tracked[0].reset_index(drop=True).equals(tracked[1].reset_index(drop=True))
    assert len(exposures[1]) - len(tracked[1]) < 0.1 * (len(exposures[0]) - len(tracked[0]))


def test_a_shown_post_was_there_and_young_and_not_ones_own(run):
    exposures, posts = run.table("exposures").to_pandas(), run.table("posts").to_pandas()
    shown = posts.iloc[exposures.post].reset_index(drop=True)
    age = exposures.tick.astype(int) - shown.tick.astype(int)
    assert age.between(1, FULL.world.feed.window).all()
    assert (shown.author != exposures.agent).all()
    inside = exposures.source == 0
    assert (exposures.via[inside] == shown.author[inside]).all()
    assert (exposures.via[~inside] == NONE).all()


def test_a_twin_without_red_has_the_same_accounts_and_no_campaign(run):
    twin = FULL.twin().run(TICKS)
    assert twin.table("edges").equals(run.table("edges"))
    assert twin.table("agents").equals(run.table("agents"))
    by_red = twin.table("actions").column("policy").to_numpy() == PolicyId.RED
    assert not by_red.any()
    bulk = twin.table("agents").column("activity").to_numpy()[FULL.n_agents :]
    assert len(bulk) == 30
    assert not bulk.any()
    claims = twin.table("posts").column("claim").to_numpy()
    assert not (claims == 0).any()
    assert (claims == 1).any()


def test_a_twin_is_the_same_until_red_begins():
    late = tuple(replace(s, start=12, end=20) for s in RED[1:])
    sim = Simulation(world=world(red=late), n_agents=600, seed=1)
    mine, twin = (s.run(20).table("actions").to_pandas() for s in (sim, sim.twin()))
    before = [a[a.tick < 12].reset_index(drop=True) for a in (mine, twin)]
    assert before[0].equals(before[1])
    assert not mine.equals(twin)


def test_a_branch_is_the_original_until_it_leaves():
    sim = Simulation(world=world(red=RED), n_agents=600, seed=1)
    branch = sim.branch(18, (BlueMeasure(kind=BlueKind.SUSPEND, threshold=0.5, strikes=1),))
    mine, other = (s.run(30).table("actions").to_pandas() for s in (sim, branch))
    before = [a[a.tick < 18].reset_index(drop=True) for a in (mine, other)]
    assert before[0].equals(before[1])
    assert not mine.equals(other)


def test_a_branch_of_a_twin_keeps_its_accounts():
    sim = Simulation(world=world(red=RED), n_agents=300, seed=1)
    branch = sim.branch(8, (BlueMeasure(kind=BlueKind.LABEL, delay=2),))
    assert branch.twin().run(10).state.agents.role.size == 330
    with pytest.raises(UsageError, match="a branch comes after the last one"):
        branch.branch(7, ())


def test_suspended_accounts_fall_silent(run):
    moderation = run.table("moderation").to_pandas()
    gone = moderation[moderation.measure == Measure.SUSPEND]
    assert len(gone) > 4
    actions = run.table("actions").to_pandas()
    merged = actions.merge(gone, on="agent", suffixes=("", "_gone"))
    assert (merged.tick <= merged.tick_gone).all()
    flags = run.state.agents.flags
    assert set(np.flatnonzero(flags & Flag.SUSPENDED)) == set(gone.agent)


def test_core_accounts_act_by_their_own_policy():
    class Silent:
        def __init__(self):
            self.asked = []

        def act(self, tick, agents, feeds, state):
            self.asked += agents.tolist()
            assert len(feeds.start) == len(agents) + 1
            return Actions.none()

    sim = Simulation(world=world(), n_agents=400, seed=1)
    policy, core = Silent(), np.argsort(-sim.fresh().agents.activity)[:3].astype(np.uint32)
    sim = replace(sim, core=Core(policy, np.sort(core)))
    done = sim.run(30)
    assert set(policy.asked) == set(core.tolist())
    by_rule = done.table("actions").to_pandas().query("policy == 0")
    assert not by_rule.agent.isin(core).any()
    assert (done.state.agents.flags[core] & Flag.CORE).all()


def test_automata_act_through_the_same_seam():
    done = Simulation(world=world(), n_agents=500, seed=1, policy=AutomatonPolicy()).run(20)
    actions = done.table("actions").to_pandas()
    by = actions[actions.policy == PolicyId.AUTOMATON]
    assert {ActionKind.LIKE, ActionKind.REPOST, ActionKind.POST} <= set(by.kind)


def test_texts_of_a_policy_are_kept_with_who_wrote_them():
    class Writer:
        def act(self, tick, agents, feeds, state):
            n = len(agents)
            made = Actions.of(
                agents,
                np.full(n, ActionKind.POST, np.uint8),
                np.full(n, NONE, np.uint32),
                np.ones(n, np.float32),
                PolicyId.LLM,
            )
            made.text[:] = np.arange(n)
            return replace(made, texts=tuple(f"tick {tick}, {a}" for a in agents))

    core = np.arange(0, 400, 40, dtype=np.uint32)
    done = Simulation(world=world(), n_agents=400, seed=1, core=Core(Writer(), core)).run(20)
    posts, texts = done.table("posts").to_pandas(), done.table("texts").to_pandas()
    written = posts[posts.text >= 0]
    assert len(texts) > 5
    assert (written.author.to_numpy() == texts.agent[written.text].to_numpy()).all()
    expected = [f"tick {t}, {a}" for t, a in zip(written.tick, written.author, strict=True)]
    assert texts.content[written.text].tolist() == expected


def test_beliefs_stay_within_bounds_and_move_towards_what_is_shown(run):
    beliefs = run.table("beliefs").to_pandas()
    assert beliefs.belief.between(-1, 1).all()
    assert sorted(beliefs.tick.unique()) == [0, 10, 20, 30, 40]
    means = beliefs[beliefs.claim == 1].groupby("tick").belief.mean()
    assert means[40] > means[0]


def test_outlets_post_about_events(run):
    posts = run.table("posts").to_pandas()
    about = posts[(posts.tick == 3) & (posts.claim == 1) & (posts.kind == PostKind.POST)]
    assert len(about) >= 1
    assert set(run.state.agents.role[about.author]) <= {Role.OUTLET}
    assert (about.topic == 2).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FULL.run(0), "1 to 65535 ticks, got 0"),
        (lambda: FULL.run(5, checkpoint=2), "checkpoints need a folder"),
        (lambda: replace(FULL, n_agents=1), r"2 to 2\^31 accounts, got 1"),
        (lambda: replace(FULL, workers=0), "workers is at least 1, got 0"),
        (lambda: Simulation(world=world(), n_agents=2_000_000_000).run(1), "GB are free"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises((ConfigError, UsageError), match=message):
        call()


def test_a_world_that_cannot_be_built_leaves_no_folder(tmp_path):
    with pytest.raises(ConfigError, match="GB are free"):
        Simulation(world=world(), n_agents=2_000_000_000).run(1, tmp_path / "run")
    assert not any(tmp_path.iterdir())


def test_every_tick_is_told_and_those_that_a_checkpoint_spares_at_once(tmp_path):
    small = replace(FULL, n_agents=300)
    told = []
    small.run(6, tmp_path, checkpoint=4, on_tick=lambda: told.append(1))
    assert len(told) == 6
    small.run(9, tmp_path, checkpoint=4, on_tick=lambda: told.append(2))
    assert told[6:] == [2] * 9


def test_a_world_with_nobody_awake_says_so():
    asleep = replace(
        world().population, activity_range=(1e-9, 1e-9), outlets=0, trolls=0, bots=0,
        operators=0, fact_checkers=0,
    )  # fmt: skip
    done = Simulation(world=world(population=asleep, events=()), n_agents=50).run(4)
    assert "4 of 4 ticks had no active account" in done.warnings


def test_bots_sleep_until_their_step_wakes_them():
    sim = Simulation(
        world=world(red=(step(Primitive.ADD_BOTS, start=10, parameters={"count": 40}),)),
        n_agents=400,
        policy=RulePolicy(),
    )
    actions = sim.run(20).table("actions").to_pandas()
    bots = actions[actions.agent >= 400]
    assert len(bots) > 20
    assert bots.tick.min() == 10
