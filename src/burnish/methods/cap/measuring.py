"""How fast, how large and how exact the pruned models are: measured, not derived."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from burnish.methods.cap import arms as names
from burnish.methods.cap.arms import Arm
from burnish.methods.cap.comparing import stage_folder, teacher_folder
from burnish.methods.cap.config import CapConfig
from burnish.models.anatomy import layer_parts
from burnish.models.csr import to_csr
from burnish.models.latency import Latency, latency, model_runners
from burnish.models.onnx_export import export_onnx, quantize_int8
from burnish.models.pruned import AutoPruned
from burnish.models.shrinking import LayerKeep, zero_out
from burnish.runs import Run
from burnish.runs.jobs import read_result

DENSE, MASKED = "dense", "masks only"


@dataclass(frozen=True)
class Version:
    """A model as it would be served.

    Attributes:
        name: "dense" or "50 % pruned", with ", int8".
        path: its ONNX file.
        sparsity: share of heads and units gone.
        int8: whether matrix products are in 8 bits.
    """

    name: str
    path: Path
    sparsity: float
    int8: bool


def measure(config: CapConfig, run: Run, jobs: Sequence[Arm], home: Path) -> None:
    """Export, time and score the kept models of the first set; time unstructured ones as CSR."""
    kept = [arm for arm in jobs if arm.keep_models and arm.set == jobs[0].set]
    structured = next((arm for arm in kept if arm.family == "units"), None)
    if structured:
        _measure_structured(config, run, structured, home)
    sparse = [arm for arm in kept if arm.family == "weights"]
    if sparse:
        _measure_sparse(config, run, sparse, home)


def _measure_structured(config: CapConfig, run: Run, arm: Arm, home: Path) -> None:
    dense = AutoPruned.from_pretrained(teacher_folder(home, arm.set, arm.seed), device="cpu")
    shares = [stage["sparsity"] for stage in read_result(home, arm.key)["stages"]]
    versions = _versions(run, "dense", DENSE, dense, 0.0)
    for share in shares:
        model = AutoPruned.from_pretrained(stage_folder(home, arm, share), device="cpu")
        versions += _versions(run, f"pruned-{share:g}", f"{share:.0%} pruned", model, share)
    masked = _masked(dense, shares[0])
    path = export_onnx(masked, run.artifact("onnx/masked.onnx"))
    versions.append(Version(MASKED, path, shares[0], int8=False))
    _log_scores(config, run, arm, versions)
    for shape in config.latency_shapes:
        _log_times(run, shape, {version.name: version.path for version in versions}, DENSE)


def _versions(run: Run, file: str, name: str, model: nn.Module, sparsity: float) -> list[Version]:
    plain = export_onnx(model, run.artifact(f"onnx/{file}.onnx"))
    small = quantize_int8(plain)
    return [
        Version(name, plain, sparsity, int8=False),
        Version(f"{name}, int8", small, sparsity, int8=True),
    ]


def _masked(dense: nn.Module, share: float) -> nn.Module:
    """A copy of the dense model with zeros for that share of heads and units of every layer."""
    masked = copy.deepcopy(dense)
    zero_out(
        masked,
        [
            LayerKeep(
                torch.arange(max(1, round(parts.heads * (1 - share)))),
                torch.arange(round(parts.units * (1 - share))),
            )
            for parts in layer_parts(masked)
        ],
    )
    return masked


def _log_scores(config: CapConfig, run: Run, arm: Arm, versions: Sequence[Version]) -> None:
    """Size of each version, and its score on the test set, through ONNX Runtime."""
    test = names.prepared(config, arm.set, arm.seed).test
    plain: dict[float, float] = {}
    for version in versions:
        tags: dict[str, Any] = {"model": version.name, "sparsity": version.sparsity,
                                "int8": version.int8}  # fmt: skip
        run.log("file_mb", version.path.stat().st_size / 1e6, **tags)
        if version.name == MASKED:  # zeros at random: only its time is of interest
            continue
        score = test.score_onnx(version.path)
        run.log("served_percent", score.main, **tags, set=arm.set, n=score.count)
        if version.int8:
            change = score.main - plain[version.sparsity]
            run.log("int8_change_points", change, sparsity=version.sparsity, n=score.count)
        else:
            plain[version.sparsity] = score.main


def _log_times(run: Run, shape: str, models: Mapping[str, nn.Module | Path], base: str) -> None:
    batch, tokens = map(int, shape.split("x"))
    runners = model_runners(dict(models), batch=batch, tokens=tokens)
    repeats = max(20, min(200, 4000 // (batch * tokens)))
    found: dict[str, Latency] = latency(runners, repeats=repeats)
    for name, times in found.items():
        tags: dict[str, Any] = {"model": name, "shape": shape}
        run.log("latency_cpu_ms", times.cpu_min_ms, **tags, n=repeats)
        run.log("latency_median_cpu_ms", times.cpu_median_ms, **tags, n=repeats)
        speedup = found[base].cpu_min_ms / times.cpu_min_ms
        run.log("speedup_x", speedup, **tags, base=base)


def _measure_sparse(config: CapConfig, run: Run, kept: Sequence[Arm], home: Path) -> None:
    base = "dense, PyTorch"
    teacher = teacher_folder(home, kept[0].set, kept[0].seed)
    models: dict[str, nn.Module | Path] = {base: AutoPruned.from_pretrained(teacher, device="cpu")}
    for arm in kept:
        share = read_result(home, arm.key)["stages"][0]["sparsity"]
        model = AutoPruned.from_pretrained(stage_folder(home, arm, share), device="cpu")
        models[f"{share:.0%} zeros, CSR"] = to_csr(model)
    for shape in config.latency_shapes:
        _log_times(run, shape, models, base)
