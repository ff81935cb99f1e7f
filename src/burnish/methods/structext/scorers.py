"""Scores of an answer against its reference, each a pure function from two texts to [0, 1].

No scorer raises because of what a model said: an answer that is empty or cannot be read scores 0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from burnish.chat import ChatModel, Message, Reply, Request
from burnish.errors import MissingExtra, UsageError
from burnish.methods.structext.rouge import rouge_l, rouge_l_75
from burnish.methods.structext.sample import Compare
from burnish.methods.structext.structure import same_structure

Style = Literal["naive", "cot", "plan"]
STYLES: tuple[Style, ...] = ("naive", "cot", "plan")
JUDGE = "judge"

_MARKER = re.compile(
    r"(?:^|\n)[ \t]*(?:#{1,6}[ \t]*|\*\*)?Answer\**[ \t]*:[ \t]*\**", re.IGNORECASE
)
_FENCE = re.compile(r"\A```[^\n`]*\n(.*?)\n?[ \t]*```\Z", re.DOTALL)
_INTEGER = re.compile(r"(?<![\w.])[-+]?\d+(?![\w]|\.\d)")


@dataclass(frozen=True)
class Metric:
    """A scorer that needs no model; `compute` gets prediction, answer, compare and rule."""

    name: str
    summary: str
    compute: Callable[[str, str, Compare, str], float]


def score(
    prediction: str,
    answer: str,
    *,
    metric: str = "rouge_l_75",
    compare: Compare = "exact",
    rule: str = "",
) -> float:
    """How good an answer is under one metric of `METRICS`.

    Args:
        prediction: what the model answered; the official metric wants it raw.
        answer: the reference.
        metric: a name in `METRICS`.
        compare: of the sample; "line_multiset" says that the reference lists lines in no order.
        rule: of the sample, e.g. "json.1"; the structural metric parses by it.

    Returns:
        A number in [0, 1]; 0 for an answer that is empty or white space.

    Raises:
        UsageError: unknown metric; the message lists the known ones.
        MissingExtra: "bleu" without sacrebleu.
    """
    compute = metric_named(metric).compute
    if not prediction.strip():
        return 0.0
    return compute(prediction, answer, compare, rule)


def score_all(
    prediction: str, answer: str, metrics: Sequence[Metric], *, compare: Compare, rule: str
) -> dict[str, float]:
    """`score` under several metrics, by name."""
    if not prediction.strip():
        return {metric.name: 0.0 for metric in metrics}
    return {metric.name: metric.compute(prediction, answer, compare, rule) for metric in metrics}


def metric_named(name: str) -> Metric:
    """A metric by name.

    Raises:
        UsageError: no such metric; the message lists the known ones.
    """
    if name in METRICS:
        return METRICS[name]
    if name == JUDGE:
        raise UsageError(
            "the metric 'judge' asks a model; pass a JudgeScorer(model) among the scorers instead"
        )
    raise UsageError(f"unknown metric {name!r}; known are: {', '.join(METRICS)}")


def extract_answer(reply: str, style: Style = "naive") -> str:
    """The answer in a reply.

    The official evaluation scores the raw reply, and so does "naive": only outer white space goes.
    For "cot" and "plan" the prompt asks for reasoning first, so what counts is the text after the
    last line that begins with "Answer:" ("### Answer:" and "**Answer:**" too), without a code
    fence around all of it. A reply that never says "Answer:" is taken whole.

    Args:
        reply: all that the model said.
        style: of the prompt.

    Raises:
        UsageError: unknown style.
    """
    if style not in STYLES:
        raise UsageError(f"unknown style {style!r}; known are: {', '.join(STYLES)}")
    text = reply.strip()
    if style == "naive":
        return text
    text = _MARKER.split(text)[-1].strip()
    fenced = _FENCE.match(text)
    return fenced.group(1).strip() if fenced else text


def _multiset(prediction: str, answer: str) -> float:
    return float(Counter(_lines(prediction)) == Counter(_lines(answer)))


def _lines(text: str) -> Iterable[str]:
    return (line.strip() for line in text.splitlines() if line.strip())


def _exact(prediction: str, answer: str, compare: Compare, _: str) -> float:
    if compare == "line_multiset":
        return _multiset(prediction, answer)
    return float(prediction.strip() == answer.strip())


def _integer(prediction: str, answer: str, compare: Compare, rule: str) -> float:
    wanted = _only_integer(answer)
    if wanted is None or wanted != answer.strip():
        return _exact(prediction, answer, compare, rule)
    return float(_only_integer(prediction) == wanted)


def _only_integer(text: str) -> str | None:
    """The integer a text names, in plain digits; None when it names none or several."""
    found = {_plain(number) for number in _INTEGER.findall(text)}
    return found.pop() if len(found) == 1 else None


def _plain(number: str) -> str:
    sign = "-" if number.startswith("-") else ""
    digits = number.lstrip("+-").lstrip("0") or "0"
    return digits if digits == "0" else sign + digits


def _structural(prediction: str, answer: str, compare: Compare, rule: str) -> float:
    if _exact(prediction, answer, compare, rule):
        return 1.0
    return float(compare == "exact" and same_structure(prediction, answer, rule))


def _bleu(prediction: str, answer: str, _: Compare, __: str) -> float:
    try:
        from sacrebleu import sentence_bleu
    except ImportError as error:
        raise MissingExtra(
            "the metric 'bleu' needs sacrebleu; install it with: pip install 'burnish[structext]'"
        ) from error
    return float(sentence_bleu(prediction, [answer]).score) / 100


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "rouge_l_75",
            "official: RougeL F of PyPI rouge 1.0.1, and 0 when it is below 0.75",
            lambda prediction, answer, _, __: rouge_l_75(prediction, answer),
        ),
        Metric(
            "rouge_l",
            "RougeL F of PyPI rouge 1.0.1, without the threshold",
            lambda prediction, answer, _, __: rouge_l(answer, prediction),
        ),
        Metric("exact", "equal once stripped; lists in no order, as sets with repeats", _exact),
        Metric(
            "multiset",
            "the same lines, each as often, in any order; outer white space and blank lines aside",
            lambda prediction, answer, _, __: _multiset(prediction, answer),
        ),
        Metric(
            "structural",
            "the same tree once parsed (JSON, YAML, XML, headings, paths), indentation aside; "
            "exact where the answer has no structure",
            _structural,
        ),
        Metric(
            "integer",
            "the one integer in the answer; exact where the reference is no integer",
            _integer,
        ),
        Metric("bleu", "sentence BLEU of sacreBLEU, defaults, over 100", _bleu),
    )
}


@dataclass(frozen=True)
class Judged:
    """A judge's verdict on answer `index`: 1 or 0, or None with the reason why there is none."""

    index: int
    score: float | None
    note: str = ""


