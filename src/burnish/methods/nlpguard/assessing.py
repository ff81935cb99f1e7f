"""One classifier measured for an audit, and whether it stays within limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from burnish.errors import UsageError
from burnish.evidence import Interval
from burnish.methods.nlpguard.aggregation import WordTable
from burnish.methods.nlpguard.annotation import NONE, Annotator, Override, key
from burnish.methods.nlpguard.auditing import (
    POOLED,
    Sensitivity,
    WordReliance,
    sensitivity,
    table_reliance,
)
from burnish.methods.nlpguard.classifier import Classifier
from burnish.methods.nlpguard.explaining import Explained
from burnish.methods.nlpguard.identifying import identify, known_words, top_words
from burnish.methods.nlpguard.lexicon import Lexicon
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.performance import Answers, answers, averaged, compared
from burnish.methods.nlpguard.report_files import AuditReport, Side
from burnish.methods.nlpguard.subgroups import Subgroups, subgroups
from burnish.methods.nlpguard.swaps import Swaps, counterfactuals

LEAST = 0.01  # of the attribution, that is worth a note


@dataclass(frozen=True, kw_only=True)
class Instruments:
    """What classifiers are measured with, the same for all.

    Attributes:
        explain: a corpus explained by a classifier's own explainer.
        annotator: names the protected words.
        lexicon: whose words are swapped, and mark the texts of each category.
        count: words of each class that count as driving it, N.
        overrides: corrections of what the annotator says.
        swaps: counterfactuals of each text.
        seed: of swaps and intervals.
    """

    explain: Callable[[Classifier, Sequence[str]], Explained]
    annotator: Annotator
    lexicon: Lexicon
    count: int
    overrides: tuple[Override, ...] = ()
    swaps: int = 3
    seed: int = 0


@dataclass(frozen=True)
class Tested:
    """Labelled texts that no classifier was trained on; labels are indices of classes."""

    texts: tuple[str, ...]
    labels: NDArray[np.int64]


@dataclass(frozen=True)
class Assessed:
    """What was measured, and what the report says of it beside the numbers."""

    side: Side
    answers: Answers | None
    notes: tuple[str, ...]


def assess(
    classifier: Classifier, texts: Sequence[str], tested: Tested | None, tools: Instruments
) -> Assessed:
    """Measure one classifier.

    Args:
        classifier: that is judged.
        texts: the corpus U, unedited and unlabelled.
        tested: for accuracy, F1, AUC and, of two classes, subgroups; None leaves them out.
        tools: what to measure with.
    """
    explained = tools.explain(classifier, texts)
    table = explained.sums.table()
    protected = identify(table, tools.annotator, tools.count, texts, overrides=tools.overrides)
    corrected = {each.word: each.after for each in tools.overrides}
    named = {word: after for word, after in corrected.items() if after != NONE} | dict(protected)
    judged = [*top_words(table, tools.count), *corrected]
    own = known_words(tools.lexicon, named, judged)
    # the lexicon looks at every word; any other annotator has looked at the lists alone
    looked_at = own if tools.annotator is tools.lexicon else named
    reliance = table_reliance(table, looked_at, tools.count)
    found = None if tested is None else answers(classifier, tested.texts, tested.labels)
    return Assessed(
        side=Side(
            reliance=reliance,
            performance={} if found is None else averaged([found], seed=tools.seed),
            sensitivity=_swapped(classifier, texts, tools),
            subgroups=_subgroups(found, tested, Matcher(own)),
        ),
        answers=found,
        notes=(
            *_notes(explained, reliance, len(protected.undecided), tools.count),
            *_unlisted(table, looked_at, reliance, tools.count),
        ),
    )


def differences(before: Assessed, after: Assessed, seed: int) -> dict[str, Interval]:
    """After minus before of each performance metric; empty where either was not tested."""
    if before.answers is None or after.answers is None:
        return {}
    return compared([before.answers], [after.answers], seed=seed)


def missed(
    report: AuditReport,
    *,
    most_pa: float | None = None,
    most_mass: float | None = None,
    most_flips: float | None = None,
    least_accuracy: float | None = None,
) -> list[str]:
    """Which limits the classifier that the report judges, the later of two, does not keep.

    Args:
        report: of an audit.
        most_pa: the largest PA@N of all lists together, 0 to 1.
        most_mass: the largest share of all attribution mass on protected words, 0 to 1. Unlike
            PA@N it also counts words that are too short or too rare for the lists, such as "he".
        most_flips: the largest flip rate, 0 to 1.
        least_accuracy: the smallest accuracy, 0 to 1.

    Returns:
        A line for each limit that is not kept, or that nothing was measured for.

    Raises:
        UsageError: a limit is no share.
    """
    side = report.after or report.before
    flips = None if side.sensitivity is None else side.sensitivity.flip_rate
    accuracy = side.performance.get("accuracy")
    nothing = "no word speaks for any class"
    held = "the protected words' share of the attribution"
    limits = (
        _Limit("PA@N", most_pa, side.reliance.pa, nothing),
        _Limit(held, most_mass, side.reliance.mass[POOLED], nothing),
        _Limit("the flip rate", most_flips, _estimate(flips), "no text holds a word to swap"),
        _Limit("the accuracy", least_accuracy, _estimate(accuracy), "there are no labels", -1),
    )
    return [line for limit in limits if (line := limit.complaint())]


class _Limit(NamedTuple):
    """A share that is measured, and how large (sign 1) or small (-1) it may be; None: any."""

    name: str
    allowed: float | None
    measured: float | None
    unmeasured: str
    sign: int = 1

    def complaint(self) -> str:
        """A line if it is not kept, else nothing."""
        if self.allowed is None:
            return ""
        if not 0 <= self.allowed <= 1:
            raise UsageError(f"the limit of {self.name} is a share from 0 to 1, got {self.allowed}")
        if self.measured is None:
            return f"{self.name} is not known: {self.unmeasured}"
        if self.sign * (self.measured - self.allowed) <= 0:
            return ""
        bound, measured = "at most" if self.sign > 0 else "at least", _percent(self.measured)
        return f"{self.name} is {measured}, and {bound} {_percent(self.allowed)} is wanted"


def _estimate(found: Interval | None) -> float | None:
    return None if found is None else found.estimate


def _percent(share: float) -> str:
    # not to one decimal, or a limit missed by a hair looks kept
    return f"{100 * share:.4g} %"


def _swapped(classifier: Classifier, texts: Sequence[str], tools: Instruments) -> Sensitivity:
    matcher, swaps = Matcher(tools.lexicon.terms), Swaps.of_lexicon(tools.lexicon)
    return sensitivity(
        classifier,
        texts,
        lambda some, seed: counterfactuals(some, matcher, swaps, seed=seed),
        swaps=tools.swaps,
        seed=tools.seed,
    )


def _subgroups(found: Answers | None, tested: Tested | None, matcher: Matcher) -> Subgroups | None:
    """Of two classes, for the second; None for more, or without labels."""
    if found is None or tested is None or found.probabilities.shape[1] != 2:
        return None
    presence = matcher.presence(tested.texts)
    return subgroups(found.labels == 1, found.probabilities[:, 1], presence)


def _notes(
    explained: Explained, reliance: WordReliance, undecided: int, count: int
) -> tuple[str, ...]:
    notes = []
    short = [f"{label} {len(words)}" for label, words in reliance.top.items() if len(words) < count]
    if short:
        notes.append(f"lists shorter than {count} words: {', '.join(short)}")
    if explained.skipped:
        rows = ", ".join(str(each.row) for each in explained.skipped[:10])
        reason = explained.skipped[0].reason
        notes.append(
            f"{len(explained.skipped)} texts could not be explained, the first {rows}: {reason}"
        )
    if explained.incomplete:
        notes.append(
            f"{explained.incomplete} of {explained.explained} explanations miss completeness by "
            "2 % or more"
        )
    if undecided:
        notes.append(f"{undecided} words are undecided and count as not protected")
    return tuple(notes)


def _unlisted(
    table: WordTable, looked_at: Mapping[str, str], reliance: WordReliance, count: int
) -> list[str]:
    """A note where PA@N does not see much of what protected words hold."""
    rest = {word: mark for word, mark in looked_at.items() if key(word) not in reliance.identified}
    mass = table_reliance(table, rest, count).mass
    seen = [f"{label} {100 * held:.1f} %" for label, held in mass.items() if held and held >= LEAST]
    if not seen:
        return []
    return [
        "protected words that are in no list, such as those of two letters, hold this much of the "
        f"attribution: {', '.join(seen)}"
    ]
