"""Models by what a user names, as they would be served: how fast they are, and what they know."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from burnish.data import Examples, encode
from burnish.errors import UsageError
from burnish.methods.cap import folder
from burnish.methods.cap.folder import STRUCTURED, UNSTRUCTURED
from burnish.methods.cap.probing import Probed
from burnish.methods.cap.probing import probe as probe_encoder
from burnish.methods.cap.represent import Pooling
from burnish.methods.cap.single import check_fits, longest
from burnish.models.csr import to_csr
from burnish.models.heads import TaskModel, fresh_head, load_task_model, saved_head
from burnish.models.latency import latency, model_runners
from burnish.models.loading import load_as

_VOCABULARY = 100  # ids that models are timed on lie below it; which they are makes no difference


def zeros_in(spec: str) -> str:
    """What the zeros in a model stand for: "heads and units", "weights", or "" for none."""
    return folder.zeros_in(Path(spec))


def load_any(spec: str) -> TaskModel:
    """A model with whatever head it was saved with, or none, on the processor.

    Args:
        spec: as in `burnish.models.load_encoder`; or what `burnish cap prune` wrote.

    Raises:
        UsageError: no such model.
        AssetMissing: the asset was not pulled.
    """
    place = _place(spec)
    if head := saved_head(place):
        return load_task_model(place, head, device="cpu")
    return TaskModel(*load_as(place, "AutoModel", "float32", "cpu"))


def _place(spec: str) -> str:
    """The model's folder; of what `burnish cap prune` wrote, the one inside."""
    inside = Path(spec) / "pruned"
    return str(inside) if zeros_in(spec) and inside.is_dir() else spec


def _with_a_head(spec: str, examples: Examples) -> TaskModel:
    """A probe takes models with a head, and ignores it; a bare encoder gets any."""
    if saved_head(_place(spec)):
        return load_any(spec)
    if examples.task == "qa":
        raise UsageError("a probe classifies; give it classification or pairs, not qa")
    nobody = torch.Generator().manual_seed(0)
    return fresh_head(spec, "classification", nobody, labels=examples.label_names, device="cpu")


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
    runtimes, models, vocabulary = {}, dict[str, nn.Module | str](), _VOCABULARY
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
    runners = model_runners(models, batch=batch, tokens=tokens, vocabulary=vocabulary)
    for name, run in runners.items():
        try:
            run()
        except Exception as error:  # runtimes refuse a shape in as many ways as there are
            why = " ".join(str(error).split())[:200]
            raise UsageError(
                f"{name.partition(' ')[2]} cannot run {batch} texts of {tokens} tokens: {why}"
            ) from error
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


def compare_knowledge(
    specs: Sequence[str], train: Examples, test: Examples, *, pooling: Pooling, max_length: int
) -> dict[str, Probed]:
    """The generalisation probe of every model, see `burnish.methods.cap.probing`.

    Args:
        specs: as in `load_any`; each model sees the examples through its own tokenizer.
        train: to fit on.
        test: to score on.
        pooling: which vector, of all models alike.
        max_length: in tokens.

    Raises:
        UsageError: no such model, or the examples are no classification.
    """
    found = {}
    for spec in dict.fromkeys(specs):
        loaded = _with_a_head(spec, train)
        parts = [encode(part, loaded.tokenizer, max_length=max_length) for part in (train, test)]
        for part in parts:
            check_fits(loaded, part, max_length=max_length)
        found[spec] = probe_encoder(loaded.model, *parts, pooling=pooling)
    return found
