"""A complete third-party package with one method, as files: copy it to start your own."""

FILES = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "tiny-method"
version = "1.0"
dependencies = ["burnish"]

[project.entry-points."burnish.methods"]
tiny = "tiny_method:METHOD"
""",
    "tiny_method/__init__.py": '''\
"""Guess the toss of a coin."""

from burnish.registry import Method
from tiny_method.config import TinyConfig

METHOD = Method(
    name="tiny",
    title="Tiny",
    paper="Doe, Guessing coins, 2024, https://example.org/coins",
    summary="Guess the toss of a coin.",
    config=TinyConfig,
    run="tiny_method.story:run",
    claims="tiny_method.claims:CLAIMS",
    package="tiny_method",
    extra="gpu",
    cli="tiny_method.verbs:tiny",
)
''',
    "tiny_method/config.py": '''\
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field
from pydantic.dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TinyConfig:
    """How often to toss."""

    tosses: Annotated[
        int, Field(ge=1, description="how often", json_schema_extra={"unit": "tosses"})
    ] = 100
    model: Annotated[str, Field(description="who guesses")] = "heads"
    seconds_each: Annotated[
        float, Field(ge=0, description="pause", json_schema_extra={"unit": "seconds"})
    ] = 0.0

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "quick": {"tosses": 20},
        "cpu": {},
        "paper": {"tosses": 100_000},
    }
''',
    "tiny_method/story.py": """\
import random
import time

from burnish.errors import BurnishError
from burnish.evidence import wilson
from burnish.runs import Chart, Run, Series
from tiny_method.config import TinyConfig


def run(config: TinyConfig, run: Run) -> None:
    if config.model == "broken":
        raise BurnishError("the guesser fell asleep; take another --model")
    if config.model == "bug":
        1 / 0
    if config.model == "gpu":
        import no_such_gpu_library  # noqa: F401
    done = {point.step for point in run.points()}
    with run.progress(config.tosses, "tossing") as bar:
        for toss in range(config.tosses):
            if toss not in done:
                time.sleep(config.seconds_each)
                heads = random.Random(f"{run.seed} {toss}").random() < 0.5
                run.log("right_count", int(heads), step=toss)
            bar.advance()
    right = wilson(int(sum(point.value for point in run.points())), config.tosses).scaled(100)
    series = Series(x=("ours",), y=(right.estimate,), low=(right.low,), high=(right.high,))
    run.chart(Chart(title="Guesses", kind="bar", y_label="right (%)", series=(series,)))
""",
    "tiny_method/claims.py": """\
from collections.abc import Sequence

from burnish.evidence import Claim, Point, Verdict, wilson


def fair(points: Sequence[Point]) -> Verdict:
    right = wilson(int(sum(point.value or 0 for point in points)), len(points)).scaled(100)
    holds = right.low <= 50 <= right.high
    note = f"{len(points)} tosses"
    return Verdict("holds" if holds else "fails", right.estimate, right.bounds, note)


CLAIMS = (Claim("fair", "Nobody guesses better than chance.", "Doe 2024", 50.0, "%", fair),)
""",
    "tiny_method/verbs.py": '''\
import click


@click.group()
def tiny() -> None:
    """Coins."""


@tiny.command()
@click.argument("times", type=int)
def toss(times: int) -> None:
    """Toss TIMES times."""
    click.echo("heads " * times)
''',
}
