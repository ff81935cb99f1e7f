"""What a killed run goes on from, byte for byte; plain arrays, so that reading runs no code."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import burnish
from burnish.errors import BurnishError, UsageError
from burnish.methods.socialsim.acted import KeySet
from burnish.methods.socialsim.graph import Graph
from burnish.methods.socialsim.population import Agents, circadian
from burnish.methods.socialsim.schema import BIG_FIVE, NONE, TABLES, Role
from burnish.methods.socialsim.state import MEMORY, POST, RING, Posts, State
from burnish.methods.socialsim.tables import BLOCK
from burnish.methods.socialsim.world import Claim

ENGINE = (
    *("acted", "acting", "applying", "beliefs", "blue", "checkpoints", "compiled", "feed"),
    *("footprint", "graph", "loop", "networks", "notes", "population", "randomness", "rankers"),
    *("red", "rule_policy", "schema", "state", "synchrony", "tables", "ticking", "world"),
)
"""Modules whose text a run depends on."""

MOST_TICKS = 65_535
_KEPT = 2  # files: the newest, and one to go on from if that is torn
_COUNTS = ("exposures", "empty", "texts")
_PLAIN = ("seed", "friction", "tick", "texts", "text_origin", "campaign")


class ManifestMismatch(UsageError):
    """A folder holds a run with other settings."""


@dataclass(frozen=True)
class Manifest:
    """What makes a run what it is.

    Attributes:
        content: settings and hashes, as JSON.
    """

    content: Mapping[str, Any]

    @classmethod
    def of(cls, parts: Mapping[str, Any]) -> Manifest:
        """Of named settings: dataclasses, numbers and lists; anything else counts by its class."""
        plain = {name: _plain(part) for name, part in parts.items()}
        plain |= {"watermark": "synthetic", "version": burnish.__version__, "code": _code()}
        return cls(plain)

    def text(self) -> str:
        """The JSON file."""
        return json.dumps(self.content, indent=1, sort_keys=True) + "\n"

    def agree(self, path: Path) -> None:
        """Write the file, or check that the one there says the same.

        Raises:
            ManifestMismatch: it does not.
        """
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.text(), encoding="utf-8")
            return
        try:
            there = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ManifestMismatch(f"{path} is no JSON; choose another folder") from error
        mine = json.loads(self.text())
        differs = [
            name for name in mine if not isinstance(there, dict) or there.get(name) != mine[name]
        ]
        if differs:
            raise ManifestMismatch(
                f"{path.parent} holds a run with another {', '.join(differs)}; choose another "
                "folder or delete it"
            )


@dataclass(frozen=True)
class Saved:
    """What a checkpoint holds.

    Attributes:
        state: of the world.
        waiting: rows of tables that no file has yet.
        counts: of exposures and the like.
        memory: of a policy that has one.
        damaged: why newer files were passed over, newest first.
    """

    state: State
    waiting: Mapping[str, pa.Table]
    counts: Mapping[str, int]
    memory: bytes = b""
    damaged: tuple[str, ...] = ()


@dataclass
class Checkpoints:
    """Checkpoints of one run, in the folder of its tables; the newest two are kept.

    Attributes:
        folder: of the files.
        every: ticks between them, or None for none.
        whole: files that were read or written here, oldest first.
    """

    folder: Path
    every: int | None
    whole: list[Path] = field(default_factory=list)

    @classmethod
    def at(cls, folder: Path, every: int | None, manifest: Manifest) -> Checkpoints:
        """Of a folder, whose manifest must agree."""
        manifest.agree(folder / "manifest.json")
        return cls(folder / "checkpoints", every)

    def refuse_longer(self, ticks: int) -> None:
        """A run of fewer ticks would leave a mix of two behind.

        Raises:
            ManifestMismatch: the folder holds a longer run.
        """
        out = self.folder.parent
        blocks = [path.stem for name in TABLES for path in (out / name).glob("*.parquet")]
        longer = [one for one in blocks if one.isdecimal() and int(one) > (ticks - 1) // BLOCK]
        if longer or len(self._up_to(ticks)) < len(self._up_to(MOST_TICKS)):
            raise ManifestMismatch(
                f"{out} holds a run of more than {ticks} ticks; ask for as many or choose another "
                "folder"
            )

    def due(self, tick: int) -> bool:
        """Whether to save before this tick."""
        return self.every is not None and tick % self.every == 0

    def save(self, saved: Saved) -> None:
        """Write a file, which readers see whole or not at all; older ones but the last go."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(saved.state.tick)
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(file, allow_pickle=False, **_packed(saved))
            file.flush()
            os.fsync(file.fileno())  # else the older one could go before this one is on disk
        partial.replace(path)
        self.whole = [*self.whole, path][-_KEPT:]
        for old in self._up_to(saved.state.tick):
            if old not in self.whole:
                old.unlink()

    def newest(self, ticks: int, claims: tuple[Claim, ...]) -> Saved | None:
        """The newest whole one of at most `ticks`, or None where there is no file.

        Raises:
            BurnishError: there are files, and all are damaged.
        """
        damaged: list[str] = []
        for path in reversed(self._up_to(ticks)):
            try:
                # numpy leaves a torn file open when it opens it itself
                with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                    saved = _unpacked(dict(arrays), claims)
            except Exception as error:  # numpy raises whatever its readers trip over
                why = " ".join(str(error).split())[:200]
                damaged.append(f"{path} is no checkpoint: {why}")
                continue
            self.whole = [path]
            return replace(saved, damaged=tuple(damaged))
        if damaged:
            raise BurnishError(f"{damaged[0]}; delete {self.folder} to begin again")
        return None

    def _up_to(self, tick: int) -> list[Path]:
        paths = sorted(self.folder.glob("*.npz"))
        return [path for path in paths if path.stem.isdecimal() and int(path.stem) <= tick]

    def _path(self, tick: int) -> Path:
        return self.folder / f"{tick:05d}.npz"


