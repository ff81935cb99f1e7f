"""The defects of the official release, measured on freshly generated suites of both profiles.

Numbers D1 to D13 are those of the specification, section 2.6. Where the release depends on the
string hash of the process that made it (D1, D8), the official profile is measured with an order
or extension drawn at random in its place.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from burnish.errors import UsageError
from burnish.methods.structext.draws import Draws
from burnish.methods.structext.generate import build
from burnish.methods.structext.rouge import OFFICIAL_THRESHOLD, rouge_l
from burnish.methods.structext.sample import Profile, Sample, Suite
from burnish.methods.structext.solver import solve
from burnish.methods.structext.strict import flaw

DEFECTS: Mapping[str, str] = MappingProxyType(
    {
        "oracle_ceiling_percent": "D1: score of a perfect reader that lists in document order",
        "reordered_zero_percent": "D1: right lists of several bold strings that score 0",
        "latex_answerable_percent": "D2: LaTeX sections at depth 2 that the text leads to",
        "truncated_path_percent": "D3: section paths at depth 4 that lead elsewhere",
        "syntax_true_percent": "D4: Syntax questions whose answer is True",
        "height_is_depth_percent": "D5: tree heights that equal the depth dial",
        "join_zero_percent": "D5: joins that count nobody",
        "constant_floor_percent": "D4, D5: score of the best constant answer to each rule",
        "wrong_section_percent": "D6: wrong sections of the right level that pass the threshold",
        "value_is_id_percent": "D7: values to be found that are also an id",
        "extension_varies_percent": "D8: image names seen with more than one extension",
        "hint_misleads_percent": "D9: bold texts in Org that the hint, obeyed, does not give",
        "own_shot_percent": "D10: questions that are among their own worked examples",
        "false_excerpt_percent": "D11: excerpts asked for as they appear that do not appear",
        "asked_value_differs_percent": "D12: YAML values that the question spells differently",
        "obedient_zero_percent": "D13: faults spotted as asked that score 0",
    }
)
"""What each row of `measure` says; all are shares in percent."""

Scorer = Callable[[str, str], float]
_PROFILES: tuple[Profile, ...] = ("official", "corrected")
_MARKUP_WALKS = ("markdown.2", "latex.2", "org.2")
_EXCERPTS = ("json.1", "json.5", "yaml.1", "yaml.5", "xml.1")
_SYNTAX = ("json.3", "yaml.3", "xml.3")


class Measured(NamedTuple):
    """One defect in one profile.

    Attributes:
        defect: e.g. "D6".
        name: a key of `DEFECTS`.
        profile: of the generator.
        value: share in percent; None where nothing could be counted.
        n: what it is a share of.
    """

    defect: str
    name: str
    profile: Profile
    value: float | None
    n: int


def measure(*, seed: int = 0, passes: int = 40, scorer: Scorer = rouge_l) -> list[Measured]:
    """Measure every defect in both profiles, side by side.

    Args:
        seed: of the suites. The best constant answers are taken from seed + 1.
        passes: documents for each language and each of the cells (1, 1) and (2, 1).
        scorer: `scorer(gold, answer)` in [0, 1]; scores below 0.75 count as 0.

    Returns:
        For each name of `DEFECTS` in order, the official profile and then the corrected one.
    """

    def official(gold: str, answer: str) -> float:
        score = scorer(gold, answer)
        return score if score >= OFFICIAL_THRESHOLD else 0.0

    found = {profile: dict(_shares(profile, seed, passes, official)) for profile in _PROFILES}
    return [
        Measured(
            defect=re.match(r"D\d+", told)[0],  # type: ignore[index]
            name=name,
            profile=profile,
            value=_percent(found[profile][name]),
            n=len(found[profile][name]),
        )
        for name, told in DEFECTS.items()
        for profile in _PROFILES
    ]


def _percent(values: Sequence[float]) -> float | None:
    """The mean in percent; rounded, because RougeL of equal texts is 1 less a few 1e-9."""
    return round(100 * sum(values) / len(values), 4) if values else None


def _shares(
    profile: Profile, seed: int, passes: int, score: Scorer
) -> Iterable[tuple[str, list[float]]]:
    suite = build(n=passes, seed=seed, profile=profile)
    by_rule = _by_rule(suite)
    yield "oracle_ceiling_percent", _ceiling(suite, seed, score)
    yield "reordered_zero_percent", _reordered(by_rule, seed, score)
    yield "latex_answerable_percent", _latex(by_rule["latex.2"])
    yield "truncated_path_percent", _truncated(profile, seed, passes)
    yield "syntax_true_percent", [s.answer == "True" for s in _of(by_rule, _SYNTAX)]
    yield (
        "height_is_depth_percent",
        [s.answer == str(s.difficulty.depth) for s in by_rule["tree.1"]],
    )
    yield "join_zero_percent", [s.answer == "0" for s in by_rule["csv.4"]]
    yield (
        "constant_floor_percent",
        _floor(suite, build(n=passes, seed=seed + 1, profile=profile), score),
    )
    yield "wrong_section_percent", _wrong_sections(_of(by_rule, _MARKUP_WALKS), score)
    yield "value_is_id_percent", [_is_id(s) for s in _of(by_rule, ("json.4", "yaml.4"))]
    yield "extension_varies_percent", _extensions(_of(by_rule, ("markdown.3", "latex.3", "org.3")))
    yield "hint_misleads_percent", [_hint_misleads(s) for s in by_rule["org.1"]]
    yield "own_shot_percent", _own_shots(profile, seed, passes)
    yield "false_excerpt_percent", [_false_excerpt(s) for s in _of(by_rule, _EXCERPTS)]
    yield "asked_value_differs_percent", [_spelt_differently(s) for s in by_rule["yaml.4"]]
    yield "obedient_zero_percent", _obedient(_of(by_rule, _SYNTAX), score)


def _by_rule(suite: Suite) -> dict[str, list[Sample]]:
    found: defaultdict[str, list[Sample]] = defaultdict(list)
    for sample in suite:
        found[sample.rule].append(sample)
    return found


def _of(by_rule: Mapping[str, list[Sample]], rules: Sequence[str]) -> list[Sample]:
    return [sample for rule in rules for sample in by_rule[rule]]


def _solve(sample: Sample) -> str:
    return solve(
        sample.text, sample.question, sample.rule, sample.difficulty, profile=sample.profile
    )


def _reference(sample: Sample, seed: int) -> str:
    """The reference as the release has it: a list in arbitrary order, where order is arbitrary."""
    if sample.compare == "exact":
        return sample.answer
    return "\n".join(Draws(f"{seed}/{sample.id}".encode()).shuffled(sample.answer.split("\n")))


def _ceiling(suite: Suite, seed: int, score: Scorer) -> list[float]:
    return [score(_reference(sample, seed), _solve(sample)) for sample in suite]


def _reordered(by_rule: Mapping[str, list[Sample]], seed: int, score: Scorer) -> list[float]:
    return [
        score(_reference(sample, seed), _solve(sample)) == 0
        for sample in _of(by_rule, ("markdown.1", "latex.1", "org.1"))
        if "\n" in sample.answer
    ]


def _latex(samples: Iterable[Sample]) -> list[float]:
    """Whether reading the headings as LaTeX does leads to the section that is meant."""
    led = []
    for sample in samples:
        if sample.difficulty.depth != 2:
            continue
        try:
            read = solve(sample.text, sample.question, sample.rule, profile="corrected")
        except UsageError:
            led.append(False)
        else:
            led.append(read.split("\n")[0] == sample.answer.split("\n")[0])
    return list(map(float, led))


def _truncated(profile: Profile, seed: int, passes: int) -> list[float]:
    deep = build(
        rules=_MARKUP_WALKS[::2], grid=[(4, 1)], n=-(-passes // 2), seed=seed, profile=profile
    )
    return [_solve(sample) != sample.answer for sample in deep]


def _floor(suite: Suite, fitted_on: Suite, score: Scorer) -> list[float]:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for sample in fitted_on:
        counts[sample.rule][sample.answer] += 1
    constant = {rule: seen.most_common(1)[0][0] for rule, seen in counts.items()}
    return [score(sample.answer, constant[sample.rule]) for sample in suite]


def _wrong_sections(samples: Iterable[Sample], score: Scorer) -> list[float]:
    """For every question, all other sections of the level it asks for, as answers."""
    passed = []
    for sample in samples:
        under = sample.question.count(" under ")
        for path in _paths(under + 1, sample.difficulty.depth * sample.difficulty.width):
            question = re.sub(r"(?<=content of ).*?(?=\? )", path, sample.question)
            try:
                other = solve(
                    sample.text, question, sample.rule, sample.difficulty, profile=sample.profile
                )
            except UsageError:
                continue
            if other != sample.answer:
                passed.append(float(score(sample.answer, other) > 0))
    return passed


def _paths(level: int, branches: int) -> list[str]:
    paths = [""]
    for depth in range(level):
        section = f"{'sub' * depth}section"
        paths = [
            f"{position}th {section}" + (f" under {path}" if path else "")
            for path in paths
            for position in range(1, branches + 1)
        ]
    return paths


def _is_id(sample: Sample) -> bool:
    value = sample.question.split('"')[1]
    return re.search(rf'\bid"?: ?"{value}"', sample.text) is not None


def _extensions(samples: Iterable[Sample]) -> list[float]:
    seen: defaultdict[str, set[str]] = defaultdict(set)
    for sample in samples:
        for file in sample.answer.split("\n"):
            stem, dot, extension = file.partition(".")
            if dot and extension:
                seen[stem].add(extension)
    return [float(len(extensions) > 1) for extensions in seen.values()]


def _hint_misleads(sample: Sample) -> bool:
    """The release's hint pairs up all stars of the file; the mended one skips the headings."""
    text = sample.text
    if sample.profile == "corrected":
        text = re.sub(r"^\*+ .*$", "", text, flags=re.MULTILINE)
    obeyed = re.findall(r"\*([^*]*)\*", text)
    return bool(obeyed) and "\n".join(obeyed) != sample.answer


def _own_shots(profile: Profile, seed: int, passes: int) -> list[float]:
    shots = build(grid=[(1, 1)], shots=(3,), n=passes, seed=seed, profile=profile)
    return [
        any((shot.text, shot.question) == (sample.text, sample.question) for shot in sample.shots)
        for sample in shots
    ]


def _false_excerpt(sample: Sample) -> bool:
    claims = re.search(r"as (it|they) appears? in", sample.question) is not None
    return claims and any(part not in sample.text for part in sample.answer.split("\n\n"))


def _spelt_differently(sample: Sample) -> bool:
    value = sample.question.split('"')[1]
    return f": {value}\n" not in sample.text


def _obedient(samples: Iterable[Sample], score: Scorer) -> list[float]:
    """Answers that name the fault where the question asks for it, on faulty documents."""
    scores = []
    for sample in samples:
        fault = flaw(sample.text, sample.language)
        if fault is not None:
            spots = "spot them out" in sample.question
            answer = f"{sample.answer}: {fault}" if spots else sample.answer
            scores.append(float(score(sample.answer, answer) == 0))
    return scores
