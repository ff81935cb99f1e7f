"""A small method that measures nothing real, so that runs and reports have something to show."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass

from burnish.errors import BurnishError
from burnish.evidence import Claim, Point, Verdict, wilson
from burnish.registry import Method
from burnish.runs import Chart, Run, Series, Table

LANGUAGES = ("csv", "json", "latex", "markdown", "org", "tree", "xml", "yaml")


@dataclass(frozen=True, kw_only=True)
class DemoConfig:
    """Settings of the demonstration."""

    items: Annotated[int, Field(ge=1, description="questions for each language")] = 40
    rate: Annotated[
        float,
        Field(gt=0, lt=1, description="share answered well", json_schema_extra={"unit": "share"}),
    ] = 0.6
    shots: Annotated[tuple[int, ...], Field(description="examples in the prompt")] = (0, 3)
    model: Annotated[str, Field(description="whom to ask")] = "embedded"
    fail_at: Annotated[str, Field(description="language at which to break down")] = ""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": {"items": 30},
        "cpu": {"items": 300},
        "paper": {"items": 3000},
    }


def run(config: DemoConfig, run: Run) -> None:
    run.note("model_sha256", "0" * 64)
    # A kill may fall between the two points of a language: only the last of them says "done".
    done = {
        (point.tags["language"], point.tags["shots"])
        for point in run.points()
        if point.name == "loss_nats"
    }
    with run.progress(len(LANGUAGES) * len(config.shots), "asking") as bar:
        for shots in config.shots:
            for language in LANGUAGES:
                if (language, shots) not in done:
                    _measure(config, run, language, shots)
                bar.advance()
    _show(config, run)
    run.artifact("suite/questions.jsonl").write_text('{"question": "How deep is the tree?"}\n')


def _measure(config: DemoConfig, run: Run, language: str, shots: int) -> None:
    if language == config.fail_at:
        raise BurnishError(f"the model would not read {language}; ask another model")
    draws = random.Random(f"{run.seed} {language} {shots}")
    share = min(0.95, config.rate + 0.1 * (shots > 0) + draws.uniform(-0.2, 0.2))
    right = sum(draws.random() < share for _ in range(config.items))
    tags = {"language": language, "shots": shots, "n": config.items}
    run.log("accuracy_percent", 100 * right / config.items, **tags)
    run.log("loss_nats", None if language == "org" else draws.random(), **tags)


def _show(config: DemoConfig, run: Run) -> None:
    accuracy = {
        (point.tags["language"], point.tags["shots"]): point.value
        for point in run.points()
        if point.name == "accuracy_percent"
    }
    series = []
    for shots in config.shots:
        values = [round(accuracy[language, shots] * config.items / 100) for language in LANGUAGES]
        bounds = [wilson(value, config.items).scaled(100) for value in values]
        series.append(
            Series(
                name=f"{shots} examples",
                x=LANGUAGES,
                y=tuple(bound.estimate for bound in bounds),
                low=tuple(bound.low for bound in bounds),
                high=tuple(bound.high for bound in bounds),
            )
        )
    run.chart(
        Chart(
            title="Accuracy by language",
            kind="bar",
            y_label="accuracy (%)",
            series=tuple(series),
            references=(("paper, GPT-4", 65.0),),
            note=f"{config.items} questions a bar; whiskers are Wilson's 95 % intervals.",
        )
    )
    steps = tuple(float(step) for step in range(0, 301, 20))
    run.chart(
        Chart(
            title="Loss while fine-tuning",
            kind="line",
            x_label="training step",
            y_label="loss (nats a token)",
            series=tuple(
                Series(name=name, x=steps, y=tuple(low + 2 / (1 + step / 50) for step in steps))
                for name, low in (("burnish", 0.2), ("peft", 0.35))
            ),
            y_log=True,
        )
    )
    run.chart(
        Chart(
            title="Speed against memory",
            kind="scatter",
            x_label="peak memory (MB)",
            y_label="answers (1/s)",
            series=(
                Series(name="float32", x=(540.0, 700.0), y=(2.0, 3.1)),
                Series(name="Q4_K_M", x=(150.0, 190.0), y=(6.5, 8.8)),
            ),
        )
    )
    rows = tuple(
        (
            language,
            *(accuracy[language, shots] for shots in config.shots),
            50.0 if index % 2 else None,
        )
        for index, language in enumerate(LANGUAGES)
    )
    columns = ("language", *(f"{shots} examples (%)" for shots in config.shots), "constant (%)")
    run.table(Table(title="Beside the baselines", columns=columns, rows=rows))
    run.table(
        Table(
            title="Reading speed",
            columns=("engine", "documents", "seconds", "note"),
            rows=(("burnish", 12000, 1.5, "one process"), ("by hand", 12000, 88.25, None)),
            note="One run each, two cores.",
        )
    )


def _mean(points: Sequence[Point], shots: int) -> tuple[float, int]:
    kept = [p for p in points if p.name == "accuracy_percent" and p.tags["shots"] == shots]
    return sum(p.value or 0.0 for p in kept) / len(kept), sum(int(p.tags["n"]) for p in kept)


def _above_half(points: Sequence[Point]) -> Verdict:
    mean, n = _mean(points, 0)
    bounds = wilson(round(mean * n / 100), n).scaled(100).bounds
    return Verdict("holds" if bounds[0] > 50 else "fails", mean, bounds, f"{n} questions")


def _perfect(points: Sequence[Point]) -> Verdict:
    mean, n = _mean(points, 0)
    bounds = wilson(round(mean * n / 100), n).scaled(100).bounds
    return Verdict("holds" if bounds[1] >= 99 else "fails", mean, bounds, "tried 40 and 300 items")


def _untested(points: Sequence[Point]) -> Verdict:
    return Verdict("not_tested", note="burnish run demo --preset paper")


CLAIMS = (
    Claim("above-half", "The model reads more than half of the documents.", "Doe 2024, table 2",
          58.3, "%", _above_half),
    Claim("perfect", "An oracle loses less than one point.", "Doe 2024, section 4.1",
          99.1, "%", _perfect),
    Claim("large", "Larger models read everything.", "Doe 2024, figure 3", None, "%", _untested),
)  # fmt: skip

METHOD = Method(
    name="demo",
    title="Demo-Eval",
    paper="Doe et al., Demo-Eval, 2024, https://example.org/abs/2406.00000",
    summary="Can this model read eight languages?",
    config=DemoConfig,
    run="demo_method:run",
    claims="demo_method:CLAIMS",
    package="demo_method",
)
