"""A run as Mesa's data collector would have told it: variables of the model, and of its agents.

Step k is the world after k ticks, step 0 the world before any. Only numbers are in these frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from burnish.errors import MissingExtra
from burnish.methods.socialsim.recorded import Recorded
from burnish.methods.socialsim.schema import WATERMARK, ActionKind

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]

COUNTED = {
    ActionKind.POST: "posts",
    ActionKind.REPOST: "reposts",
    ActionKind.QUOTE: "quotes",
    ActionKind.REPLY: "replies",
    ActionKind.LIKE: "likes",
    ActionKind.REPORT: "reports",
    ActionKind.FOLLOW: "follows",
    ActionKind.UNFOLLOW: "unfollows",
}
_KINDS = len(ActionKind)
_MOST_TICKS = 65_536
_Counts = NDArray[np.int64]


def model_variables(recorded: Recorded) -> pa.Table:
    """One row a step: Step, actions by kind, active_agents, exposures_logged, belief_CODE.

    Counts are of the tick that led to the step. Beliefs are means over all accounts, and null
    where no snapshot was taken.
    """
    actions, active = _actions_by_tick(recorded.batches("actions"))
    shown = np.zeros(_MOST_TICKS, np.int64)
    for batch in recorded.batches("exposures"):
        shown += np.bincount(_column(batch, "tick"), minlength=_MOST_TICKS)
    means = _mean_beliefs(recorded)
    last = 1 + np.flatnonzero(actions.any(axis=1) | (shown > 0)).max(initial=-1)
    ticks = max(recorded.ticks or 0, int(last), *(step for step, _ in means), 0)
    columns: dict[str, Any] = {"Step": np.arange(ticks + 1, dtype=np.int64)}
    counts = {name: actions[:, kind] for kind, name in COUNTED.items()}
    counts |= {"active_agents": active, "exposures_logged": shown}
    columns |= {name: np.append(0, value[:ticks]) for name, value in counts.items()}
    for claim, code in enumerate(recorded.claims):
        own = [means.get((step, claim)) for step in range(ticks + 1)]
        columns[f"belief_{code}"] = pa.array(own, pa.float64())
    return pa.table(columns).replace_schema_metadata(WATERMARK)


def agent_variables(recorded: Recorded) -> Iterator[pa.Table]:
    """For each snapshot one table with a row an agent: Step, AgentID, belief_CODE, counts so far.

    A run without claims takes no snapshots and has none.
    """
    actions = _Advancing(recorded)
    for step, beliefs in _snapshots(recorded):
        done = actions.until(step)
        n = len(beliefs)
        columns: dict[str, Any] = {
            "Step": np.full(n, step, np.int64),
            "AgentID": np.arange(n, dtype=np.uint32),
        }
        columns |= {f"belief_{code}": beliefs[:, c] for c, code in enumerate(recorded.claims)}
        columns |= {name: done[:n, kind] for kind, name in COUNTED.items()}
        yield pa.table(columns).replace_schema_metadata(WATERMARK)


def write_frames(recorded: Recorded, folder: str | Path) -> tuple[Path, ...]:
    """`model.parquet` and, where there are snapshots, `agents.parquet` in a folder."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    paths = {target / "model.parquet": iter([model_variables(recorded)])}
    paths[target / "agents.parquet"] = agent_variables(recorded)
    return tuple(path for path, tables in paths.items() if _written(path, tables))


def data_frames(recorded: Recorded) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both as pandas frames, indexed as Mesa does: by Step, and by (Step, AgentID).

    Raises:
        MissingExtra: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtra("data frames need pandas: pip install pandas") from error
    snapshots = [table.to_pandas() for table in agent_variables(recorded)]
    none = pd.DataFrame({"Step": [], "AgentID": []})
    agents = pd.concat(snapshots, ignore_index=True) if snapshots else none
    model = model_variables(recorded).to_pandas().set_index("Step")
    return model, agents.set_index(["Step", "AgentID"])


def _written(path: Path, tables: Iterator[pa.Table]) -> bool:
    first = next(tables, None)
    if first is None:
        return False
    partial = path.with_suffix(".partial")
    with pq.ParquetWriter(partial, first.schema, compression="zstd") as writer:
        writer.write_table(first)
        for table in tables:
            writer.write_table(table)
    partial.replace(path)
    return True


def _column(batch: pa.RecordBatch, name: str) -> NDArray[Any]:
    values: NDArray[Any] = batch.column(name).to_numpy(zero_copy_only=False)
    return values


def _actions_by_tick(batches: Iterable[pa.RecordBatch]) -> tuple[_Counts, _Counts]:
    """Actions by (tick, kind), and how many accounts acted by tick; rows come tick by tick."""
    counts = np.zeros(_MOST_TICKS * _KINDS, np.int64)
    active = np.zeros(_MOST_TICKS, np.int64)
    open_keys = np.zeros(0, np.int64)
    for batch in batches:
        tick = _column(batch, "tick").astype(np.int64)
        counts += np.bincount(tick * _KINDS + _column(batch, "kind"), minlength=len(counts))
        keys = np.unique(np.append(open_keys, (tick << 32) | _column(batch, "agent")))
        over = (keys >> 32) < tick[-1]  # later batches add to the last tick alone
        active += np.bincount(keys[over] >> 32, minlength=_MOST_TICKS)
        open_keys = keys[~over]
    active += np.bincount(open_keys >> 32, minlength=_MOST_TICKS)
    return counts.reshape(_MOST_TICKS, _KINDS), active


def _mean_beliefs(recorded: Recorded) -> dict[tuple[int, int], float]:
    """By (step, claim)."""
    return {
        (step, claim): float(mean)
        for step, beliefs in _snapshots(recorded)
        for claim, mean in enumerate(beliefs.mean(axis=0, dtype=np.float64))
    }


def _snapshots(recorded: Recorded) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """(step, beliefs of (agents, claims)); the table lists step by step, claim by claim."""
    parts: list[NDArray[np.float32]] = []
    step, claims = -1, len(recorded.claims)
    for batch in recorded.batches("beliefs"):
        ticks, values = _column(batch, "tick"), _column(batch, "belief")
        cuts = np.flatnonzero(np.diff(ticks)) + 1
        starts = np.append(0, cuts)
        for tick, part in zip(ticks[starts].tolist(), np.split(values, cuts), strict=True):
            if tick != step and parts:
                yield step, np.concatenate(parts).reshape(claims, -1).T
                parts = []
            step = tick
            parts.append(part)
    if parts:
        yield step, np.concatenate(parts).reshape(claims, -1).T


class _Advancing:
    """Actions so far by (agent, kind), as ticks go on."""

    def __init__(self, recorded: Recorded) -> None:
        agents = sum(batch.num_rows for batch in recorded.batches("agents"))
        self._counts = np.zeros((agents, _KINDS), np.int64)
        self._batches = recorded.batches("actions")
        self._waiting: pa.RecordBatch | None = next(self._batches, None)

    def until(self, tick: int) -> _Counts:
        """A copy of the counts of all ticks before this one."""
        while self._waiting is not None:
            batch = self._waiting
            ready = int(np.searchsorted(_column(batch, "tick"), tick))
            past = batch.slice(0, ready)
            np.add.at(self._counts, (_column(past, "agent"), _column(past, "kind")), 1)
            if ready < batch.num_rows:
                self._waiting = batch.slice(ready)
                break
            self._waiting = next(self._batches, None)
        return self._counts.copy()
