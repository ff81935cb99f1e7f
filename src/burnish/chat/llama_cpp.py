"""Chat with a GGUF model in this process, through llama.cpp as xllamacpp packages it."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pydantic import BaseModel, ValidationError

from burnish.chat import pool
from burnish.chat.protocol import Outcome, Reply, Request, Usage
from burnish.errors import ChatError, ContextOverflow, MissingExtra, UsageError

try:
    import xllamacpp  # type: ignore[import-untyped]
except ModuleNotFoundError as error:
    raise MissingExtra(
        "a .gguf model needs xllamacpp, which is not installed; "
        'run: pip install "burnish[structext]"'
    ) from error


class LlamaCppChat:
    """A GGUF model in process, with continuous batching and replies held to a JSON schema.

    llama.cpp's server listens as soon as it exists. Here it does so on a socket in a folder that
    only this user can enter, wants a random key, and loses its name as soon as it is up, so that
    nobody else can reach it. (Where the system has no such sockets, on a random loopback port
    with that key.) Its own prompt cache serves what a prompt shares with an earlier one.

    The same request with the same seed gives the same reply, but for the rounding of floats, which
    changes with what else is in flight.

    Args:
        gguf: the model's file.
        n_ctx: tokens of prompt and reply, for each request in flight.
        threads: for arithmetic; by default the physical cores.
        parallel: requests in flight, >= 1. Each takes memory for `n_ctx` tokens.

    Raises:
        UsageError: the file is missing or llama.cpp cannot load it, or a number is out of range.
    """

    def __init__(
        self,
        gguf: str | Path,
        *,
        n_ctx: int = 4096,
        threads: int | None = None,
        parallel: int = 4,
    ) -> None:
        if min(n_ctx, parallel, 1 if threads is None else threads) < 1:
            raise UsageError(
                "n_ctx, parallel and threads must be at least 1, "
                f"got {n_ctx}, {parallel} and {threads}"
            )
        self._gguf = Path(gguf)
        if not self._gguf.is_file():
            raise UsageError(f"there is no model file {self._gguf}")
        self._n_ctx = n_ctx
        self._parallel = parallel
        self._in_flight = threading.Semaphore(parallel)
        self._closed = False
        self._server: Any = _serve(_params(self._gguf, n_ctx, threads, parallel), self._gguf)

    @cached_property
    def identity(self) -> str:
        """File name, SHA-256 of the file, engine and its version."""
        with self._gguf.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return f"{self._gguf.name}@sha256:{digest} (xllamacpp {xllamacpp.__version__})"

    @property
    def context_tokens(self) -> int | None:
        """As given."""
        return self._n_ctx

    def replies(self, requests: Sequence[Request]) -> Iterator[Outcome]:
        """See `ChatModel.replies`. Prompts with a common beginning are asked one after another."""
        contents = [tuple(message.content for message in request.messages) for request in requests]
        order = sorted(range(len(requests)), key=contents.__getitem__)
        return pool.outcomes(self._ask, requests, at_once=self._parallel, order=order)

    def close(self) -> None:
        """Wait for what is in flight and free the model; a closed model answers no more."""
        self._closed = True
        for _ in range(self._parallel):
            self._in_flight.acquire()
        self._server = None  # its destructor stops the threads and frees the weights
        self._in_flight.release(self._parallel)

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
        with self._in_flight:
            if self._closed:
                raise ChatError(f"{self._gguf.name} is closed; open it again to ask more")
            start = time.perf_counter()
            try:
                answer = self._server.handle_chat_completions(_body(request))
            except (RuntimeError, ValueError) as error:
                reason = " ".join(str(error).split())[:300]
                raise ChatError(f"llama.cpp refused the request: {reason}") from error
            return _reply(answer, seconds=time.perf_counter() - start)


class _Failure(BaseModel):
    message: str = "no message"
    type: str = ""


class _Words(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    message: _Words
    finish_reason: str | None = None


class _Tokens(BaseModel):
    prompt_tokens: int
    completion_tokens: int


class _Completion(BaseModel):
    choices: list[_Choice] = []
    usage: _Tokens | None = None
    error: _Failure | None = None


def _params(gguf: Path, n_ctx: int, threads: int | None, parallel: int) -> Any:
    params = xllamacpp.CommonParams()
    params.model.path = str(gguf)
    params.n_ctx = n_ctx * parallel  # llama.cpp divides it among its slots
    params.n_parallel = parallel
    params.cont_batching = True
    params.cache_prompt = True
    params.cache_ram_mib = 0  # its second cache, of up to 8 GiB, is not bounded by n_ctx
    params.fit_params = False  # else it may shrink the context to fit the memory
    params.warmup = False
    params.verbosity = -1
    params.ui = False
    params.endpoint_slots = False
    params.offline = True
    if threads is not None:
        params.cpuparams.n_threads = threads
        params.cpuparams_batch.n_threads = threads
    return params


def _serve(params: Any, gguf: Path) -> Any:
    params.api_keys = [secrets.token_urlsafe(32)]
    home = tempfile.mkdtemp(prefix="burnish-")  # for this user alone
    try:
        if hasattr(socket, "AF_UNIX"):
            params.hostnames = [str(Path(home) / "llama.sock")]
        server = xllamacpp.Server(params)
        # a server that is freed before its loop has begun waits for that loop for ever
        server.handle_completions({"prompt": "a", "max_tokens": 1})
        return server
    except RuntimeError as error:
        raise UsageError(
            f"llama.cpp cannot load {gguf} with a context of {params.n_ctx} tokens; check that "
            "it is a GGUF model and fits in memory"
        ) from error
    finally:
        shutil.rmtree(home)  # the socket lives on, but without a name to reach it by


def _body(request: Request) -> dict[str, Any]:
    body: dict[str, Any] = {
        "messages": [{"role": turn.role, "content": turn.content} for turn in request.messages],
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "top_k": 0,  # llama.cpp cuts off the tail by default; a request asks for the nucleus only
        "min_p": 0.0,
        "seed": request.seed,
    }
    if request.stop:
        body["stop"] = list(request.stop)
    if request.json_schema is not None:
        schema = {"name": "reply", "schema": dict(request.json_schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": schema}
    return body


def _reply(answer: Any, *, seconds: float) -> Reply:
    try:
        completion = _Completion.model_validate(answer)
    except ValidationError as error:
        raise ChatError(f"llama.cpp sent an answer of unknown form: {str(answer)[:200]}") from error
    if completion.error is not None:
        kind = ContextOverflow if completion.error.type.startswith("exceed_context") else ChatError
        raise kind(f"llama.cpp refused the request: {completion.error.message}")
    if not completion.choices or completion.usage is None:
        raise ChatError(f"llama.cpp sent no reply: {str(answer)[:200]}")
    choice, tokens = completion.choices[0], completion.usage
    return Reply(
        text=choice.message.content or "",
        usage=Usage(prompt_tokens=tokens.prompt_tokens, completion_tokens=tokens.completion_tokens),
        seconds=seconds,
        finish="length" if choice.finish_reason == "length" else "stop",
    )
