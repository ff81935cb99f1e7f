"""How long models take, side by side in one process.

Minimum processor time is the figure to quote: noise only ever adds, and the wall clock of a shared
machine measures the neighbours.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from burnish.errors import UsageError
from burnish.models.onnx_export import Array, OnnxModel

Runner = Callable[[], object]


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one call: processor time of the whole process, and wall time."""

    cpu_min_ms: float
    cpu_median_ms: float
    wall_min_ms: float
    wall_median_ms: float


def latency(
    runners: Mapping[str, Runner], *, repeats: int = 50, warmup: int = 3
) -> dict[str, Latency]:
    """Time several functions that take turns, on one thread.

    Args:
        runners: by name. In each round every one is called once, in this order.
        repeats: rounds that count.
        warmup: rounds before, that do not.

    Raises:
        UsageError: there is nothing to run, or no round that counts.
    """
    if not runners or repeats < 1 or warmup < 0:
        raise UsageError(
            f"latency needs runners, repeats >= 1 and warmup >= 0; got {len(runners)} runners, "
            f"repeats {repeats}, warmup {warmup}"
        )
    cpu: dict[str, list[float]] = {name: [] for name in runners}
    wall: dict[str, list[float]] = {name: [] for name in runners}
    with _one_thread():
        for number in range(-warmup, repeats):
            for name, run in runners.items():
                began, began_cpu = time.perf_counter(), time.process_time()
                run()
                took_cpu, took = time.process_time() - began_cpu, time.perf_counter() - began
                if number >= 0:
                    cpu[name].append(1000 * took_cpu)
                    wall[name].append(1000 * took)
    return {
        name: Latency(
            cpu_min_ms=min(cpu[name]),
            cpu_median_ms=statistics.median(cpu[name]),
            wall_min_ms=min(wall[name]),
            wall_median_ms=statistics.median(wall[name]),
        )
        for name in runners
    }


def model_runners(
    models: Mapping[str, nn.Module | str | os.PathLike[str]],
    *,
    batch: int,
    tokens: int,
    vocabulary: int = 1000,
    seed: int = 0,
) -> dict[str, Runner]:
    """One function for each model that runs it on the same random batch without padding.

    Args:
        models: by name: modules of torch that take input_ids and attention_mask, put into
            evaluation mode; or paths of .onnx files.
        batch: texts.
        tokens: length of each.
        vocabulary: ids are drawn below it.
        seed: of the ids.

    Raises:
        UsageError: sizes are not positive, or a file cannot be run.
    """
    if min(batch, tokens, vocabulary) < 1:
        raise UsageError(
            f"batch, tokens and vocabulary are positive, got {batch, tokens, vocabulary}"
        )
    ids = np.random.default_rng(seed).integers(vocabulary, size=(batch, tokens), dtype=np.int64)
    return {
        name: _torch_runner(model, ids)
        if isinstance(model, nn.Module)
        else _onnx_runner(model, ids)
        for name, model in models.items()
    }


def _torch_runner(model: nn.Module, ids: Array) -> Runner:
    model.eval()
    device = next(model.parameters()).device
    inputs = torch.from_numpy(ids).to(device)
    mask = torch.ones_like(inputs)

    def run() -> object:
        with torch.inference_mode():
            return model(input_ids=inputs, attention_mask=mask)

    return run


def _onnx_runner(path: str | os.PathLike[str], ids: Array) -> Runner:
    model = OnnxModel(path, threads=1)
    given = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
    inputs = {name: given.get(name, np.zeros_like(ids)) for name in model.inputs}
    return lambda: model(inputs)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
