"""Replies in other tools are graded as in ours."""

import pytest

from burnish.methods.structext import rouge_l
from burnish.methods.structext.exports.grading import grade


@pytest.mark.parametrize(
    ("reply", "style", "expected"),
    [
        ("a->b", "naive", 1.0),
        ("### Answer:\na->b", "naive", 0.0),
        ("One step, then another.\n### Answer:\na->b", "cot", 1.0),
        ("a->b", "plan", 1.0),
        ("", "naive", 0.0),
    ],
)
def test_reasoning_is_dropped_where_it_was_asked_for(reply, style, expected) -> None:
    grades = grade(reply, "a->b", metrics=["exact"], style=style, compare="exact", rule="tree.3")
    assert grades == {"exact": expected}


def test_the_official_metric_gets_the_raw_reply() -> None:
    """A blank after the last dot is a word to the official score, and stripping would lose it."""
    raw = grade(
        "Alpha. ", "Alpha", metrics=["rouge_l"], style="naive", compare="exact", rule="md.1"
    )
    assert raw == {"rouge_l": rouge_l("Alpha", "Alpha. ")}
    assert raw["rouge_l"] < rouge_l("Alpha", "Alpha.")


@pytest.mark.parametrize(("compare", "expected"), [("exact", 0.0), ("line_multiset", 1.0)])
def test_lists_in_no_order_are_compared_as_such(compare, expected) -> None:
    grades = grade("b\na", "a\nb", metrics=["exact"], style="naive", compare=compare, rule="md.1")
    assert grades == {"exact": expected}
