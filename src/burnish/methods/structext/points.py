"""What a StrucText-Eval run measures, as points: the names that claims, charts and tables share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from burnish.evidence import Interval, paired_bootstrap, unpaired_bootstrap
from burnish.methods.structext.results import Evaluation, Gain
from burnish.methods.structext.sample import Sample
from burnish.runs import Run

GENERATED = "model"
CHOICE = "model, forced choice"
ORACLE = "oracle"
IN_ORDER = "document-order oracle"
CONSTANT = "constant answer"
RANDOM = "random typed"
COPY = "copy last shot"
GIVEN = "given suite"

OFFICIAL = "rouge_l_75"
EXACT = "exact"
SEED = 0  # of the bootstraps: the same answers, the same intervals

Asked = dict[tuple[str, str], Evaluation]
"""Evaluations by (who answered, variant of the suite)."""

_GROUPINGS: Mapping[str, tuple[str, ...]] = {
    "all": (),
    "language": ("language",),
    "task": ("task",),
    "cell": ("depth", "width"),
}


def variant_name(shots: int, *, simple: bool = False) -> str:
    """What a number of worked examples is called, e.g. "simple 3-shot"."""
    return f"{'simple ' if simple else ''}{shots}-shot"


def log_scores(run: Run, asked: Asked) -> None:
    """`accuracy_percent` by answerer, variant, metric and group; `chance_percent` for guessing."""
    for (who, variant), evaluation in asked.items():
        for by, tags in _GROUPINGS.items():
            for group in evaluation.table(tags, seed=SEED):
                for metric, mean in group.scores.items():
                    run.log_interval(
                        "accuracy_percent",
                        mean.scaled(100) if mean else None,
                        answerer=who,
                        variant=variant,
                        metric=metric,
                        by=by,
                        group="x".join(str(value) for value in group.by.values()) or "all",
                        n=group.n,
                    )
        if who == CHOICE:
            odds = [1 / record["choices"] for record in evaluation.records() if record["choices"]]
            run.log("chance_percent", 100 * sum(odds) / len(odds), variant=variant, n=len(odds))


def log_gains(run: Run, asked: Asked) -> None:
    """`normalised_gain_ratio` of the model: 0 is the constant answer, 1 the oracle's ceiling."""
    for (who, variant), evaluation in asked.items():
        floor, ceiling = asked.get((CONSTANT, variant)), asked.get((IN_ORDER, variant))
        if who not in (GENERATED, CHOICE) or floor is None or ceiling is None:
            continue
        metric = EXACT if who == CHOICE else OFFICIAL
        for by in ((), ("language",), ("task",)):
            for gain in evaluation.normalised_gain(floor, ceiling, metric=metric, by=by, seed=SEED):
                run.log_interval(
                    "normalised_gain_ratio",
                    _interval(gain),
                    answerer=who,
                    variant=variant,
                    metric=metric,
                    by=by[0] if by else "all",
                    group=str(next(iter(gain.by.values()), "all")),
                    n=gain.n,
                )


def _interval(gain: Gain) -> Interval | None:
    if gain.value is None or gain.low is None or gain.high is None:
        return None
    return Interval(gain.value, gain.low, gain.high)


def log_contrasts(run: Run, asked: Asked, variants: Mapping[str, Sequence[Sample]]) -> None:
    """`difference_points`: what examples and depth do, in percentage points."""
    generated = {variant: found for (who, variant), found in asked.items() if who == GENERATED}
    for ours in generated:
        for baseline in generated:
            if _compared(ours, baseline):
                ids, difference = _paired(generated, variants, ours, baseline)
                run.log_interval(
                    "difference_points",
                    difference,
                    contrast=f"{ours} over {baseline}",
                    metric=OFFICIAL,
                    n=ids,
                )
    for (who, variant), evaluation in asked.items():
        metric = EXACT if who == CHOICE else OFFICIAL
        shallow, deep = (_values(evaluation, metric, depth) for depth in (1, 2))
        if who in (CHOICE, GENERATED) and shallow and deep:
            run.log_interval(
                "difference_points",
                unpaired_bootstrap(shallow, deep, seed=SEED).scaled(100),
                contrast="1x1 over 2x1",
                answerer=who,
                variant=variant,
                metric=metric,
                n=len(shallow) + len(deep),
            )


def _compared(ours: str, baseline: str) -> bool:
    """Examples against none, and against easy ones."""
    zero = variant_name(0)
    return (
        ours != baseline
        and not ours.startswith("simple")
        and ours != zero
        and (baseline in (zero, f"simple {ours}"))
    )


def _paired(
    generated: Mapping[str, Evaluation],
    variants: Mapping[str, Sequence[Sample]],
    ours: str,
    baseline: str,
) -> tuple[int, Interval | None]:
    """Difference over the questions that both variants ask, whole documents drawn together."""
    values = [_by_question(generated[name], variants[name]) for name in (ours, baseline)]
    common = [question for question in values[0] if question in values[1]]
    if not common:
        return 0, None
    columns = [[found[question] for question in common] for found in values]
    clusters = [text for text, _, _ in common]
    return len(common), paired_bootstrap(
        columns[0], columns[1], seed=SEED, clusters=clusters
    ).scaled(100)


def _by_question(
    evaluation: Evaluation, samples: Sequence[Sample]
) -> dict[tuple[str, str, str], float]:
    found = {}
    for sample in samples:
        row = evaluation.rows.get(sample.id)
        value = None if row is None else evaluation.value(row, OFFICIAL)
        if value is not None:
            found[sample.text, sample.rule, sample.question] = value
    return found


def _values(evaluation: Evaluation, metric: str, depth: int) -> list[float]:
    """Scores at width 1."""
    rows = (
        row
        for row in evaluation.rows.values()
        if row.tags["depth"] == depth and row.tags["width"] == 1
    )
    found = (evaluation.value(row, metric) for row in rows)
    return [value for value in found if value is not None]


def log_training(run: Run, before: Evaluation, after: Evaluation) -> None:
    """Exact match on held-out questions before and after, and `training_gain_points`."""
    for by in ("all", "language", "task"):
        tags = _GROUPINGS[by]
        for phase, evaluation in (("before", before), ("after", after)):
            for group in evaluation.table(tags, seed=SEED):
                mean = group.scores[EXACT]
                run.log_interval(
                    "held_out_exact_percent",
                    mean.scaled(100) if mean else None,
                    phase=phase,
                    by=by,
                    group=str(next(iter(group.by.values()), "all")),
                    n=group.n,
                )
        for name in {tuple(row.tags[tag] for tag in tags): 0 for row in before.rows.values()}:
            inside = [
                row.id
                for row in before.rows.values()
                if tuple(row.tags[tag] for tag in tags) == name and row.id in after.rows
            ]
            scores = [
                [found.value(found.rows[row], EXACT) or 0.0 for row in inside]
                for found in (after, before)
            ]
            clusters = [before.rows[row].document for row in inside]
            gain = paired_bootstrap(scores[0], scores[1], seed=SEED, clusters=clusters)
            run.log_interval(
                "training_gain_points",
                gain.scaled(100),
                by=by,
                group=str(name[0]) if name else "all",
                n=len(inside),
            )


def log_defects(run: Run) -> None:
    """What is wrong in the official data, measured in both profiles."""
    from burnish.methods.structext.defects import measure

    for row in measure(seed=run.seed):
        run.log(row.name, row.value, profile=row.profile, defect=row.defect, n=row.n)
