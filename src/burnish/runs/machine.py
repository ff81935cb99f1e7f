"""The machine and the software a run was measured on."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil


def hardware() -> dict[str, Any]:
    """Processor, cores this process may use, memory (GB), GPUs and operating system."""
    return {
        "cpu": _cpu_name(),
        "cores": cores(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "gpus": _gpus(),
        "platform": platform.platform(),
    }


def versions() -> dict[str, str]:
    """Python, burnish and every installed package that this process has imported, sorted."""
    imported = {name.partition(".")[0] for name in sys.modules}
    names = {
        package
        for module, packages in _packages().items()
        if module in imported
        for package in packages
    }
    found = {name.lower(): metadata.version(name) for name in names | {"burnish"}}
    return {"python": platform.python_version(), **dict(sorted(found.items()))}


@cache
def _packages() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()  # reads a file of every installed package


def peak_mb() -> float:
    """Most memory this process has held at once so far, in MB (1e6 bytes)."""
    if sys.platform == "win32":
        return round(psutil.Process().memory_info().peak_wset / 1e6, 1)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak * (1 if sys.platform == "darwin" else 1024) / 1e6, 1)


def cores() -> int:
    """Processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return psutil.cpu_count() or 1


def _cpu_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _gpus() -> list[str]:
    torch = sys.modules.get("torch")  # a run that never loaded torch has used no GPU
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
