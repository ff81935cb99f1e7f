"""A run in the formats of others: a SQLite trace as OASIS writes it, and the graph for networkx.

No text of a red account leaves: the posts of trolls, bots and operators become the code of their
claim, and a post of anyone else that repeats their words does too. Prompts and answers of models
are left out. Every other text carries the mark of the synthetic.

The SQLite file has these tables. `created_at` is a tick, an hour of the simulation.

- about: key, value. What the file is, and the watermark.
- user: accounts before tick 0, with the followees and followers they began with.
- post: posts, replies, quotes and reposts; a repost has no content and points to what was seen.
- follow: edges before tick 0; follows and unfollows of accounts are in `trace`, and those of the
  campaign's follow steps are not recorded.
- trace: every action, with the probability and the policy that decided it.
- rec: what was shown, as far as the run kept it.
- belief: snapshots of beliefs.
- like, report: views of `trace`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import networkx as nx
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from burnish.errors import DataError, UsageError
from burnish.methods.socialsim.columns import column
from burnish.methods.socialsim.personas import RED
from burnish.methods.socialsim.schema import (
    BIG_FIVE,
    NONE,
    ActionKind,
    PolicyId,
    PostKind,
    Role,
    Source,
    Veracity,
)
from burnish.methods.socialsim.stance import SYNTHETIC, template

if TYPE_CHECKING:
    from burnish.methods.socialsim.recorded import Recorded

MOST_AGENTS = 100_000
_TRAITS = ("ideology", "susceptibility", "literacy", "trust", "activity")
_SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE user (user_id INTEGER PRIMARY KEY, user_name TEXT, role TEXT, community INTEGER,
  age_band INTEGER, education INTEGER, region INTEGER,
  openness INTEGER, conscientiousness INTEGER, extraversion INTEGER, agreeableness INTEGER,
  neuroticism INTEGER, ideology REAL, susceptibility REAL, literacy REAL, trust REAL, activity REAL,
  created_at INTEGER, num_followings INTEGER, num_followers INTEGER);
CREATE TABLE post (post_id INTEGER PRIMARY KEY, user_id INTEGER, created_at INTEGER, kind TEXT,
  parent_post_id INTEGER, root_post_id INTEGER, depth INTEGER, claim TEXT, stance REAL,
  veracity TEXT, topic INTEGER, labels INTEGER, visibility REAL, content TEXT,
  num_likes INTEGER, num_shares INTEGER, num_replies INTEGER);
CREATE TABLE follow (follower_id INTEGER, followee_id INTEGER, created_at INTEGER);
CREATE TABLE trace (user_id INTEGER, created_at INTEGER, action TEXT, post_id INTEGER,
  target_id INTEGER, probability REAL, policy TEXT);
CREATE TABLE rec (user_id INTEGER, post_id INTEGER, created_at INTEGER, rank INTEGER, source TEXT,
  via_id INTEGER);
CREATE TABLE belief (user_id INTEGER, created_at INTEGER, claim TEXT, belief REAL);
CREATE VIEW "like" AS SELECT user_id, post_id, created_at FROM trace WHERE action = 'like';
CREATE VIEW report AS SELECT user_id, post_id, created_at FROM trace WHERE action = 'report';
"""
_INDEXES = """
CREATE INDEX post_user ON post (user_id);
CREATE INDEX post_root ON post (root_post_id);
CREATE INDEX trace_user ON trace (user_id, created_at);
CREATE INDEX follow_followee ON follow (followee_id);
"""
_Columns = list[list[Any]]


def write_sqlite(recorded: Recorded, target: str | Path) -> Path:
    """Write the trace of a run as one SQLite file, replaced as a whole; memory holds one batch.

    Args:
        recorded: of a run with at most 100,000 accounts.
        target: the file.

    Raises:
        UsageError: there are more accounts, or the file cannot be written.
        BurnishError: a table of the run is damaged.
    """
    agents, path = recorded.table("agents"), Path(target)
    _few_enough(agents, "SQLite trace")
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        with closing(sqlite3.connect(partial)) as database:
            _fill(database, recorded, agents)
        partial.replace(path)
    except (OSError, sqlite3.Error) as error:
        raise UsageError(f"{path} cannot be written: {error}; give another file") from error
    finally:
        partial.unlink(missing_ok=True)
    return path


