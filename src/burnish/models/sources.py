"""From what the user names to weights on this disk, and what identifies them. Loads nothing."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from burnish import assets
from burnish.errors import MissingExtra, UsageError

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# What shapes a model's answers; weights that would have to be unpickled are not among them.
_READ = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model")


@dataclass(frozen=True)
class Weights:
    """Weights on this disk.

    Attributes:
        path: a folder in the layout of transformers, or a .gguf file.
        name: for people.
        revision: "sha256:" and a hash of the content, or the commit on the hub.
    """

    path: Path
    name: str
    revision: str

    @property
    def identity(self) -> str:
        """What tells these weights from all others."""
        return f"{self.name}@{self.revision}"


def find(spec: str | os.PathLike[str]) -> Weights:
    """The weights that `spec` names; only a hub id is looked for on the network.

    Args:
        spec: an asset's name, a folder, a .gguf file or a hub id ("owner/name"), tried in this
            order; write "./NAME" for a folder that has the name of an asset.

    Raises:
        UsageError: there is no such thing, or it holds no weights that can be read.
        AssetMissing: the asset was not pulled.
        MissingExtra: a hub id, but huggingface_hub is not installed.
    """
    name = os.fspath(spec)
    path = Path(name).expanduser()
    if name in assets.ASSETS:
        return _asset(name)
    if path.is_file():
        if path.suffix != ".gguf":
            raise UsageError(
                f"{path} is a single file, of which only .gguf can be read; name the folder "
                "that has config.json and *.safetensors"
            )
        return Weights(path.resolve(), path.name, f"sha256:{_sha256(path)}")
    if path.is_dir():
        return _from_folder(path.resolve())
    if _HUB_ID.fullmatch(name):
        return _from_hub(name)
    raise UsageError(
        f"no model {name!r}: it is no asset ({', '.join(_models())}), no folder or .gguf file "
        "that exists, and no hub id of the form owner/name"
    )


def gguf_path(spec: str | os.PathLike[str]) -> Path:
    """The .gguf file that an asset's name, a folder with one such file, or a path names.

    Raises:
        UsageError: there is none, or a folder has several.
        AssetMissing: the asset was not pulled.
    """
    name = os.fspath(spec)
    path = assets.path(name) if name in assets.ASSETS else Path(name).expanduser()
    found = sorted(path.glob("*.gguf")) if path.is_dir() else [path]
    if len(found) == 1 and found[0].is_file() and found[0].suffix == ".gguf":
        return found[0].resolve()
    if len(found) > 1:
        several = ", ".join(file.name for file in found)
        raise UsageError(f"{path} has several .gguf files; name one of them: {several}")
    raise UsageError(
        f"no .gguf file for {name!r}: looked for an asset of that name with one, "
        f"the file {path}, and {path}/*.gguf"
    )


def _models() -> list[str]:
    """The assets that are models, not data."""
    return [
        name
        for name, entry in assets.ASSETS.items()
        if any(file.path == "config.json" or file.path.endswith(".gguf") for file in entry.files)
    ]


def _asset(name: str) -> Weights:
    folder = assets.path(name)
    files = assets.ASSETS[name].files
    ggufs = [file for file in files if file.path.endswith(".gguf")]
    if ggufs:
        return Weights(folder / ggufs[0].path, name, f"sha256:{ggufs[0].sha256}")
    return Weights(folder, name, _digest([(file.path, file.sha256) for file in files]))


def _from_folder(folder: Path) -> Weights:
    _check_layout(folder)
    files = {file for pattern in _READ for file in folder.glob(pattern)}
    return Weights(folder, folder.name, _digest([(file.name, _sha256(file)) for file in files]))


def _check_layout(folder: Path) -> None:
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        inside = ", ".join(sorted(file.name for file in folder.iterdir())[:8]) or "nothing"
        raise UsageError(
            f"{folder} is no model folder: looked for config.json and *.safetensors (weights in "
            f"pickle files are not read), found {inside}; for a .gguf file, name the file itself"
        )


def _digest(files: Sequence[tuple[str, str]]) -> str:
    lines = "".join(f"{name} {sha256}\n" for name, sha256 in sorted(files))
    return f"sha256:{hashlib.sha256(lines.encode()).hexdigest()}"


def _from_hub(name: str) -> Weights:
    try:
        from huggingface_hub import constants, errors, snapshot_download
    except ModuleNotFoundError as error:
        raise MissingExtra(
            f'the hub model {name} needs {error.name}; run: pip install "burnish[models]"'
        ) from error
    try:
        folder = snapshot_download(
            name, allow_patterns=list(_READ), ignore_patterns=["*/*"], etag_timeout=10
        )
    except errors.LocalEntryNotFoundError as error:
        why = "HF_HUB_OFFLINE is set" if constants.HF_HUB_OFFLINE else "the hub cannot be reached"
        raise UsageError(
            f"no model {name!r}: it is no folder, and as a hub id it is not in the hub's cache "
            f"here while {why}; go online, or name a local folder"
        ) from error
    except (errors.HfHubHTTPError, errors.HFValidationError, OSError) as error:
        first = str(error).strip().splitlines()[0]
        raise UsageError(
            f"no model {name!r}: it is no folder, and the hub says: {first}"
        ) from error
    _check_layout(Path(folder))
    return Weights(Path(folder), name, Path(folder).name)


def _sha256(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
