"""Sequence classifiers of transformers, and encoders with a head, as classifiers of texts."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedTokenizerBase

from burnish.errors import UsageError
from burnish.gradients import onednn_products, short_attention
from burnish.methods.nlpguard.words import align

_CHUNK = 2000  # texts tokenised in one call


@dataclass(frozen=True, eq=False)
class Tokens:
    """A text as the model reads it.

    Attributes:
        ids: (T,), cut at the classifier's longest length, special tokens included.
        special: (T,), which of them the tokenizer added.
        spans: (T, 2), where each stands in the text.
    """

    ids: NDArray[np.int64]
    special: NDArray[np.bool_]
    spans: NDArray[np.int64]


class EncoderWithHead(nn.Module):
    """An encoder, its token vectors pooled, and a head that gives logits.

    Args:
        encoder: takes input_ids or inputs_embeds, and attention_mask; gives last_hidden_state.
        head: (n, H) to (n, C) logits.
        pooling: "mean" over the tokens that are no padding, or "first".
    """

    def __init__(
        self, encoder: nn.Module, head: nn.Module, *, pooling: Literal["mean", "first"] = "mean"
    ) -> None:
        super().__init__()
        self.encoder, self.head, self.pooling = encoder, head, pooling

    def extra_repr(self) -> str:
        """What the parts do not show."""
        return f"pooling={self.pooling}"

    def get_input_embeddings(self) -> nn.Module:
        """The encoder's table of word vectors."""
        table: nn.Module = self.encoder.get_input_embeddings()  # type: ignore[operator]
        return table

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        inputs_embeds: Tensor | None = None,
    ) -> Tensor:
        """(n, C) logits of (n, T) tokens or (n, T, H) embeddings; without a mask all count."""
        hidden: Tensor = self.encoder(
            input_ids=input_ids, attention_mask=attention_mask, inputs_embeds=inputs_embeds
        ).last_hidden_state
        if self.pooling == "first":
            pooled = hidden[:, 0]
        elif attention_mask is None:
            pooled = hidden.mean(1)
        else:
            weights = attention_mask[:, :, None].to(hidden)
            pooled = (hidden * weights).sum(1) / weights.sum(1)
        logits: Tensor = self.head(pooled)
        return logits


class HfClassifier:
    """Any sequence classifier of transformers, or module like `EncoderWithHead`, on texts.

    Args:
        model: takes input_ids, attention_mask and inputs_embeds; gives logits (n, C), or an
            output with `logits`; has get_input_embeddings().
        tokenizer: of the model; needs a pad token.
        classes: names by column; None takes the model's own `config.id2label`.
        max_length: tokens of a text, special ones included; what follows is cut, in predictions
            and in explanations alike. At most what the model has positions for.
        tokens_per_pass: texts times tokens of one forward pass.

    Raises:
        UsageError: no pad token, no names for the classes, or no room for a text.
    """

    def __init__(
        self,
        model: nn.Module,
        tokenizer: PreTrainedTokenizerBase,
        classes: Sequence[str] | None = None,
        *,
        max_length: int = 128,
        tokens_per_pass: int = 4096,
    ) -> None:
        if tokenizer.pad_token_id is None:
            raise UsageError(
                "a classifier of texts needs a tokenizer with a pad token, and this one has none; "
                "set tokenizer.pad_token, for example to tokenizer.eos_token"
            )
        if max_length <= tokenizer.num_special_tokens_to_add():
            raise UsageError(f"max_length {max_length} leaves no room beside the special tokens")
        self.model, self.tokenizer = model, tokenizer
        self.classes = _names(model) if classes is None else tuple(classes)
        self.max_length = _longest(model, max_length)
        self.tokens_per_pass = tokens_per_pass

    @property
    def device(self) -> torch.device:
        """Where the model lies."""
        return next(self.model.parameters()).device

    def embedded(self, ids: NDArray[np.int64]) -> Tensor:
        """(..., H) word vectors of token ids (...), as the model makes them, without gradient."""
        table: nn.Module = self.model.get_input_embeddings()  # type: ignore[operator]
        with torch.no_grad():
            found: Tensor = table(torch.from_numpy(ids).to(self.device))
        return found

    def identity(self) -> str:
        """A hash of weights, architecture, tokenizer, classes and cut: one model's results."""
        settings = (self.classes, self.max_length, repr(self.model), _configs(self.model))
        found = hashlib.sha256(f"{settings} {_reading(self.tokenizer)}".encode())
        for name, value in self.model.state_dict().items():
            found.update(name.encode())
            found.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
        return found.hexdigest()

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, C), as `Classifier` says."""
        found = np.zeros((len(texts), len(self.classes)), dtype=np.float32)
        tokens = self.tokens(texts)
        lengths = np.array([len(one.ids) for one in tokens], dtype=np.int64)
        order = np.argsort(-lengths, kind="stable")
        with self.ready(), torch.no_grad():
            for rows in _passes(order, lengths, self.tokens_per_pass):
                ids, mask = self._padded([tokens[row].ids for row in rows])
                logits = self.logits(input_ids=ids, attention_mask=mask)
                found[rows] = torch.softmax(logits.float(), -1).cpu().numpy()
        return found

    def tokens(self, texts: Sequence[str]) -> list[Tokens]:
        """What the model reads of each text.

        A tokenizer that does not say where its tokens stand is warned of, and they are looked for.
        """
        if not self.tokenizer.is_fast and len(texts):
            warnings.warn(
                f"{type(self.tokenizer).__name__} does not say where its tokens stand in a text; "
                "they are looked for, which may go wrong: use a fast tokenizer",
                stacklevel=2,
            )
        return [
            tokens
            for start in range(0, len(texts), _CHUNK)
            for tokens in self._tokenised(list(texts[start : start + _CHUNK]))
        ]

    def logits(self, **inputs: Tensor) -> Tensor:
        """(n, C) of what the model takes."""
        found = self.model(**inputs)
        logits: Tensor = getattr(found, "logits", found)
        return logits

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The model in evaluation mode, its weights without gradient."""
        modes = [(module, module.training) for module in self.model.modules()]
        taking = [weight for weight in self.model.parameters() if weight.requires_grad]
        self.model.eval()
        self.model.requires_grad_(requires_grad=False)
        try:
            yield
        finally:
            for weight in taking:
                weight.requires_grad_()
            for module, training in modes:
                module.training = training

    @contextmanager
    def ready(self) -> Iterator[None]:
        """As `frozen`, with its products made the fast way."""
        with self.frozen(), onednn_products(), short_attention():
            yield

    def _tokenised(self, texts: list[str]) -> Iterator[Tokens]:
        fast = self.tokenizer.is_fast
        found: Any = self.tokenizer(
            texts,
            truncation=True,
            max_length=self.max_length,
            return_special_tokens_mask=True,
            return_offsets_mapping=fast,
        )
        for row, text in enumerate(texts):
            special = np.array(found["special_tokens_mask"][row], dtype=bool)
            if fast:
                spans = np.array(found["offset_mapping"][row], dtype=np.int64).reshape(-1, 2)
            else:
                names = self.tokenizer.convert_ids_to_tokens(found["input_ids"][row])
                own = ["" if added else name for name, added in zip(names, special, strict=True)]
                spans = align(own, text)
            yield Tokens(np.array(found["input_ids"][row], dtype=np.int64), special, spans)

    def _padded(self, rows: Sequence[NDArray[np.int64]]) -> tuple[Tensor, Tensor]:
        longest = max(map(len, rows))
        ids = np.full((len(rows), max(longest, 1)), self.tokenizer.pad_token_id)
        mask = np.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = row
            mask[place, : len(row)] = 1
        return torch.from_numpy(ids).to(self.device), torch.from_numpy(mask).to(self.device)


