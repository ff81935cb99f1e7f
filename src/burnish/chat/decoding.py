"""Batched decoding with a causal language model of transformers. Knows no chat and no templates.

Every prompt is read alone and without padding: on processors reading is bound by arithmetic, so a
batch would only add padding, and the first token cannot depend on the neighbours. What a prompt
shares with the one read before it is not read again. Replies are then grown together, since a
decoding step is bound by moving the weights, and a finished row leaves the batch.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import Cache, DynamicCache, PreTrainedModel
from transformers.cache_utils import DynamicLayer

SHORTEST_SHARED_PREFIX = 16
"""Tokens; sharing less saves no time, and an unshared prompt takes the faster unmasked kernel."""


@dataclass(frozen=True)
class Read:
    """A prompt that the model has read.

    Attributes:
        ids: the prompt's n tokens.
        cache: keys and values of one row and n positions.
        logits: (vocabulary,), of the token that comes next.
    """

    ids: Sequence[int]
    cache: Cache
    logits: Tensor


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How one reply is drawn.

    Attributes:
        max_tokens: longest reply, in tokens, >= 1.
        temperature: 0 takes the likeliest token.
        top_p: nucleus share, in (0, 1].
        generator: on the CPU; not used when greedy.
        stop: strings that end the reply.
    """

    max_tokens: int
    temperature: float
    top_p: float
    generator: torch.Generator
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Grown:
    """A finished reply.

    Attributes:
        row: its place in the batch.
        text: without end token and stop string.
        drawn: tokens sampled, the one that ended the reply included.
        seconds: its own reading and its share of the steps it took part in.
        finish: why it ended.
    """

    row: int
    text: str
    drawn: int
    seconds: float
    finish: Literal["stop", "length"]


def shared_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """Number of leading tokens that two sequences have in common."""
    for n, (own, other) in enumerate(zip(left, right, strict=False)):
        if own != other:
            return n
    return min(len(left), len(right))


def reading_order(prompts: Sequence[Sequence[int]]) -> list[int]:
    """Indices of prompts, such that neighbours share prefixes or, failing that, lengths.

    Prompts of which at least half is a neighbour's prefix stay together; such families come by the
    length of their longest prompt, longest first, so that the heaviest batch is met at the start.
    """
    families: list[list[int]] = []
    for index in sorted(range(len(prompts)), key=lambda i: tuple(prompts[i])):
        ids = prompts[index]
        if families and 2 * shared_prefix(ids, prompts[families[-1][-1]]) >= len(ids):
            families[-1].append(index)
        else:
            families.append([index])
    families.sort(key=lambda family: max(len(prompts[i]) for i in family), reverse=True)
    return [index for family in families for index in family]


@torch.inference_mode()
def read(model: PreTrainedModel, ids: Sequence[int], before: Read | None = None) -> Read:
    """Read a prompt of n >= 1 tokens, going on from the prefix it shares with `before`."""
    shared = 0 if before is None else min(shared_prefix(before.ids, ids), len(ids) - 1)
    if before is None or shared < SHORTEST_SHARED_PREFIX:
        shared, cache = 0, DynamicCache()
    else:
        cache = DynamicCache(
            [
                (keys[..., :shared, :], values[..., :shared, :])
                for keys, values in _keys_values(before.cache)
            ]
        )
    logits = model(
        input_ids=torch.tensor([ids[shared:]], device=model.device),
        position_ids=torch.arange(shared, len(ids), device=model.device)[None],
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    ).logits
    return Read(ids, cache, _precise(logits[0, -1]))


def grow(
    model: PreTrainedModel,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    plans: Sequence[Plan],
    *,
    ends: frozenset[int],
) -> Iterator[Grown]:
    """Continue prompts together, each as its own plan says; a reply comes when it is finished.

    Args:
        model: decoder with a key-value cache.
        tokenizer: decodes the replies.
        prompts: B prompts of n_i tokens; `reading_order` says which to put together.
        plans: B plans.
        ends: tokens that end a reply.

    A row's tokens depend on its prompt and plan alone, up to the rounding of floats, which differs
    between batch shapes and can tip a near tie.
    """
    room = max(plan.max_tokens for plan in plans)
    rows, batch = _read_all(model, tokenizer, prompts, plans, room=room, ends=ends)
    while True:
        start = time.perf_counter()
        for row, logits in zip(rows, batch.logits, strict=True):
            row.accept(_draw(logits, row.plan))
        share = (time.perf_counter() - start) / len(rows)
        for row in rows:
            row.seconds += share
            if row.finish is not None:
                yield row.grown()
        kept = [slot for slot, row in enumerate(rows) if row.finish is None]
        if not kept:
            return
        start = time.perf_counter()
        if len(kept) < len(rows):
            batch.keep(kept)
            rows = [rows[slot] for slot in kept]
        batch.step(model, [row.ids[-1] for row in rows])
        for row in rows:
            row.seconds += (time.perf_counter() - start) / len(rows)


