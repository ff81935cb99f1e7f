"""How fast models are that a user names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from burnish.errors import UsageError
from burnish.methods.cap.named import STRUCTURED, UNSTRUCTURED, load_any, longest, zeros_in
from burnish.models.csr import to_csr
from burnish.models.latency import Runner, latency, model_runners

_VOCABULARY = 100  # ids that models are timed on lie below it; which they are makes no difference


def compare_speed(
    specs: Sequence[str], *, batch: int, tokens: int, repeats: int
) -> list[dict[str, Any]]:
    """Processor time of models that take turns on one thread, and speed-ups over the first.

    Args:
        specs: folders, or .onnx files. A model with single weights pruned runs as CSR.
        batch: texts.
        tokens: length of each.
        repeats: rounds that count.

    Returns:
        A row a model: milliseconds, least and median, and how many times the first takes.

    Raises:
        UsageError: a model cannot run, or has zeros in place of heads and units, which make
            nothing faster.
    """
    for spec in specs:
        if zeros_in(spec) == STRUCTURED:
            raise UsageError(
                f"{spec} holds zeros in place of heads and units, and zeros make nothing faster; "
                "cut them out first with burnish cap compact, and time the small model"
            )
    models, runtimes, vocabulary = _loaded(specs, tokens)
    runners = model_runners(models, batch=batch, tokens=tokens, vocabulary=vocabulary)
    _try_out(runners, f"{batch} texts of {tokens} tokens")
    found = latency(runners, repeats=repeats)
    base = next(iter(found.values()))
    return [
        {
            "model": name.partition(" ")[2],
            "runtime": runtimes[name],
            "cpu_min_ms": each.cpu_min_ms,
            "cpu_median_ms": each.cpu_median_ms,
            "speedup": base.cpu_min_ms / each.cpu_min_ms,
            "speedup_median": base.cpu_median_ms / each.cpu_median_ms,
        }
        for name, each in found.items()
    ]


def _loaded(
    specs: Sequence[str], tokens: int
) -> tuple[dict[str, nn.Module | str], dict[str, str], int]:
    """Models and what runs them, by "number spec", and a size that no vocabulary is below."""
    models, runtimes, vocabulary = dict[str, nn.Module | str](), dict[str, str](), _VOCABULARY
    for number, spec in enumerate(specs):
        name = f"{number} {spec}"
        if spec.endswith(".onnx"):
            runtimes[name], models[name] = "onnxruntime", spec
            continue
        loaded = load_any(spec)
        if tokens > longest(loaded):
            raise UsageError(
                f"{spec} takes at most {longest(loaded)} tokens, --tokens asks for {tokens}"
            )
        sparse = zeros_in(spec) == UNSTRUCTURED
        embeddings: Any = loaded.model.get_input_embeddings()
        vocabulary = min(vocabulary, embeddings.weight.shape[0])
        runtimes[name] = "torch, CSR" if sparse else "torch"
        models[name] = to_csr(loaded.model) if sparse else loaded.model
    return models, runtimes, vocabulary


def _try_out(runners: Mapping[str, Runner], what: str) -> None:
    for name, run in runners.items():
        try:
            run()
        except Exception as error:  # runtimes refuse a shape in as many ways as there are
            why = " ".join(str(error).split())[:200]
            raise UsageError(f"{name.partition(' ')[2]} cannot run {what}: {why}") from error
