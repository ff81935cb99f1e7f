"""burnish: published methods for refining foundation models, runnable, tested and checked."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__version__: str


def __getattr__(name: str) -> Any:
    """The version, and any registered method as a lazy attribute: `from burnish import structext`.

    Both need the package's metadata; plain source on the path, without an installation, does not.
    """
    if name == "__version__":
        from importlib.metadata import version

        return version("burnish")
    from burnish.registry import methods

    if name.startswith("_") or name not in (found := methods()):
        raise AttributeError(f"module 'burnish' has no attribute {name!r}")
    return import_module(found[name].package)
