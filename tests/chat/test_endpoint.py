"""The endpoint adapter against a real server on loopback that misbehaves as told."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from burnish.chat import Budget, EndpointChat, Message, Prices, Reply, Request, Usage
from burnish.errors import BudgetExceeded, ChatError, ConfigError, ContextOverflow, UsageError


@dataclass
class Answer:
    """What the server sends; `body` as it is, or a completion of `text`."""

    text: str = "Paris"
    status: int = 200
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    finish: str = "stop"
    usage: dict[str, int] | None = field(
        default_factory=lambda: {
            "prompt_tokens": 10,
            "completion_tokens": 5,
            "total_tokens": 15,
        }
    )

    def bytes(self) -> bytes:
        if self.body is not None:
            return self.body
        if self.status != 200:
            return json.dumps({"error": {"message": self.text, "type": "told_to"}}).encode()
        message = {"role": "assistant", "content": self.text}
        choice = {"index": 0, "message": message, "finish_reason": self.finish}
        completion: dict[str, Any] = {"id": "1", "object": "chat.completion", "choices": [choice]}
        if self.usage is not None:
            completion["usage"] = self.usage
        return json.dumps(completion).encode()


class ChatServer:
    """`answer` maps a request's body and its number, from 0, to what is sent."""

    def __init__(self) -> None:
        self.answer: Callable[[dict[str, Any], int], Answer] = lambda body, number: Answer()
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self.most_at_once = 0
        self._at_once = 0
        self._lock = threading.Lock()
        chat = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with chat._lock:
                    number = len(chat.bodies)
                    chat.bodies.append(body)
                    chat.keys.append(self.headers.get("Authorization"))
                    chat._at_once += 1
                    chat.most_at_once = max(chat.most_at_once, chat._at_once)
                answer = chat.answer(body, number)
                time.sleep(answer.seconds)
                content = answer.bytes()
                with chat._lock:
                    chat._at_once -= 1
                try:
                    self.send_response(answer.status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(content)))
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(content)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the client has given up, which some tests are about

            def log_message(self, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

        self._http = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def __enter__(self) -> ChatServer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def server(monkeypatch) -> Iterator[ChatServer]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ChatServer() as running:
        yield running


def ask(text: str = "Capital of France?", **settings: Any) -> Request:
    return Request(messages=(Message("user", text),), **settings)


def only(chat: EndpointChat, request: Request) -> Reply | ChatError:
    [outcome] = chat.replies([request])
    assert outcome.index == 0
    return outcome.reply


def test_a_request_and_its_reply_come_through_whole(server):
    schema = {"type": "object"}
    request = Request(
        messages=(Message("system", "Be brief."), Message("user", "Où ?")),
        max_tokens=7,
        temperature=0.5,
        top_p=0.9,
        seed=3,
        stop=("\n",),
        json_schema=schema,
    )
    server.answer = lambda body, number: Answer(text="Là.", finish="length")
    with EndpointChat("m", base_url=server.url, api_key="k1") as chat:
        reply = only(chat, request)
    assert (reply.text, reply.finish) == ("Là.", "length")
    assert reply.usage == Usage(prompt_tokens=10, completion_tokens=5)
    assert reply.seconds > 0
    assert server.keys == ["Bearer k1"]
    assert server.bodies == [
        {
            "model": "m",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Où ?"},
            ],
            "max_tokens": 7,
            "temperature": 0.5,
            "top_p": 0.9,
            "seed": 3,
            "stop": ["\n"],
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "reply", "schema": schema, "strict": True},
            },
        }
    ]


def test_outcomes_name_their_request(server):
    server.answer = lambda body, number: Answer(text=body["messages"][0]["content"].upper())
    texts = [f"question {i}" for i in range(20)]
    with EndpointChat("m", base_url=server.url) as chat:
        outcomes = list(chat.replies([ask(text) for text in texts]))
    assert sorted(outcome.index for outcome in outcomes) == list(range(20))
    assert all(outcome.reply.text == texts[outcome.index].upper() for outcome in outcomes)


def test_concurrency_is_never_passed_and_is_used(server):
    server.answer = lambda body, number: Answer(seconds=0.05)
    with EndpointChat("m", base_url=server.url, concurrency=3) as chat:
        assert len(list(chat.replies([ask()] * 15))) == 15
    assert server.most_at_once == 3


def test_outcomes_come_before_the_last_is_there(server):
    slow = threading.Event()

    def answer(body, number):
        if body["messages"][0]["content"] == "slow":
            slow.wait(5)
        return Answer()

    server.answer = answer
    with EndpointChat("m", base_url=server.url, concurrency=2) as chat:
        outcomes = chat.replies([ask("slow"), ask("fast")])
        assert next(outcomes).index == 1
        slow.set()
        assert next(outcomes).index == 0


