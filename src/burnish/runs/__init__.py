"""Run folders: making them, reading them, and the report that is made from them.

Everything public loads on first use, so that parsing settings draws no chart library in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from burnish.lazy import lazily

if TYPE_CHECKING:
    from burnish.runs.charts import draw
    from burnish.runs.executing import execute, judge, summary
    from burnish.runs.figures import Chart, Series, Table
    from burnish.runs.record import Record, read_record
    from burnish.runs.report import write_report
    from burnish.runs.run import Run
    from burnish.runs.settings import as_dict, build_config, describe

_HOME = {
    "charts": ("draw",),
    "executing": ("execute", "judge", "summary"),
    "figures": ("Chart", "Series", "Table"),
    "record": ("Record", "read_record"),
    "report": ("write_report",),
    "run": ("Run",),
    "settings": ("as_dict", "build_config", "describe"),
}

__all__ = [
    "Chart",
    "Record",
    "Run",
    "Series",
    "Table",
    "as_dict",
    "build_config",
    "describe",
    "draw",
    "execute",
    "judge",
    "read_record",
    "summary",
    "write_report",
]


__getattr__ = lazily(__name__, _HOME)