def _plain(part: Any) -> Any:
    if isinstance(part, Enum):
        return part.value
    if is_dataclass(part) and not isinstance(part, type):
        return {f.name: _plain(getattr(part, f.name)) for f in fields(part)}
    if isinstance(part, Mapping):
        return {str(name): _plain(value) for name, value in part.items()}
    if isinstance(part, list | tuple):
        return [_plain(value) for value in part]
    if part is None or isinstance(part, str | int | float):
        return part
    return type(part).__qualname__


def _code() -> str:
    digest = hashlib.sha256()
    for name in ENGINE:
        digest.update((Path(__file__).parent / f"{name}.py").read_bytes())
    return digest.hexdigest()[:16]


def _packed(saved: Saved) -> dict[str, NDArray[Any]]:
    state = saved.state
    arrays: dict[str, NDArray[Any]] = {}
    for part in ("agents", "graph"):
        column = asdict(getattr(state, part))
        arrays |= {f"{part}.{name}": value for name, value in column.items()}
    arrays["posts"] = np.ascontiguousarray(state.posts.rows).view(np.uint8)
    arrays["first"] = np.array(state.posts.first, np.int64)
    arrays["acted"] = state.acted.keys()
    for f in fields(State):
        value = getattr(state, f.name)
        if isinstance(value, np.ndarray):
            arrays[f"state.{f.name}"] = value
    plain = {name: getattr(state, name) for name in _PLAIN} | {"counts": dict(saved.counts)}
    arrays["plain"] = np.frombuffer(json.dumps(plain).encode(), np.uint8)
    arrays["memory"] = np.frombuffer(saved.memory, np.uint8)
    for name, rows in saved.waiting.items():
        arrays[f"waiting.{name}"] = np.frombuffer(_ipc(rows), np.uint8)
    return arrays


