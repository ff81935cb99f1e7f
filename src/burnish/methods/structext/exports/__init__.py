"""StrucText suites for the tools people already evaluate and train with; one file a target.

Each target is imported on first use, so that having one of the tools is enough to write for it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from burnish.errors import MissingExtra

if TYPE_CHECKING:
    from burnish.methods.structext.exports.for_datasets import (
        export_datasets,
        from_dataset,
        to_dataset,
    )
    from burnish.methods.structext.exports.for_inspect import export_inspect, inspect_task
    from burnish.methods.structext.exports.for_lm_eval import export_lm_eval
    from burnish.methods.structext.exports.for_reasoning_gym import reasoning_gym_dataset

_HOME = {
    "export_datasets": "for_datasets",
    "export_inspect": "for_inspect",
    "export_lm_eval": "for_lm_eval",
    "from_dataset": "for_datasets",
    "inspect_task": "for_inspect",
    "reasoning_gym_dataset": "for_reasoning_gym",
    "to_dataset": "for_datasets",
}
_DISTRIBUTION = {
    "datasets": "datasets",
    "inspect_ai": "inspect-ai",
    "reasoning_gym": "reasoning-gym",
}

__all__ = [
    "export_datasets",
    "export_inspect",
    "export_lm_eval",
    "from_dataset",
    "inspect_task",
    "reasoning_gym_dataset",
    "to_dataset",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_HOME[name]}")
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _DISTRIBUTION:
            raise
        raise MissingExtra(
            f"structext.{name} needs {_DISTRIBUTION[package]}, which is not installed; "
            'run: pip install "burnish[structext]"'
        ) from error
    value: object = getattr(module, name)
    globals()[name] = value  # the next look-up does not come here
    return value
