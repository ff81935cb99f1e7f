"""What core agents think with: weighing labels and writing a line, by any language model.

Weighing reads the log-probabilities of the labels after each question. All questions of one call
share an opening, which is read once.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from burnish.chat import ChatModel, ContinuationScorer, Message, Reply, Request
from burnish.errors import ChatError, ContextOverflow, UsageError

if TYPE_CHECKING:
    from burnish.models import CausalLM

_ASSET_SCHEME = "gguf:"


@dataclass(frozen=True)
class Weighed:
    """How likely each label is after one question.

    Attributes:
        log_probs: (K,) natural, over all that the model could say.
        prompt_tokens: read for it; what the opening shares counts with the first question.
        seconds: its share of the call.
    """

    log_probs: tuple[float, ...]
    prompt_tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Written:
    """A line a model wrote."""

    text: str
    prompt_tokens: int = 0
    completion_tokens: int = 0
    seconds: float = 0.0


class Thinker(Protocol):
    """A model behind core agents."""

    @property
    def identity(self) -> str:
        """Everything that changes what it answers."""
        ...

    def weigh(self, opening: str, questions: Sequence[str], labels: Sequence[str]) -> list[Weighed]:
        """One weighing a question, after `opening` as the system's words.

        Raises:
            ChatError: the model cannot say.
        """
        ...

    def write(self, opening: str, question: str, *, max_tokens: int, seed: int) -> Written:
        """A short reply.

        Raises:
            ChatError: the model cannot answer.
        """
        ...


class LocalThinker:
    """A causal language model in this process; an opening is read once for all its questions.

    Args:
        model: what `burnish.models.load_causal_lm` gives, or what it takes; `gguf:ASSET` is the
            asset, de-quantised.
        batch_size: questions read together, >= 1.

    Raises:
        UsageError: the model has no chat template or keeps no key-value cache.
    """

    def __init__(self, model: CausalLM | str, *, batch_size: int = 8) -> None:
        from burnish.chat import TransformersChat
        from burnish.models import load_causal_lm

        if batch_size < 1:
            raise UsageError(f"batch_size must be at least 1, got {batch_size}")
        if isinstance(model, str):
            model = load_causal_lm(model.removeprefix(_ASSET_SCHEME))
        self._chat = TransformersChat(model, batch_size=1)
        self._model: Any = model.model
        self._tokenizer: Any = model.tokenizer
        self._batch_size = batch_size

    @property
    def identity(self) -> str:
        """The model's, with engine and precision."""
        return self._chat.identity

    def weigh(self, opening: str, questions: Sequence[str], labels: Sequence[str]) -> list[Weighed]:
        """See `Thinker.weigh`. A label is its first token; two that share one are refused."""
        start = time.perf_counter()
        wanted = self._label_tokens(labels)
        prompts = [self._encode(opening, question) for question in questions]
        shared = _shared(prompts)
        self._check_room(prompts)
        rows = self._scores(prompts, shared, wanted)
        seconds = (time.perf_counter() - start) / max(1, len(prompts))
        return [
            Weighed(row, len(ids) - (shared if index else 0), seconds)
            for index, (row, ids) in enumerate(zip(rows, prompts, strict=True))
        ]

    def write(self, opening: str, question: str, *, max_tokens: int, seed: int) -> Written:
        """See `Thinker.write`."""
        return _written(self._chat, opening, question, max_tokens, seed)

    def _label_tokens(self, labels: Sequence[str]) -> list[int]:
        tokens = [self._tokenizer.encode(label, add_special_tokens=False)[0] for label in labels]
        if len(set(tokens)) < len(tokens):
            raise UsageError(f"labels must begin with tokens of their own, got {list(labels)}")
        return tokens

    def _encode(self, opening: str, question: str) -> list[int]:
        ids: list[int] = self._tokenizer.apply_chat_template(
            [{"role": "system", "content": opening}, {"role": "user", "content": question}],
            add_generation_prompt=True,
            return_dict=False,
        )
        return ids

    def _check_room(self, prompts: Sequence[Sequence[int]]) -> None:
        limit, longest = self._chat.context_tokens, max(map(len, prompts), default=0)
        if limit is not None and longest > limit:
            raise ContextOverflow(
                f"a core agent's prompt has {longest} tokens for a context of {limit}; "
                "give it a shorter memory or another model"
            )

    def _scores(
        self, prompts: Sequence[list[int]], shared: int, wanted: list[int]
    ) -> list[tuple[float, ...]]:
        import torch

        from burnish.chat import decoding

        rows: dict[int, tuple[float, ...]] = {}
        # those of like length together: padding is read like words
        order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
        training = self._model.training
        self._model.eval()
        try:
            with torch.inference_mode():
                if not prompts:
                    return []
                opening = decoding.read(self._model, prompts[0][:shared]).cache
                for first in range(0, len(order), self._batch_size):
                    batch = order[first : first + self._batch_size]
                    tails = [prompts[index][shared:] for index in batch]
                    rows.update(zip(batch, self._after(opening, tails, wanted), strict=True))
        finally:
            self._model.train(training)
        return [rows[index] for index in range(len(prompts))]

    def _after(
        self, opening: Any, tails: Sequence[list[int]], wanted: list[int]
    ) -> list[tuple[float, ...]]:
        """Log-probabilities of `wanted` after each tail, all over one cached opening."""
        import torch
        from transformers import DynamicCache

        shared, width = opening.get_seq_length(), max(map(len, tails))
        # padding on the right needs no mask: no position of a row comes after its own last token
        ids = torch.tensor([[*tail, *[0] * (width - len(tail))] for tail in tails])
        ends = [len(tail) - 1 for tail in tails]
        needed = sorted(set(ends))
        cache = DynamicCache(
            [
                (
                    layer.keys.expand(len(tails), -1, -1, -1),
                    layer.values.expand(len(tails), -1, -1, -1),
                )
                for layer in opening.layers
            ]
        )
        device = self._model.device
        logits = self._model(
            input_ids=ids.to(device),
            position_ids=torch.arange(shared, shared + width, device=device)[None],
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=torch.tensor(needed, device=device),
        ).logits
        at = torch.tensor([needed.index(end) for end in ends], device=device)
        last = logits[torch.arange(len(tails), device=device), at].double().log_softmax(-1)
        return [tuple(row) for row in last[:, wanted].tolist()]


