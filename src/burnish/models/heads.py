"""Encoders with the head of a task on top: the one they were saved with, or a fresh one."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from burnish.errors import UsageError
from burnish.models.loading import load_as, load_encoder
from burnish.models.sources import find

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Head = Literal["classification", "qa"]
CLASSES: dict[Head, str] = {
    "classification": "AutoModelForSequenceClassification",
    "qa": "AutoModelForQuestionAnswering",
}
_SUFFIXES: dict[Head, str] = {
    "classification": "ForSequenceClassification",
    "qa": "ForQuestionAnswering",
}


@dataclass(frozen=True)
class TaskModel:
    """An encoder with a head.

    Attributes:
        model: in evaluation mode.
        tokenizer: its own.
        identity: what tells the encoder's weights from all others; a fresh head's follow from
            the seed.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    identity: str


def fresh_head(
    spec: str | os.PathLike[str],
    head: Head,
    generator: torch.Generator,
    *,
    labels: Sequence[str] = (),
    device: torch.device | str | None = None,
) -> TaskModel:
    """An encoder with a new head in float32, drawn as the encoder's own config says.

    Args:
        spec: as in `burnish.models.load_encoder`.
        head: "classification" or "qa".
        generator: of the head's first weights; torch's global one is left alone.
        labels: names of the classes, at least two; none for "qa".
        device: as in `load_encoder`.

    Raises:
        UsageError: no such encoder, or fewer than two classes.
    """
    import torch
    import transformers

    if head == "classification" and len(labels) < 2:
        raise UsageError(f"a classifier needs at least two classes, got {list(labels)}")
    encoder = load_encoder(spec, device="cpu")
    config: Any = encoder.model.config
    if head == "classification":
        config.id2label = dict(enumerate(labels))
        config.label2id = {name: index for index, name in enumerate(labels)}
    config.problem_type = "single_label_classification" if head == "classification" else None
    seed = int(torch.randint(2**62, (1,), generator=generator))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = getattr(transformers, CLASSES[head]).from_config(config)
    weights = encoder.model.state_dict()
    for name, drawn in model.base_model.state_dict().items():
        if name in weights or not name.startswith("pooler."):
            drawn.copy_(weights[name])  # a pooler that was never saved is part of the new head
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return TaskModel(model.to(place).eval(), encoder.tokenizer, encoder.identity)


def saved_head(spec: str | os.PathLike[str]) -> Head | None:
    """The head a model was saved with; None for a bare encoder, or one with a head of another kind.

    Args:
        spec: as in `burnish.models.load_encoder`.

    Raises:
        UsageError: no such model.
        AssetMissing: the asset was not pulled.
    """
    name = _architecture(spec)
    return next((head for head, suffix in _SUFFIXES.items() if name.endswith(suffix)), None)


def load_task_model(
    spec: str | os.PathLike[str], head: Head, *, device: torch.device | str | None = None
) -> TaskModel:
    """A fine-tuned model with the head it was saved with, in float32.

    Args:
        spec: as in `burnish.models.load_encoder`; also a folder of `save_pruned`.
        head: "classification" or "qa".
        device: as in `load_encoder`.

    Raises:
        UsageError: no such model, or it was saved without such a head.
        AssetMissing: the asset was not pulled.
    """
    if saved_head(spec) != head:
        raise UsageError(
            f"{os.fspath(spec)} was saved as {_architecture(spec) or 'a model of no class'}, which "
            f"has no {head} head; name a model that was fine-tuned for {head}"
        )
    return TaskModel(*load_as(spec, CLASSES[head], "float32", device))


def _architecture(spec: str | os.PathLike[str]) -> str:
    """Class that a model was saved as, or "" where its config does not say."""
    path = find(spec).path / "config.json"
    try:
        names = json.loads(path.read_text(encoding="utf-8")).get("architectures")
    except (OSError, ValueError, AttributeError):  # loading it says what is wrong
        return ""
    return str(names[0]) if names else ""
