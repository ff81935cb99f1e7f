"""What the page knows of a run, as small arrays. Reads tables and draws nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from burnish.methods.socialsim.columns import column, rows_of
from burnish.methods.socialsim.personas import RED
from burnish.methods.socialsim.replay.layout import place
from burnish.methods.socialsim.replay.sampling import biggest_roots, edges, nodes, rows
from burnish.methods.socialsim.schema import (
    NO_CLAIM,
    NO_TEXT,
    NONE,
    ActionKind,
    Flag,
    PostKind,
    Role,
    Veracity,
)

NEVER = 0xFFFF  # tick of what did not happen
ABSENT = 0xFFFF  # node of an account that is not shown
_CASCADES, _CASCADE_POSTS, _ALL_CASCADE_POSTS = 80, 1_500, 50_000
_READERS, _READER_ROWS = 300, 120
_PULSES, _EVENTS, _TEXTS = 80_000, 2_000, 4_000

Run = Mapping[str, pa.Table]
Array = NDArray[Any]


@dataclass(frozen=True)
class Shown:
    """The accounts on the page.

    Attributes:
        ids: (n,) agent ids, ascending.
        row: (agents,) place among `ids`, -1 for the others.
    """

    ids: NDArray[np.uint32]
    row: NDArray[np.int64]


def packed(run: Run, twin: Run | None, *, most: int, seed: int) -> dict[str, Any]:
    """Everything the page's script reads, as JSON can hold it.

    Args:
        run: tables by name.
        twin: those of the run without the campaign or the measure, with the same accounts.
        most: accounts shown one by one.
        seed: of the draws of accounts and follows.
    """
    rng = np.random.default_rng(seed)
    ids = nodes(run, most, rng)
    shown = Shown(ids, rows(ids, run["agents"].num_rows))
    ticks = _ticks(run)
    readers = _readers(run, shown)
    parts = {
        "ticks": ticks,
        "accounts": run["agents"].num_rows,
        "claims": _claims(run),
        "graph": _graph(run, shown, rng),
        "pulses": _pulses(run, shown, ticks),
        "reached": array(_reached(run, shown)),
        "beliefs": _beliefs(run, shown),
        "cascades": _cascades(run, shown),
        "feeds": readers,
        "events": _events(run),
        "series": _series(run, ticks),
        "names": {
            "roles": [_said(role.name) for role in Role],
            "kinds": [_said(kind.name) for kind in PostKind],
            "actions": [_said(kind.name) for kind in ActionKind],
        },
    }
    if twin is not None:
        parts["twin"] = {
            "beliefs": _beliefs(twin, shown),
            "reached": array(_reached(twin, shown)),
            "series": _series(twin, ticks),
        }
    return parts


def array(values: Array) -> dict[str, Any]:
    """An array as the page reads it: type, shape and little-endian bytes in base64."""
    plain = np.ascontiguousarray(values)
    little = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
    return {
        "type": plain.dtype.name,
        "shape": list(plain.shape),
        "data": base64.b64encode(little.tobytes()).decode(),
    }


def _said(name: str) -> str:
    return name.lower().replace("_", " ")


def _ticks(run: Run) -> int:
    """One past the last tick of which a table tells."""
    last = [int(column(run[name], "tick").max()) for name in _TIMED if run[name].num_rows]
    return max(last, default=0) + 1


_TIMED = ("posts", "actions", "exposures", "events")


def _claims(run: Run) -> int:
    claims = column(run["beliefs"], "claim")
    return int(claims.max()) + 1 if len(claims) else 0


def _graph(run: Run, shown: Shown, rng: np.random.Generator) -> dict[str, Any]:
    agents = run["agents"].take(shown.ids)
    whole = column(run["agents"], "community")
    sizes = np.bincount(whole)
    community = column(agents, "community")
    pairs = edges(run, shown.ids, rng)
    layout = place(community, sizes, pairs)
    followers = np.bincount(column(run["edges"], "followee"), minlength=len(whole))
    flags = column(agents, "flags")
    return {
        "x": array(np.round(layout.nodes[:, 0] * 65535).astype(np.uint16)),
        "y": array(np.round(layout.nodes[:, 1] * 65535).astype(np.uint16)),
        "id": array(shown.ids),
        "role": array(column(agents, "role")),
        "community": array(community.astype(np.uint16)),
        "followers": array(followers[shown.ids].astype(np.uint32)),
        "ideology": array(_small(column(agents, "ideology"))),
        "core": array((flags & Flag.CORE > 0).astype(np.uint8)),
        "edges": array(pairs.astype(np.uint16)),
        "centres": array(layout.centres.astype(np.float32)),
        "radii": array(layout.radii.astype(np.float32)),
        "sizes": array(sizes.astype(np.uint32)),
        "shown": array(np.bincount(community, minlength=len(sizes)).astype(np.uint32)),
        "between": array(_between(run, len(sizes))),
    }


def _between(run: Run, communities: int) -> NDArray[np.uint32]:
    """(B, B) follows from one community into another."""
    whole = column(run["agents"], "community").astype(np.int64)
    follower, followee = (column(run["edges"], name) for name in ("follower", "followee"))
    cell = whole[follower] * communities + whole[followee]
    return np.bincount(cell, minlength=communities**2).astype(np.uint32).reshape(communities, -1)


def _pulses(run: Run, shown: Shown, ticks: int) -> dict[str, Any]:
    """Posts by shown accounts, by tick: who, what kind, whose post was passed on."""
    posts = run["posts"]
    author = shown.row[column(posts, "author")]
    own = np.flatnonzero(author >= 0)
    own = own[np.linspace(0, len(own) - 1, min(len(own), _PULSES)).astype(int)]
    tick = column(posts, "tick")[own]
    order = np.argsort(tick, kind="stable")
    own, tick = own[order], tick[order]
    parents = rows_of(column(posts, "post"), column(posts, "parent")[own])
    parent = np.where(parents >= 0, author[parents], -1)
    return {
        "start": array(np.searchsorted(tick, np.arange(ticks + 1)).astype(np.uint32)),
        "node": array(author[own].astype(np.uint16)),
        "kind": array(column(posts, "kind")[own]),
        "from": array(np.where(parent >= 0, parent, ABSENT).astype(np.uint16)),
        "claim": array(column(posts, "claim")[own].astype(np.int8)),
    }


def _reached(run: Run, shown: Shown) -> NDArray[np.uint16]:
    """(claims, n) first tick at which a shown account met a claim, NEVER for none."""
    claim, tick, agent = _met(run)
    first = np.full((_claims(run), len(shown.ids)), NEVER, np.uint16)
    row = shown.row[agent]
    kept = row >= 0
    np.minimum.at(first, (claim[kept], row[kept]), tick[kept])
    return first


def _met(run: Run) -> tuple[Array, Array, Array]:
    """Claim, tick and agent of each logged exposure to a tracked claim."""
    posts, seen = run["posts"], run["exposures"]
    place = rows_of(column(posts, "post"), column(seen, "post"))
    claim = np.where(place >= 0, column(posts, "claim")[place], NO_CLAIM) if len(posts) else place
    kept = (claim >= 0) & (claim < _claims(run))
    return claim[kept], column(seen, "tick")[kept], column(seen, "agent")[kept]


def _beliefs(run: Run, shown: Shown) -> dict[str, Any]:
    """Snapshots of shown accounts (S, claims, n) and means of communities (S, claims, B)."""
    table, claims = run["beliefs"], _claims(run)
    tick, claim, agent = (column(table, name) for name in ("tick", "claim", "agent"))
    ticks = np.unique(tick)
    at = np.searchsorted(ticks, tick)
    belief, row = column(table, "belief"), shown.row[agent]
    own = np.zeros((len(ticks), claims, len(shown.ids)), np.int8)
    kept = row >= 0
    own[at[kept], claim[kept], row[kept]] = _small(belief[kept])
    community = column(run["agents"], "community").astype(np.int64)
    groups = int(community.max()) + 1
    cell = (at * claims + claim) * groups + community[agent]
    cells = len(ticks) * claims * groups
    total, count = np.bincount(cell, belief, cells), np.bincount(cell, minlength=cells)
    mean = np.divide(total, count, out=np.zeros(cells), where=count > 0)
    return {
        "ticks": ticks.tolist(),
        "nodes": array(own),
        "groups": array(mean.astype(np.float32).reshape(len(ticks), claims, groups)),
        "mean": _overall(belief, at * claims + claim, len(ticks) * claims),
    }


def _overall(belief: Array, cell: Array, cells: int) -> list[float]:
    total, count = np.bincount(cell, belief, cells), np.bincount(cell, minlength=cells)
    return [round(float(value), 5) for value in total / np.maximum(1, count)]


def _cascades(run: Run, shown: Shown) -> list[dict[str, Any]]:
    """The biggest trees, biggest first, each cut to its first posts."""
    posts = run["posts"]
    if not posts.num_rows:
        return []
    root_of, red = column(posts, "root"), _is_red(run)
    order = np.argsort(root_of, kind="stable")
    sorted_roots = root_of[order]
    found, room = [], _ALL_CASCADE_POSTS
    for root in biggest_roots(posts, _CASCADES):
        low, high = np.searchsorted(sorted_roots, [root, int(root) + 1])
        if high - low < 2 or room < 2:
            break
        members = np.sort(order[low:high])[: min(_CASCADE_POSTS, room)]
        room -= len(members)
        found.append(_tree(posts.take(members), int(high - low), shown, red))
    return found


def _tree(tree: pa.Table, size: int, shown: Shown, red: NDArray[np.bool_]) -> dict[str, Any]:
    ids, author = column(tree, "post"), column(tree, "author")
    parent = rows_of(ids, column(tree, "parent"))
    node = shown.row[author]
    return {
        "size": size,
        "root": int(ids[0]),
        "claim": int(column(tree, "claim")[0]),
        "depth": int(column(tree, "depth").max()),
        "red": bool(red[author[0]]),
        "false": bool(column(tree, "veracity")[0] == Veracity.FALSE),
        "parent": array(np.where(parent >= 0, parent, NEVER).astype(np.uint16)),
        "tick": array(column(tree, "tick")),
        "kind": array(column(tree, "kind")),
        "agent": array(author),
        "node": array(np.where(node >= 0, node, ABSENT).astype(np.uint16)),
        "red_author": array(red[author].astype(np.uint8)),
    }


def _is_red(run: Run) -> NDArray[np.bool_]:
    return np.isin(column(run["agents"], "role"), [int(role) for role in RED])


def _readers(run: Run, shown: Shown) -> dict[str, Any]:
    """The feeds of some shown accounts: core agents, then people, then those with most to show."""
    seen = run["exposures"]
    agent = column(seen, "agent")
    counts = np.bincount(agent, minlength=run["agents"].num_rows)[shown.ids]
    core = column(run["agents"], "flags")[shown.ids] & Flag.CORE
    order = np.lexsort((shown.ids, -counts, _is_red(run)[shown.ids], core == 0))
    chosen = np.sort(shown.ids[order[counts[order] > 0][:_READERS]])
    kept = _latest(agent, np.flatnonzero(np.isin(agent, chosen)))
    entries = seen.take(kept)
    posts, place = _told(run, column(entries, "post"))
    return {
        "start": array(
            np.searchsorted(column(entries, "agent"), np.append(chosen, NONE)).astype(np.uint32)
        ),
        "node": array(shown.row[chosen].astype(np.uint16)),
        "tick": array(column(entries, "tick")),
        "rank": array(column(entries, "rank")),
        "source": array(column(entries, "source")),
        "post": array(place.astype(np.uint16)),
        "did": array(_did(run, entries)),
        "posts": posts,
    }


def _latest(agent: Array, found: Array) -> Array:
    """Rows of each reader, in the order of agent and row, spread over the run where many."""
    order = found[np.argsort(agent[found], kind="stable")]
    own, start, count = np.unique(agent[order], return_index=True, return_counts=True)
    kept = [
        order[first + np.linspace(0, n - 1, min(n, _READER_ROWS)).astype(int)]
        for _, first, n in zip(own, start, count, strict=True)
    ]
    return np.concatenate(kept) if kept else np.zeros(0, np.int64)


def _told(run: Run, wanted: Array) -> tuple[dict[str, Any], Array]:
    """The posts that feeds speak of, and where each entry's stands among them."""
    ids, place = np.unique(wanted, return_inverse=True)
    at = rows_of(column(run["posts"], "post"), ids)
    posts = run["posts"].take(np.maximum(at, 0)) if run["posts"].num_rows else run["posts"]
    red = _is_red(run)
    author = column(posts, "author")
    return {
        "id": array(ids.astype(np.uint32)),
        "author": array(author),
        "role": array(column(run["agents"], "role")[author]),
        "kind": array(column(posts, "kind")),
        "claim": array(column(posts, "claim").astype(np.int8)),
        "stance": array(_small(column(posts, "stance"))),
        "veracity": array(column(posts, "veracity")),
        "topic": array(column(posts, "topic")),
        "labels": array(column(posts, "labels")),
        "text": _texts(run, column(posts, "text"), red[author]),
    }, place


