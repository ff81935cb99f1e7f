"""The words a sample is asked in."""

from __future__ import annotations

import re

from burnish.chat import Message
from burnish.errors import UsageError
from burnish.methods.structext.sample import Sample
from burnish.methods.structext.scorers import STYLES, Style

PROMPTS = ("release", "paper")

# the words of the October 2024 release, so that its published scores compare
_TASK = (
    "There are References in {language}. Based on the content under “### Question:”, please "
    "provide the answer directly after “### Answer:”. Avoid including any redundant information "
    "in your answer.\n\n"
)
_REASONED_TASK = (
    "There are References in {language}. Based on the content under “### Question:”, {how}, then "
    "provide the answer after “### Answer:”. Avoid including any redundant information after "
    "“### Answer:”.\n\n"
)
_HOW = {
    "cot": "please think step by step under “### Reasoning:”",
    "plan": "please first devise a plan and then solve the problem step by step, both under "
    "“### Reasoning:”",
}
_ROLE = (
    "You are a file parser that reads {language} files. Answer the question about the file under "
    "“### Reference:” as the requirement says{how}.\n\n"
)
_PAPER_HOW = {
    "naive": ", directly after “### Answer:”",
    "cot": "; let's think step by step under “### Reasoning:”, then give the answer alone after "
    "“### Answer:”",
    "plan": "; let's first devise a plan and then carry it out step by step under "
    "“### Reasoning:”, then give the answer alone after “### Answer:”",
}
_NO_REQUIREMENT = "Give the answer alone."
_FIRST_SENTENCE = re.compile(r"(.*?(?:\?|\.(?=\s)))(.*)", re.DOTALL)


def messages(
    sample: Sample, *, prompt: str = "release", style: Style = "naive"
) -> tuple[Message, ...]:
    """The conversation that asks a sample: one user message.

    "release" has the headings, their order and, for "naive", every word of the released
    evaluation: task, `### Hint:` if the sample has a hint, `### Examples:` if it has shots, then
    question, reference and an open `### Answer:`. "paper" follows tables 7 to 10 of version 3: a
    role, question, reference, requirement (the part of the question that says how to answer),
    then `### Rule Hint:` and `### Demonstration:`. For "cot" and "plan" the message ends at
    `### Reasoning:`, and the task says to write `### Answer:` after it.

    Args:
        sample: its own hint and shots are used; it has them or not.
        prompt: "release" or "paper".
        style: "naive" for the bare answer, "cot" for reasoning step by step first, "plan" for a
            plan, then its steps.

    Raises:
        UsageError: unknown prompt or style; the message lists the known ones.

    Source: specification of StrucText-Eval, section 2.4. Departures: the paper does not publish
    the words of its self-CoT and plan-and-solve prompts, and we have no copy of the words of
    tables 7 to 10, only their headings; those sentences are ours. Shots of "cot" and "plan" show
    answers without reasoning, since there is no reference reasoning.
    """
    if style not in STYLES:
        raise UsageError(f"unknown style {style!r}; known are: {', '.join(STYLES)}")
    if prompt == "release":
        text = _release(sample, style)
    elif prompt == "paper":
        text = _paper(sample, style)
    else:
        raise UsageError(f"unknown prompt {prompt!r}; known are: {', '.join(PROMPTS)}")
    return (Message("user", text),)


def prefix_order(sample: Sample) -> tuple[object, ...]:
    """Sort key that puts samples with a long common start of their prompts next to each other."""
    shots = tuple((shot.question, shot.text, shot.answer) for shot in sample.shots)
    return sample.language, sample.hint, shots, sample.question, sample.text


def _release(sample: Sample, style: Style) -> str:
    if style == "naive":
        parts = [_TASK.format(language=sample.language)]
    else:
        parts = [_REASONED_TASK.format(language=sample.language, how=_HOW[style])]
    if sample.hint:
        parts.append(f"### Hint:\n{sample.hint}\n\n")
    if sample.shots:
        parts.append("### Examples:\n\n")
    parts.extend(
        _release_block(shot.question, shot.text) + f"### Answer:\n{shot.answer}\n\n"
        for shot in sample.shots
    )
    parts.append(_release_block(sample.question, sample.text))
    parts.append(_opening(style))
    return "".join(parts)


def _release_block(question: str, text: str) -> str:
    return f"### Question:\n{question}\n\n### Reference:\n{text}\n\n"


def _paper(sample: Sample, style: Style) -> str:
    parts = [_ROLE.format(language=sample.language, how=_PAPER_HOW[style])]
    parts.append(_paper_block(sample.question, sample.text))
    if sample.hint:
        parts.append(f"### Rule Hint:\n{sample.hint}\n\n")
    if sample.shots:
        parts.append("### Demonstration:\n\n")
    parts.extend(
        _paper_block(shot.question, shot.text) + f"### Answer:\n{shot.answer}\n\n"
        for shot in sample.shots
    )
    parts.append(_opening(style))
    return "".join(parts)


def _paper_block(question: str, text: str) -> str:
    asked, requirement = _split(question)
    return (
        f"### Question:\n{asked}\n\n### Reference:\n{text}\n\n### Requirement:\n{requirement}\n\n"
    )


def _split(question: str) -> tuple[str, str]:
    """A question and the clause that says how to answer it."""
    match = _FIRST_SENTENCE.fullmatch(question.strip())
    asked, requirement = match.groups() if match else (question, "")
    return asked.strip(), requirement.strip() or _NO_REQUIREMENT


def _opening(style: Style) -> str:
    return "### Answer:\n" if style == "naive" else "### Reasoning:\n"
