"""Numba behind one typed decorator, with its cache outside the installed package.

The cache folder is named for the sources of all kernels, so a new version never runs old code.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import platformdirs

F = TypeVar("F", bound=Callable[..., Any])

_MARK = b"import compiled"


def _cache_folder() -> str:
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        text = source.read_bytes()
        if _MARK in text:
            digest.update(text)
    return str(platformdirs.user_cache_path("burnish") / "numba" / digest.hexdigest()[:16])


_FOLDER = _cache_folder()


def compiled(function: F) -> F:
    """Compile on first use, without the interpreter's lock, and keep the result for next time."""
    return cast("F", _kept(function))


def lean(function: F) -> F:
    """The same without counting references to arrays, which took half the time of an inner loop.

    Such a function makes no array: it is handed room to work in, and calls none but its like.
    """
    return cast("F", _kept(function, _nrt=False))


def inlined(function: F) -> F:
    """A lean function copied into its callers: passing many arrays costs more than the work."""
    return cast("F", _kept(function, _nrt=False, inline="always"))


def _kept(function: Callable[..., Any], **options: object) -> Callable[..., Any]:
    numba_config: Any = numba.config
    before = numba_config.CACHE_DIR
    numba_config.CACHE_DIR = _FOLDER  # read when the decorator runs, and only then
    try:
        decorator: Any = numba.njit
        made: Callable[..., Any] = decorator(
            nogil=True, cache=True, error_model="numpy", **options
        )(function)
        return made
    finally:
        numba_config.CACHE_DIR = before
