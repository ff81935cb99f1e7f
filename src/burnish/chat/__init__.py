"""Chat models behind one protocol: in process, over HTTP, scripted, cached.

Adapters load on first use, so importing this package loads no engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from burnish.chat.budget import Budget, Meter
from burnish.chat.protocol import (
    ChatModel,
    ContinuationScorer,
    Message,
    Outcome,
    Reply,
    Request,
    Usage,
)

if TYPE_CHECKING:
    from burnish.chat.cached import CachedChat
    from burnish.chat.connecting import connect
    from burnish.chat.endpoint import EndpointChat, Prices
    from burnish.chat.llama_cpp import LlamaCppChat
    from burnish.chat.scripted import ScriptedChat
    from burnish.chat.transformers import TransformersChat

_HOME = {
    "CachedChat": "cached",
    "EndpointChat": "endpoint",
    "LlamaCppChat": "llama_cpp",
    "Prices": "endpoint",
    "ScriptedChat": "scripted",
    "TransformersChat": "transformers",
    "connect": "connecting",
}

__all__ = [
    "Budget",
    "CachedChat",
    "ChatModel",
    "ContinuationScorer",
    "EndpointChat",
    "LlamaCppChat",
    "Message",
    "Meter",
    "Outcome",
    "Prices",
    "Reply",
    "Request",
    "ScriptedChat",
    "TransformersChat",
    "Usage",
    "connect",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value  # the next look-up does not come here
    return value