def _texts(run: Run, text: Array, red: Array) -> dict[str, str]:
    """Texts by place of the post; never those of coordinated accounts, which are codes."""
    table = run["texts"]
    places = np.flatnonzero((text != NO_TEXT) & ~red)[:_TEXTS]
    if not table.num_rows or not len(places):
        return {}
    at = rows_of(column(table, "text"), text[places].astype(np.uint32))
    known = at >= 0
    content = table["content"].take(at[known]).to_pylist()
    return dict(zip(map(str, places[known].tolist()), content, strict=True))


def _did(run: Run, entries: pa.Table) -> NDArray[np.uint8]:
    """What the reader did about each entry: `ActionKind`."""
    actions = run["actions"]
    key = column(actions, "agent").astype(np.uint64) << np.uint64(32) | column(actions, "post")
    kind = column(actions, "kind")
    order = np.argsort(key, kind="stable")
    sorted_key = key[order]
    wanted = column(entries, "agent").astype(np.uint64) << np.uint64(32) | column(entries, "post")
    if not len(key):
        return np.zeros(len(wanted), np.uint8)
    at = np.minimum(np.searchsorted(sorted_key, wanted), len(key) - 1)
    found = kind[order[at]]
    reaction = (found >= ActionKind.LIKE) & (found <= ActionKind.REPORT)
    return np.where((sorted_key[at] == wanted) & reaction, found, 0).astype(np.uint8)


