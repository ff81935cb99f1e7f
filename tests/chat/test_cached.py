"""The cache on real disk, with real processes that are really killed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from burnish.chat import CachedChat, Message, Reply, Request, ScriptedChat, Usage
from burnish.errors import ChatError

QUESTIONS = 120


def ask(text: str, **settings) -> Request:
    return Request(messages=(Message("user", text),), **settings)


class Counting(ScriptedChat):
    """A scripted model that counts what reaches it."""

    def __init__(self, **kwargs) -> None:
        self.asked: list[str] = []
        super().__init__(self._echo, **{"identity": "m", **kwargs})

    def _echo(self, request: Request) -> Reply | ChatError:
        text = request.messages[-1].content
        self.asked.append(text)
        if text == "bad":
            return ChatError("no")
        return Reply(
            text=f"{text}, ß \ud83d" if text == "odd" else text.upper(),
            usage=Usage(prompt_tokens=3, completion_tokens=2, usd=1e-5),
            seconds=0.25,
            finish="length",
        )


def test_a_hit_gives_the_same_reply_and_asks_nothing(tmp_path):
    chat = CachedChat(Counting(), tmp_path)
    [first] = chat.replies([ask("a")])
    again = CachedChat(Counting(), tmp_path)
    [second] = again.replies([ask("a")])
    assert not first.reply.cached
    assert second.reply.cached
    assert second.reply == Reply(
        text="A",
        usage=Usage(prompt_tokens=3, completion_tokens=2, usd=1e-5),
        seconds=0.25,
        finish="length",
        cached=True,
    )
    assert again.model.asked == []


def test_only_what_is_missing_is_asked_and_indices_hold(tmp_path):
    chat = CachedChat(Counting(), tmp_path)
    list(chat.replies([ask("b"), ask("d")]))
    outcomes = {o.index: o.reply.text for o in chat.replies([ask(text) for text in "abcde"])}
    assert outcomes == dict(enumerate("ABCDE"))
    assert chat.model.asked == ["b", "d", "a", "c", "e"]


def test_equal_requests_are_asked_once(tmp_path):
    chat = CachedChat(Counting(), tmp_path)
    outcomes = list(chat.replies([ask("a"), ask("b"), ask("a"), ask("bad"), ask("bad")]))
    assert sorted(o.index for o in outcomes) == list(range(5))
    assert chat.model.asked == ["a", "b", "bad"]
    assert {o.index: o.reply.cached for o in outcomes if o.index < 3} == {
        0: False,
        1: False,
        2: True,
    }


def test_failures_are_not_recorded(tmp_path):
    chat = CachedChat(Counting(), tmp_path)
    for _ in range(2):
        [outcome] = chat.replies([ask("bad")])
        assert isinstance(outcome.reply, ChatError)
    assert chat.model.asked == ["bad", "bad"]


def test_every_setting_and_the_identity_are_part_of_the_key(tmp_path):
    variants = [
        ask("a"),
        ask("a", max_tokens=9),
        ask("a", temperature=0.5),
        ask("a", top_p=0.5),
        ask("a", seed=1),
        ask("a", stop=("x",)),
        ask("a", json_schema={"type": "object"}),
        Request(messages=(Message("system", "a"),)),
        Request(messages=(Message("user", "a"), Message("user", "a"))),
    ]
    chat = CachedChat(Counting(), tmp_path)
    list(chat.replies(variants))
    assert len(chat.model.asked) == len(variants)
    other = CachedChat(Counting(identity="other"), tmp_path)
    list(other.replies(variants))
    assert len(other.model.asked) == len(variants)
    list(other.replies([ask("a", temperature=0), ask("a", temperature=0.5, top_p=1)]))
    assert len(other.model.asked) == len(variants), "0 and 0.0 ask for the same"


def test_text_that_is_not_valid_unicode_survives(tmp_path):
    chat = CachedChat(Counting(), tmp_path)
    [first] = chat.replies([ask("odd")])
    [second] = chat.replies([ask("odd")])
    assert second.reply.text == first.reply.text == "odd, ß \ud83d"
    assert second.reply.cached


def damage_by(name: str, content: bytes) -> bytes:
    match name:
        case "cut short":
            return content[: len(content) // 2]
        case "emptied":
            return b""
        case "changed reply":
            return content.replace(b'"A"', b'"Z"')
        case "changed checksum":
            return content.replace(b'"sha256": "', b'"sha256": "0')
        case "not an entry":
            return b"[1, 2]"
        case "nested":
            return b"[" * 100_000
        case "binary":
            return b"\xff\x00\xfe"
    raise AssertionError(name)


@pytest.mark.parametrize(
    "name",
    [
        "cut short",
        "emptied",
        "changed reply",
        "changed checksum",
        "not an entry",
        "nested",
        "binary",
    ],
)
def test_a_damaged_entry_is_asked_again_and_healed(tmp_path, name):
    list(CachedChat(Counting(), tmp_path).replies([ask("a"), ask("b")]))
    [entry] = [p for p in tmp_path.rglob("*.json") if b'"A"' in p.read_bytes()]
    whole = entry.read_bytes()
    entry.write_bytes(damage_by(name, whole))
    assert entry.read_bytes() != whole
    chat = CachedChat(Counting(), tmp_path)
    outcomes = {o.index: o.reply.text for o in chat.replies([ask("a"), ask("b")])}
    assert outcomes == {0: "A", 1: "B"}
    assert chat.model.asked == ["a"]
    assert entry.read_bytes() == whole


def test_an_entry_in_anothers_place_is_not_believed(tmp_path):
    chat = CachedChat(Counting(), tmp_path)
    list(chat.replies([ask("a"), ask("b")]))
    first, second = sorted(tmp_path.rglob("*.json"))
    first.write_bytes(second.read_bytes())
    outcomes = {o.index: o.reply.text for o in chat.replies([ask("a"), ask("b")])}
    assert outcomes == {0: "A", 1: "B"}


WORKER = """
import os, sys, time
from burnish.chat import CachedChat, Message, Request, ScriptedChat

