"""Packages whose public names load on first use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any


def lazily(package: str, home: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """What a package takes for its `__getattr__`.

    Args:
        package: its `__name__`.
        home: public names by the module below the package that has them.
    """
    modules = {name: module for module, names in home.items() for name in names}

    def load(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(f"{package}.{modules[name]}"), name)
        setattr(sys.modules[package], name, value)  # the next look-up does not come here
        return value

    return load
