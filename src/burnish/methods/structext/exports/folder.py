"""Where an export goes."""

from __future__ import annotations

from pathlib import Path

from burnish.errors import UsageError
from burnish.methods.structext.sample import Suite


def new_folder(suite: Suite, directory: str | Path) -> Path:
    """An empty folder for `suite`, made if need be.

    Raises:
        UsageError: the suite is empty, or there is something at `directory` already; files of an
            earlier export would be read along with the new ones.
    """
    folder = Path(directory)
    if not len(suite):
        raise UsageError("an export needs at least one sample, but the suite is empty")
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UsageError(f"an export needs a new or empty folder, but {folder} is in use")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
