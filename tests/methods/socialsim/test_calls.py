"""Calls are asked once, told again, and a damaged line costs that call only."""

from __future__ import annotations

import math

import pytest

from burnish.errors import ChatError, DataError, UsageError
from burnish.methods.socialsim.calls import Book, Call, KeptThinker, as_table
from burnish.methods.socialsim.schema import LLM_CALLS
from burnish.methods.socialsim.scripted_core import ScriptedThinker
from burnish.methods.socialsim.thinking import Weighed

LABELS = tuple("ABCDEF")


class Counting(ScriptedThinker):
    """Counts the questions it was asked."""

    asked = 0

    def weigh(self, opening, questions, labels):
        self.asked += len(questions)
        return super().weigh(opening, questions, labels)


def test_a_question_is_asked_once(tmp_path):
    thinker = Counting()
    kept = KeptThinker(Book(tmp_path / "calls.jsonl"), thinker)
    first = kept.weigh("o", ["q1", "q2"], LABELS)
    again = kept.weigh("o", ["q2", "q3", "q1"], LABELS)
    assert thinker.asked == 3
    assert [again[0], again[2]] == [first[1], first[0]]


def test_a_book_tells_everything_without_the_model(tmp_path):
    path = tmp_path / "calls.jsonl"
    kept = KeptThinker(Book(path), ScriptedThinker(says="hello"))
    weighed = kept.weigh("o", ["q"], LABELS)
    written = kept.write("o", "q", max_tokens=5, seed=1)
    replay = KeptThinker(Book(path))
    assert replay.weigh("o", ["q"], LABELS) == weighed
    assert replay.write("o", "q", max_tokens=5, seed=1) == written
    with pytest.raises(DataError, match=r"no call with prompt .* give the model"):
        replay.weigh("o", ["another"], LABELS)


def test_a_run_s_table_is_a_book():
    kept = KeptThinker(Book(), ScriptedThinker())
    calls = [(3, 9, call) for call, _ in kept.weigh("o", ["q", "r"], LABELS)]
    table = as_table(calls)
    assert table.schema.equals(LLM_CALLS, check_metadata=True)
    replay = KeptThinker(Book.of_table(table))
    again = as_table([(3, 9, call) for call, _ in replay.weigh("o", ["q", "r"], LABELS)])
    assert again.equals(table)


@pytest.mark.parametrize("damage", ["torn", "altered", "not json", "wrong type"])
def test_a_damaged_line_is_asked_again(tmp_path, damage):
    path = tmp_path / "calls.jsonl"
    KeptThinker(Book(path), ScriptedThinker()).weigh("o", ["q", "r"], LABELS)
    _, first, second = path.read_bytes().splitlines()
    bad = {
        "torn": second[:40],
        "altered": second.replace(b'"completion_tokens":1', b'"completion_tokens":2'),
        "not json": b"\xff\xfe",
        "wrong type": b"[1]",
    }[damage]
    assert bad != second
    path.write_bytes(first + b"\n" + bad + b"\n")
    thinker = Counting()
    KeptThinker(Book(path), thinker).weigh("o", ["q", "r"], LABELS)
    assert thinker.asked == 1
    assert len(Book(path)) == 2


def test_a_torn_last_line_does_not_spoil_the_next_call(tmp_path):
    path = tmp_path / "calls.jsonl"
    KeptThinker(Book(path), ScriptedThinker()).weigh("o", ["q", "r"], LABELS)
    path.write_bytes(path.read_bytes()[:-30])
    KeptThinker(Book(path), ScriptedThinker()).weigh("o", ["q", "r"], LABELS)
    assert len(Book(path)) == 2


def test_impossible_labels_are_kept_as_such():
    class Speaking(ScriptedThinker):
        def weigh(self, opening, questions, labels):
            return [Weighed((0.0, -math.inf))] * len(questions)

    kept = KeptThinker(Book(), Speaking())
    ((_, weighed),) = kept.weigh("o", ["q"], ("A", "B"))
    assert weighed.log_probs == (0.0, -math.inf)


@pytest.mark.parametrize("text", ["x", "[1]", '["a","b"]', "3"])
def test_a_recorded_weighing_that_is_none_is_an_error(text):
    kept = KeptThinker(Book(), ScriptedThinker())
    ((call, _),) = kept.weigh("o", ["q"], LABELS)
    kept.book.add(Call(**{**call.__dict__, "text": text}))
    with pytest.raises(DataError, match="recorded weighing"):
        kept.weigh("o", ["q"], LABELS)


def test_a_replay_needs_the_calls_of_one_model():
    book = Book()
    with pytest.raises(UsageError, match="those of 0"):
        KeptThinker(book)
    for says in ("a", "b"):
        KeptThinker(book, ScriptedThinker(says=says)).weigh("o", ["q"], LABELS)
    with pytest.raises(UsageError, match="those of 2"):
        KeptThinker(book)


def test_a_failure_is_kept_for_replays_and_asked_again_of_a_model(tmp_path):
    class Broken(ScriptedThinker):
        def weigh(self, opening, questions, labels):
            raise ChatError("timed out")

        def write(self, opening, question, *, max_tokens, seed):
            raise ChatError("timed out")

    path = tmp_path / "calls.jsonl"
    kept = KeptThinker(Book(path), Broken())
    ((call, weighed),) = kept.weigh("o", ["q"], LABELS)
    assert call.failed
    assert weighed is None
    assert kept.write("o", "q", max_tokens=3, seed=0)[1] is None
    assert KeptThinker(Book(path)).weigh("o", ["q"], LABELS) == [(call, None)]
    ((again, found),) = KeptThinker(Book(path), ScriptedThinker()).weigh("o", ["q"], LABELS)
    assert not again.failed
    assert found is not None
