"""What the page is told agrees with the tables."""

from __future__ import annotations

import base64
import json

import numpy as np
import pytest

from burnish.methods.socialsim.replay.packing import ABSENT, NEVER, array, packed
from burnish.methods.socialsim.schema import NONE, TABLES, Role


def opened(values):
    flat = np.frombuffer(base64.b64decode(values["data"]), values["type"])
    return flat.reshape(values["shape"])


@pytest.fixture(scope="module")
def told(run):
    return packed(run, None, most=150, seed=0)


@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.uint16, np.int32, np.float32])
def test_arrays_come_back(kind):
    values = np.arange(12).reshape(3, 4).astype(kind)
    assert (opened(array(values)) == values).all()
    assert (opened(array(values[:, ::2])) == values[:, ::2]).all()


def test_all_of_it_is_json_without_nan(told):
    assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_series_count_the_whole_run(run, told):
    posts = run["posts"]
    assert sum(told["series"]["posts"]) == posts.num_rows
    assert sum(told["series"]["false"]) == int((posts["veracity"].to_numpy() == 2).sum())
    seen = run["exposures"]
    claim = posts["claim"].to_numpy()[seen["post"].to_numpy()]
    reached = {int(a) for a, c in zip(seen["agent"].to_numpy(), claim, strict=True) if c == 1}
    assert told["series"]["reach"][1][-1] == len(reached)
    assert (np.diff(told["series"]["reach"][1]) >= 0).all()
    assert opened(told["series"]["groups"]).sum() == posts.num_rows


def test_first_meetings_are_the_earliest(run, told):
    ids, first = opened(told["graph"]["id"]), opened(told["reached"])
    seen = run["exposures"]
    claim = run["posts"]["claim"].to_numpy()[seen["post"].to_numpy()]
    for row in (0, 50, 149):
        mine = (seen["agent"].to_numpy() == ids[row]) & (claim == 0)
        expected = seen["tick"].to_numpy()[mine].min() if mine.any() else NEVER
        assert first[0, row] == expected


def test_beliefs_are_rounded_to_a_hundredth_and_means_are_of_everyone(run, told):
    ids, own = opened(told["graph"]["id"]), opened(told["beliefs"]["nodes"])
    table = run["beliefs"].to_pydict()
    tick, claim, agent = (np.array(table[name]) for name in ("tick", "claim", "agent"))
    belief = np.array(table["belief"])
    assert told["beliefs"]["ticks"] == [0, 10, 20]
    chosen = (tick == 10) & (claim == 1)
    row = belief[chosen][np.argsort(agent[chosen])]
    assert np.abs(own[1, 1] / 100 - row[ids]).max() <= 0.00501
    assert told["beliefs"]["mean"][1 * 2 + 1] == pytest.approx(row.mean(), abs=1e-5)
    community = run["agents"]["community"].to_numpy()
    groups = opened(told["beliefs"]["groups"])
    assert groups[1, 1, 3] == pytest.approx(row[community == 3].mean(), abs=1e-5)


def test_trees_are_the_cascades(run, told):
    posts = run["posts"]
    tree = told["cascades"][0]
    members = np.flatnonzero(posts["root"].to_numpy() == tree["root"])
    parent = opened(tree["parent"])
    assert tree["size"] == len(members) == len(parent)
    assert parent[0] == NEVER
    above = members[parent[1:]]
    assert (posts["parent"].to_numpy()[members[1:]] == above).all()
    assert tree["depth"] == posts["depth"].to_numpy()[members].max()


def test_pulses_are_sorted_by_tick_and_point_at_shown_accounts(run, told):
    pulses = told["pulses"]
    start, node, source = (opened(pulses[name]) for name in ("start", "node", "from"))
    ids = opened(told["graph"]["id"])
    authors = run["posts"]["author"].to_numpy()
    mine = np.isin(authors, ids)
    assert start[-1] == len(node) == mine.sum()
    tick = run["posts"]["tick"].to_numpy()
    assert np.diff(start).tolist() == np.bincount(tick[mine], minlength=told["ticks"]).tolist()
    assert ((source == ABSENT) | (source < len(ids))).all()


def test_feeds_tell_what_was_shown_and_done(run, told):
    feeds = told["feeds"]
    start, node, post = (opened(feeds[name]) for name in ("start", "node", "post"))
    ids, known = opened(told["graph"]["id"]), opened(feeds["posts"]["id"])
    seen = run["exposures"]
    pairs = set(zip(seen["agent"].to_pylist(), seen["post"].to_pylist(), strict=True))
    acts = run["actions"]
    did = set(
        zip(
            acts["agent"].to_pylist(),
            acts["post"].to_pylist(),
            acts["kind"].to_pylist(),
            strict=True,
        )
    )
    done = opened(feeds["did"])
    for reader in range(0, len(node), 20):
        for entry in range(start[reader], start[reader + 1]):
            agent, shown = int(ids[node[reader]]), int(known[post[entry]])
            assert (agent, shown) in pairs
            if done[entry]:
                assert (agent, shown, int(done[entry])) in did
    assert done.any()


def test_core_agents_have_their_feeds_kept(told):
    ids, node = opened(told["graph"]["id"]), opened(told["feeds"]["node"])
    assert set(range(8)) <= set(ids[node].tolist())


def test_texts_of_coordinated_accounts_stay_out(run, told):
    assert any("by bot" in text for text in run["texts"]["content"].to_pylist())
    assert told["feeds"]["posts"]["text"]
    assert not any("by bot" in text for text in told["feeds"]["posts"]["text"].values())
    role = opened(told["feeds"]["posts"]["role"])
    assert all(role[int(place)] != Role.BOT for place in told["feeds"]["posts"]["text"])


def test_events_are_told_in_the_order_of_time(told):
    assert told["events"] == [[2, 1, "T0049.003", 4], [5, 2, "label", 1]]


def test_a_run_in_which_nothing_happened_can_be_told(run):
    empty = {name: schema.empty_table() for name, schema in TABLES.items()}
    told = packed({**empty, "agents": run["agents"]}, None, most=50, seed=0)
    assert told["ticks"] == 1
    assert told["claims"] == 0
    assert told["cascades"] == []
    assert NONE not in opened(told["feeds"]["start"])