def _unpacked(arrays: Mapping[str, NDArray[Any]], claims: tuple[Claim, ...]) -> Saved:
    plain = json.loads(arrays["plain"].tobytes())
    counts = {name: int(plain["counts"][name]) for name in _COUNTS}
    del plain["counts"]
    plain["campaign"] = [tuple(pair) for pair in plain["campaign"]]
    plain["text_origin"] = [tuple(pair) for pair in plain["text_origin"]]
    rows = arrays["posts"].view(POST)
    posts = Posts(rows, len(rows), arrays["first"].tolist())
    columns = {
        f.name: arrays[f"state.{f.name}"] for f in fields(State) if f"state.{f.name}" in arrays
    }
    state = State(
        claims=claims,
        agents=Agents(**_part(arrays, "agents")),
        graph=Graph(**_part(arrays, "graph")),
        posts=posts,
        acted=KeySet.of(arrays["acted"]),
        **cast("dict[str, Any]", columns | plain),
    )
    _check(state)
    waiting = {name: _table(arrays[f"waiting.{name}"], TABLES[name]) for name in TABLES}
    return Saved(state, waiting, counts, arrays["memory"].tobytes())


def _check(state: State) -> None:
    """Refuse numbers that point outside, which compiled code would follow."""
    n, count, graph, rows = len(state.agents), len(state.posts), state.graph, state.posts.rows
    planted = np.array([post for post, _ in state.campaign], np.int64)
    posts = [rows["root"], rows["content"], state.pool, state.ring[state.ring != NONE], planted]
    inside = {
        "accounts": (n, [rows["author"], graph.followee[graph.followee != NONE]]),
        "posts": (count, [*posts, state.ratings[:, 1]]),
        "claims": (len(state.claims), [rows["claim"]]),
        "roles": (len(Role), [state.agents.role]),
        "clocks": (len(circadian(0)), [state.agents.circadian]),
    }
    for what, (end, columns) in inside.items():
        if any(column.size and column.max() >= end for column in columns):
            raise ValueError(f"it points to {what} that are not there")
    if not _fits(state):
        raise ValueError("its columns do not belong together")


def _fits(state: State) -> bool:
    """Whether every column has as many rows as the others ask for."""
    n, claims, graph = len(state.agents), len(state.claims), state.graph
    traits = [getattr(state.agents, f.name) for f in fields(Agents) if f.name != "big_five"]
    accounts = [
        *(state.memory_at, state.day_actions, state.scores, state.synchrony),
        *(state.base_literacy, graph.length, graph.followers, *traits),
    ]
    shaped = [
        *(((n,), column) for column in accounts),
        ((n, claims), state.beliefs),
        ((n, claims), state.first_beliefs),
        ((n, RING), state.ring),
        ((n, MEMORY), state.memory),
        ((n, len(BIG_FIVE)), state.agents.big_five),
        ((n + 1,), graph.start),
        ((max(1, claims),), state.prebunked),
        (state.pool.shape, state.pool_weight),
    ]
    if any(column.shape != shape for shape, column in shaped):
        return False
    rows_fit = (graph.length >= 0).all() and (graph.length <= np.diff(graph.start)).all()
    places = int(graph.start[-1])
    first_fits = min(state.posts.first) >= 0 and max(state.posts.first) <= len(state.posts)
    memory_fits = bool((state.memory_at < MEMORY).all())
    ends = {len(graph.followee), len(graph.birth)} == {places} and graph.start[0] == 0
    return bool(rows_fit and first_fits and memory_fits and ends)


def _part(arrays: Mapping[str, NDArray[Any]], part: str) -> dict[str, Any]:
    prefix = f"{part}."
    return {name.removeprefix(prefix): arrays[name] for name in arrays if name.startswith(prefix)}


def _ipc(rows: pa.Table) -> bytes:
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, rows.schema) as writer:
        writer.write_table(rows)
    return buffer.getvalue()


def _table(data: NDArray[np.uint8], schema: pa.Schema) -> pa.Table:
    with pa.ipc.open_stream(data.tobytes()) as reader:
        return reader.read_all().cast(schema)
