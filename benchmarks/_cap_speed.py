"""Time pruned encoders: dense and pruned, fp32 and int8, masked and sparse, all in one process.

Every graph comes from the same exporter and runs with the same session options. Candidates take
turns on one thread and the minimum processor time counts, since noise only ever adds. Speed depends
on shapes alone, so which heads and units go is arbitrary. Functions return plain rows, which
`python benchmarks/cap.py` prints.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import nn
from transformers import AutoModelForSequenceClassification

from burnish import assets
from burnish.models.anatomy import layer_parts
from burnish.models.csr import to_csr
from burnish.models.latency import latency, model_runners
from burnish.models.onnx_export import export_onnx, int8_is_exact, quantize_int8
from burnish.models.options import quiet
from burnish.models.shrinking import LayerKeep, shrink, zero_out

Row = dict[str, str | int | float | None]

SHAPES = ((1, 32), (1, 128), (8, 64))  # batch, tokens
UNEVEN = (1.6, 0.4, 1.3, 0.7, 1.5, 0.5)  # of the mean share, layer by layer; the mean stays
# At batch 1 of 128 tokens: the lowest and highest ratio to dense fp32 that is as promised
TARGETS: dict[str, tuple[float, float | None]] = {
    "keep 50 %": (1.6, None),
    "keep 30 %": (2.1, None),
    "keep 50 %, int8": (3.2, None),
    "masks only, 50 %": (0.95, 1.05),
}


def onnx_rows(shapes: Sequence[tuple[int, int]] = SHAPES, *, repeats: int = 100) -> list[Row]:
    """Milliseconds of MiniLM with 3 classes in ONNX Runtime, against itself before pruning."""
    model = _classifier()
    with tempfile.TemporaryDirectory() as folder:
        files = _graphs(model, Path(folder))
        return [
            row
            for batch, tokens in shapes
            for row in _timed(files, batch, tokens, base="dense", repeats=repeats)
        ]


def csr_rows(shapes: Sequence[tuple[int, int]] = SHAPES, *, repeats: int = 50) -> list[Row]:
    """Milliseconds of MiniLM with sparse rows in PyTorch, against dense PyTorch."""
    model = _classifier()
    models: dict[str, nn.Module] = {"dense PyTorch": model}
    for percent in (50, 90, 97):
        models[f"CSR {percent} %"] = to_csr(_sparse(model, percent / 100))
    return [
        row
        for batch, tokens in shapes
        for row in _timed(models, batch, tokens, base="dense PyTorch", repeats=repeats)
    ]


def _graphs(model: nn.Module, folder: Path) -> dict[str, Path]:
    masked = copy.deepcopy(model)
    zero_out(masked, _keep(masked, [0.5] * len(UNEVEN)))
    variants = {
        "dense": model,
        "keep 50 %": _pruned(model, 0.5),
        "keep 30 %": _pruned(model, 0.3),
        "keep 50 %, uneven": _pruned(model, 0.5, UNEVEN),
        "keep 30 %, uneven": _pruned(model, 0.3, UNEVEN),
        "masks only, 50 %": masked,
    }
    files = {
        name: export_onnx(variant, folder / f"{number}.onnx")
        for number, (name, variant) in enumerate(variants.items())
    }
    for name in ("dense", "keep 50 %", "keep 30 %", "keep 50 %, uneven"):
        files[f"{name}, int8"] = quantize_int8(files[name])
    return files


def _timed(
    models: Mapping[str, Path] | Mapping[str, nn.Module],
    batch: int,
    tokens: int,
    *,
    base: str,
    repeats: int,
) -> list[Row]:
    runners = model_runners(dict(models), batch=batch, tokens=tokens, vocabulary=20000)
    times = latency(runners, repeats=repeats, warmup=5)
    rows: list[Row] = []
    for name, time in times.items():
        low, high = TARGETS.get(name, (None, None)) if (batch, tokens) == (1, 128) else (None, None)
        ratio = times[base].cpu_min_ms / time.cpu_min_ms
        rows.append(
            {
                "what": name,
                "batch": batch,
                "tokens": tokens,
                "cpu_min_ms": time.cpu_min_ms,
                "cpu_median_ms": time.cpu_median_ms,
                "base": base,
                "speedup_ratio": ratio,
                "lowest_ratio": low,
                "highest_ratio": high,
                "int8_bits": (8 if int8_is_exact() else 7) if "int8" in name else None,
            }
        )
    return rows


def _classifier() -> nn.Module:
    with quiet(), torch.random.fork_rng():
        torch.manual_seed(0)
        model: nn.Module = AutoModelForSequenceClassification.from_pretrained(
            assets.path("all-minilm-l6-v2"), num_labels=3, local_files_only=True
        )
    return model.eval()


def _pruned(model: nn.Module, share: float, by_layer: Sequence[float] = (1,) * 6) -> nn.Module:
    pruned = copy.deepcopy(model)
    shrink(pruned, _keep(pruned, [share * factor for factor in by_layer]))
    return pruned


def _keep(model: nn.Module, shares: Sequence[float]) -> list[LayerKeep]:
    """Every so many heads and units of each layer."""
    return [
        LayerKeep(_spread(parts.heads, share), _spread(parts.units, share))
        for parts, share in zip(layer_parts(model), shares, strict=True)
    ]


def _spread(size: int, share: float) -> torch.Tensor:
    return torch.linspace(0, size - 1, max(1, round(size * share))).round().long()


def _sparse(model: nn.Module, share: float) -> nn.Module:
    """The smallest weights of each matrix set to zero."""
    sparse = copy.deepcopy(model)
    with torch.no_grad():
        for linear in (linear for parts in layer_parts(sparse) for linear in parts.linears):
            size = linear.weight.abs().flatten()
            linear.weight[linear.weight.abs() <= size.kthvalue(int(share * len(size))).values] = 0
    return sparse
