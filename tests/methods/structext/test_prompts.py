"""The words a sample is asked in: order of the parts, and what comes from the sample."""

import pytest

from burnish.errors import UsageError
from burnish.methods.structext.prompts import messages, prefix_order
from burnish.methods.structext.sample import Difficulty, Sample, Shot

SHOTS = (Shot("a->b", "Q1?", "1"), Shot("c->d", "Q2?", "2"))


def sample(**changes) -> Sample:
    fields = {
        "language": "tree",
        "task": "Tree.Depth",
        "rule": "tree.2",
        "difficulty": Difficulty(1, 1),
        "text": "x->y",
        "question": "What is the depth of node y? Answer an integer, root is of depth 0.",
        "answer": "1",
    }
    return Sample(**(fields | changes))


def test_release_zero_shot_word_for_word():
    (message,) = messages(sample())
    assert message.role == "user"
    assert message.content == (
        "There are References in tree. Based on the content under “### Question:”, please provide "
        "the answer directly after “### Answer:”. Avoid including any redundant information in "
        "your answer.\n\n"
        "### Question:\nWhat is the depth of node y? Answer an integer, root is of depth 0.\n\n"
        "### Reference:\nx->y\n\n### Answer:\n"
    )


def test_release_with_hint_and_shots_in_order():
    text = messages(sample(hint="Count.", shots=SHOTS))[0].content
    assert text.split("\n\n", 1)[1] == (
        "### Hint:\nCount.\n\n### Examples:\n\n"
        "### Question:\nQ1?\n\n### Reference:\na->b\n\n### Answer:\n1\n\n"
        "### Question:\nQ2?\n\n### Reference:\nc->d\n\n### Answer:\n2\n\n"
        "### Question:\nWhat is the depth of node y? Answer an integer, root is of depth 0.\n\n"
        "### Reference:\nx->y\n\n### Answer:\n"
    )


def headings(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("### ")]


def test_paper_order_and_requirement():
    text = messages(sample(hint="Count.", shots=SHOTS[:1]), prompt="paper")[0].content
    assert "file parser" in text.split("\n")[0]
    assert headings(text) == [
        "### Question:", "### Reference:", "### Requirement:", "### Rule Hint:",
        "### Demonstration:", "### Question:", "### Reference:", "### Requirement:",
        "### Answer:", "### Answer:",
    ]  # fmt: skip
    assert "### Question:\nWhat is the depth of node y?\n" in text
    assert "### Requirement:\nAnswer an integer, root is of depth 0.\n" in text


@pytest.mark.parametrize(
    ("question", "asked", "requirement"),
    [
        (
            "What is the age of record with primeKey a",
            "What is the age of record with primeKey a",
            "Give the answer alone.",
        ),
        (
            "Most nested, i.e., no list or dict?The content.",
            "Most nested, i.e., no list or dict?",
            "The content.",
        ),
        ("The path to node eb. Answer like A->D.", "The path to node eb.", "Answer like A->D."),
    ],
)
def test_paper_splits_the_question(question, asked, requirement):
    text = messages(sample(question=question), prompt="paper")[0].content
    assert f"### Question:\n{asked}\n\n" in text
    assert f"### Requirement:\n{requirement}\n\n" in text


@pytest.mark.parametrize("prompt", ["release", "paper"])
@pytest.mark.parametrize(("style", "words"), [("cot", "step by step"), ("plan", "plan")])
def test_reasoning_styles_open_a_reasoning_heading(prompt, style, words):
    text = messages(sample(), prompt=prompt, style=style)[0].content
    assert words in text.split("\n")[0]
    assert text.endswith("### Reasoning:\n")


def test_texts_with_braces_are_left_alone():
    text = messages(sample(text='{"a": {}}', question="{x}?"))[0].content
    assert '### Reference:\n{"a": {}}\n' in text


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"prompt": "v2"}, "unknown prompt 'v2'; known are: release, paper"),
        ({"style": "tot"}, "unknown style 'tot'; known are: naive, cot, plan"),
    ],
)
def test_unknown_names_are_refused(choice, message):
    with pytest.raises(UsageError, match=message):
        messages(sample(), **choice)


def test_samples_with_the_same_shots_are_neighbours():
    plain, first, second = sample(), sample(shots=SHOTS), sample(shots=SHOTS, text="p->q")
    other = sample(shots=SHOTS[::-1])
    ordered = sorted([first, other, plain, second], key=prefix_order)
    assert abs(ordered.index(first) - ordered.index(second)) == 1