class JudgeScorer:
    """A chat model that says whether an answer means the same as the reference.

    The paper's judge prompt is not published; this one is ours. Empty answers score 0 and answers
    equal to the reference score 1 without a call.

    Args:
        model: the judge; its identity belongs into the report.
        max_tokens: of its verdict.
    """

    name = JUDGE

    def __init__(self, model: ChatModel, *, max_tokens: int = 8) -> None:
        self.model = model
        self.max_tokens = max_tokens

    def judge(self, cases: Sequence[tuple[str, str, str]]) -> Iterator[Judged]:
        """One verdict a case, as they come.

        Args:
            cases: (question, answer, prediction) each.
        """
        asked: list[int] = []
        for index, (_, answer, prediction) in enumerate(cases):
            if not prediction.strip():
                yield Judged(index, 0.0, "empty")
            elif prediction.strip() == answer.strip():
                yield Judged(index, 1.0, "equal")
            else:
                asked.append(index)
        requests = [self._request(*cases[index]) for index in asked]
        for outcome in self.model.replies(requests):
            yield _verdict(asked[outcome.index], outcome.reply)

    def _request(self, question: str, answer: str, prediction: str) -> Request:
        text = (
            "Two answers to one question about a structured document are given. Decide whether "
            "they are equivalent: the same content, where the order of listed items and the "
            "indentation do not matter. Reply with the single word yes or no.\n\n"
            f"### Question:\n{question}\n\n### Reference answer:\n{answer}\n\n"
            f"### Candidate answer:\n{prediction}\n\n### Equivalent (yes or no):\n"
        )
        return Request(messages=(Message("user", text),), max_tokens=self.max_tokens)


def _verdict(index: int, reply: Reply | Exception) -> Judged:
    if not isinstance(reply, Reply):
        return Judged(index, None, f"the judge failed: {reply}")
    words = re.findall(r"[a-z]+", reply.text.lower())
    if not words or words[0] not in ("yes", "no"):
        return Judged(index, None, f"the judge said neither yes nor no: {reply.text[:80]!r}")
    return Judged(index, float(words[0] == "yes"))
