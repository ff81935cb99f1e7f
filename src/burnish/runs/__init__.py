"""Run folders: making them, reading them, and the report that is made from them.

Everything public loads on first use, so that parsing settings draws no chart library in.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

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
_MODULE = {name: module for module, names in _HOME.items() for name in names}

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


def __getattr__(name: str) -> object:
    if name not in _MODULE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_MODULE[name]}"), name)
    globals()[name] = value  # the next look-up does not come here
    return value
