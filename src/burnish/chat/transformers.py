"""Chat with a causal language model in this process, through transformers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from burnish.chat.protocol import Message, Outcome, Reply, Request, Usage
from burnish.errors import ChatError, ContextOverflow, MissingExtra, UsageError

try:
    import torch
    from jinja2 import TemplateError

    from burnish.chat import decoding
except ModuleNotFoundError as error:
    raise MissingExtra(
        f"a model in process needs {error.name}, which is not installed; "
        'run: pip install "burnish[structext]"'
    ) from error

if TYPE_CHECKING:
    from burnish.models import CausalLM


class TransformersChat:
    """A causal language model, in process; also says how likely given continuations are.

    Prompts go through the tokenizer's chat template and are read and continued in batches, longest
    first, those with a common beginning together. Replies come in that order. A sampled reply uses
    a generator of its own, seeded with the request's seed: it depends neither on global random
    state nor, but for the rounding of floats (which can tip a near tie), on what shares its batch.

    Args:
        model: what `burnish.models.load_causal_lm` gives, or what it takes: an asset's name, a
            folder or a hub id.
        batch_size: replies grown together, >= 1. Memory grows with it.

    Raises:
        UsageError: the tokenizer has no chat template, or the model keeps no key-value cache.
    """

    def __init__(self, model: CausalLM | str, *, batch_size: int = 8) -> None:
        if batch_size < 1:
            raise UsageError(f"batch_size must be at least 1, got {batch_size}")
        if isinstance(model, str):
            from burnish.models import load_causal_lm

            model = load_causal_lm(model)
        self._model: Any = model.model
        self._tokenizer: Any = model.tokenizer
        self._identity = model.identity
        self._batch_size = batch_size
        if not self._tokenizer.chat_template:
            raise UsageError(
                f"{model.identity} has no chat template, so it is no chat model; "
                "choose an instruct model or set tokenizer.chat_template"
            )
        if getattr(self._model, "_is_stateful", False):
            raise UsageError(
                f"{model.identity} is recurrent and keeps no key-value cache; "
                "serve it over an endpoint instead"
            )

    @property
    def identity(self) -> str:
        """The model's identity, the engine and the precision."""
        return f"{self._identity} (transformers, {str(self._model.dtype).removeprefix('torch.')})"

    @property
    def context_tokens(self) -> int | None:
        """Positions the model was built for."""
        config = self._model.config.get_text_config()
        return getattr(config, "max_position_embeddings", None)

    def prompt_tokens(self, messages: Sequence[Message]) -> int:
        """How many tokens the model reads for these messages.

        Raises:
            ChatError: the chat template refuses them.
        """
        return len(self._encode(messages))

    def replies(self, requests: Sequence[Request]) -> Iterator[Outcome]:
        """See `ChatModel.replies`; a schema is refused, since nothing here can enforce it.

        A reply ends early, with finish "length", where the context ends.
        """
        prompts: dict[int, list[int]] = {}
        for index, request in enumerate(requests):
            try:
                if request.json_schema is not None:
                    raise ChatError(
                        "a model in process cannot be held to a JSON schema; use a .gguf file or "
                        "an endpoint, or leave json_schema out"
                    )
                prompts[index] = self._encode(request.messages)
            except ChatError as refused:
                yield Outcome(index, refused)
        indices = list(prompts)
        order = [indices[i] for i in decoding.reading_order(list(prompts.values()))]
        with _evaluating(self._model):
            for start in range(0, len(order), self._batch_size):
                batch = order[start : start + self._batch_size]
                yield from self._continue(batch, prompts, requests)

    def log_probs(
        self, messages: Sequence[Message], continuations: Sequence[str]
    ) -> list[list[float]]:
        """Natural log-probability of each token of each continuation of the assistant's turn.

        The prompt is read once and all continuations in one further pass. Each continuation is
        tokenised on its own, without an end token, so none gets credit for ending.

        Raises:
            ContextOverflow: the prompt with the longest continuation does not fit.
            ChatError: the chat template refuses the messages.
        """
        tails = [self._tokenizer.encode(text, add_special_tokens=False) for text in continuations]
        ids = self._encode(messages, room=max(map(len, tails), default=0))
        with _evaluating(self._model):
            return decoding.log_probs(self._model, decoding.read(self._model, ids), tails)

    def _encode(self, messages: Sequence[Message], *, room: int = 1) -> list[int]:
        try:
            ids: list[int] = self._tokenizer.apply_chat_template(
                [{"role": message.role, "content": message.content} for message in messages],
                add_generation_prompt=True,
                return_dict=False,
            )
        except TemplateError as error:
            raise ChatError(f"the chat template refuses the messages: {error}") from error
        limit = self.context_tokens
        if limit is not None and len(ids) + room > limit:
            raise ContextOverflow(
                f"the prompt has {len(ids)} tokens and leaves no room for {room} more in a context "
                f"of {limit}; shorten it or choose a model with a longer context"
            )
        return ids

    def _continue(
        self, batch: Sequence[int], prompts: dict[int, list[int]], requests: Sequence[Request]
    ) -> Iterator[Outcome]:
        grown = decoding.grow(
            self._model,
            self._tokenizer,
            [prompts[index] for index in batch],
            [self._plan(requests[index], len(prompts[index])) for index in batch],
            ends=self._ends(),
        )
        for reply in grown:
            index = batch[reply.row]
            usage = Usage(prompt_tokens=len(prompts[index]), completion_tokens=reply.drawn)
            yield Outcome(
                index,
                Reply(text=reply.text, usage=usage, seconds=reply.seconds, finish=reply.finish),
            )

    def _plan(self, request: Request, prompt_tokens: int) -> decoding.Plan:
        limit = self.context_tokens
        room = request.max_tokens if limit is None else limit - prompt_tokens
        return decoding.Plan(
            max_tokens=min(request.max_tokens, room),
            temperature=request.temperature,
            top_p=request.top_p,
            generator=torch.Generator().manual_seed(request.seed),
            stop=request.stop,
        )

    def _ends(self) -> frozenset[int]:
        named = self._model.generation_config.eos_token_id
        ends = named if isinstance(named, list) else [named]
        return frozenset(
            token for token in [*ends, self._tokenizer.eos_token_id] if token is not None
        )


@contextmanager
def _evaluating(model: Any) -> Iterator[None]:
    """Without dropout, and afterwards as before: the model may be in the middle of training."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
