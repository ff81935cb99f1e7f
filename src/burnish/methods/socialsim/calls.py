"""Every call of a model, kept: asked once, told again without the model.

A book is a file of lines, one call each, that only grows. A line carries its own hash, so a torn
or altered line is left out and asked again. A run made from a whole book gives the same bytes as
the run that wrote it, latencies included, and loads no model.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from burnish.errors import ChatError, DataError, UsageError
from burnish.methods.socialsim.schema import LLM_CALLS
from burnish.methods.socialsim.thinking import Thinker, Weighed, Written

_ERROR = '{"error":'
_PLACES = 4  # of a log-probability: what batch shapes change lies below


@dataclass(frozen=True)
class Call:
    """One answered call.

    Attributes:
        prompt_hash: SHA-256 of opening and question.
        model_hash: SHA-256 of the model's identity.
        parameters: JSON of what else was asked.
        text: what came back; for a weighing the JSON of its log-probabilities, null where -inf.
        prompt_tokens, completion_tokens: cost.
        latency_ms: of the first time.
    """

    prompt_hash: str
    model_hash: str
    parameters: str
    text: str
    prompt_tokens: int
    completion_tokens: int
    latency_ms: float

    @property
    def failed(self) -> bool:
        """Whether the model gave no answer; the text then says why."""
        return self.completion_tokens == 0 and self.text.startswith(_ERROR)

    @property
    def key(self) -> tuple[str, str, str]:
        """What a call is found by."""
        return self.model_hash, self.prompt_hash, self.parameters


class Book:
    """Calls by what was asked.

    Args:
        path: file of lines, made on the first call; None keeps calls in memory only.

    Raises:
        UsageError: the file cannot be read.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._calls: dict[tuple[str, str, str], Call] = {}
        if path is not None and path.exists():
            try:
                lines = path.read_bytes().splitlines()
            except OSError as error:
                raise UsageError(f"{path} cannot be read: {error.strerror}") from None
            for line in lines:
                if (call := _parsed(line)) is not None:
                    self._calls[call.key] = call

    @classmethod
    def of_table(cls, calls: pa.Table) -> Book:
        """A book in memory from a run's table `llm_calls`."""
        book = cls()
        names = list(Call.__dataclass_fields__)
        for row in calls.select(names).to_pylist():
            book.add(Call(**row))
        return book

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def models(self) -> tuple[str, ...]:
        """Hashes of the models whose calls are here, sorted."""
        return tuple(sorted({model for model, _, _ in self._calls}))

    def __contains__(self, key: tuple[str, str, str]) -> bool:
        return key in self._calls

    def __getitem__(self, key: tuple[str, str, str]) -> Call:
        return self._calls[key]

    def add(self, call: Call) -> None:
        """Keep a call; a line is written whole or not at all."""
        self._calls[call.key] = call
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            try:
                os.write(handle, _line(call))
            finally:
                os.close(handle)


