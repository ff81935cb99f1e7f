"""Chat with any server that speaks OpenAI's chat completions, through the official client."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, ValidationError

from burnish.chat import pool
from burnish.chat.budget import Budget, Meter
from burnish.chat.protocol import Outcome, Reply, Request, Usage
from burnish.errors import ChatError, ConfigError, ContextOverflow, MissingExtra, UsageError

try:
    import openai
except ModuleNotFoundError as error:
    raise MissingExtra(
        'an endpoint needs openai, which is not installed; run: pip install "burnish[structext]"'
    ) from error

OPENAI = "https://api.openai.com/v1"
_NO_KEY = "none"  # the client insists on a key; servers without one ignore it
_TEMPLATE_TOKENS = 8  # around each message
_LONGEST_BACKOFF = 8.0  # seconds the client waits at most, unless the server asks for more


@dataclass(frozen=True, kw_only=True)
class Prices:
    """US dollars per million tokens."""

    prompt: float
    completion: float

    def __post_init__(self) -> None:
        if min(self.prompt, self.completion) < 0:
            raise ConfigError(f"prices cannot be negative, got {self.prompt}, {self.completion}")

    def of(self, usage: Usage) -> float:
        """What these tokens cost, in US dollars."""
        tokens = self.prompt * usage.prompt_tokens + self.completion * usage.completion_tokens
        return tokens / 1e6


class EndpointChat:
    """A model behind an OpenAI-compatible server: OpenAI, vLLM, llama.cpp, Ollama and others.

    The client retries what may pass (timeouts, lost connections, status 408, 409, 429 and 5xx) with
    exponential backoff and honours Retry-After. A request that fails all the same becomes a failed
    outcome, and the others go on.

    A budget is kept before anything is sent: a request whose worst case (`max_tokens`, and a prompt
    of a token for every three bytes) could pass it waits for those in flight, and ends the run if
    it does not fit then. Attempts and retries are kept within the time that is left. A failed call
    is charged nothing, as no server says what it cost.

    Args:
        model: what the server calls it.
        base_url: up to and with "/v1"; by default OpenAI's.
        api_key: by default `OPENAI_API_KEY` for OpenAI, and for any other server
            `BURNISH_API_KEY`, or none. It is sent to the server and appears nowhere else.
        concurrency: most requests in flight, >= 1.
        max_retries: for each request, >= 0.
        timeout: of one attempt, in seconds, > 0.
        budget: the most to use, counted from now.
        prices: without them a reply's cost is 0 and a budget in dollars is refused.
        context_tokens: of the model, where the caller knows.

    Raises:
        UsageError: the address is no http(s) address or holds a password, OpenAI's key is missing,
            a number is out of range, or a budget in dollars comes without prices.
    """

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key: str | None = None,
        concurrency: int = 8,
        max_retries: int = 5,
        timeout: float = 120.0,
        budget: Budget | None = None,
        prices: Prices | None = None,
        context_tokens: int | None = None,
    ) -> None:
        if concurrency < 1 or max_retries < 0 or timeout <= 0:
            raise UsageError(
                "concurrency must be at least 1, max_retries at least 0 and timeout over 0, "
                f"got {concurrency}, {max_retries} and {timeout}"
            )
        budget = budget or Budget()
        if budget.usd is not None and prices is None:
            raise UsageError("a budget in dollars needs prices; pass them or limit tokens instead")
        self._model = model
        self._base_url = _checked(base_url)
        self._key = api_key or _key_from_environment(self._base_url)
        self._concurrency = concurrency
        self._timeout = timeout
        self._max_retries = max_retries
        self._prices = prices
        self._context_tokens = context_tokens
        self.meter = Meter(budget)
        self._client = openai.OpenAI(api_key=self._key, base_url=self._base_url)

    @property
    def identity(self) -> str:
        """Server and model name; what stands behind the name is the server's word."""
        return f"{self._base_url}#{self._model}"

    @property
    def context_tokens(self) -> int | None:
        """As given."""
        return self._context_tokens

    def replies(self, requests: Sequence[Request]) -> Iterator[Outcome]:
        """See `ChatModel.replies`.

        Raises:
            BudgetExceeded: after the outcomes that were in flight.
        """
        return pool.outcomes(self._ask, requests, at_once=self._concurrency)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(self, request: Request) -> Reply:
        worst = self._priced(_worst_case(request))
        self.meter.reserve(worst)
        spent = Usage()
        try:
            start = time.perf_counter()
            completion = self._send(request)
            # a server that hides its usage must not make the budget endless
            spent = worst if completion.usage is None else self._priced(completion.usage.usage())
            usage = Usage() if completion.usage is None else spent
            return completion.reply(usage, seconds=time.perf_counter() - start)
        finally:
            self.meter.settle(worst, spent)

    def _send(self, request: Request) -> _Completion:
        timeout, retries = self._patience()
        client = self._client.with_options(timeout=timeout, max_retries=retries)
        try:
            raw = client.chat.completions.with_raw_response.create(**self._body(request))
            return _Completion.model_validate_json(raw.content)
        except openai.APITimeoutError:
            raise ChatError(f"{self.identity} gave no answer in {timeout:g} s") from None
        except openai.APIStatusError as error:
            # `from None`, here and below: the cause holds the request with the key in its headers
            raise self._refusal(error) from None
        except openai.OpenAIError as error:
            raise ChatError(self._one_line(f"{error} {error.__cause__ or ''}")) from None
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "the body"
            raise ChatError(self._one_line(f"malformed answer: {where}: {first['msg']}")) from None

    def _patience(self) -> tuple[float, int]:
        """Seconds for an attempt and number of retries that end before the budget's time does."""
        left = self.meter.seconds_left
        if left is None:
            return self._timeout, self._max_retries
        attempts = int(left // (self._timeout + _LONGEST_BACKOFF))
        return max(0.1, min(self._timeout, left)), max(0, min(self._max_retries, attempts - 1))

    def _body(self, request: Request) -> dict[str, Any]:
        # OpenAI renamed the field for newer models; other servers know the old name
        limit = "max_completion_tokens" if self._base_url == OPENAI else "max_tokens"
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [{"role": turn.role, "content": turn.content} for turn in request.messages],
            limit: request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "seed": request.seed,
        }
        if request.stop:
            body["stop"] = list(request.stop)
        if request.json_schema is not None:
            schema = {"name": "reply", "schema": dict(request.json_schema), "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    def _refusal(self, error: openai.APIStatusError) -> ChatError:
        text = error.message
        overflow = error.code == "context_length_exceeded" or any(
            phrase in text.lower()
            for phrase in ("context length", "context size", "exceed_context_size")
        )
        kind = ContextOverflow if overflow else ChatError
        return kind(self._one_line(f"status {error.status_code}: {text}"))

    def _one_line(self, reason: str) -> str:
        """The reason in one line of at most 300 characters, without the key a server may echo."""
        if self._key != _NO_KEY:
            reason = reason.replace(self._key, "***")
        return f"{self.identity}: {' '.join(reason.split())[:300]}"

    def _priced(self, usage: Usage) -> Usage:
        if self._prices is None:
            return usage
        return Usage(
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            usd=self._prices.of(usage),
        )


class _Words(BaseModel):
    content: str | None = None
    refusal: str | None = None


class _Choice(BaseModel):
    message: _Words
    finish_reason: str | None = None


class _Tokens(BaseModel):
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(default=0, ge=0)

    def usage(self) -> Usage:
        return Usage(prompt_tokens=self.prompt_tokens, completion_tokens=self.completion_tokens)


class _Completion(BaseModel):
    choices: list[_Choice] = Field(min_length=1)
    usage: _Tokens | None = None

    def reply(self, usage: Usage, *, seconds: float) -> Reply:
        choice = self.choices[0]
        if choice.finish_reason == "content_filter":
            raise ChatError("the server's content filter withheld the reply")
        return Reply(
            text=choice.message.content or choice.message.refusal or "",
            usage=usage,
            seconds=seconds,
            finish="length" if choice.finish_reason == "length" else "stop",
        )


def _worst_case(request: Request) -> Usage:
    prompt = sum(len(turn.content.encode()) // 3 + _TEMPLATE_TOKENS for turn in request.messages)
    return Usage(prompt_tokens=prompt, completion_tokens=request.max_tokens)


def _checked(base_url: str | None) -> str:
    if base_url is None:
        return OPENAI
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"base_url must be like https://host/v1, got {base_url!r}")
    if parts.username is not None or parts.password is not None:
        raise UsageError("base_url must hold no password; set BURNISH_API_KEY instead")
    return base_url.rstrip("/")


def _key_from_environment(base_url: str) -> str:
    if base_url != OPENAI:
        return os.environ.get("BURNISH_API_KEY") or _NO_KEY
    key = os.environ.get("OPENAI_API_KEY")
    if not key:
        raise UsageError("OpenAI wants a key; set OPENAI_API_KEY")
    return key
