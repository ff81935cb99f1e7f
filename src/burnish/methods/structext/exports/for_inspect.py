"""StrucText suites as Inspect AI tasks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from inspect_ai import Task
from inspect_ai.dataset import MemoryDataset
from inspect_ai.dataset import Sample as InspectSample
from inspect_ai.model import ChatMessageUser
from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import TaskState, generate
from jinja2 import Template

from burnish.methods.structext.exports.folder import new_folder
from burnish.methods.structext.exports.grading import answer_in, grade
from burnish.methods.structext.prompts import messages
from burnish.methods.structext.sample import Sample, Suite
from burnish.methods.structext.scorers import Style, metric_named

_TASK_FILE: Template = Template(
    '''"""StrucText-Eval: {{ samples }} questions.

Run here: inspect eval task.py --model PROVIDER/NAME
"""

from pathlib import Path

from inspect_ai import Task, task

from burnish.methods.structext import inspect_task, load


@task
def structext(prompt: str = {{ prompt }}, style: str = {{ style }}) -> Task:
    suite = load(Path(__file__).with_name("suite.jsonl"))
    return inspect_task(suite, prompt=prompt, style=style, metrics={{ metrics }})
''',
    keep_trailing_newline=True,
)


@scorer(metrics={"*": [mean(), stderr(), grouped(mean(), "language", all=False)]})
def structext_scorer(
    metrics: Sequence[str] = ("rouge_l_75", "exact"), style: Style = "naive"
) -> Scorer:
    """Inspect scorer with one value for each of our metrics, averaged over all and by language.

    A stored log can be scored anew with other metrics:
    `inspect_ai.score(log, structext_scorer(["exact"]))`.

    Args:
        metrics: names from `structext.METRICS`.
        style: the questions were asked in; says where in a reply the answer is.

    Raises:
        UsageError: unknown metric.
    """
    for metric in metrics:
        metric_named(metric)

    async def score_answer(state: TaskState, target: Target) -> Score:
        reply = state.output.completion
        values = grade(
            reply,
            target.text,
            metrics=metrics,
            style=style,
            compare=state.metadata["compare"],
            rule=state.metadata["rule"],
        )
        return Score(value=dict(values), answer=answer_in(reply, style))

    return score_answer


def inspect_task(
    suite: Suite,
    *,
    prompt: str = "release",
    style: Style = "naive",
    metrics: Sequence[str] = ("rouge_l_75", "exact"),
) -> Task:
    """An Inspect AI task that asks every question of a suite once.

    Sample ids are our content hashes; the metadata holds language, task, rule, depth, width,
    columns, shots (a count), hint (whether there is one), compare and profile.

    Args:
        suite: the questions.
        prompt: wording, "release" or "paper".
        style: "naive", "cot" or "plan".
        metrics: names from `structext.METRICS`; each becomes a score of the log.

    Raises:
        UsageError: unknown prompt, style or metric.
    """
    return Task(
        name="structext",
        dataset=MemoryDataset(
            [_inspect_sample(sample, prompt=prompt, style=style) for sample in suite],
            name="structext",
        ),
        solver=generate(),
        scorer=structext_scorer(list(metrics), style),
        metadata={"prompt": prompt, "style": style},
    )


def export_inspect(
    suite: Suite,
    directory: str | Path,
    *,
    prompt: str = "release",
    style: Style = "naive",
    metrics: Sequence[str] = ("rouge_l_75", "exact"),
) -> Path:
    """Write a folder that `inspect eval DIRECTORY/task.py` runs; wording can be set with `-T`.

    Args:
        suite: written beside the task as `suite.jsonl`.
        directory: new or empty.
        prompt: default of the task's parameter of that name.
        style: default of the task's parameter of that name.
        metrics: names from `structext.METRICS`.

    Returns:
        The task file.

    Raises:
        UsageError: the suite is empty, the folder is in use, or a name is unknown.
    """
    inspect_task(suite, prompt=prompt, style=style, metrics=metrics)
    folder = new_folder(suite, directory)
    suite.to_jsonl(folder / "suite.jsonl")
    task_file = folder / "task.py"
    task_file.write_text(
        _TASK_FILE.render(
            samples=len(suite),
            prompt=repr(prompt),
            style=repr(style),
            metrics=repr(list(metrics)),
        ),
        encoding="utf-8",
    )
    return task_file


def _inspect_sample(sample: Sample, *, prompt: str, style: Style) -> InspectSample:
    (question,) = messages(sample, prompt=prompt, style=style)
    return InspectSample(
        id=sample.id,
        input=[ChatMessageUser(content=question.content)],
        target=sample.answer,
        metadata={
            "language": sample.language,
            "task": sample.task,
            "rule": sample.rule,
            "depth": sample.difficulty.depth,
            "width": sample.difficulty.width,
            "columns": sample.difficulty.columns,
            "shots": len(sample.shots),
            "hint": bool(sample.hint),
            "compare": sample.compare,
            "profile": sample.profile,
        },
    )
