"""Codecs as files: both sides of a federation need the same one."""

from __future__ import annotations

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open

from burnish.codecs.certificate import Certificate, Certified
from burnish.codecs.named import restored
from burnish.codecs.protocol import Codec
from burnish.codecs.wire import packed
from burnish.errors import BurnishError, DataError

_FORMAT = "burnish codec 1"
_MISREAD = (ValueError, KeyError, TypeError, AttributeError, OverflowError, RuntimeError)
"""What Python and torch raise where a stranger's file has something else in its place."""


def save_codec(codec: Codec, path: Path) -> None:
    """Write a codec's name, size, settings and state; readers see the old file or the new one.

    The file is safetensors; `fingerprint` of the codec read back is the same.
    """
    metadata = {
        "format": _FORMAT,
        "name": codec.name,
        "size": str(codec.size),
        "settings": json.dumps(dict(codec.settings), sort_keys=True),
    }
    if isinstance(codec, Certified) and codec.certificate is not None:
        metadata["certificate"] = json.dumps(codec.certificate.as_dict(), sort_keys=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(packed(codec.state_dict(), metadata))
    partial.replace(path)


def load_codec(path: Path) -> Codec:
    """The codec a file holds; nothing in it is run.

    Raises:
        DataError: the file is missing or holds no codec.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != _FORMAT:
                raise DataError(f"wanted the format {_FORMAT!r}, got {metadata.get('format')!r}")
            names = list(file.keys())
            # memory of torch's own alignment: products of others differ in their last bit
            state = {name: file.get_tensor(name).clone() for name in names}
        settings = json.loads(metadata["settings"])
        if not isinstance(settings, dict):
            raise DataError(f"wanted settings by name, got {metadata['settings'][:40]}")
        codec = restored(metadata["name"], int(metadata["size"]), settings, state)
        if "certificate" not in metadata or not isinstance(codec, Certified):
            return codec
        return codec.certified(Certificate.from_dict(json.loads(metadata["certificate"])))
    except (OSError, SafetensorError, BurnishError, *_MISREAD) as error:
        why = " ".join(str(error).split())[:200]
        raise DataError(f"{path} cannot be read as a codec: {why}; save it again") from error
