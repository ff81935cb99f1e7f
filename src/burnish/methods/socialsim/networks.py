"""Graphs to start from: who follows whom at tick 0.

The default is a stochastic block model whose targets are drawn by attractiveness, with a share of
edges closed into triangles and a share returned; the classical models come from networkx and are
for small worlds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import networkx as nx
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from burnish.errors import DataError
from burnish.methods.socialsim.compiled import compiled
from burnish.methods.socialsim.graph import Graph
from burnish.methods.socialsim.population import Agents
from burnish.methods.socialsim.randomness import Stage, bits, normals, stage_key, uniform, uniforms
from burnish.methods.socialsim.world import NetworkKind, NetworkSettings

Edges = tuple[NDArray[np.uint32], NDArray[np.uint32]]


def build(settings: NetworkSettings, agents: Agents, seed: int) -> Graph:
    """The graph of a world.

    Args:
        settings: kind and numbers of the generator.
        agents: of n accounts; communities and roles matter to the block model.
        seed: of every draw.

    Raises:
        DataError: the user's edge list is unreadable, has a loop or more accounts than the world.
    """
    n = len(agents)
    if settings.kind is NetworkKind.BLOCK:
        return block_model(settings, agents, seed)
    if settings.kind is NetworkKind.EDGES:
        return Graph.of(*_read(Path(str(settings.edges_path)), n, seed), n)
    return Graph.of(*_CLASSICAL[settings.kind](settings, n, seed), n)


def block_model(settings: NetworkSettings, agents: Agents, seed: int) -> Graph:
    """Stochastic blocks with preferential attachment.

    Out-degrees are lognormal, the target's community is the own one with probability `homophily`,
    a target inside is drawn in proportion to a Pareto attractiveness; `closure` and `reciprocity`
    are shares of edges that close a triangle, and that are returned.
    """
    n, key = len(agents), stage_key(seed, -1, Stage.GRAPH)
    who = np.arange(n, dtype=np.uint32)
    pull = (1 - uniforms(key, who, 1)) ** (-1 / settings.attractiveness)
    degree = _degrees(settings, normals(key, who, 2))
    order = np.argsort(agents.community, kind="stable").astype(np.uint32)
    sizes = np.bincount(agents.community)
    bounds = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
    threshold, alias = _alias_tables(bounds, pull[order])
    all_threshold, all_alias = _alias_tables(np.array([0, n]), pull[order])
    start = np.concatenate([np.zeros(1, np.int64), np.cumsum(degree)])
    target = _draw_targets(
        key,
        start,
        agents.community,
        bounds,
        order,
        threshold,
        alias,
        all_threshold,
        all_alias,
        _at_home(settings.homophily, len(sizes)),
    )
    _close_triangles(key, start, target, settings.closure)
    follower, followee = np.repeat(who, degree), target
    # a share p of edges returned makes 2p / (1 + p) of them mutual
    back = settings.reciprocity / (2 - settings.reciprocity)
    edge = np.arange(len(target), dtype=np.uint32)
    returned = uniforms(stage_key(seed, -2, Stage.GRAPH), edge, 0) < back
    return Graph.of(
        np.concatenate([follower, followee[returned]]),
        np.concatenate([followee, follower[returned]]),
        n,
    )


def _at_home(homophily: float, communities: int) -> float:
    """How often to draw inside, when a draw from everywhere may come home as well."""
    return max(0.0, (homophily * communities - 1) / (communities - 1)) if communities > 1 else 1.0


def _degrees(settings: NetworkSettings, draw: NDArray[np.float64]) -> NDArray[np.int64]:
    sigma = settings.degree_sigma
    mean = settings.mean_degree * (1 - settings.reciprocity / 2)  # the rest is returned edges
    most = min(settings.degree_cap, max(1, len(draw) - 1))
    degree = np.exp(np.log(mean) - sigma**2 / 2 + sigma * draw)
    return np.asarray(np.clip(np.rint(degree), 1, most), np.int64)


@compiled
def _alias_tables(
    bounds: NDArray[np.int64], weight: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Walker's alias method, one table for each segment of `weight`."""
    threshold = np.ones(len(weight))
    alias = np.arange(len(weight))
    small, large = np.empty(len(weight), np.int64), np.empty(len(weight), np.int64)
    for b in range(len(bounds) - 1):
        low, high = bounds[b], bounds[b + 1]
        if high == low:
            continue
        scale = (high - low) / weight[low:high].sum()
        few, many = 0, 0
        for i in range(low, high):
            threshold[i] = weight[i] * scale
            if threshold[i] < 1.0:
                small[few] = i
                few += 1
            else:
                large[many] = i
                many += 1
        while few and many:
            few -= 1
            i, j = small[few], large[many - 1]
            alias[i] = j
            threshold[j] -= 1.0 - threshold[i]
            if threshold[j] < 1.0:
                many -= 1
                small[few] = j
                few += 1
        for i in range(many):
            threshold[large[i]] = 1.0
        for i in range(few):
            threshold[small[i]] = 1.0
    return threshold, alias