def _configs(model: nn.Module) -> list[str]:
    """What the configurations within a model say, but for where and by what they were made."""
    every = {id(config): config for part in model.modules() if (config := _config(part))}
    return [
        json.dumps(
            {
                name: value
                for name, value in config.to_dict().items()
                if not name.startswith("_") and name != "transformers_version"
            },
            sort_keys=True,
            default=str,
        )
        for config in every.values()
    ]


def _longest(model: nn.Module, wanted: int) -> int:
    """So many tokens, or as many as the model has vectors of positions for."""
    configs = [config for part in model.modules() if (config := _config(part))]
    sizes = {getattr(config, "max_position_embeddings", None) for config in configs}
    tables = [part for part in model.modules() if isinstance(part, nn.Embedding)]
    words = model.get_input_embeddings() if configs else None  # type: ignore[operator]
    rooms = [
        # a table that knows padding begins to count behind it
        table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)
        for table in tables
        if table.num_embeddings in sizes and table is not words
    ]
    return min([wanted, *rooms])


def _config(module: nn.Module) -> PretrainedConfig | None:
    config = getattr(module, "config", None)
    return config if isinstance(config, PretrainedConfig) else None


def _reading(tokenizer: PreTrainedTokenizerBase) -> str:
    """How a tokenizer makes tokens, which lower case or another splitting changes."""
    vocabulary = sorted(tokenizer.get_vocab().items())
    kept = f"{type(tokenizer).__name__} {vocabulary} {tokenizer.special_tokens_map}"
    if not tokenizer.is_fast:
        switches = {k: v for k, v in tokenizer.init_kwargs.items() if isinstance(v, bool)}
        return f"{kept} {sorted(switches.items())}"
    backend: Any = tokenizer.backend_tokenizer
    steps = json.loads(backend.to_str())
    return kept + json.dumps(
        [steps[name] for name in ("normalizer", "pre_tokenizer", "post_processor", "model")]
    )


def _names(model: nn.Module) -> tuple[str, ...]:
    config = getattr(model, "config", None)
    by_column = getattr(config, "id2label", None)
    if not by_column:
        raise UsageError("this model does not name its classes; pass classes=")
    return tuple(str(by_column[column]) for column in range(len(by_column)))


def _passes(
    order: NDArray[np.int64], lengths: NDArray[np.int64], budget: int
) -> Iterator[NDArray[np.int64]]:
    """Cut an order of falling lengths so that rows times the longest keep within a budget."""
    start = 0
    while start < len(order):
        rows = max(1, budget // max(1, int(lengths[order[start]])))
        yield order[start : start + rows]
        start += rows
