"""What a caller says of how to load a model: the precision, the place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burnish.errors import UsageError

if TYPE_CHECKING:
    import torch


def precision(dtype: torch.dtype | str) -> torch.dtype:
    """A floating-point dtype by itself or by its name; UsageError for anything else."""
    import torch

    found = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        raise UsageError(f"dtype must be float32, bfloat16, float16 or float64, got {dtype!r}")
    return found


def place(device: torch.device | str | None) -> torch.device:
    """A device that can be used; None is the first GPU of CUDA, or the processor."""
    import torch

    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:  # AssertionError: built without CUDA
        why = str(error).strip().partition("\n")[0]
        raise UsageError(f"device {str(device)!r} cannot be used: {why}") from error
    return place


@contextmanager
def quiet() -> Iterator[None]:
    """Without transformers' bars and remarks: what matters of them is raised as an error."""
    import transformers

    logging: Any = transformers.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def has_bfloat16() -> bool:
    """Whether this machine multiplies matrices in bfloat16 faster than in float32."""
    import torch

    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    cpuinfo = Path("/proc/cpuinfo")
    flags = cpuinfo.read_text(encoding="utf-8").split() if cpuinfo.exists() else []
    return "avx512_bf16" in flags or "amx_bf16" in flags
