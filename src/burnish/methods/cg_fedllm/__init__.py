"""CG-FedLLM: federated LoRA fine-tuning whose updates travel encoded.

Wu et al., arXiv 2405.13746. Everything public is importable from here and loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from burnish.lazy import lazily

if TYPE_CHECKING:
    from burnish.methods.cg_fedllm.adapters import (
        fresh_adapter,
        init_hash,
        load_adapter,
        read_adapter,
        save_adapter,
        write_adapter,
    )
    from burnish.methods.cg_fedllm.client import LocalTask, Trained, client_app
    from burnish.methods.cg_fedllm.collecting import collect
    from burnish.methods.cg_fedllm.compressing import CompressMod
    from burnish.methods.cg_fedllm.grid import InProcessGrid, in_process, run_in_process
    from burnish.methods.cg_fedllm.history import Federated
    from burnish.methods.cg_fedllm.layout import LoraLayout
    from burnish.methods.cg_fedllm.local import LocalSettings, LoraTask
    from burnish.methods.cg_fedllm.method import METHOD
    from burnish.methods.cg_fedllm.privacy import PrivacyReport, privacy_report, sigma_for
    from burnish.methods.cg_fedllm.private import ClipAndNoiseMod
    from burnish.methods.cg_fedllm.rounds import federate, server_app
    from burnish.methods.cg_fedllm.strategy import CompressedFedAvg
    from burnish.methods.cg_fedllm.tiny import tiny_llama

_HOME = {
    "adapters": (
        "fresh_adapter",
        "init_hash",
        "load_adapter",
        "read_adapter",
        "save_adapter",
        "write_adapter",
    ),
    "client": (
        "LocalTask",
        "Trained",
        "client_app",
    ),
    "collecting": ("collect",),
    "compressing": ("CompressMod",),
    "grid": (
        "InProcessGrid",
        "in_process",
        "run_in_process",
    ),
    "history": ("Federated",),
    "layout": ("LoraLayout",),
    "local": (
        "LocalSettings",
        "LoraTask",
    ),
    "method": ("METHOD",),
    "privacy": (
        "PrivacyReport",
        "privacy_report",
        "sigma_for",
    ),
    "private": ("ClipAndNoiseMod",),
    "rounds": (
        "federate",
        "server_app",
    ),
    "strategy": ("CompressedFedAvg",),
    "tiny": ("tiny_llama",),
}

__all__ = [
    "METHOD",
    "ClipAndNoiseMod",
    "CompressMod",
    "CompressedFedAvg",
    "Federated",
    "InProcessGrid",
    "LocalSettings",
    "LocalTask",
    "LoraLayout",
    "LoraTask",
    "PrivacyReport",
    "Trained",
    "client_app",
    "collect",
    "federate",
    "fresh_adapter",
    "in_process",
    "init_hash",
    "load_adapter",
    "privacy_report",
    "read_adapter",
    "run_in_process",
    "save_adapter",
    "server_app",
    "sigma_for",
    "tiny_llama",
    "write_adapter",
]


__getattr__ = lazily(__name__, _HOME)
