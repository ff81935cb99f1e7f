"""A chat model that says what it is told to: for tests and examples of what stands on the seam."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence

from burnish.chat.protocol import Message, Outcome, Reply, Request, Usage
from burnish.errors import ChatError

Answer = str | Reply | ChatError


class ScriptedChat:
    """Deterministic replies, for trying the plumbing without a model; it measures nothing.

    Args:
        script: what to say. A mapping looks the last message's content up; a callable gets the
            request; a sequence answers the requests of each `replies` call in order. A string
            becomes a reply whose tokens are its words; a `ChatError` becomes a failed outcome, and
            so does a request the script has nothing for.
        log_probs: how likely continuations are: gets messages and one continuation. Without it the
            model refuses to score.
        identity: of the model; by default it names the script's content where it has any.
        context_tokens: what the model says its context is; it refuses nothing for it.
    """

    def __init__(
        self,
        script: Mapping[str, Answer] | Sequence[Answer] | Callable[[Request], Answer],
        *,
        log_probs: Callable[[Sequence[Message], str], Sequence[float]] | None = None,
        identity: str = "",
        context_tokens: int | None = None,
    ) -> None:
        self._script = script
        self._log_probs = log_probs
        self._identity = identity or f"scripted:{_name(script)}"
        self._context_tokens = context_tokens

    @property
    def identity(self) -> str:
        """As given, or a name made of the script."""
        return self._identity

    @property
    def context_tokens(self) -> int | None:
        """As given."""
        return self._context_tokens

    def replies(self, requests: Sequence[Request]) -> Iterator[Outcome]:
        """One outcome a request, in order."""
        for index, request in enumerate(requests):
            answer = self._answer(index, request)
            if isinstance(answer, str):
                words = sum(len(message.content.split()) for message in request.messages)
                usage = Usage(prompt_tokens=words, completion_tokens=len(answer.split()))
                answer = Reply(text=answer, usage=usage)
            yield Outcome(index, answer)

    def log_probs(
        self, messages: Sequence[Message], continuations: Sequence[str]
    ) -> list[list[float]]:
        """What the `log_probs` callable says.

        Raises:
            ChatError: there is none.
        """
        if self._log_probs is None:
            raise ChatError("this scripted model has no log_probs; pass a callable for them")
        return [list(self._log_probs(messages, text)) for text in continuations]

    def _answer(self, index: int, request: Request) -> Answer:
        if callable(self._script):
            return self._script(request)
        if isinstance(self._script, Mapping):
            key = request.messages[-1].content
            if key in self._script:
                return self._script[key]
            return ChatError(f"the script has no answer to {key[:60]!r}")
        if index < len(self._script):
            return self._script[index]
        return ChatError(f"the script has {len(self._script)} answers, and this is request {index}")


def _name(script: object) -> str:
    if callable(script):
        return getattr(script, "__qualname__", type(script).__name__)
    content = json.dumps(script, default=repr, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()[:16]
