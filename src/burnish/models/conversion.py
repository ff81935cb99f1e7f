"""From GGUF to a folder that transformers loads in a second, trains and saves."""

from __future__ import annotations

import hashlib
import shutil
import sys
from contextlib import redirect_stderr
from importlib import metadata
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gguf  # noqa: F401  transformers needs it, and would say so less clearly
import torch
import transformers
from filelock import FileLock

from burnish.errors import BurnishError, UsageError


def converted(file: Path, revision: str, *, dtype: torch.dtype, cache: Path) -> Path:
    """The weights of a .gguf file, de-quantised, as a model folder; made once and kept.

    Says so on standard error when it starts.

    Args:
        file: the .gguf file.
        revision: hash of its content.
        dtype: of the weights kept.
        cache: where folders are kept, one for each content, dtype and version of what converts.

    Raises:
        UsageError: transformers cannot read the file.
        BurnishError: the folder cannot be written.
    """
    makers = [f"{package} {metadata.version(package)}" for package in ("gguf", "transformers")]
    key = hashlib.sha256("\n".join([revision, str(dtype), *makers]).encode()).hexdigest()[:16]
    folder = cache / f"{file.stem}-{key}"
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / f"{folder.name}.lock"):
            if not folder.exists():
                # Seconds to minutes during which nothing else would show.
                print(f"de-quantising {file.name}, this once, into {cache}", file=sys.stderr)
                _convert(file, dtype, folder)
    except BurnishError:
        raise
    except Exception as error:  # safetensors and tokenizers say "disk full" in ways of their own
        raise BurnishError(
            f"cannot keep the weights of {file.name} in {folder}: {error}; "
            "mend that, or set BURNISH_CACHE to another folder"
        ) from error
    return folder


def _convert(file: Path, dtype: torch.dtype, folder: Path) -> None:
    partial = folder.with_name(f"{folder.name}.partial")
    if partial.exists():  # a conversion that was killed leaves one
        shutil.rmtree(partial)
    partial.mkdir()
    try:
        with TemporaryDirectory() as alone:  # transformers also reads what lies beside a file
            (Path(alone) / file.name).symlink_to(file)
            model, tokenizer = _read(Path(alone) / file.name, dtype)
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        partial.rename(folder)
    finally:
        if partial.exists():
            shutil.rmtree(partial)


def _read(file: Path, dtype: torch.dtype) -> tuple[Any, Any]:
    here = {"gguf_file": file.name, "local_files_only": True, "trust_remote_code": False}
    plain = transformers.GgufConfig(dequantize=True)  # blocks can be neither trained nor saved
    try:
        with redirect_stderr(StringIO()):  # a progress bar there has no other switch
            tokenizer = transformers.AutoTokenizer.from_pretrained(file.parent, **here)
            model = transformers.AutoModelForCausalLM.from_pretrained(
                file.parent, dtype=dtype, quantization_config=plain, **here
            )
    except Exception as error:  # transformers raises whatever its parsers of a bad file trip over
        why = str(error).strip().partition("\n")[0]
        raise UsageError(f"transformers cannot read {file.name} as GGUF: {why}") from error
    return model, tokenizer
