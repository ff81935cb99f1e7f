from __future__ import annotations

import subprocess
import sys

import pytest

import burnish.chat
from burnish.chat import ContinuationScorer, Message, Reply, Request, ScriptedChat, Usage
from burnish.errors import ChatError, UsageError

HELLO = (Message("user", "hello there"),)


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"messages": ()}, "messages must be at least one message"),
        ({"max_tokens": 0}, "max_tokens must be at least 1, got 0"),
        ({"temperature": -0.1}, "temperature must be 0 or more"),
        ({"temperature": float("nan")}, "temperature must be 0 or more"),
        ({"top_p": 0.0}, "top_p must be over 0"),
        ({"top_p": 1.1}, "top_p must be over 0"),
        ({"seed": -1}, "seed must be from 0"),
        ({"seed": 2**31}, "seed must be from 0"),
        ({"stop": ("",)}, "stop must be strings that are not empty"),
    ],
)
def test_requests_out_of_range_are_refused(settings, reason):
    with pytest.raises(UsageError, match=reason):
        Request(**{"messages": HELLO, **settings})


def test_importing_the_package_loads_no_engine():
    code = (
        "import sys, burnish.chat; from burnish.chat import ScriptedChat, CachedChat, connect; "
        "print([m for m in ('torch', 'transformers', 'openai', 'xllamacpp') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_every_public_name_is_there():
    for name in burnish.chat.__all__:
        assert getattr(burnish.chat, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'Telepathy'"):
        _ = burnish.chat.Telepathy


@pytest.mark.parametrize(
    ("package", "name"),
    [
        ("torch", "TransformersChat"),
        ("xllamacpp", "LlamaCppChat"),
        ("openai", "EndpointChat"),
    ],
)
def test_a_missing_engine_is_named_with_its_remedy(package, name):
    code = (
        f"import sys; sys.modules[{package!r}] = None\n"
        "import burnish.chat, burnish.errors\n"
        "try:\n"
        f"    burnish.chat.{name}\n"
        "except burnish.errors.MissingExtra as error:\n"
        "    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert package in run.stdout
    assert 'pip install "burnish[structext]"' in run.stdout


def test_scripts_by_mapping_sequence_and_callable():
    request = Request(messages=HELLO)
    mapping = ScriptedChat({"hello there": "hi"})
    [outcome] = mapping.replies([request])
    assert outcome.reply == Reply(
        text="hi", usage=Usage(prompt_tokens=2, completion_tokens=1), seconds=0.0
    )
    failure = ChatError("no")
    first, second, third = ScriptedChat(["a", failure]).replies([request] * 3)
    assert first.reply.text == "a"
    assert second.reply is failure
    assert isinstance(third.reply, ChatError)
    assert "2 answers, and this is request 2" in str(third.reply)
    [outcome] = ScriptedChat(lambda asked: asked.messages[-1].content.upper()).replies([request])
    assert outcome.reply.text == "HELLO THERE"
    [outcome] = mapping.replies([Request(messages=(Message("user", "what?"),))])
    assert "no answer to 'what?'" in str(outcome.reply)


def test_scripted_identity_tells_scripts_apart():
    assert ScriptedChat({"a": "b"}).identity == ScriptedChat({"a": "b"}).identity
    assert ScriptedChat({"a": "b"}).identity != ScriptedChat({"a": "c"}).identity
    assert ScriptedChat(["x"], identity="mine").identity == "mine"


def test_scripted_scores():
    chat = ScriptedChat([], log_probs=lambda messages, text: [-1.0] * len(text.split()))
    assert isinstance(chat, ContinuationScorer)
    assert chat.log_probs(HELLO, ["a b", "c"]) == [[-1.0, -1.0], [-1.0]]
    with pytest.raises(ChatError, match="has no log_probs"):
        ScriptedChat([]).log_probs(HELLO, ["a"])
