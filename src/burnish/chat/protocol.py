"""What a chat model is to burnish: requests in, replies out, in any order. Knows no provider."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

from burnish.errors import ChatError, UsageError


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, kw_only=True)
class Request:
    """One conversation to continue and how to sample.

    Attributes:
        messages: the conversation so far.
        max_tokens: longest reply, in tokens.
        temperature: 0 is greedy.
        top_p: nucleus share, in (0, 1].
        seed: of the sampling; the same request with the same seed gives the same reply.
        stop: strings that end the reply; they are not part of it.
        json_schema: the reply must be JSON that fits this schema; a model that cannot be held to
            one answers with a `ChatError`.

    Raises:
        UsageError: a value is out of its range, or there is no message.
    """

    messages: tuple[Message, ...]
    max_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop: tuple[str, ...] = ()
    json_schema: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for name, fits, wanted in (
            ("messages", len(self.messages) > 0, "at least one message"),
            ("max_tokens", self.max_tokens >= 1, "at least 1"),
            ("temperature", 0 <= self.temperature < math.inf, "0 or more"),
            ("top_p", 0 < self.top_p <= 1, "over 0 and at most 1"),
            ("seed", 0 <= self.seed < 2**31, "from 0 to 2^31 - 1, which every engine takes"),
            ("stop", all(self.stop), "strings that are not empty"),
        ):
            if not fits:
                raise UsageError(f"{name} must be {wanted}, got {getattr(self, name)!r}")


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What a reply cost: tokens, and US dollars where the price is known."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A model's continuation of one request.

    Attributes:
        text: the assistant's words.
        usage: tokens and cost.
        seconds: wall time of the call; for a batch, its share of the batch.
        finish: "stop", or "length" when `max_tokens` cut the reply.
        cached: whether it came from a cache, in which case `usage` is what the first call cost.
    """

    text: str
    usage: Usage = Usage()
    seconds: float = 0.0
    finish: Literal["stop", "length"] = "stop"
    cached: bool = False


@dataclass(frozen=True)
class Outcome:
    """Reply to `requests[index]`, or why there is none."""

    index: int
    reply: Reply | ChatError


class ChatModel(Protocol):
    """Anything that continues conversations."""

    @property
    def identity(self) -> str:
        """Everything that changes what the model says: provider, weights, quantisation, adapter."""

    @property
    def context_tokens(self) -> int | None:
        """Longest prompt plus reply, in tokens; None where unknown."""

    def replies(self, requests: Sequence[Request]) -> Iterator[Outcome]:
        """One outcome a request, each as soon as it is there, in any order.

        A request that fails yields its `ChatError`; the others go on. A `BudgetExceeded` ends the
        iteration and is raised.
        """


@runtime_checkable
class ContinuationScorer(Protocol):
    """A model that can say how likely given continuations are (forced choice)."""

    @property
    def identity(self) -> str:
        """Everything that changes what the model says, as for `ChatModel`."""

    def log_probs(
        self, messages: Sequence[Message], continuations: Sequence[str]
    ) -> list[list[float]]:
        """Natural log-probability of each token of each continuation, given the conversation."""
