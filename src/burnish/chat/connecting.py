"""From what a user types for a model to the adapter that talks to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from burnish.chat.budget import Budget
from burnish.chat.protocol import ChatModel
from burnish.errors import UsageError

if TYPE_CHECKING:
    from burnish.chat.endpoint import Prices

_FORMS = (
    "an asset's name, a folder or a hub id; FILE.gguf; gguf:ASSET; openai:MODEL; "
    "or http(s)://HOST/v1#MODEL"
)


def connect(
    spec: str,
    *,
    at_once: int = 8,
    context: int = 4096,
    threads: int | None = None,
    budget: Budget | None = None,
    prices: Prices | None = None,
) -> ChatModel:
    """The chat model that a user named.

    Args:
        spec: `smollm2-135m-instruct`, `./folder` or `org/model` for transformers in process;
            `FILE.gguf`, or `gguf:ASSET` for an asset's original file, for llama.cpp in process;
            `openai:MODEL` for OpenAI; `http(s)://HOST/v1#MODEL` for any server of its kind.
        at_once: prompts in a batch, or requests in flight, >= 1.
        context: tokens of prompt and reply for each request; llama.cpp only, which reserves them.
        threads: of llama.cpp; by default the physical cores.
        budget: the most an endpoint may use; in dollars only with its prices.
        prices: of an endpoint; without them its replies cost 0.

    Raises:
        UsageError: `spec` has none of these forms, or a budget or prices are set for a model in
            process.
        MissingExtra: the engine is not installed; the message names the command that installs it.
        AssetMissing: the asset is not in the cache; the message names the command that fetches it.
    """
    if spec.startswith(("http://", "https://", "openai:")):
        return _endpoint(spec, concurrency=at_once, budget=budget, prices=prices)
    if budget is not None or prices is not None:
        raise UsageError(
            f"a budget and prices are about what an endpoint costs, but {spec!r} runs in this "
            "process; drop them"
        )
    if spec.startswith("gguf:") or spec.lower().endswith(".gguf"):
        return _llama_cpp(spec, parallel=at_once, n_ctx=context, threads=threads)
    scheme, colon, _ = spec.partition(":")
    if not spec.strip() or (colon and len(scheme) > 1):  # "C:" is a drive
        raise UsageError(f"a model is {_FORMS}; got {spec!r}")
    from burnish.chat.transformers import TransformersChat

    return TransformersChat(spec, batch_size=at_once)


def _endpoint(
    spec: str, *, concurrency: int, budget: Budget | None, prices: Prices | None
) -> ChatModel:
    from burnish.chat.endpoint import EndpointChat

    if spec.startswith("openai:"):
        base_url, model = None, spec.removeprefix("openai:")
    else:
        base_url, _, model = spec.partition("#")
    if not model:
        raise UsageError(
            f"an endpoint needs the model's name, like https://host/v1#MODEL; got {spec!r}"
        )
    return EndpointChat(
        model, base_url=base_url, concurrency=concurrency, budget=budget, prices=prices
    )


def _llama_cpp(spec: str, *, parallel: int, n_ctx: int, threads: int | None) -> ChatModel:
    from burnish.chat.llama_cpp import LlamaCppChat

    if spec.startswith("gguf:"):
        from burnish.models import gguf_path

        spec = str(gguf_path(spec.removeprefix("gguf:")))
    return LlamaCppChat(spec, n_ctx=n_ctx, parallel=parallel, threads=threads)