@torch.inference_mode()
def log_probs(
    model: PreTrainedModel, prompt: Read, continuations: Sequence[Sequence[int]]
) -> list[list[float]]:
    """Natural log-probability of each token of each continuation after a prompt.

    All continuations are read in one pass, padded on the right, over the prompt's keys and values.
    """
    first = prompt.logits.log_softmax(-1)
    scores = [[float(first[ids[0]])] if ids else [] for ids in continuations]
    longer = [row for row, ids in enumerate(continuations) if len(ids) > 1]
    if not longer:
        return scores
    # the last token predicts nothing that is asked for
    heads = [continuations[row][:-1] for row in longer]
    width = max(map(len, heads))
    batch = _Batch.of(len(heads), longest=len(prompt.ids), room=width, like=prompt)
    for slot in range(len(heads)):
        batch.put(slot, prompt)
    padded = [[*ids, *[0] * (width - len(ids))] for ids in heads]
    logits = batch.forward(model, torch.tensor(padded, device=model.device))
    for slot, row in enumerate(longer):
        wanted = torch.tensor(continuations[row][1:], device=logits.device)
        own = _precise(logits[slot, : len(wanted)]).log_softmax(-1)
        scores[row].extend(own.gather(-1, wanted[:, None])[:, 0].tolist())
    return scores


