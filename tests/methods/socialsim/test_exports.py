"""What leaves a run: all of its numbers, and no word of a red account."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest

from burnish.errors import DataError, UsageError
from burnish.methods.socialsim.acting import Actions
from burnish.methods.socialsim.exports import follow_graph, write_graphml, write_sqlite
from burnish.methods.socialsim.frames import write_frames
from burnish.methods.socialsim.loop import Core, Simulation
from burnish.methods.socialsim.recorded import Recorded
from burnish.methods.socialsim.schema import NONE, ActionKind, PolicyId, PostKind, Role
from burnish.methods.socialsim.world import (
    Claim,
    PopulationSettings,
    Primitive,
    RedStep,
    World,
)

N, TICKS = 600, 30
SECRET = "everyone must flee the harbour tonight"
PEOPLE = PopulationSettings(bots=0.03, trolls=0.03, operators=0.02, activity_scale=0.1)
FLOOD = RedStep(
    technique="T0049.002", primitive=Primitive.TOPIC_FLOOD, start=2, end=20, intensity=1.0
)
WORLD = World(
    name="Tarn",
    claims=(Claim(code="C1"), Claim(code="C2", true=True)),
    population=PEOPLE,
    red=(FLOOD,),
)
ASSETS = (Role.TROLL, Role.BOT, Role.OPERATOR)


class Writer:
    """Red accounts write freely here, and every third other account repeats them."""

    def act(self, tick, agents, feeds, state):
        made = Actions.of(
            agents,
            np.full(len(agents), ActionKind.POST, np.uint8),
            np.full(len(agents), NONE, np.uint32),
            np.ones(len(agents), np.float32),
            PolicyId.LLM,
        )
        made.text[:] = np.arange(len(agents))
        red = np.isin(state.agents.role[agents], ASSETS)
        return replace(made, texts=tuple(map(self.words, agents.tolist(), red.tolist())))

    def words(self, agent, is_red):
        if is_red:
            return SECRET
        return f"They say:  {SECRET.upper()}!" if agent % 3 == 0 else f"Fine weather, says {agent}"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    bare = Simulation(world=WORLD, n_agents=N, seed=4)
    core = np.arange(0, N, 3, dtype=np.uint32)
    core = np.union1d(core, np.flatnonzero(np.isin(bare.fresh().agents.role, ASSETS)))
    core = np.union1d(core, np.arange(1, N, 9)).astype(np.uint32)
    sim = replace(bare, core=Core(Writer(), core))
    return sim.run(TICKS, tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def trace(run, tmp_path_factory):
    return write_sqlite(Recorded.of(run), tmp_path_factory.mktemp("out") / "trace.db")


def query(trace, text):
    with closing(sqlite3.connect(trace)) as database:
        return database.execute(text).fetchall()


def test_no_word_of_a_red_account_leaves(run, trace, tmp_path):
    written = run.table("texts").column("content").to_pylist()
    assert sum(SECRET in text.lower() for text in written) > 50
    assert any(SECRET.upper() in text for text in written)
    write_graphml(follow_graph(run.table("agents"), run.table("edges")), tmp_path / "a.graphml")
    write_frames(Recorded.of(run), tmp_path)
    files = [trace, *tmp_path.iterdir()]
    assert len(files) == 4
    for file in files:
        for word in ("harbour", "flee"):
            assert word not in file.read_bytes().decode("latin-1").lower()


def test_red_posts_are_claim_codes_and_all_contents_are_marked(trace):
    rows = query(trace, "SELECT role, kind, content FROM post JOIN user USING (user_id)")
    red = {role.name.lower() for role in ASSETS}
    said = {content for role, kind, content in rows if role in red and kind == "post"}
    assert "[SYNTHETIC] claim C1" in said
    assert all(text.startswith(("[SYNTHETIC] claim C", "[SYNTHETIC] topic ")) for text in said)
    assert not any("stance" in text for text in said)
    contents = [content for _, _, content in rows if content is not None]
    assert all(text.startswith("[SYNTHETIC] ") for text in contents)
    assert any(text.startswith("[SYNTHETIC] Fine weather, says") for text in contents)
    assert any("stance" in text for text in contents)
    assert {kind for _, kind, content in rows if content is None} == {"repost"}


def test_tables_have_every_row_of_the_run(run, trace):
    for ours, theirs in {
        "agents": "user",
        "posts": "post",
        "edges": "follow",
        "actions": "trace",
        "exposures": "rec",
        "beliefs": "belief",
    }.items():
        [(count,)] = query(trace, f"SELECT count(*) FROM {theirs}")  # noqa: S608
        assert count == run.table(ours).num_rows > 0


def test_rows_say_what_the_run_says(run, trace):
    posts = run.table("posts").to_pandas()
    reply = posts[posts.kind == PostKind.REPLY].iloc[0]
    fields = "user_id, created_at, parent_post_id, root_post_id, depth, num_likes, kind, claim"
    [row] = query(trace, f"SELECT {fields} FROM post WHERE post_id = {reply.post}")  # noqa: S608
    claim = None if reply.claim < 0 else f"C{reply.claim + 1}"
    assert row == (
        *(int(reply[name]) for name in ("author", "tick", "parent", "root", "depth", "likes")),
        "reply",
        claim,
    )
    parents = query(trace, "SELECT DISTINCT parent_post_id FROM post WHERE kind = 'post'")
    assert parents == [(None,)]
    [(likes,)] = query(trace, 'SELECT count(*) FROM "like"')
    [(counted,)] = query(trace, "SELECT sum(num_likes) FROM post")
    assert likes == counted > 0
    degrees = "SELECT sum(num_followers), sum(num_followings) FROM user"
    edges = run.table("edges").num_rows
    assert query(trace, degrees) == [(edges, edges)]
    assert ("watermark", "synthetic") in query(trace, "SELECT * FROM about")
    policies = {policy for (policy,) in query(trace, "SELECT DISTINCT policy FROM trace")}
    assert {"rule", "llm", "red"} <= policies


def test_equal_runs_give_equal_files_and_a_file_is_replaced(run, trace, tmp_path):
    again = tmp_path / "again.db"
    again.write_text("an older file")
    write_sqlite(Recorded.at(run.folder), again)
    assert again.read_bytes() == trace.read_bytes()
    assert list(tmp_path.iterdir()) == [again]


def test_too_many_accounts_and_bad_places_are_refused(by_hand, run, tmp_path):
    many = Recorded(("C1",), memory={"agents": by_hand.agents(100_001)})
    with pytest.raises(UsageError, match=r"SQLite trace holds up to 100,000 accounts, got 100,001"):
        write_sqlite(many, tmp_path / "x.db")
    with pytest.raises(UsageError, match="networkx graph holds up to 100,000 accounts"):
        follow_graph(by_hand.agents(100_001), run.table("edges"))
    with pytest.raises(UsageError, match="cannot be written"):
        write_sqlite(Recorded.of(run), tmp_path)
    assert not list(tmp_path.parent.glob("*.partial"))


def test_a_row_about_an_unknown_claim_is_refused(run, tmp_path):
    fewer = replace(Recorded.of(run), claims=("C1",))
    with pytest.raises(DataError, match="about claim 1 of 1"):
        write_sqlite(fewer, tmp_path / "x.db")
    assert not list(tmp_path.iterdir())


def test_the_graph_has_the_edges_and_traits_of_the_run(run, tmp_path):
    agents, edges = run.table("agents"), run.state.graph.table()
    graph = follow_graph(agents, edges)
    assert graph.number_of_nodes() == N
    assert set(graph.edges) == set(
        zip(edges["follower"].to_pylist(), edges["followee"].to_pylist(), strict=True)
    )
    assert max(birth for *_, birth in graph.edges(data="birth")) > 0
    read = nx.read_graphml(write_graphml(graph, tmp_path / "g.graphml"), node_type=int)
    assert read.graph["watermark"] == "synthetic"
    assert dict(read.nodes(data=True)) == dict(graph.nodes(data=True))
    assert set(read.edges(data="birth")) == set(graph.edges(data="birth"))
    row = agents.slice(7, 1).to_pylist()[0]
    assert graph.nodes[7]["openness"] == row["openness"]
    assert graph.nodes[7]["role"] == Role(row["role"]).name.lower()
    assert graph.nodes[7]["trust"] == pytest.approx(row["trust"], abs=1e-6)


def test_an_edge_to_nowhere_is_refused(by_hand, run):
    with pytest.raises(DataError, match="touches an account that is not there"):
        follow_graph(by_hand.agents(5), run.table("edges"))
