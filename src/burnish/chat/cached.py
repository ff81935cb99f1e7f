"""Replies kept on disk, so that a killed run asks nothing twice.

One JSON file an entry, written beside its place and renamed into it. A rename is atomic, so at any
moment an entry is whole or absent: killing the process loses at most the reply being written, other
processes may read and write the same folder, and a damaged file spoils one entry only. A database
would promise the same within one machine, but not on a network folder, and would be lost whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from burnish.chat.protocol import ChatModel, Outcome, Reply, Request, Usage


class CachedChat:
    """A chat model whose replies are remembered by what was asked.

    An entry's key is the SHA-256 of the model's identity, the messages and every setting of the
    request, as canonical JSON. Replies are recorded before they are yielded; failures are not
    recorded. Of equal requests in one call only the first is asked. An entry that is damaged, or
    was written for another request, is asked for again and replaced.

    Args:
        model: answers what is not recorded.
        folder: of the entries; made if it is missing. Any number of models may share it.
    """

    def __init__(self, model: ChatModel, folder: str | Path) -> None:
        self.model = model
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)

    @property
    def identity(self) -> str:
        """The model's."""
        return self.model.identity

    @property
    def context_tokens(self) -> int | None:
        """The model's."""
        return self.model.context_tokens

    def replies(self, requests: Sequence[Request]) -> Iterator[Outcome]:
        """Recorded replies first, with `cached` set, then the model's as they come."""
        identity = self.identity
        waiting: dict[str, list[int]] = {}
        asked: dict[str, dict[str, Any]] = {}
        for index, request in enumerate(requests):
            question = _question(identity, request)
            key = _digest(question)
            if key in asked:
                waiting[key].append(index)
            elif (reply := self._load(key, question)) is not None:
                yield Outcome(index, replace(reply, cached=True))
            else:
                asked[key], waiting[key] = question, [index]
        keys = list(asked)
        for outcome in self.model.replies([requests[waiting[key][0]] for key in keys]):
            key = keys[outcome.index]
            first, *same = waiting[key]
            if not isinstance(outcome.reply, Reply):
                yield from (Outcome(index, outcome.reply) for index in (first, *same))
                continue
            self._store(key, asked[key], outcome.reply)
            yield Outcome(first, outcome.reply)
            yield from (Outcome(index, replace(outcome.reply, cached=True)) for index in same)

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"

    def _load(self, key: str, question: Mapping[str, Any]) -> Reply | None:
        """The recorded reply; None if there is none, or it is damaged or answers another."""
        try:
            entry = json.loads(self._path(key).read_bytes())
            whole = entry["sha256"] == _digest([entry["question"], entry["reply"]])
            if whole and _digest(entry["question"]) == _digest(question):
                reply = entry["reply"]
                return Reply(**{**reply, "usage": Usage(**reply["usage"])})
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            pass  # absent, or whatever a damaged file can raise: asked again
        return None

    def _store(self, key: str, question: Mapping[str, Any], reply: Reply) -> None:
        answer = asdict(replace(reply, cached=False))
        entry = {
            "question": question,
            "reply": answer,
            "sha256": _digest([question, answer]),
        }
        path = self._path(key)
        path.parent.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=".", suffix=".part", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(entry, file, indent=1)
        Path(name).replace(path)


def _question(identity: str, request: Request) -> dict[str, Any]:
    return {
        "format": 1,
        "identity": identity,
        "messages": [asdict(message) for message in request.messages],
        "max_tokens": request.max_tokens,
        "temperature": float(request.temperature),  # 1 and 1.0 ask for the same
        "top_p": float(request.top_p),
        "seed": request.seed,
        "stop": list(request.stop),
        "json_schema": None if request.json_schema is None else dict(request.json_schema),
    }


def _digest(value: Any) -> str:
    canonical = json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
