"""burnish: published methods for refining foundation models, runnable, tested and checked."""

from __future__ import annotations

from importlib import import_module, metadata
from types import ModuleType

__version__ = metadata.version("burnish")


def __getattr__(name: str) -> ModuleType:
    """Any registered method as a lazy attribute: `from burnish import structext`."""
    from burnish.registry import methods

    if name.startswith("_") or name not in (found := methods()):
        raise AttributeError(f"module 'burnish' has no attribute {name!r}")
    return import_module(found[name].package)