@compiled
def _draw_targets(
    key: np.uint64,
    start: NDArray[np.int64],
    community: NDArray[np.uint16],
    bounds: NDArray[np.int64],
    order: NDArray[np.uint32],
    threshold: NDArray[np.float64],
    alias: NDArray[np.int64],
    all_threshold: NDArray[np.float64],
    all_alias: NDArray[np.int64],
    homophily: float,
) -> NDArray[np.uint32]:
    target = np.empty(start[-1], np.uint32)
    for u in range(len(start) - 1):
        low, high = bounds[community[u]], bounds[community[u] + 1]
        for e in range(start[u], start[u + 1]):
            draw = 8 + 3 * (e - start[u])
            at_home = uniform(key, u, draw) < homophily
            place = uniform(key, u, draw + 1)
            coin = uniform(key, u, draw + 2)
            if at_home:
                i = low + int(place * (high - low))
                target[e] = order[i if coin < threshold[i] else alias[i]]
            else:
                i = int(place * len(order))
                target[e] = order[i if coin < all_threshold[i] else all_alias[i]]
    return target


@compiled
def _close_triangles(
    key: np.uint64, start: NDArray[np.int64], target: NDArray[np.uint32], closure: float
) -> None:
    """Redirect a share of edges to a followee of another followee, which closes a triangle."""
    for u in range(len(start) - 1):
        degree = np.uint64(start[u + 1] - start[u])
        for e in range(start[u], start[u + 1]):
            draw = 8_000 + 3 * (e - start[u])
            if uniform(key, u, draw) < closure:
                v = target[start[u] + np.int64(bits(key, u, draw + 1) % degree)]
                width = np.uint64(start[v + 1] - start[v])
                target[e] = target[start[v] + np.int64(bits(key, u, draw + 2) % width)]


def _networkx(make: Callable[[NetworkSettings, int, int], nx.Graph]) -> Callable[..., Edges]:
    def edges(settings: NetworkSettings, n: int, seed: int) -> Edges:
        pairs = np.array(make(settings, n, seed % 2**32).edges(), np.uint32).reshape(-1, 2)
        # an undirected friendship is a follow each way
        return np.concatenate([pairs[:, 0], pairs[:, 1]]), np.concatenate(
            [pairs[:, 1], pairs[:, 0]]
        )

    return edges


def _erdos_renyi(settings: NetworkSettings, n: int, seed: int) -> nx.Graph:
    return nx.fast_gnp_random_graph(n, min(1.0, settings.mean_degree / max(1, n - 1)), seed=seed)


def _watts_strogatz(settings: NetworkSettings, n: int, seed: int) -> nx.Graph:
    nearest = min(n - 1, 2 * round(settings.mean_degree / 2))
    return nx.watts_strogatz_graph(n, nearest, settings.rewiring, seed=seed)


def _barabasi_albert(settings: NetworkSettings, n: int, seed: int) -> nx.Graph:
    return nx.barabasi_albert_graph(n, max(1, min(n - 1, round(settings.mean_degree / 2))), seed)


def _lfr(settings: NetworkSettings, n: int, seed: int) -> nx.Graph:
    graph = nx.LFR_benchmark_graph(
        n,
        tau1=2.5,
        tau2=1.5,
        mu=1 - settings.homophily,
        average_degree=settings.mean_degree,
        max_degree=min(settings.degree_cap, n // 5),
        min_community=n // 20,
        max_iters=500,
        seed=seed,
    )
    graph.remove_edges_from(nx.selfloop_edges(graph))
    return graph


_CLASSICAL: dict[NetworkKind, Callable[[NetworkSettings, int, int], Edges]] = {
    NetworkKind.ERDOS_RENYI: _networkx(_erdos_renyi),
    NetworkKind.WATTS_STROGATZ: _networkx(_watts_strogatz),
    NetworkKind.BARABASI_ALBERT: _networkx(_barabasi_albert),
    NetworkKind.LFR: _networkx(_lfr),
}


def _read(path: Path, n: int, seed: int) -> Edges:
    """The user's edges, with ids shuffled so that no account can be traced back to its row."""
    try:
        table = pq.read_table(path) if path.suffix == ".parquet" else pa_csv.read_csv(path)
    except (OSError, pa.ArrowException) as error:
        why = " ".join(str(error).split())[:200]
        raise DataError(f"{path} is no edge list in CSV or Parquet: {why}") from error
    for name in ("follower", "followee"):
        if name not in table.column_names:
            raise DataError(f"{path} has no column {name!r}; an edge list has follower, followee")
    names = [table.column(name).to_numpy() for name in ("follower", "followee")]
    known, rows = np.unique(np.concatenate(names), return_inverse=True)
    if len(known) > n:
        raise DataError(f"{path} has {len(known)} accounts and the world {n}; set n_agents")
    follower, followee = np.split(rows.astype(np.uint32), 2)
    loops = np.flatnonzero(follower == followee)
    if len(loops):
        raise DataError(f"{path} row {loops[0] + 1}: an account follows itself; drop that edge")
    key = stage_key(seed, -3, Stage.GRAPH)
    order = np.argsort(uniforms(key, np.arange(n, dtype=np.uint32), 0), kind="stable")
    shuffled = order.astype(np.uint32)
    return shuffled[follower], shuffled[followee]
