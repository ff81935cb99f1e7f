"""Models by what a user names, and what is to be known before one runs them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burnish.errors import UsageError
from burnish.models.heads import TaskModel, load_task_model, saved_head
from burnish.models.loading import load_as

if TYPE_CHECKING:
    from burnish.data.encoding import Encoded

ZEROS = "burnish_zeros"  # in the config of a model that has zeros in place of what is gone
STRUCTURED, UNSTRUCTURED = "heads and units", "weights"


def zeros_in(spec: str | os.PathLike[str]) -> str:
    """What the zeros in a model stand for: "heads and units", "weights", or "" for none.

    The folder above the model, which `burnish cap prune` wrote, will do.
    """
    for config in (Path(spec) / "config.json", Path(spec) / "pruned" / "config.json"):
        try:
            return str(json.loads(config.read_text(encoding="utf-8")).get(ZEROS, ""))
        except (OSError, ValueError, AttributeError):  # loading it says what is wrong
            continue
    return ""


def place_of(spec: str | os.PathLike[str]) -> str:
    """The model's own folder, where the one above it was named; else what was named."""
    inside = Path(spec) / "pruned"
    return str(inside) if zeros_in(spec) and inside.is_dir() else os.fspath(spec)


def load_any(spec: str | os.PathLike[str]) -> TaskModel:
    """A model with whatever head it was saved with, or none, on the processor.

    Args:
        spec: as in `burnish.models.load_encoder`; or what `burnish cap prune` wrote.

    Raises:
        UsageError: no such model.
        AssetMissing: the asset was not pulled.
    """
    place = place_of(spec)
    if head := saved_head(place):
        return load_task_model(place, head, device="cpu")
    return TaskModel(*load_as(place, "AutoModel", "float32", "cpu"))


def check_fits(model: TaskModel, examples: Encoded, *, max_length: int) -> None:
    """Refuse tokens or lengths that the model has no embeddings for.

    Raises:
        UsageError: there are such.
    """
    embeddings: Any = model.model.get_input_embeddings()
    rows, largest = embeddings.weight.shape[0], int(examples.tokens.max())
    if largest >= rows:
        raise UsageError(
            f"the tokenizer of {model.identity} gives token {largest}, but its model knows {rows}; "
            "put the model's own tokenizer into its folder"
        )
    limit = longest(model)
    if int(examples.lengths.max()) > limit:
        raise UsageError(
            f"--max-length {max_length} is more than the {limit} tokens that {model.identity} takes"
        )


def longest(model: TaskModel) -> int:
    """Tokens that a model has positions for."""
    config: Any = model.model.config
    positions = getattr(config, "max_position_embeddings", None) or model.tokenizer.model_max_length
    return int(min(model.tokenizer.model_max_length, positions))
