from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest

from burnish.errors import ConfigError, DataError
from burnish.methods.socialsim.networks import build
from burnish.methods.socialsim.population import populate
from burnish.methods.socialsim.world import NetworkKind, NetworkSettings, PopulationSettings

N = 20_000
AGENTS = populate(PopulationSettings(), N, 0, seed=1)
SMALL = populate(PopulationSettings(), 300, 0, seed=1)


def edge_set(graph):
    who, whom, _ = graph.edges()
    return set(zip(who.tolist(), whom.tolist(), strict=True))


@pytest.fixture(scope="module")
def graph():
    return build(NetworkSettings(), AGENTS, seed=1)


def test_the_block_model_has_the_degree_it_is_told(graph):
    assert graph.length.mean() == pytest.approx(20, rel=0.15)  # repeats are dropped
    assert graph.length.min() >= 1
    logs = np.log(graph.length)
    assert logs.std() == pytest.approx(1, abs=0.25)


def test_homophily_is_the_share_of_edges_inside(graph):
    who, whom, _ = graph.edges()
    inside = (AGENTS.community[who] == AGENTS.community[whom]).mean()
    assert inside == pytest.approx(0.7, abs=0.05)


def test_in_degrees_are_unequal(graph):
    top = np.sort(graph.followers)[-N // 100 :].sum() / graph.followers.sum()
    assert top > 0.15


def test_reciprocity_is_the_share_of_edges_returned(graph):
    low = build(NetworkSettings(reciprocity=0.0), AGENTS, seed=1)
    edges, fewer = edge_set(graph), edge_set(low)
    returned = [sum((b, a) in e for a, b in e) / len(e) for e in (edges, fewer)]
    assert returned[0] - returned[1] == pytest.approx(0.2, abs=0.04)


def test_closure_makes_triangles():
    counts = []
    for closure in (0.0, 0.5):
        flat = NetworkSettings(closure=closure, reciprocity=0, attractiveness=9, mean_degree=8)
        edges = edge_set(build(flat, AGENTS, seed=1))
        follows: dict[int, set[int]] = {}
        for a, b in edges:
            follows.setdefault(a, set()).add(b)
        counts.append(sum(len(follows[a] & follows.get(b, set())) for a, b in edges) / len(edges))
    assert counts[1] > 5 * counts[0]


def test_equal_seeds_give_equal_graphs():
    first, second, third = (build(NetworkSettings(), SMALL, seed=s) for s in (4, 4, 5))
    assert edge_set(first) == edge_set(second) != edge_set(third)


@pytest.mark.parametrize(
    "kind",
    [NetworkKind.ERDOS_RENYI, NetworkKind.WATTS_STROGATZ, NetworkKind.BARABASI_ALBERT],
)
def test_classical_graphs_have_the_degree_they_are_told(kind):
    graph = build(NetworkSettings(kind=kind, mean_degree=12), SMALL, seed=2)
    assert graph.length.mean() == pytest.approx(12, rel=0.1)
    edges = edge_set(graph)
    assert all((b, a) in edges for a, b in edges)


def test_an_lfr_graph_has_a_degree_near_what_it_is_told():
    settings = NetworkSettings(kind=NetworkKind.LFR, mean_degree=10, homophily=0.8)
    assert build(settings, SMALL, seed=2).length.mean() == pytest.approx(10, rel=0.4)


def test_an_edge_list_keeps_its_shape_and_hides_its_ids(tmp_path):
    path = tmp_path / "edges.csv"
    follower, followee = [901, 901, 77, 5], [77, 5, 5, 901]
    pa_csv.write_csv(pa.table({"follower": follower, "followee": followee}), path)
    settings = NetworkSettings(kind=NetworkKind.EDGES, edges_path=str(path))
    graph = build(settings, SMALL, seed=2)
    assert sorted(graph.length[graph.length > 0]) == [1, 1, 2]
    assert sorted(graph.followers[graph.followers > 0]) == [1, 1, 2]
    who = {a for edge in edge_set(graph) for a in edge}
    assert who != {0, 1, 2}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "has no column 'follower'"),
        ("follower,followee\n1,1\n", "row 1: an account follows itself"),
        ("", "no edge list in CSV or Parquet"),
    ],
)
def test_a_bad_edge_list_is_refused(tmp_path, text, message):
    path = tmp_path / "edges.csv"
    path.write_text(text)
    with pytest.raises(DataError, match=message):
        build(NetworkSettings(kind=NetworkKind.EDGES, edges_path=str(path)), SMALL, seed=2)


def test_an_edge_list_larger_than_the_world_is_refused(tmp_path):
    path = tmp_path / "edges.csv"
    rows = {"follower": list(range(400)), "followee": list(range(1, 401))}
    pa_csv.write_csv(pa.table(rows), path)
    with pytest.raises(DataError, match="has 401 accounts and the world 300; set n_agents"):
        build(NetworkSettings(kind=NetworkKind.EDGES, edges_path=str(path)), SMALL, seed=2)


def test_edges_need_a_path():
    with pytest.raises(ConfigError, match="edges_path goes with kind 'edges'"):
        NetworkSettings(kind=NetworkKind.EDGES)
