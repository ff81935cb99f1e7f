"""llama.cpp in process with the embedded model: what it says, and that nobody else can ask it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import psutil
import pytest

from burnish.chat import LlamaCppChat, Message, Reply, Request
from burnish.errors import ChatError, ContextOverflow, UsageError

pytestmark = pytest.mark.xdist_group("smollm2")

COMPLETION = {"messages": [{"role": "user", "content": "hi"}], "max_tokens": 1, "prompt": "hi"}


@pytest.fixture(scope="module")
def chat(smollm2_gguf):
    with LlamaCppChat(smollm2_gguf, n_ctx=512, threads=1, parallel=2) as model:
        yield model


def ask(text: str, **settings) -> Request:
    return Request(messages=(Message("user", text),), **{"max_tokens": 12, **settings})


def by_index(chat, requests) -> list[Reply | ChatError]:
    outcomes = sorted(chat.replies(requests), key=lambda outcome: outcome.index)
    assert [outcome.index for outcome in outcomes] == list(range(len(requests)))
    return [outcome.reply for outcome in outcomes]


def test_it_answers_several_at_once_and_counts(chat):
    france = "What is the capital of France? Answer in one word."
    paris, *others = by_index(chat, [ask(france), ask("Say hello."), ask("Count to 9.")])
    assert "Paris" in paris.text
    assert paris.finish == "stop"
    assert all(reply.usage.prompt_tokens > 10 and reply.text for reply in others)
    [cut] = by_index(chat, [ask("Tell a long story.", max_tokens=5)])
    assert (cut.finish, cut.usage.completion_tokens) == ("length", 5)
    assert cut.seconds > 0


def test_seeds_decide_what_is_sampled(chat):
    requests = [ask("Name an animal.", temperature=1.5, seed=seed) for seed in (1, 1, 2, 3)]
    first, again, *others = (by_index(chat, [request])[0].text for request in requests)
    assert first == again
    assert any(other != first for other in others)


def test_a_stop_string_ends_the_reply(chat):
    [whole] = by_index(chat, [ask("Count from 1 to 9, with commas.", max_tokens=30)])
    stop = whole.text[4:6]
    [cut] = by_index(chat, [ask("Count from 1 to 9, with commas.", max_tokens=30, stop=(stop,))])
    assert cut.text == whole.text[: whole.text.index(stop)]
    assert cut.finish == "stop"


def test_a_schema_holds(chat):
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 12}, "n": {"type": "integer"}},
        "required": ["city", "n"],
        "additionalProperties": False,
    }
    [reply] = by_index(chat, [ask("Tell me about Rome.", max_tokens=80, json_schema=schema)])
    answer = json.loads(reply.text)
    assert set(answer) == {"city", "n"}
    assert isinstance(answer["n"], int)


def test_a_prompt_over_the_context_fails_alone(chat):
    fine, over = by_index(chat, [ask("Say hello."), ask("word " * 600)])
    assert isinstance(fine, Reply)
    assert isinstance(over, ContextOverflow)
    assert "exceeds the available context size (512 tokens)" in str(over)
    assert chat.context_tokens == 512


def test_an_impossible_schema_fails_alone(chat):
    broken = {"type": "object", "properties": {"a": {"$ref": "#/nowhere"}}}
    refused, fine = by_index(chat, [ask("a", json_schema=broken), ask("Say hello.")])
    assert isinstance(refused, ChatError)
    assert "cannot resolve $ref #/nowhere" in str(refused)
    assert "\n" not in str(refused)
    assert isinstance(fine, Reply)


def test_identity_names_the_file_and_its_content(chat):
    assert "SmolLM2-135M-Instruct" in chat.identity
    assert "@sha256:b179c952" in chat.identity


def test_nobody_else_can_ask_it(smollm2_gguf):
    """Every listening socket of the process is tried, without and with a wrong key."""
    mine = psutil.Process()
    before = {c.laddr for c in mine.net_connections("inet") if c.status == psutil.CONN_LISTEN}
    unix_before = {c.laddr for c in mine.net_connections("unix")}
    with LlamaCppChat(smollm2_gguf, n_ctx=128, threads=1, parallel=1):
        listening = {
            c.laddr for c in mine.net_connections("inet") if c.status == psutil.CONN_LISTEN
        } - before
        for address in listening:
            for headers in ({}, {"Authorization": "Bearer wrong"}):
                for path in ("/v1/chat/completions", "/completion", "/v1/completions", "/infill"):
                    link = http.client.HTTPConnection(address.ip, address.port, timeout=5)
                    link.request("POST", path, json.dumps(COMPLETION), headers)
                    assert link.getresponse().status == 401
                    link.close()
        if hasattr(socket, "AF_UNIX"):
            assert listening == set(), "the socket has replaced the port"
            names = {c.laddr for c in mine.net_connections("unix")} - unix_before - {""}
            assert names, "llama.cpp's server does listen"
            for name in names:
                with socket.socket(socket.AF_UNIX) as link, pytest.raises(FileNotFoundError):
                    link.connect(name)
    assert {c.laddr for c in mine.net_connections("unix")} == unix_before


def test_the_socket_wants_a_key_and_its_folder_is_private(smollm2_gguf, monkeypatch):
    """In the moment before it loses its name."""
    import shutil

    seen = []

    def look(folder: str) -> None:
        seen.append(Path(folder).stat().st_mode & 0o777)
        for headers in ("", "Authorization: Bearer wrong\r\n"):
            body = json.dumps(COMPLETION)
            with socket.socket(socket.AF_UNIX) as link:
                link.settimeout(5)
                link.connect(str(Path(folder) / "llama.sock"))
                link.sendall(
                    f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n{headers}"
                    f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
                )
                seen.append(int(link.recv(64).split()[1]))
        remove(folder)

    remove = shutil.rmtree
    monkeypatch.setattr("burnish.chat.llama_cpp.shutil.rmtree", look)
    LlamaCppChat(smollm2_gguf, n_ctx=128, threads=1, parallel=1).close()
    assert seen == [0o700, 401, 401]


def test_nothing_is_printed_and_nothing_is_left_behind(smollm2_gguf, tmp_path):
    code = (
        "import sys\n"
        "from burnish.chat import LlamaCppChat, Message, Request\n"
        "with LlamaCppChat(sys.argv[1], n_ctx=128, threads=1, parallel=1) as chat:\n"
        "    [o] = chat.replies([Request(messages=(Message('user', 'hi'),), max_tokens=2)])\n"
        "    assert o.reply.text\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(smollm2_gguf)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert (run.stdout, run.stderr) == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_a_closed_model_answers_no_more(smollm2_gguf):
    before = threading.active_count()
    chat = LlamaCppChat(smollm2_gguf, n_ctx=256, threads=1, parallel=2)
    outcomes = chat.replies([ask("Tell a story.", max_tokens=25) for _ in range(6)])
    assert isinstance(next(outcomes).reply, Reply)
    chat.close()
    rest = [outcome.reply for outcome in outcomes]
    assert len(rest) == 5
    assert any("is closed; open it again" in str(reply) for reply in rest)
    chat.close()
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"n_ctx": 0}, "must be at least 1, got 0, 4 and None"),
        ({"parallel": 0}, "must be at least 1, got 4096, 0 and None"),
        ({"threads": 0}, "must be at least 1, got 4096, 4 and 0"),
    ],
)
def test_numbers_out_of_range_are_refused(smollm2_gguf, settings, reason):
    with pytest.raises(UsageError, match=reason):
        LlamaCppChat(smollm2_gguf, **settings)


def test_a_file_that_is_no_model_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(UsageError, match=r"there is no model file .*absent\.gguf"):
        LlamaCppChat(tmp_path / "absent.gguf")
    (tmp_path / "fake.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(UsageError, match=r"cannot load .*fake\.gguf with a context of 256 tokens"):
        LlamaCppChat(tmp_path / "fake.gguf", n_ctx=128, parallel=2)
    assert [path.name for path in tmp_path.iterdir()] == ["fake.gguf"]


def test_a_model_closed_at_once_does_not_hang(smollm2_gguf):
    """In a process of its own, since a hang inside llama.cpp cannot be interrupted."""
    code = (
        "import sys\n"
        "from burnish.chat import LlamaCppChat\n"
        "for _ in range(8):\n"
        "    LlamaCppChat(sys.argv[1], n_ctx=64, threads=1, parallel=1).close()\n"
    )
    subprocess.run([sys.executable, "-c", code, str(smollm2_gguf)], check=True, timeout=120)