class KeptThinker:
    """A thinker whose calls are kept in a book; without a model it only tells what is there.

    Args:
        book: of the calls.
        thinker: asked for what the book lacks; None for a replay.

    Raises:
        UsageError: there is no model, and the book does not hold the calls of exactly one.
    """

    def __init__(self, book: Book, thinker: Thinker | None = None) -> None:
        self.book = book
        self._thinker = thinker
        if thinker is None and len(book.models) != 1:
            raise UsageError(
                f"a replay without a model needs the calls of one model, and there are those of "
                f"{len(book.models)}; give the run's own calls"
            )
        self.model_hash = book.models[0] if thinker is None else _sha(thinker.identity)

    def weigh(
        self, opening: str, questions: Sequence[str], labels: Sequence[str]
    ) -> list[tuple[Call, Weighed | None]]:
        """See `Thinker.weigh`; each call with what it weighed, None where the model failed."""
        parameters = _plain({"ask": "labels", "labels": list(labels)})
        keys = [(self.model_hash, prompt_hash(opening, own), parameters) for own in questions]
        missing = [index for index, key in enumerate(keys) if self._lacks(key)]
        if missing:
            thinker = self._need(keys[missing[0]])
            try:
                asked = thinker.weigh(opening, [questions[index] for index in missing], labels)
                calls = [_weighing(keys[i], own) for i, own in zip(missing, asked, strict=True)]
            except ChatError as error:
                calls = [_failure(keys[index], error) for index in missing]
            for call in calls:
                self.book.add(call)
        return [(self.book[key], _as_weighed(self.book[key], len(labels))) for key in keys]

    def write(
        self, opening: str, question: str, *, max_tokens: int, seed: int
    ) -> tuple[Call, str | None]:
        """See `Thinker.write`; the call with its text, None where the model failed."""
        parameters = _plain({"ask": "text", "max_tokens": max_tokens, "seed": seed})
        key = (self.model_hash, prompt_hash(opening, question), parameters)
        if self._lacks(key):
            thinker = self._need(key)
            try:
                found = thinker.write(opening, question, max_tokens=max_tokens, seed=seed)
                self.book.add(_writing(key, found))
            except ChatError as error:
                self.book.add(_failure(key, error))
        call = self.book[key]
        return call, None if call.failed else call.text

    def _lacks(self, key: tuple[str, str, str]) -> bool:
        """Whether to ask: a model that is there is given another chance where it failed."""
        return key not in self.book or (self._thinker is not None and self.book[key].failed)

    def _need(self, key: tuple[str, str, str]) -> Thinker:
        if self._thinker is None:
            raise DataError(
                f"no call with prompt {key[1][:12]} is recorded, so this is another run than the "
                "one that wrote the calls; give the model"
            )
        return self._thinker


def prompt_hash(opening: str, question: str) -> str:
    """SHA-256 of a prompt."""
    return _sha(_plain([opening, question]))


def as_table(calls: Sequence[tuple[int, int, Call]]) -> pa.Table:
    """Calls with their (tick, agent), as a table with schema `LLM_CALLS`."""
    rows = [{"tick": tick, "agent": agent, **asdict(call)} for tick, agent, call in calls]
    return pa.Table.from_pylist(rows, schema=LLM_CALLS)


def _weighing(key: tuple[str, str, str], found: Weighed) -> Call:
    plain = [round(value, _PLACES) if math.isfinite(value) else None for value in found.log_probs]
    return Call(key[1], key[0], key[2], _plain(plain), found.prompt_tokens, 1, _ms(found.seconds))


def _writing(key: tuple[str, str, str], found: Written) -> Call:
    tokens = found.prompt_tokens, found.completion_tokens
    return Call(key[1], key[0], key[2], found.text, *tokens, _ms(found.seconds))


def _failure(key: tuple[str, str, str], error: ChatError) -> Call:
    return Call(key[1], key[0], key[2], _plain({"error": str(error)}), 0, 0, 0.0)


def _as_weighed(call: Call, labels: int) -> Weighed | None:
    if call.failed:
        return None
    try:
        plain = json.loads(call.text)
        values = tuple(-math.inf if value is None else float(value) for value in plain)
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(f"the recorded weighing {call.prompt_hash[:12]} is unreadable") from error
    if len(values) != labels:
        raise DataError(
            f"the recorded weighing {call.prompt_hash[:12]} has {len(values)} values for {labels} "
            "labels"
        )
    return Weighed(values, call.prompt_tokens, call.latency_ms / 1e3)


def _line(call: Call) -> bytes:
    plain = asdict(call)
    # the line break comes first: a line torn before it stays a line of its own
    return b"\n" + _plain({**plain, "sha256": _sha(_plain(plain))}).encode()


def _parsed(line: bytes) -> Call | None:
    try:
        plain: Mapping[str, Any] = json.loads(line)
        own = {name: plain[name] for name in Call.__dataclass_fields__}
        return Call(**own) if plain["sha256"] == _sha(_plain(own)) else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None  # torn or altered: asked again


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _ms(seconds: float) -> float:
    return float(round(seconds * 1e3, 2))
