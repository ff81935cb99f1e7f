"""One forward pass that gives both what the task wants and the vector that is contrasted."""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout
from transformers import PreTrainedModel

from burnish.data.encoding import Encoded
from burnish.errors import DataError, UsageError

Pooling = Literal["cls", "mean"]
_NOWHERE = -1e4  # logit of a position that is padding; finite, so that a product with 0 is 0


class Represented(nn.Module):
    """A transformers model with a task head, and the pooled vector of its encoder.

    Attributes:
        model: sequence classification or extractive question answering.
        pooling: "cls" is the pooler's output where there is one and the task is classification,
            else the first token's hidden state; "mean" averages the tokens that are no padding.
        anchor_dropout: probability of dropout on the vector while training, for "cls" in
            classification, as in the released code.
    """

    def __init__(self, model: PreTrainedModel, pooling: Pooling, anchor_dropout: float) -> None:
        super().__init__()
        self.model, self.pooling = model, pooling
        self.anchor_dropout = anchor_dropout
        self._seen: Any = None
        self._hook = model.base_model.register_forward_hook(self._see)
        config: Any = model.config
        self._attention = config._attn_implementation
        if model.device.type == "cpu":
            # torch's fused attention runs backward on a CPU in bfloat16 at a third of the speed.
            model.set_attn_implementation("eager")

    def release(self) -> None:
        """Take the hook off the model, which is then as it was."""
        self._hook.remove()
        self.model.set_attn_implementation(self._attention)

    def _see(self, module: nn.Module, inputs: object, output: Any) -> None:
        self._seen = output

    def forward(self, **inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (H, B, C) and vectors (B, D), both in float32.

        H is 1 for classification; for question answering it is 2, of the start and of the end,
        with C the token positions, where padding has a logit of -10,000.
        """
        output = self.model(**inputs)
        encoded, self._seen = self._seen, None
        mask = inputs["attention_mask"]
        if "logits" in output:
            logits = output.logits[None].float()
        else:
            both = torch.stack([output.start_logits, output.end_logits]).float()
            logits = both.masked_fill(mask[None] == 0, _NOWHERE)
        return logits, self._pooled(encoded, mask, answers="logits" not in output).float()

    def _pooled(self, encoded: Any, mask: Tensor, *, answers: bool) -> Tensor:
        hidden = cast("Tensor", encoded.last_hidden_state)
        if self.pooling == "mean":
            weights = mask[..., None].to(hidden.dtype)
            return (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)
        pooled = getattr(encoded, "pooler_output", None)
        vector = hidden[:, 0] if answers or pooled is None else cast("Tensor", pooled)
        if answers:
            return vector
        return dropout(vector, self.anchor_dropout, training=self.training)


def hidden_size(model: PreTrainedModel) -> int:
    """D of the vectors a model gives."""
    config: Any = model.config
    return int(config.hidden_size)


def vocabulary_size(model: PreTrainedModel) -> int:
    """How many tokens a model knows."""
    embeddings: Any = model.get_input_embeddings()
    return int(embeddings.weight.shape[0])


def _asks(model: PreTrainedModel) -> bool:
    return hasattr(model, "qa_outputs")


def check_examples(model: PreTrainedModel, examples: Encoded) -> None:
    """Refuse examples that the head of this model cannot learn.

    Raises:
        UsageError: the head is of another task.
        DataError: there are more classes than the head has.
    """
    wanted, came = ("question answering" if asks else "classification"
                    for asks in (_asks(model), examples.task == "qa"))  # fmt: skip
    if wanted != came:
        raise UsageError(
            f"{type(model).__name__} has a head for {wanted}, and the examples are of {came}; give "
            "the model a head of their task"
        )
    classes = int(model.config.num_labels or 0)
    if came == "classification" and (most := int(examples.labels.max())) >= classes:
        raise DataError(
            f"the examples have class {most}, and the model's head has the {classes} classes 0 to "
            f"{classes - 1}; make the model with num_labels={most + 1}"
        )


def check_models(model: PreTrainedModel, teacher: PreTrainedModel, *, projection: bool) -> None:
    """Refuse a teacher that cannot teach this model.

    Raises:
        UsageError: vocabularies, tasks or classes differ; or the hidden sizes, without projection.
    """
    rows = [vocabulary_size(each) for each in (model, teacher)]
    if rows[0] != rows[1]:
        raise UsageError(
            f"model and teacher must share a tokenizer, but know {rows[0]} and {rows[1]} tokens; "
            "take a teacher fine-tuned from the same family"
        )
    if _asks(model) != _asks(teacher):
        raise UsageError(
            f"model and teacher must have heads of one task, but are {type(model).__name__} and "
            f"{type(teacher).__name__}; fine-tune a teacher on the task of the model"
        )
    classes = [each.config.num_labels for each in (model, teacher)]
    if classes[0] != classes[1]:
        raise UsageError(
            f"model and teacher must have the same classes, but have {classes[0]} and "
            f"{classes[1]}; give the model a head of {classes[1]} classes"
        )
    sizes = hidden_size(model), hidden_size(teacher)
    if sizes[0] != sizes[1] and not projection:
        raise UsageError(
            f"model and teacher must share a hidden size, but have {sizes[0]} and {sizes[1]}; set "
            "projection=True, which learns a map from the one to the other"
        )
