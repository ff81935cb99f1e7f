"""What the paper says, and what we say, as sentences that a run's points confirm or refute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from burnish.evidence import Claim, Point, Verdict, find, interval_of
from burnish.methods.nlpguard.arms import NONE

PAPER = "NLPGuard, arXiv 2407.01697, abstract"
OURS = "burnish"
ENOUGH = 5
"""Trainings below which nothing is said of a mean."""
_CPU = "burnish run nlpguard --preset cpu"
_MS2, _MS4 = "word_removal", "word_variants_kept"
_BOTH = "word_removal_both"
_STRATEGIES = (
    "document_removal",
    "sentence_removal",
    _MS2,
    "word_replacement",
    "word_variants",
    _MS4,
    "hypernym",
)
_NAMES = ("accuracy_percent", "macro_f1_percent", "pa_percent", "mass_percent")
_TABLE = {
    NONE: (71.8, 68.2, 20.5, 35.5),
    "document_removal": (38.4, 23.3, 4.7, 2.2),
    _MS2: (70.3, 67.1, 1.1, 1.7),
    "mask": (62.3, 59.6, 1.3, 1.8),
}
"""Reference measurements on the linear model, specification of the method, in %."""
_FEW_POINTS = 5.0
Check = Callable[[Sequence[Point]], Verdict]


def _one(points: Sequence[Point], name: str, **tags: Any) -> Point | None:
    return next((point for point in find(points, name, **tags) if point.value is not None), None)


def _untested(why: str) -> Verdict:
    return Verdict("not_tested", note=f"{why}; {_CPU}")


def _at_least(name: str, least: float, **tags: Any) -> Check:
    """The mean over enough seeds is at least so much."""

    def check(points: Sequence[Point]) -> Verdict:
        point = _one(points, name, **tags)
        if point is None or point.value is None:
            return _untested("not measured in this run")
        runs = int(point.tags.get("n", 1))
        if runs < ENOUGH:
            return _untested(f"{ENOUGH} trainings are needed, there are {runs}")
        holds, note = point.value >= least, f"mean of {runs} trainings"
        return Verdict("holds" if holds else "fails", point.value, interval_of(point), note)

    return check


def _accuracy_kept(kind: str, mitigation: str) -> Check:
    def check(points: Sequence[Point]) -> Verdict:
        point = _one(points, "accuracy_change_points", kind=kind, mitigation=mitigation)
        if point is None or point.value is None or int(point.tags["n"]) < ENOUGH:
            return _untested(f"needs {mitigation} with 5 seeds")
        holds = point.value >= -2
        return Verdict("holds" if holds else "fails", point.value, interval_of(point))

    return check


def _improves(points: Sequence[Point]) -> Verdict:
    point = _one(points, "accuracy_change_points", kind="minilm", mitigation=_MS2)
    if point is None or point.value is None or int(point.tags["n"]) < ENOUGH:
        return _untested("needs word_removal with 5 seeds")
    bounds = interval_of(point)
    note = "the interval holds 0" if bounds and bounds[0] <= 0 <= bounds[1] else ""
    return Verdict("holds" if point.value > 0 else "fails", point.value, bounds, note)


def _highest(kind: str) -> Check:
    """The largest relative reduction of MS1 to MS5, of those that were trained often enough."""

    def check(points: Sequence[Point]) -> Verdict:
        found = [
            point
            for point in find(points, "reduction_percent", kind=kind)
            if point.value is not None
            and int(point.tags["n"]) >= ENOUGH
            and point.tags["mitigation"] in _STRATEGIES
        ]
        if not found:
            return _untested(f"needs 5 seeds of {kind}")
        best = max(found, key=lambda point: float(point.value or 0))
        holds = float(best.value or 0) >= 79
        note = f"by {best.tags['mitigation']}"
        return Verdict("holds" if holds else "fails", best.value, interval_of(best), note)

    return check


def _more_than_variants(kind: str) -> Check:
    def check(points: Sequence[Point]) -> Verdict:
        removal = _one(points, "reduction_percent", kind=kind, mitigation=_MS2)
        variants = _one(points, "reduction_percent", kind=kind, mitigation=_MS4)
        if removal is None or variants is None or removal.value is None or variants.value is None:
            return _untested("needs word_removal and word_variants_kept")
        gain = removal.value - variants.value
        note = (
            f"{removal.value:.1f} % in {removal.tags['n']} trainings against "
            f"{variants.value:.1f} % in {variants.tags['n']}"
        )
        return Verdict("holds" if gain > 0 else "fails", gain, None, note)

    return check


def _loses_most(points: Sequence[Point]) -> Verdict:
    found = {
        (str(point.tags["kind"]), str(point.tags["mitigation"])): float(point.value)
        for point in find(points, "lost_rows_percent")
        if point.value is not None
    }
    kinds = {kind for kind, name in found if name == "document_removal"}
    if not kinds or len(found) < 4:
        return _untested("needs document_removal among other mitigations")
    worst = all(
        found[kind, "document_removal"] >= max(v for (k, _), v in found.items() if k == kind)
        for kind in kinds
    )
    refused = [
        point.value == 1
        for point in find(points, "refused_share", mitigation="document_removal")
        if point.value is not None
    ]
    share = max(found[kind, "document_removal"] for kind in kinds)
    holds = worst and all(refused)
    note = "the guard on losses refused it" if all(refused) else "the guard let it pass"
    return Verdict("holds" if holds else "fails", share, None, note)


def _probe_fails(points: Sequence[Point]) -> Verdict:
    found = [
        point
        for point in find(points, "probe_gain_points", mitigation="leace")
        if point.value is not None
    ]
    if not found:
        return _untested("needs leace on the encoder")
    worst = max(found, key=lambda point: float(point.value or 0))
    plain = _one(
        points, "probe_gain_points", kind="minilm", mitigation=NONE,
        category=worst.tags["category"],
    )  # fmt: skip
    note = f"worst of {len(found)} categories, {worst.tags['category']}"
    if plain is not None and plain.value is not None:
        note += f"; {plain.value:+.1f} before"
    return Verdict("holds" if float(worst.value or 0) <= 2 else "fails", worst.value, None, note)


def _complete(points: Sequence[Point]) -> Verdict:
    explained = sum(p.value or 0 for p in find(points, "explained_count", kind="minilm"))
    lacking = sum(p.value or 0 for p in find(points, "incomplete_count", kind="minilm"))
    if not explained:
        return _untested("needs minilm")
    share = 100 * (1 - lacking / explained)
    note = f"{explained:.0f} texts"
    return Verdict("holds" if share >= 95 else "fails", share, None, note)


def _planted_first(kind: str) -> Check:
    def check(points: Sequence[Point]) -> Verdict:
        rank = _one(points, "planted_rank", kind=kind, moment="before")
        if rank is None:
            return _untested("needs planted")
        shrunk = _one(points, "planted_shrunk_rank", kind=kind, moment="before")
        note = "" if shrunk is None else f"{shrunk.value:.0f} where rare words are shrunk"
        return Verdict("holds" if rank.value == 1 else "fails", rank.value, None, note)

    return check


def _planted_gone(kind: str, most_left: float) -> Check:
    def check(points: Sequence[Point]) -> Verdict:
        before = _one(points, "planted_mass_percent", kind=kind, moment="before")
        after = _one(points, "planted_mass_percent", kind=kind, moment="after")
        if before is None or after is None or not before.value:
            return _untested("needs planted")
        left = 100 * float(after.value or 0) / before.value
        return Verdict("holds" if left <= most_left else "fails", left)

    return check


def _parsed(points: Sequence[Point]) -> Verdict:
    point = _one(points, "llm_parsed_percent")
    if point is None or point.value is None:
        return _untested("needs llm")
    return Verdict("holds" if point.value == 100 else "fails", point.value, None)


def _as_in_the_table(points: Sequence[Point]) -> Verdict:
    """How many cells of the reference table for the linear model are further off than 5 points."""
    off, worst, cells = [], (0.0, ""), 0
    for mitigation, wanted in _TABLE.items():
        for name, value in zip(_NAMES, wanted, strict=True):
            point = _one(points, name, kind="linear", mitigation=mitigation)
            if point is None or point.value is None or int(point.tags["n"]) < ENOUGH:
                return _untested("needs the linear model's four repairs with 5 seeds")
            cells += 1
            gap = point.value - value
            cell = f"{name} of {mitigation} by {gap:+.1f}"
            worst = max(worst, (abs(gap), cell))
            if abs(gap) > _FEW_POINTS:
                off.append(cell)
    note = f"of {cells} cells; the furthest: {worst[1]}" + (
        f"; off: {', '.join(off)}" if off else ""
    )
    return Verdict("fails" if off else "holds", float(len(off)), None, note)


def _at_most(name: str, most: float, needs: str, **tags: str) -> Check:
    """The largest of the values is at most so much."""

    def check(points: Sequence[Point]) -> Verdict:
        found = [point for point in find(points, name, **tags) if point.value is not None]
        if not found:
            return _untested(f"needs {needs}")
        worst = max(found, key=lambda point: float(point.value or 0))
        holds = float(worst.value or 0) <= most
        return Verdict("holds" if holds else "fails", worst.value, interval_of(worst))

    return check


def _times_faster(least: float, kind: str, over: str) -> Check:
    def check(points: Sequence[Point]) -> Verdict:
        point = _one(points, "speedup_ratio", kind=kind, over=over)
        if point is None or point.value is None:
            return _untested("needs race, and Captum for its own side")
        return Verdict("holds" if point.value >= least else "fails", point.value)

    return check


def _as_captum(points: Sequence[Point]) -> Verdict:
    point = _one(points, "captum_difference_ratio")
    if point is None or point.value is None:
        return _untested("needs race and Captum")
    return Verdict("holds" if point.value <= 1e-4 else "fails", point.value, None, "50 texts")


def _replays(points: Sequence[Point]) -> Verdict:
    found = [point for point in find(points, "replayed_share") if point.value is not None]
    if not found:
        return _untested("needs an edit")
    worst = min(float(point.value or 0) for point in found)
    return Verdict("holds" if worst == 1 else "fails", worst, None, f"{len(found)} mitigations")


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "up-to-79",
        "The best edit cuts the share of protected words among an encoder's most predictive words "
        "by 79 %",
        f"{PAPER}: up to 79 %",
        79.0,
        "%",
        _highest("minilm"),
    ),
    Claim(
        "up-to-79-linear",
        "The best edit does so for a linear model",
        f"{PAPER}: up to 79 %",
        79.0,
        "%",
        _highest("linear"),
    ),
    Claim(
        "slightly-better",
        "The repaired encoder is slightly more accurate (MS2)",
        PAPER,
        None,
        "points",
        _improves,
    ),
    Claim(
        "leans",
        "Before the repair at least 8 % of the encoder's most predictive words are protected",
        f"{OURS}; the paper: up to 23 %",
        23.0,
        "%",
        _at_least("pa_percent", 8.0, kind="minilm", mitigation=NONE),
    ),
    Claim(
        "halved",
        "Word removal cuts the encoder's share at least by half",
        OURS,
        None,
        "%",
        _at_least("reduction_percent", 50.0, kind="minilm", mitigation=_MS2),
    ),
    Claim(
        "accuracy-kept",
        "Word removal costs the encoder at most 2 points of accuracy",
        OURS,
        None,
        "points",
        _accuracy_kept("minilm", _MS2),
    ),
    Claim(
        "halved-both",
        "Word removal in training and in what is asked cuts the encoder's share at least by half",
        OURS,
        None,
        "%",
        _at_least("reduction_percent", 50.0, kind="minilm", mitigation=_BOTH),
    ),
    Claim(
        "accuracy-kept-both",
        "Word removal in training and in what is asked costs the encoder at most 2 points of "
        "accuracy",
        OURS,
        None,
        "points",
        _accuracy_kept("minilm", _BOTH),
    ),
    Claim(
        "linear-halved",
        "Word removal cuts the linear model's share by at least 90 %",
        f"{OURS}; reference measurement 95 %",
        95.0,
        "%",
        _at_least("reduction_percent", 90.0, kind="linear", mitigation=_MS2),
    ),
    Claim(
        "linear-kept",
        "Word removal costs the linear model at most 2 points of accuracy",
        f"{OURS}; reference measurement -1.5",
        -1.5,
        "points",
        _accuracy_kept("linear", _MS2),
    ),
    Claim(
        "linear-table",
        "The linear model's accuracy, F1, PA@100 and mass are within 5 points of the reference "
        "table, for none, MS1, MS2 and mask",
        f"{OURS}; reference measurements",
        0.0,
        "cells",
        _as_in_the_table,
    ),
    Claim(
        "removal-over-variants",
        "Word removal reduces the share by more than synonyms with kept originals, on the encoder",
        OURS,
        None,
        "points",
        _more_than_variants("minilm"),
    ),
    Claim(
        "removal-over-variants-linear",
        "And so it does on the linear model",
        OURS,
        None,
        "points",
        _more_than_variants("linear"),
    ),
    Claim(
        "documents-lost",
        "Removing whole documents loses the most rows, and the guard on losses refuses it",
        OURS,
        None,
        "%",
        _loses_most,
    ),
    Claim(
        "leace-probe",
        "After LEACE a linear probe tells no category by more than 2 points over the majority",
        f"LEACE, arXiv 2306.03819; {OURS}",
        0.0,
        "points",
        _probe_fails,
    ),
    Claim(
        "complete",
        "Integrated Gradients are complete to 2 % on at least 95 % of the texts",
        OURS,
        None,
        "%",
        _complete,
    ),
    Claim(
        "as-captum",
        "Integrated Gradients equal Captum's to 1e-4 of a text's largest score",
        OURS,
        None,
        "ratio",
        _as_captum,
    ),
    Claim(
        "twice-captum",
        "They take at most half the processor time of Captum's, on the same texts and 50 steps",
        OURS,
        2.0,
        "x",
        _times_faster(2, "minilm", "captum"),
    ),
    Claim(
        "five-times",
        "They are at least 5 times faster than one step of one text at a time",
        OURS,
        5.0,
        "x",
        _times_faster(5, "minilm", "one text and step at a time"),
    ),
    Claim(
        "linear-ten-times",
        "The linear model's explanations are at least 10 times faster than one text at a time",
        OURS,
        10.0,
        "x",
        _times_faster(10, "linear", "one text at a time"),
    ),
    Claim(
        "planted-first-linear",
        "A nonsense word planted in 80 % of a class ranks first in the linear model",
        OURS,
        1.0,
        "rank",
        _planted_first("linear"),
    ),
    Claim(
        "planted-gone-linear",
        "After word removal nothing of its mass is left there",
        OURS,
        0.0,
        "%",
        _planted_gone("linear", 0.0),
    ),
    Claim(
        "planted-first-encoder",
        "A planted nonsense word ranks first in the encoder",
        OURS,
        1.0,
        "rank",
        _planted_first("minilm"),
    ),
    Claim(
        "planted-gone-encoder",
        "After word removal at most 10 % of its mass is left there",
        OURS,
        None,
        "%",
        _planted_gone("minilm", 10.0),
    ),
    Claim(
        "parsed",
        "Every answer of the language model to the identifier's questions can be read",
        OURS,
        100.0,
        "%",
        _parsed,
    ),
    Claim(
        "linear-seconds",
        "With the linear model, training, explaining, moderating, training again and auditing "
        "take at most 20 seconds",
        OURS,
        None,
        "s",
        _at_most("pipeline_seconds", 20, "race and the linear model", kind="linear"),
    ),
    Claim(
        "encoder-seconds",
        "With the encoder the same takes at most 15 minutes",
        OURS,
        None,
        "s",
        _at_most("pipeline_seconds", 900, "race and the encoder", kind="minilm"),
    ),
    Claim(
        "memory",
        "And at most 3 GB of memory",
        OURS,
        None,
        "MB",
        _at_most("peak_memory_mb", 3000, "race"),
    ),
    Claim(
        "ledger",
        "The ledger turns the training rows into the repaired ones, exactly, for every edit",
        OURS,
        1.0,
        "share",
        _replays,
    ),
)
