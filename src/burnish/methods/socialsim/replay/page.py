"""A run as one page that needs no network: data, script and style in one file.

Nothing on it can be taken for real: the mark is on the page, on the picture and in the data. What
a scenario's author wrote reaches the page as JSON text and is set as text, never as markup; the
page's own policy allows the one script it was written with, and no connection.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from burnish.errors import DataError, UsageError
from burnish.methods.socialsim.columns import column
from burnish.methods.socialsim.replay.packing import packed
from burnish.methods.socialsim.schema import TABLES
from burnish.methods.socialsim.tables import read

MOST_NODES = 20_000
LARGEST = 10_000_000  # bytes
_PACKAGE = "burnish.methods.socialsim.replay"
_NEEDED = ("agents", "edges", "posts", "exposures", "actions", "beliefs", "events")


@dataclass(frozen=True, kw_only=True)
class Captions:
    """What the page says in words.

    Attributes:
        title: of the world.
        claims: code -> one line, in the order of their indices; the others go by their index.
        twin: what the other run is, e.g. "the same world without the campaign".
        note: one line below the title.
    """

    title: str
    claims: Mapping[str, str] = field(default_factory=dict)
    twin: str = "the twin run"
    note: str = ""


def write_replay(
    run: Path | Mapping[str, pa.Table],
    target: Path,
    captions: Captions,
    *,
    twin: Path | Mapping[str, pa.Table] | None = None,
    max_nodes: int = 5000,
    seed: int = 0,
) -> Path:
    """Write the page of a run, and return where it is.

    Args:
        run: its folder, or its tables by name with the schemas of `schema.TABLES`.
        target: the page.
        captions: its words; escaped.
        twin: a run of the same accounts to compare with.
        max_nodes: accounts shown one by one; the others are told of by community.
        seed: of the choice of accounts.

    Raises:
        UsageError: `max_nodes` is out of range, or the page cannot be written.
        DataError: a table is missing or empty, the twin has other accounts, or the page would be
            larger than 10 MB.
    """
    if not 1 <= max_nodes <= MOST_NODES:
        raise UsageError(f"max_nodes is 1 to {MOST_NODES}, got {max_nodes}")
    tables = _tables(run)
    other = None if twin is None else _tables(twin)
    if other is not None:
        _check_pair(tables, other)
    page = _render(packed(tables, other, most=max_nodes, seed=seed), captions)
    if len(page) > LARGEST:
        raise DataError(
            f"the page would have {len(page) / 1e6:.1f} MB, and may have 10; show fewer accounts "
            f"than {max_nodes}"
        )
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(page)
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror}; give another") from None
    return target


def _tables(run: Path | Mapping[str, pa.Table]) -> Mapping[str, pa.Table]:
    if isinstance(run, Path):
        if not (run / "agents").is_dir():
            raise DataError(f"{run} is no run: it has no folder agents; give a run's folder")
        run = {name: read(run, name) for name in TABLES if name != "llm_calls"}
    for name in _NEEDED:
        if name not in run:
            raise DataError(f"a replay needs the table {name!r}, got {', '.join(run)}")
    ids = column(run["agents"], "agent")
    if not len(ids) or not np.array_equal(ids, np.arange(len(ids))):
        raise DataError(f"a run's {len(ids)} accounts are not numbered from 0 on; run it again")
    absent = {name: TABLES[name].empty_table() for name in TABLES if name not in run}
    return {**run, **absent}


def _check_pair(run: Mapping[str, pa.Table], twin: Mapping[str, pa.Table]) -> None:
    own, other = run["agents"].num_rows, twin["agents"].num_rows
    if own != other:
        raise DataError(f"twins have the same accounts, got {own} and {other}; run the twin again")
    claims = [int(column(table["beliefs"], "claim").max(initial=-1)) for table in (run, twin)]
    if claims[0] != claims[1]:
        raise DataError(f"twins track the same claims, got {claims[0] + 1} and {claims[1] + 1}")


def _render(data: dict[str, Any], captions: Captions) -> bytes:
    data["captions"] = {
        "title": captions.title,
        "claims": list(captions.claims.items()),
        "twin": captions.twin,
        "note": captions.note,
    }
    script = resources.files(_PACKAGE).joinpath("page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment = Environment(
        loader=PackageLoader(_PACKAGE, ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    page = environment.get_template("page.html.jinja").render(
        captions=captions,
        twin="twin" in data,
        digest=digest,
        script=Markup(script),  # noqa: S704 - our own file
        data=Markup(_inert(data)),  # noqa: S704 - no character of it can end the element
    )
    return page.encode()


def _inert(data: dict[str, Any]) -> str:
    """JSON that no HTML parser can see a tag or a comment in."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