folder, log, n = sys.argv[1], os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND), int(sys.argv[3])

def answer(request):
    text = request.messages[-1].content
    os.write(log, (text + "\\n").encode())
    time.sleep(0.002)
    return text.upper() * 200

chat = CachedChat(ScriptedChat(answer, identity="m"), folder)
requests = [Request(messages=(Message("user", f"q{i}"),)) for i in range(n)]
for outcome in chat.replies(requests):
    assert outcome.reply.text == f"Q{outcome.index}" * 200
"""


def recorded(folder: Path) -> set[str]:
    entries = [json.loads(path.read_text()) for path in folder.rglob("*.json")]
    return {entry["question"]["messages"][0]["content"] for entry in entries}


def test_killed_anywhere_it_goes_on_and_repeats_no_recorded_call(tmp_path):
    folder, log = tmp_path / "cache", tmp_path / "asked"
    folder.mkdir()
    log.touch()
    command = [sys.executable, "-c", WORKER, str(folder), str(log), str(QUESTIONS)]
    rng = random.Random(7)
    kills = 0
    for _ in range(4):
        before, start = recorded(folder), log.stat().st_size
        wanted = len(before) + rng.randint(5, 20)
        worker = subprocess.Popen(command)
        while len(list(folder.rglob("*.json"))) < wanted and worker.poll() is None:
            time.sleep(rng.random() * 0.003)
        worker.kill()
        assert worker.wait(10) == -9, "it was to be killed in the middle"
        kills += 1
        again = set(log.read_text()[start:].split())
        assert again.isdisjoint(before)
        assert recorded(folder) >= before, "every file under its final name is whole"
    before, start = recorded(folder), log.stat().st_size
    subprocess.run(command, check=True, timeout=60)
    assert set(log.read_text()[start:].split()) == {f"q{i}" for i in range(QUESTIONS)} - before
    assert recorded(folder) == {f"q{i}" for i in range(QUESTIONS)}
    assert len(log.read_text().split()) <= QUESTIONS + kills, "one call in flight lost a kill"


def test_processes_share_a_folder(tmp_path):
    folder, log = tmp_path / "cache", tmp_path / "asked"
    log.touch()
    command = [sys.executable, "-c", WORKER, str(folder), str(log), "60"]
    workers = [subprocess.Popen(command) for _ in range(3)]
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    assert recorded(folder) == {f"q{i}" for i in range(60)}
    assert not list(folder.rglob("*.part"))