def test_too_many_requests_waits_as_long_as_the_server_says(server):
    server.answer = lambda body, number: (
        Answer(status=429, text="slow down", headers={"Retry-After": "1"})
        if number == 0
        else Answer()
    )
    start = time.monotonic()
    with EndpointChat("m", base_url=server.url, max_retries=1) as chat:
        assert only(chat, ask()).text == "Paris"
    assert time.monotonic() - start >= 1
    assert len(server.bodies) == 2


def test_server_errors_are_retried_with_growing_waits_until_exhaustion(server):
    times = []

    def answer(body, number):
        times.append(time.monotonic())
        return Answer(status=500, text="on\nfire")

    server.answer = answer
    with EndpointChat("m", base_url=server.url, max_retries=2) as chat:
        failed = only(chat, ask())
    assert isinstance(failed, ChatError)
    assert str(failed).startswith(f"{server.url}#m: status 500:")
    assert "on fire" in str(failed).replace("\\n", " ")
    assert "\n" not in str(failed)
    first, second = times[1] - times[0], times[2] - times[1]
    assert len(times) == 3
    assert 0.3 < first < second


def test_one_failure_leaves_the_others(server):
    server.answer = lambda body, number: (
        Answer(status=400, text="no") if body["messages"][0]["content"] == "bad" else Answer()
    )
    with EndpointChat("m", base_url=server.url) as chat:
        outcomes = {o.index: o.reply for o in chat.replies([ask(), ask("bad"), ask()])}
    assert isinstance(outcomes[1], ChatError)
    assert [outcomes[i].text for i in (0, 2)] == ["Paris", "Paris"]
    assert len(server.bodies) == 3, "status 400 says the request is wrong: not retried"


def test_a_slow_server_times_out(server):
    server.answer = lambda body, number: Answer(seconds=1.5)
    start = time.monotonic()
    with EndpointChat("m", base_url=server.url, timeout=0.2, max_retries=0) as chat:
        failed = only(chat, ask())
    assert time.monotonic() - start < 1.3
    assert isinstance(failed, ChatError)
    assert str(failed) == f"{server.url}#m gave no answer in 0.2 s"


def test_a_refused_connection_is_one_line():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    with EndpointChat("m", base_url=url, max_retries=0) as chat:
        failed = only(chat, ask())
    assert isinstance(failed, ChatError)
    assert str(failed).startswith(f"{url}#m: Connection error.")
    assert "refused" in str(failed)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"choices": [{"mess', "Invalid JSON"),
        (b"<html>proxy error</html>", "Invalid JSON"),
        (b"", "Invalid JSON"),
        (b"[]", "the body"),
        (b"null", "the body"),
        (b'{"choices": []}', "choices: List should have at least 1 item"),
        (b'{"choices": [{"message": "text"}]}', "choices.0.message"),
        (b'{"choices": [{"message": {"content": 7}}]}', "choices.0.message.content"),
        (b'{"choices": [{"message": {}}], "usage": {"prompt_tokens": -1}}', "usage.prompt_tokens"),
        (b'\xff\xfe{"choices"', "Invalid JSON"),
    ],
)
def test_malformed_answers_are_failed_outcomes(server, body, reason):
    server.answer = lambda asked, number: Answer(body=body)
    with EndpointChat("m", base_url=server.url, max_retries=0) as chat:
        failed = only(chat, ask())
    assert isinstance(failed, ChatError)
    assert str(failed).startswith(f"{server.url}#m: malformed answer: ")
    assert reason in str(failed)


def test_a_withheld_reply_is_a_failure(server):
    server.answer = lambda body, number: Answer(text="", finish="content_filter")
    with EndpointChat("m", base_url=server.url) as chat:
        failed = only(chat, ask())
    assert isinstance(failed, ChatError)
    assert "filter" in str(failed)


@pytest.mark.parametrize(
    "error",
    [
        {"message": "too long", "code": "context_length_exceeded"},
        {"message": "This model's maximum context length is 16 tokens."},
        {"message": "exceeds the available context size", "type": "exceed_context_size_error"},
    ],
    ids=["openai", "vllm", "llama.cpp"],
)
def test_a_prompt_over_the_context_is_told_apart(server, error):
    body = json.dumps({"error": error}).encode()
    server.answer = lambda asked, number: Answer(status=400, body=body)
    with EndpointChat("m", base_url=server.url) as chat:
        assert isinstance(only(chat, ask()), ContextOverflow)


def test_prices_make_dollars(server):
    prices = Prices(prompt=2.0, completion=8.0)
    with EndpointChat("m", base_url=server.url, prices=prices) as chat:
        reply = only(chat, ask())
        assert reply.usage.usd == pytest.approx((10 * 2 + 5 * 8) / 1e6)
        assert chat.meter.spent == reply.usage