class _RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """Keys and values with room to grow: a step writes its tokens in place.

    `DynamicLayer` copies the whole cache at each step, which for long prompts takes longer than
    the step itself.
    """

    def __init__(self, keys: Tensor, values: Tensor, *, rows: int, longest: int, room: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtype, self.device, self.is_initialized = keys.dtype, keys.device, True
        # zeros: a masked position still enters the weighted sum, and 0 x NaN is NaN
        self._keys, self._values = (
            like.new_zeros((rows, like.shape[1], longest + room, like.shape[3]))
            for like in (keys, values)
        )
        self._show(longest)

    def put(self, row: int, keys: Tensor, values: Tensor) -> None:
        """Copy a row (1, heads, n, d) in, ending at the last used position."""
        start = self._used - keys.shape[-2]
        self._keys[row, :, start : self._used] = keys[0]
        self._values[row, :, start : self._used] = values[0]

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        end = self._used + key_states.shape[-2]
        self._keys[..., self._used : end, :] = key_states
        self._values[..., self._used : end, :] = value_states
        return self._show(end)

    def keep(self, rows: Tensor) -> None:
        """Drop all other rows."""
        self._keys = self._keys.index_select(0, rows.to(self.device))
        self._values = self._values.index_select(0, rows.to(self.device))
        self._show(self._used)

    def _show(self, used: int) -> tuple[Tensor, Tensor]:
        self._used = used
        keys, values = self._keys[..., :used, :], self._values[..., :used, :]
        self.keys, self.values = keys, values
        return keys, values


@dataclass
class _Batch:
    """B prompts, padded on the left, and the replies that grow behind them.

    Attributes:
        layers: keys and values.
        mask: (B, positions so far), 0 on padding.
        lengths: (B, 1), tokens that each row has.
        logits: (B, vocabulary), of each row's next token.
    """

    layers: list[_RoomyLayer]
    mask: Tensor
    lengths: Tensor
    logits: Tensor

    @classmethod
    @torch.inference_mode()
    def of(cls, rows: int, *, longest: int, room: int, like: Read) -> _Batch:
        device = like.logits.device
        return cls(
            [
                _RoomyLayer(keys, values, rows=rows, longest=longest, room=room)
                for keys, values in _keys_values(like.cache)
            ],
            torch.zeros(rows, longest, dtype=torch.long, device=device),
            torch.zeros(rows, 1, dtype=torch.long, device=device),
            like.logits.new_zeros(rows, like.logits.shape[-1]),
        )

    @torch.inference_mode()
    def put(self, row: int, prompt: Read) -> None:
        for layer, (keys, values) in zip(self.layers, _keys_values(prompt.cache), strict=True):
            layer.put(row, keys, values)
        self.mask[row, self.mask.shape[1] - len(prompt.ids) :] = 1
        self.lengths[row] = len(prompt.ids)
        self.logits[row] = prompt.logits

    @torch.inference_mode()
    def keep(self, slots: list[int]) -> None:
        indices = torch.tensor(slots, device=self.mask.device)
        for layer in self.layers:
            layer.keep(indices)
        self.mask, self.lengths = self.mask[indices], self.lengths[indices]

    def step(self, model: PreTrainedModel, tokens: list[int]) -> None:
        new = torch.tensor(tokens, device=self.mask.device)[:, None]
        self.logits = _precise(self.forward(model, new)[:, -1])

    @torch.inference_mode()
    def forward(self, model: PreTrainedModel, new: Tensor) -> Tensor:
        """Logits (B, t, vocabulary) behind each of (B, t) new tokens, which join the rows."""
        self.mask = torch.cat([self.mask, torch.ones_like(new)], dim=1)
        positions = self.lengths + torch.arange(new.shape[1], device=new.device)
        self.lengths = self.lengths + new.shape[1]
        logits: Tensor = model(
            input_ids=new,
            # rows without padding take the faster kernels
            attention_mask=None if bool(self.mask.all()) else self.mask,
            position_ids=positions,
            past_key_values=Cache(layers=list(self.layers)),
            use_cache=True,
        ).logits
        return logits


@dataclass
class _Row:
    """A reply while it grows."""

    index: int
    plan: Plan
    tokenizer: Any
    ends: frozenset[int]
    seconds: float = 0.0
    ids: list[int] = field(default_factory=list)
    finish: Literal["stop", "length"] | None = None

    def accept(self, token: int) -> None:
        self.ids.append(token)
        if token in self.ends or self._stopped():
            self.finish = "stop"
        elif len(self.ids) == self.plan.max_tokens:
            self.finish = "length"

    def grown(self) -> Grown:
        assert self.finish is not None  # noqa: S101 - the caller asks finished rows only
        ended = self.ids[-1] in self.ends
        text = self._text(self.ids[:-1] if ended else self.ids)
        cuts = [at for stop in self.plan.stop if (at := text.find(stop)) >= 0]
        return Grown(
            row=self.index,
            text=text[: min(cuts)] if cuts else text,
            drawn=len(self.ids),
            seconds=self.seconds,
            finish=self.finish,
        )

    def _stopped(self) -> bool:
        if not self.plan.stop:
            return False
        # a character takes at most four tokens, one for each of its bytes
        tail = self._text(self.ids[-4 * max(map(len, self.plan.stop)) - 4 :])
        return any(stop in tail for stop in self.plan.stop)

    def _text(self, ids: list[int]) -> str:
        text: str = self.tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text


def _read_all(
    model: PreTrainedModel,
    tokenizer: Any,
    prompts: Sequence[Sequence[int]],
    plans: Sequence[Plan],
    *,
    room: int,
    ends: frozenset[int],
) -> tuple[list[_Row], _Batch]:
    rows: list[_Row] = []
    before: Read | None = None
    batch: _Batch | None = None
    for index, (ids, plan) in enumerate(zip(prompts, plans, strict=True)):
        start = time.perf_counter()
        before = read(model, ids, before)
        if batch is None:
            batch = _Batch.of(len(prompts), longest=max(map(len, prompts)), room=room, like=before)
        batch.put(index, before)
        seconds = time.perf_counter() - start
        rows.append(_Row(index, plan, tokenizer, ends, seconds))
    assert batch is not None  # noqa: S101 - there is at least one prompt
    return rows, batch


def _draw(logits: Tensor, plan: Plan) -> int:
    """One token from logits (vocabulary,): the likeliest, or sampled from the nucleus."""
    if plan.temperature == 0:
        return int(logits.argmax())
    # in double precision on the CPU, so that rounding does not decide what a seed draws
    odds = (logits.double().cpu() / plan.temperature).softmax(-1)
    if plan.top_p < 1:
        ranked, order = odds.sort(descending=True, stable=True)
        ranked[ranked.cumsum(-1) - ranked >= plan.top_p] = 0
        odds = torch.zeros_like(odds).scatter(0, order, ranked)
    return int(torch.multinomial(odds, 1, generator=plan.generator))


def _precise(logits: Tensor) -> Tensor:
    """In single precision at least: half precision makes ties."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def _keys_values(cache: Cache) -> list[tuple[Tensor, Tensor]]:
    """Of each layer, (rows, heads, positions, d)."""
    return [
        (layer.keys, layer.values)
        for layer in cache.layers
        if isinstance(layer, DynamicLayer) and layer.keys is not None and layer.values is not None
    ]
