"""What is remembered, in which order it comes back, and that it survives a checkpoint."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from burnish.errors import DataError, UsageError
from burnish.methods.socialsim.memory import Memory, MemoryStream, Span, pack, unpack


def event(tick, key="C1", importance=0.5):
    return Memory(tick, f"event {tick}", importance, (key,))


def test_only_the_last_events_are_told():
    stream = MemoryStream(Span(events=3, threshold=100))
    for tick in range(9):
        stream.add(event(tick))
    assert stream.recall(9, ()) == tuple(f"hour {t}: event {t}" for t in (6, 7, 8))


def test_the_score_is_recency_times_importance_times_relevance():
    stream = MemoryStream(Span(decay=0.5))
    kept = Memory(2, "x", 0.8, ("C1", "C2"))
    keys = frozenset({"C1", "C5"})
    assert stream.score(kept, 5, keys) == pytest.approx(0.5**3 * 0.8 * 1 / math.sqrt(4))
    assert stream.score(kept, 2, frozenset({"C9"})) == pytest.approx(0.8 * 0.05)


def test_the_best_reflections_come_back_in_the_order_of_time():
    stream = MemoryStream(Span(events=0, reflections=2, decay=0.9))
    stream.reflections = [
        Memory(0, "old and alike", 1.0, ("C1",)),
        Memory(1, "of something else", 1.0, ("C7",)),
        Memory(2, "new and alike", 0.9, ("C1",)),
    ]
    assert stream.recall(3, ["C1"]) == ("hour 0: old and alike", "hour 2: new and alike")


def test_enough_importance_makes_a_reflection_on_what_came_up_most():
    stream = MemoryStream(Span(threshold=1.4))
    for tick, key in enumerate(("C2", "C1", "C2")):
        stream.add(event(tick, key))
    (reflection,) = stream.reflections
    assert reflection.keys == ("C2",)
    assert "2 times" in reflection.text
    assert stream.gathered == 0
    assert not stream.met


@given(
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from(["C0", "C1", "topic 3"])), max_size=40)
)
def test_memories_survive_being_packed(events):
    span = Span(threshold=2.0)
    stream = MemoryStream(span)
    for tick, key in events:
        stream.add(event(tick, key))
    kept = pack({5: stream, 2: MemoryStream(span)})
    again = unpack(kept, span)
    assert pack(again) == kept
    assert again[5].recall(210, ["C1"]) == stream.recall(210, ["C1"])


@pytest.mark.parametrize(
    "kept",
    [b"", b"[]", b"{}", b'{"format":2,"agents":{}}', b'{"format":1,"agents":{"x":{}}}', b"\xff"],
)
def test_other_bytes_are_no_memories(kept):
    with pytest.raises(DataError, match="memories"):
        unpack(kept, Span())


@pytest.mark.parametrize(
    ("given", "complaint"),
    [({"decay": 0.0}, "decay"), ({"events": -1}, "counts"), ({"threshold": 0.0}, "threshold")],
)
def test_spans_out_of_range_are_refused(given, complaint):
    with pytest.raises(UsageError, match=complaint):
        Span(**given)