@pytest.mark.parametrize(
    ("budget", "whole"),
    [
        # a request is 2 + 8 + 30 tokens at worst and 15 in fact: 40 + 15n <= 100 for n = 0 to 4
        (Budget(tokens=100), 5),
        # at worst (10 x 1 + 30 x 2) / 1e6 dollars, in fact 20 / 1e6
        (Budget(usd=100e-6), 2),
    ],
    ids=["tokens", "usd"],
)
@pytest.mark.parametrize("concurrency", [1, 8])
def test_a_budget_stops_before_it_is_passed(server, budget, whole, concurrency):
    chat = EndpointChat(
        "m",
        base_url=server.url,
        budget=budget,
        prices=Prices(prompt=1.0, completion=2.0),
        concurrency=concurrency,
    )
    got = []
    with chat, pytest.raises(BudgetExceeded, match=r"the budget is .* could be used; raise it"):
        got.extend(o.reply.text for o in chat.replies([ask("x" * 6, max_tokens=30)] * 50))
    assert got == ["Paris"] * whole
    assert len(server.bodies) == whole


def test_a_budget_of_seconds_stops(server):
    server.answer = lambda body, number: Answer(seconds=0.1)
    chat = EndpointChat("m", base_url=server.url, budget=Budget(seconds=0.6), concurrency=1)
    start = time.monotonic()
    with chat, pytest.raises(BudgetExceeded, match=r"the budget is 0.6 s, and"):
        list(chat.replies([ask()] * 50))
    assert time.monotonic() - start < 2
    assert 1 <= len(server.bodies) <= 7


def test_retries_end_with_the_time(server):
    server.answer = lambda body, number: Answer(status=500, text="down")
    chat = EndpointChat("m", base_url=server.url, budget=Budget(seconds=30), timeout=5)
    with chat:
        assert isinstance(only(chat, ask()), ChatError)
    assert len(server.bodies) == 2, "two attempts of 5 s with waits of 8 s fit into 30 s"


def test_hidden_usage_still_counts_against_the_budget(server):
    server.answer = lambda body, number: Answer(usage=None)
    chat = EndpointChat("m", base_url=server.url, budget=Budget(tokens=100), concurrency=1)
    replies = []
    with chat, pytest.raises(BudgetExceeded):
        replies.extend(o.reply for o in chat.replies([ask("x" * 6, max_tokens=30)] * 50))
    assert len(server.bodies) == 2
    assert chat.meter.spent == Usage(prompt_tokens=20, completion_tokens=60)


def test_a_failed_call_is_charged_nothing(server):
    server.answer = lambda body, number: Answer(status=400, text="no")
    with EndpointChat("m", base_url=server.url, budget=Budget(tokens=100)) as chat:
        assert all(isinstance(o.reply, ChatError) for o in chat.replies([ask(max_tokens=30)] * 10))
        assert chat.meter.spent == Usage()


def test_leaving_early_sends_no_more(server):
    server.answer = lambda body, number: Answer(seconds=0.02)
    with EndpointChat("m", base_url=server.url, concurrency=2) as chat:
        outcomes = chat.replies([ask()] * 100)
        next(outcomes)
        outcomes.close()
        assert len(server.bodies) < 10


def test_the_key_shows_nowhere(server, caplog, monkeypatch):
    key = "sk-very-secret-0123456789"
    monkeypatch.setenv("BURNISH_API_KEY", key)
    caplog.set_level(logging.DEBUG)
    server.answer = lambda body, number: Answer(status=401, text=f"bad key {key}")
    with EndpointChat("m", base_url=server.url) as chat:
        failed = only(chat, ask())
        shown = [str(failed), repr(failed), repr(chat), chat.identity, caplog.text]
        shown.append(repr(failed.__cause__))
    assert server.keys == [f"Bearer {key}"]
    assert "bad key ***" in str(failed)
    assert all(key not in text for text in shown)


def test_the_openai_key_goes_to_openai_only(server, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-for-openai")
    monkeypatch.delenv("BURNISH_API_KEY", raising=False)
    with EndpointChat("m", base_url=server.url) as chat:
        only(chat, ask())
    assert server.keys == ["Bearer none"]


def test_openai_wants_its_key(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UsageError, match="set OPENAI_API_KEY"):
        EndpointChat("gpt-4o-mini")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"base_url": "localhost:8000"}, "must be like https://host/v1"),
        ({"base_url": "ftp://host/v1"}, "must be like https://host/v1"),
        ({"base_url": "http://me:secret@host/v1"}, "must hold no password"),
        ({"concurrency": 0}, "concurrency must be at least 1"),
        ({"max_retries": -1}, "max_retries at least 0"),
        ({"timeout": 0}, "timeout over 0"),
        ({"budget": Budget(usd=1)}, "needs prices"),
    ],
)
def test_wrong_calls_are_told_before_anything_is_sent(settings, reason):
    with pytest.raises(UsageError, match=reason) as caught:
        EndpointChat("m", **{"base_url": "http://127.0.0.1:1/v1", **settings})
    assert "secret" not in str(caught.value)


def test_negative_prices_are_refused():
    with pytest.raises(ConfigError, match="cannot be negative"):
        Prices(prompt=-1, completion=0)