class ChatThinker:
    """Any model behind `burnish.chat`: weighs with its scorer, or else by its spoken label.

    A model that gives no log-probabilities is asked for the label itself; what it says then has
    all the weight, and a reply that begins with no label is a `ChatError`.

    Args:
        model: answers, and may also be a `ContinuationScorer`.
    """

    def __init__(self, model: ChatModel) -> None:
        self._model = model

    @property
    def identity(self) -> str:
        """The model's."""
        return self._model.identity

    @property
    def spoken(self) -> bool:
        """Whether labels are said and not weighed."""
        return not isinstance(self._model, ContinuationScorer)

    def weigh(self, opening: str, questions: Sequence[str], labels: Sequence[str]) -> list[Weighed]:
        """See `Thinker.weigh`."""
        return [self._weighed(opening, question, labels) for question in questions]

    def write(self, opening: str, question: str, *, max_tokens: int, seed: int) -> Written:
        """See `Thinker.write`."""
        return _written(self._model, opening, question, max_tokens, seed)

    def _weighed(self, opening: str, question: str, labels: Sequence[str]) -> Weighed:
        start = time.perf_counter()
        if isinstance(self._model, ContinuationScorer):
            tokens = self._model.log_probs(_messages(opening, question), labels)
            scores = tuple(sum(own) if own else -math.inf for own in tokens)
            return Weighed(scores, seconds=time.perf_counter() - start)
        said = _written(self._model, opening, question, 4, 0)
        for index, label in enumerate(labels):
            if said.text.lstrip(" \n\"'(").upper().startswith(label.upper()):
                scores = tuple(0.0 if k == index else -math.inf for k in range(len(labels)))
                return Weighed(scores, said.prompt_tokens, said.seconds)
        raise ChatError(f"expected one of {', '.join(labels)}, got {said.text[:40]!r}")


def _messages(opening: str, question: str) -> tuple[Message, Message]:
    return Message("system", opening), Message("user", question)


def _written(model: ChatModel, opening: str, question: str, max_tokens: int, seed: int) -> Written:
    request = Request(
        messages=_messages(opening, question),
        max_tokens=max_tokens,
        temperature=0.7,
        top_p=0.95,
        seed=seed,
        stop=("\n",),
    )
    (outcome,) = model.replies([request])
    if not isinstance(outcome.reply, Reply):
        raise outcome.reply
    reply = outcome.reply
    usage = reply.usage
    return Written(reply.text, usage.prompt_tokens, usage.completion_tokens, reply.seconds)


def _shared(prompts: Sequence[list[int]]) -> int:
    """Tokens that all prompts begin with, short of the shortest one's last."""
    if not prompts:
        return 0
    low, high = min(prompts), max(prompts)  # sorted ends share what all share
    limit = min(map(len, prompts)) - 1
    for index in range(limit):
        if low[index] != high[index]:
            return index
    return limit
