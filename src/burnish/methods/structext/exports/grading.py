"""What another tool's reply is worth: the same figures as `structext.evaluate` gives."""

from __future__ import annotations

from collections.abc import Sequence

from burnish.methods.structext.sample import Compare
from burnish.methods.structext.scorers import Style, extract_answer, score


def answer_in(reply: str, style: Style) -> str:
    """The part of a reply that is scored: all of it, unless reasoning was asked for first."""
    return reply if style == "naive" else extract_answer(reply, style)


def grade(
    reply: str,
    reference: str,
    *,
    metrics: Sequence[str],
    style: Style,
    compare: Compare,
    rule: str,
) -> dict[str, float]:
    """Every metric of a reply.

    Args:
        reply: all that the model said.
        reference: of the sample.
        metrics: names from `structext.METRICS`.
        style: the question was asked in.
        compare: of the sample.
        rule: of the sample.

    Raises:
        UsageError: unknown metric.
    """
    answer = answer_in(reply, style)
    return {
        metric: score(answer, reference, metric=metric, compare=compare, rule=rule)
        for metric in metrics
    }