def follow_graph(agents: pa.Table, edges: pa.Table) -> nx.DiGraph:
    """Who follows whom, follower to followee, with traits on nodes and the birth tick on edges.

    Args:
        agents: as `schema.AGENTS`, at most 100,000.
        edges: as `schema.EDGES`: a run's table for before tick 0, `run.state.graph.table()` for
            its end.

    Raises:
        UsageError: there are more accounts.
        DataError: an edge touches an account that is not there.
    """
    _few_enough(agents, "networkx graph")
    ids = column(agents, "agent")
    ends = [column(edges, name) for name in ("follower", "followee")]
    if any(not np.isin(end, ids).all() for end in ends):
        raise DataError("an edge touches an account that is not there; give tables of one run")
    graph = nx.DiGraph(watermark="synthetic")
    numbers = ("community", "age", "education", "region", *BIG_FIVE)
    columns: _Columns = [_named(Role, column(agents, "role"))]
    columns += [column(agents, name).tolist() for name in numbers]
    columns += [_rounded(column(agents, name)) for name in _TRAITS]
    names = ("role", *numbers, *_TRAITS)
    for agent, *values in zip(ids.tolist(), *columns, strict=True):
        graph.add_node(agent, **dict(zip(names, values, strict=True)))
    rows = zip(*(end.tolist() for end in ends), column(edges, "birth").tolist(), strict=True)
    graph.add_weighted_edges_from(rows, weight="birth")
    return graph


def write_graphml(graph: nx.DiGraph, target: str | Path) -> Path:
    """Write a graph of `follow_graph` as GraphML, which Gephi, igraph and networkx read.

    Raises:
        UsageError: the file cannot be written.
    """
    path = Path(target)
    partial = path.with_name(f"{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        nx.write_graphml(graph, partial, prettyprint=False)
        partial.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}; give another") from None
    return path


@dataclass(frozen=True)
class _Contents:
    """What the posts of a run say once they leave.

    Attributes:
        claims: codes by number.
        red: (n,) whether an account's words stay.
        texts: what core accounts wrote, by text id; None for what stays.
    """

    claims: tuple[str, ...]
    red: NDArray[np.bool_]
    texts: dict[int, str | None]

    @classmethod
    def of(cls, recorded: Recorded, agents: pa.Table) -> _Contents:
        red = np.isin(column(agents, "role"), [int(role) for role in RED])
        rows = [row for batch in recorded.batches("texts") for row in batch.to_pylist()]
        stays = {row["text"]: _is_red(red, row["agent"]) for row in rows}
        secret = {_folded(row["content"]) for row in rows if stays[row["text"]]} - {""}
        texts = {
            row["text"]: None
            if stays[row["text"]] or any(own in _folded(row["content"]) for own in secret)
            else row["content"]
            for row in rows
        }
        return cls(recorded.claims, red, texts)

    def said(self, kind: int, author: int, claim: int, text: int, stance: float, topic: int) -> Any:
        """The content of a post; None for a repost, which says nothing of its own."""
        if kind == PostKind.REPOST:
            return None
        code = self.claims[claim] if claim >= 0 else ""
        own = self.texts.get(text, "")
        if _is_red(self.red, author) or own is None:
            return f"{SYNTHETIC} claim {code}" if code else f"{SYNTHETIC} topic {topic}"
        if not own:
            return template(code, stance, topic)
        return own if own.startswith(SYNTHETIC) else f"{SYNTHETIC} {own}"


def _is_red(red: NDArray[np.bool_], agent: int) -> bool:
    """Whether an account is red; one that is not listed counts as such."""
    return agent >= len(red) or bool(red[agent])


def _folded(text: str) -> str:
    """Without marks, case and breaks, so that a repeated text is found again."""
    return " ".join(text.replace(SYNTHETIC, " ").casefold().split())


def _few_enough(agents: pa.Table, what: str) -> None:
    if agents.num_rows > MOST_AGENTS:
        raise UsageError(
            f"a {what} holds up to {MOST_AGENTS:,} accounts, got {agents.num_rows:,}; query the "
            "Parquet tables, or run a smaller world"
        )


def _fill(database: sqlite3.Connection, recorded: Recorded, agents: pa.Table) -> None:
    # the file is written beside its target and thrown away on failure, so no journal is needed
    database.execute("PRAGMA journal_mode = OFF")
    database.execute("PRAGMA synchronous = OFF")
    database.executescript(_SCHEMA)
    about = {
        "watermark": "synthetic",
        "note": "an invented world: no account, post or claim is real",
        "claims": json.dumps(recorded.claims),
        "time": "ticks of one simulated hour",
    }
    with database:
        database.executemany("INSERT INTO about VALUES (?, ?)", about.items())
        _insert(database, "user", _users(recorded, agents))
        contents, codes = _Contents.of(recorded, agents), recorded.claims
        parts: dict[str, tuple[str, Callable[[pa.RecordBatch], _Columns]]] = {
            "post": ("posts", lambda batch: _posts(batch, contents)),
            "follow": ("edges", lambda batch: [_plain(own) for own in batch.columns]),
            "trace": ("actions", _trace),
            "rec": ("exposures", _rec),
            "belief": ("beliefs", lambda batch: _beliefs(batch, codes)),
        }
        for name, (source, columns) in parts.items():
            for batch in recorded.batches(source):
                _insert(database, name, columns(batch))
    database.executescript(_INDEXES)


