"""Tokens of a whole data set, made once; batches are gathered from them, never tokenised again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from burnish.data.examples import Examples, Task
from burnish.errors import UsageError

_CHUNK = 2000  # examples tokenised in one call; bounds what the tokenizer's lists take


@dataclass(frozen=True, eq=False)
class Encoded:
    """Tokenised examples, one row a feature; row i has the tokens offsets[i] to offsets[i + 1].

    A long context gives several features, otherwise a row is an example.

    Attributes:
        task: of the examples.
        ids: (n,) the examples' ids; for qa the row numbers, since an example may have several rows.
        sources: (n,) which example a row came from, as its position in the examples.
        labels: (n,) class indices; empty for qa.
        tokens: (m,) int32, all rows one after the other.
        offsets: (n + 1,) where the rows begin.
        types: (m,) int8 token types, or None if the model takes none.
        positions: (n, 2) first and last token of the answer, (0, 0) if the answer lies outside the
            row's part of the context; empty but for qa.
        spans: (m, 2) int32 characters of the context that a token covers, (-1, -1) outside the
            context; empty but for qa.
        pad: token that fills the batches.
    """

    task: Task
    ids: NDArray[np.int64]
    sources: NDArray[np.int64]
    labels: NDArray[np.int64]
    tokens: NDArray[np.int32]
    offsets: NDArray[np.int64]
    types: NDArray[np.int8] | None
    positions: NDArray[np.int64]
    spans: NDArray[np.int32]
    pad: int

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def lengths(self) -> NDArray[np.int64]:
        """(n,) tokens of each row."""
        return np.diff(self.offsets)

    def batch(self, rows: ArrayLike) -> dict[str, Tensor]:
        """What a transformers model takes for these rows, padded on the right to the longest.

        Args:
            rows: (B,) row numbers.

        Returns:
            input_ids, attention_mask and, if the model takes them, token_type_ids, (B, T); labels
            (B,), or start_positions and end_positions (B,) for qa. All int64.
        """
        wanted = np.asarray(rows, dtype=np.int64)
        begin, inside = self._grid(wanted)
        inputs = {
            "input_ids": np.where(inside, self.tokens[begin], self.pad),
            "attention_mask": inside,
        }
        if self.types is not None:
            inputs["token_type_ids"] = np.where(inside, self.types[begin], 0)
        if self.task == "qa":
            inputs["start_positions"], inputs["end_positions"] = self.positions[wanted].T
        else:
            inputs["labels"] = self.labels[wanted]
        return {name: torch.from_numpy(value.astype(np.int64)) for name, value in inputs.items()}

    def context_spans(self, rows: ArrayLike) -> NDArray[np.int32]:
        """(B, T, 2) characters that a qa batch's tokens cover; (-1, -1) outside the context."""
        begin, inside = self._grid(np.asarray(rows, dtype=np.int64))
        return np.where(inside[:, :, None], self.spans[begin], np.int32(-1))

    def _grid(self, rows: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Where each cell (B, T) of a batch lies in `tokens`, and whether it is no padding."""
        starts, sizes = self.offsets[rows], self.offsets[rows + 1] - self.offsets[rows]
        column = np.arange(sizes.max(initial=0))
        inside = column < sizes[:, None]
        return np.where(inside, starts[:, None] + column, 0), inside


def encode(
    examples: Examples, tokenizer: PreTrainedTokenizerBase, *, max_length: int, stride: int = 0
) -> Encoded:
    """Tokenise examples; what is longer than `max_length` is cut.

    A pair loses from its longer text first. For qa the question comes first and is kept whole; a
    context that does not fit gives several rows that overlap.

    Args:
        examples: what to tokenise.
        tokenizer: of the model; a fast one.
        max_length: most tokens of a row, special ones included.
        stride: for qa, by how many tokens the rows of one context overlap; 0 keeps the beginning
            of the context alone, in one row.

    Raises:
        UsageError: the tokenizer cannot pad or is not a fast one, max_length leaves no room, or a
            stride was given for another task than qa.
    """
    _check(examples, tokenizer, max_length, stride)
    parts = list(_encoded_chunks(examples, tokenizer, max_length=max_length, stride=stride))
    counts = np.concatenate([part.counts for part in parts]).astype(np.int64)
    sources = np.concatenate([part.sources for part in parts])
    asks = examples.task == "qa"
    types = [part.types for part in parts if part.types is not None]
    return Encoded(
        task=examples.task,
        ids=np.arange(len(sources)) if asks else np.array(examples.ids, dtype=np.int64),
        sources=sources,
        labels=np.array(examples.labels, dtype=np.int64),
        tokens=np.concatenate([part.tokens for part in parts]),
        offsets=np.concatenate([[0], np.cumsum(counts)]),
        types=np.concatenate(types) if types else None,
        positions=np.concatenate([part.positions for part in parts]),
        spans=np.concatenate([part.spans for part in parts]),
        pad=int(tokenizer.pad_token_id),
    )


@dataclass(frozen=True)
class _Part:
    counts: NDArray[np.int64]
    sources: NDArray[np.int64]
    tokens: NDArray[np.int32]
    types: NDArray[np.int8] | None
    positions: NDArray[np.int64]
    spans: NDArray[np.int32]


def _check(
    examples: Examples, tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int
) -> None:
    if not len(examples):
        raise UsageError("there are no examples to encode; give at least one")
    if tokenizer.pad_token_id is None:
        raise UsageError(
            "batches are filled with the tokenizer's pad token, and this one has none; "
            "set tokenizer.pad_token, for example to tokenizer.eos_token"
        )
    if not tokenizer.is_fast:
        raise UsageError(
            f"encoding needs a fast tokenizer, got {type(tokenizer).__name__}; "
            "load it with AutoTokenizer from a folder that has tokenizer.json"
        )
    room = max_length - tokenizer.num_special_tokens_to_add(pair=bool(examples.others))
    if room < 1:
        raise UsageError(f"max_length {max_length} leaves no room beside the special tokens")
    if stride and examples.task != "qa":
        raise UsageError(f"stride is for qa, where a context may take several rows, got {stride}")
    if stride < 0 or (stride and stride >= room):
        raise UsageError(f"stride must lie between 0 and {room - 1}, got {stride}; lower it")


def _encoded_chunks(
    examples: Examples, tokenizer: PreTrainedTokenizerBase, *, max_length: int, stride: int
) -> Iterator[_Part]:
    for start in range(0, len(examples), _CHUNK):
        rows = range(start, min(start + _CHUNK, len(examples)))
        if examples.task == "qa":
            yield _questions(examples, rows, tokenizer, max_length=max_length, stride=stride)
        else:
            yield _texts(examples, rows, tokenizer, max_length)


def _texts(
    examples: Examples, rows: range, tokenizer: PreTrainedTokenizerBase, max_length: int
) -> _Part:
    texts = list(examples.texts[rows.start : rows.stop])
    others = list(examples.others[rows.start : rows.stop]) or None
    made = tokenizer(texts, others, truncation="longest_first", max_length=max_length)
    nothing = np.zeros((0, 2))
    return _part(made, np.array(rows), nothing.astype(np.int64), nothing.astype(np.int32))


def _part(
    made: Any,
    sources: NDArray[np.int64],
    positions: NDArray[np.int64],
    spans: NDArray[np.int32],
) -> _Part:
    types = made.get("token_type_ids")
    return _Part(
        counts=np.array([len(row) for row in made["input_ids"]]),
        sources=sources,
        tokens=_flat(made["input_ids"], np.int32),
        types=None if types is None else _flat(types, np.int8),
        positions=positions,
        spans=spans,
    )


def _flat(rows: Sequence[Sequence[int]], dtype: type[np.signedinteger[Any]]) -> NDArray[Any]:
    return np.fromiter(chain.from_iterable(rows), dtype=dtype, count=sum(map(len, rows)))


def _questions(
    examples: Examples,
    rows: range,
    tokenizer: PreTrainedTokenizerBase,
    *,
    max_length: int,
    stride: int,
) -> _Part:
    questions = list(examples.others[rows.start : rows.stop])
    contexts = list(examples.texts[rows.start : rows.stop])
    room = max_length - stride - 1 - tokenizer.num_special_tokens_to_add(pair=True)
    sizes = [len(row) for row in tokenizer(questions, add_special_tokens=False)["input_ids"]]
    if max(sizes) > room:
        at = examples.ids[rows.start + int(np.argmax(sizes))]
        raise UsageError(
            f"the question of example {at} has {max(sizes)} tokens, which leaves no room for its "
            f"context; raise max_length, now {max_length}, or lower stride, now {stride}"
        )
    made = tokenizer(
        questions,
        contexts,
        truncation="only_second",
        max_length=max_length,
        stride=stride,
        return_overflowing_tokens=stride > 0,
        return_offsets_mapping=True,
    )
    within = made.get("overflow_to_sample_mapping", range(len(questions)))
    sources = np.array(within, dtype=np.int64) + rows.start
    spans, positions = [], []
    for row, source in enumerate(sources):
        span = np.array(made["offset_mapping"][row], dtype=np.int32)
        span[[part != 1 for part in made.sequence_ids(row)]] = -1
        spans.append(span)
        positions.append(_answer_tokens(span, *examples.answers[source]))
    return _part(made, sources, np.array(positions, np.int64), np.concatenate(spans))


def _answer_tokens(span: NDArray[np.int32], start: int, answer: str) -> tuple[int, int]:
    """First and last token that cover the answer; (0, 0) if this part of the context lacks it."""
    context = np.flatnonzero(span[:, 0] >= 0)
    stop = start + len(answer)
    if not len(context) or span[context[0], 0] > start or span[context[-1], 1] < stop:
        return 0, 0
    covering = context[(span[context, 1] > start) & (span[context, 0] < stop)]
    return (int(covering[0]), int(covering[-1])) if len(covering) else (0, 0)