def _events(run: Run) -> list[list[Any]]:
    """(tick, side, name, count) of what the scenario, the campaign and the defence did."""
    rows = run["events"].slice(0, _EVENTS).to_pylist()
    told = [[row["tick"], row["side"], row["name"], row["count"]] for row in rows]
    return sorted(told, key=lambda row: (row[0], row[1], row[2]))


def _series(run: Run, ticks: int) -> dict[str, Any]:
    """Of the whole run by tick: posts, false posts, accounts reached by each claim so far."""
    posts = run["posts"]
    tick, veracity = column(posts, "tick"), column(posts, "veracity")
    claim, met, agent = _met(run)
    reach = []
    for own in range(_claims(run)):
        mine = claim == own
        first = _first_by_agent(agent[mine], met[mine])
        reach.append(np.cumsum(np.bincount(first, minlength=ticks)[:ticks]).tolist())
    return {
        "posts": np.bincount(tick, minlength=ticks)[:ticks].tolist(),
        "false": np.bincount(tick[veracity == Veracity.FALSE], minlength=ticks)[:ticks].tolist(),
        "reach": reach,
        "groups": array(_by_group(run, ticks)),
    }


def _first_by_agent(agent: Array, tick: Array) -> Array:
    order = np.lexsort((tick, agent))
    _, first = np.unique(agent[order], return_index=True)
    return tick[order][first]


def _by_group(run: Run, ticks: int) -> NDArray[np.uint32]:
    """(ticks, B) posts of each community."""
    community = column(run["agents"], "community").astype(np.int64)
    groups = int(community.max()) + 1
    tick = column(run["posts"], "tick").astype(np.int64)
    kept = tick < ticks
    cell = tick[kept] * groups + community[column(run["posts"], "author")[kept]]
    return np.bincount(cell, minlength=ticks * groups).astype(np.uint32).reshape(ticks, groups)


def _small(values: Sequence[float] | Array) -> NDArray[np.int8]:
    """-1 to 1 in steps of a hundredth."""
    return np.round(np.asarray(values) * 100).astype(np.int8)
