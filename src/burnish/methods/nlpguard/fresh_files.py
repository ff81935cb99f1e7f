"""Files that are written whole or not at all, and never over others unasked."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from burnish.errors import UsageError


def check_free(
    paths: Sequence[Path], *, read: Sequence[str | PathLike[str]] = (), overwrite: bool = False
) -> None:
    """Refuse places that cannot be written, before any work is done for them.

    Args:
        paths: that will be written; nothing is made here.
        read: files that the same call reads, which are never written over.
        overwrite: whether files that are there already may be replaced; folders never are.

    Raises:
        UsageError: one is there already, is read, is given twice, or is where nothing can be
            written.
    """
    sources = {Path(each).resolve() for each in read}
    for path in paths:
        if path.resolve() in sources:
            raise UsageError(f"{path} is read by the same call; write to another place")
        if path.is_dir():
            raise UsageError(f"{path} is a folder that is there already; name another")
        if path.exists() and not overwrite:
            raise UsageError(f"{path} is there already; add --overwrite, or name another")
        _probe(path)
    if len({path.resolve() for path in paths}) < len(paths):
        raise UsageError(f"two files would be written to {paths[0]}; give each a name of its own")


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """A place beside `path` to write to, which takes its place once all is written.

    Raises:
        UsageError: nothing can be written there.
    """
    half = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield half
        half.replace(path)
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        if half.is_file():
            half.unlink()


def _probe(path: Path) -> None:
    home = next(each for each in path.absolute().parents if each.exists())
    try:
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path} cannot be written: {error.strerror or error}; name another place")
