"""What the paper and its data say, as sentences that a run's points confirm or refute."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from burnish.evidence import Claim, Point, Verdict, find, interval_of
from burnish.methods.structext import points as kinds

PAPER = "Gu et al., arXiv 2406.10621v3"
RELEASE = "measured on the October 2024 release"

_FULL = "needs both numbers of shots; burnish run structext --preset cpu"
_TRAIN = "needs training; burnish run structext --preset cpu"
_MODEL = (
    "needs a model that scores continuations; burnish run structext --model smollm2-135m-instruct"
)

ENOUGH = 200
"""Questions below which an interval is too wide to call a claim about a model failed."""

Check = Callable[[Sequence[Point]], Verdict]


def _verdict(point: Point | None, holds: bool, note: str) -> Verdict:
    if point is None or point.value is None:
        return Verdict("not_tested", note=note)
    return Verdict("holds" if holds else "fails", point.value, interval_of(point), note)


def _one(points: Sequence[Point], name: str, **tags: str | int) -> Point | None:
    found = find(points, name, **tags)
    return found[0] if found else None


def _low(point: Point | None) -> float:
    """The lower end of a point's interval, or the point itself."""
    if point is None or point.value is None:
        return float("-inf")
    bounds = interval_of(point)
    return bounds[0] if bounds else point.value


def _contrast(name: str, *, at_least: float = 0.0, otherwise: str, **tags: str | int) -> Check:
    """The measured difference reaches `at_least` and its interval excludes 0."""

    def check(points: Sequence[Point]) -> Verdict:
        point = _one(points, "difference_points", contrast=name, **tags)
        if point is None:
            return Verdict("not_tested", note=otherwise)
        if (few := _too_few(point)) is not None:
            return few
        holds = point.value is not None and point.value >= at_least and _low(point) > 0
        return _verdict(point, holds, f"{point.tags['n']} questions")

    return check


def _too_few(point: Point) -> Verdict | None:
    """The verdict where a model was asked too little for one, with what was measured."""
    asked = int(point.tags["n"])
    if asked >= ENOUGH:
        return None
    note = f"{asked} questions are too few to tell; burnish run structext --preset cpu"
    return Verdict("not_tested", point.value, interval_of(point), note)


def _beats_constant(points: Sequence[Point]) -> Verdict:
    tags = {"answerer": kinds.GENERATED, "variant": kinds.variant_name(0), "by": "all"}
    point = _one(points, "normalised_gain_ratio", **tags)
    if point is None:
        return Verdict("not_tested", note="needs a model; drop --set model=none")
    floor = _one(
        points,
        "accuracy_percent",
        answerer=kinds.CONSTANT,
        metric=kinds.OFFICIAL,
        variant=kinds.variant_name(0),
        by="all",
    )
    if (few := _too_few(point)) is not None:
        return few
    note = f"{point.tags['n']} questions; the constant answer scores {_percent(floor)}"
    return _verdict(point, _low(point) > 0, note)


def _percent(point: Point | None) -> str:
    return "nothing" if point is None or point.value is None else f"{point.value:.1f} %"


def _defect(name: str, holds: Callable[[float], bool]) -> Check:
    """The corrected profile's number, with the official one in the note."""

    def check(points: Sequence[Point]) -> Verdict:
        official = _one(points, name, profile="official")
        mended = _one(points, name, profile="corrected")
        note = f"official profile {_percent(official)}"
        value = mended.value if mended else None
        return _verdict(mended, value is not None and holds(value), note)

    return check


def _close(name: str, published: float, within: float) -> Check:
    """The official profile reproduces a number measured on the release."""

    def check(points: Sequence[Point]) -> Verdict:
        point = _one(points, name, profile="official")
        value = point.value if point else None
        holds = value is not None and abs(value - published) <= within
        note = f"{point.tags['n']} questions" if point else "no measurement"
        return _verdict(point, holds, note)

    return check


def _every_language_gains(points: Sequence[Point]) -> Verdict:
    gains = find(points, "training_gain_points", by="language")
    if not gains:
        return Verdict("not_tested", note=_TRAIN)
    least = min(gains, key=_low)
    flat = [str(gain.tags["group"]) for gain in gains if _low(gain) <= 0]
    tasks = find(points, "training_gain_points", by="task")
    idle = [str(gain.tags["group"]) for gain in tasks if _low(gain) <= 0]
    note = (
        f"least sure gain, of {least.tags['group']}; no sure gain in: "
        f"{', '.join(flat) or 'no language'}; tasks: {', '.join(idle) or 'none'}"
    )
    return _verdict(least, len(gains) == 8 and not flat, note)


CLAIMS: tuple[Claim, ...] = (
    Claim(
        "oracle-ceiling",
        "A perfect reader scores 100 % (official RougeL-0.75) once the references are mended",
        f"burnish; {RELEASE}: 95.3 % (defect D1)",
        95.3,
        "%",
        _defect("oracle_ceiling_percent", lambda value: value >= 100.0),
    ),
    Claim(
        "official-ceiling",
        "Our official profile reproduces the ceiling that arbitrary list order sets",
        f"{RELEASE} (defect D1)",
        95.3,
        "%",
        _close("oracle_ceiling_percent", 95.3, 2.0),
    ),
    Claim(
        "constant-floor",
        "One constant answer a rule scores at most 20 % in the corrected profile",
        f"burnish; {RELEASE}: 25.9 % (defects D4, D5)",
        25.9,
        "%",
        _defect("constant_floor_percent", lambda value: value <= 20.0),
    ),
    Claim(
        "latex-answerable",
        "Every LaTeX section question at depth 2 can be answered from the text",
        f"burnish; {RELEASE}: 17 % (defect D2)",
        17.0,
        "%",
        _defect("latex_answerable_percent", lambda value: value >= 100.0),
    ),
    Claim(
        "wrong-section",
        "Fewer than 2 % of wrong sections of the same level pass the official threshold",
        f"burnish; {RELEASE}: 19 % (defect D6)",
        19.0,
        "%",
        _defect("wrong_section_percent", lambda value: value < 2.0),
    ),
    Claim(
        "depth-hurts",
        "Accuracy falls from 1x1 to 2x1 (forced choice)",
        f"{PAPER}, section 5",
        None,
        "points",
        _contrast("1x1 over 2x1", answerer=kinds.CHOICE, otherwise=_MODEL),
    ),
    Claim(
        "three-shot-helps",
        "Three examples of the same difficulty beat none by at least 5 points (RougeL-0.75)",
        f"{PAPER}, table 4: +11 to +42 on Hard, mean +20",
        20.0,
        "points",
        _contrast("3-shot over 0-shot", at_least=5.0, otherwise=_FULL),
    ),
    Claim(
        "same-difficulty-matters",
        "Three examples of the same difficulty beat three easy ones",
        f"{PAPER}, table 4",
        None,
        "points",
        _contrast("3-shot over simple 3-shot", otherwise=_FULL),
    ),
    Claim(
        "beats-constant",
        "Without examples the model reads better than a constant answer does",
        "burnish",
        None,
        "normalised gain",
        _beats_constant,
    ),
    Claim(
        "training-lifts-all",
        "Fine-tuning on fresh questions raises exact match in all eight languages",
        "Gu et al., arXiv 2406.10621v2",
        None,
        "points",
        _every_language_gains,
    ),
)