def _insert(database: sqlite3.Connection, table: str, columns: _Columns) -> None:
    places = ", ".join("?" * len(columns))
    rows: Iterator[tuple[Any, ...]] = zip(*columns, strict=True)
    database.executemany(f"INSERT INTO {table} VALUES ({places})", rows)  # noqa: S608 - our names


def _users(recorded: Recorded, agents: pa.Table) -> _Columns:
    n = agents.num_rows
    degrees = [np.zeros(n, np.int64), np.zeros(n, np.int64)]
    for batch in recorded.batches("edges"):
        for degree, name in zip(degrees, ("follower", "followee"), strict=True):
            degree += np.bincount(batch.column(name).to_numpy(), minlength=n)
    numbers = ("community", "age", "education", "region", *BIG_FIVE)
    ids = column(agents, "agent").tolist()
    return [
        ids,
        [f"account_{agent}" for agent in ids],
        _named(Role, column(agents, "role")),
        *(column(agents, name).tolist() for name in numbers),
        *(_rounded(column(agents, name)) for name in _TRAITS),
        column(agents, "created").tolist(),
        *(degree.tolist() for degree in degrees),
    ]


def _posts(batch: pa.RecordBatch, contents: _Contents) -> _Columns:
    of = {name: _plain(batch.column(name)) for name in batch.schema.names}
    claims = _codes(batch, contents.claims)
    read = ("kind", "author", "claim", "text", "stance", "topic")
    said = [contents.said(*row) for row in zip(*(of[name] for name in read), strict=True)]
    return [
        *(of[name] for name in ("post", "author", "tick")),
        _named(PostKind, batch.column("kind")),
        *(of[name] for name in ("parent", "root", "depth")),
        claims,
        of["stance"],
        _named(Veracity, batch.column("veracity")),
        *(of[name] for name in ("topic", "labels", "visibility")),
        said,
        *(of[name] for name in ("likes", "shares", "replies")),
    ]


def _trace(batch: pa.RecordBatch) -> _Columns:
    return [
        *(_plain(batch.column(name)) for name in ("agent", "tick")),
        _named(ActionKind, batch.column("kind")),
        *(_plain(batch.column(name)) for name in ("post", "target", "probability")),
        _named(PolicyId, batch.column("policy")),
    ]


def _rec(batch: pa.RecordBatch) -> _Columns:
    return [
        *(_plain(batch.column(name)) for name in ("agent", "post", "tick", "rank")),
        _named(Source, batch.column("source")),
        _plain(batch.column("via")),
    ]


def _beliefs(batch: pa.RecordBatch, codes: Sequence[str]) -> _Columns:
    return [
        *(_plain(batch.column(name)) for name in ("agent", "tick")),
        _codes(batch, codes),
        _plain(batch.column("belief")),
    ]


def _codes(batch: pa.RecordBatch, codes: Sequence[str]) -> list[str | None]:
    """Codes of a batch's claims, None where there is none."""
    claims = batch.column("claim").to_numpy()
    if claims.max(initial=-1) >= len(codes):
        raise DataError(f"a row is about claim {claims.max()} of {len(codes)}; run again")
    return [codes[claim] if claim >= 0 else None for claim in claims.tolist()]


def _plain(values: pa.Array) -> list[Any]:
    """Numbers for SQLite: ids that stand for nothing are None, fractions have six places."""
    if pa.types.is_floating(values.type):
        return _rounded(values.to_numpy())
    if values.type == pa.uint32():
        return list(pc.if_else(pc.equal(values, NONE), None, values).to_pylist())
    return list(values.to_pylist())


def _rounded(values: NDArray[np.floating[Any]]) -> list[float]:
    rounded: list[float] = np.round(values.astype(np.float64), 6).tolist()
    return rounded


def _named(kind: type[IntEnum], numbers: pa.Array | NDArray[np.integer[Any]]) -> list[str]:
    """Names of the members of an enum whose values count from 0."""
    values = np.asarray(numbers)
    if values.max(initial=0) >= len(kind):
        raise DataError(f"a row has {kind.__name__} {values.max()}, which is none; run again")
    names = np.array([member.name.lower() for member in sorted(kind)], object)
    named: list[str] = names[values].tolist()
    return named
