"""What encoders still know that a user names."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from burnish.data import Examples, encode
from burnish.errors import UsageError
from burnish.methods.cap.named import check_fits, load_any, place_of
from burnish.methods.cap.probing import Probed, probe
from burnish.methods.cap.represent import Pooling
from burnish.models.heads import TaskModel, fresh_head, saved_head


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
        found[spec] = probe(loaded.model, *parts, pooling=pooling)
    return found


def _with_a_head(spec: str, examples: Examples) -> TaskModel:
    """A probe takes models with a head, and ignores it; a bare encoder gets any."""
    if saved_head(place_of(spec)):
        return load_any(spec)
    if examples.task == "qa":
        raise UsageError("a probe classifies; give it classification or pairs, not qa")
    nobody = torch.Generator().manual_seed(0)
    return fresh_head(spec, "classification", nobody, labels=examples.label_names, device="cpu")
