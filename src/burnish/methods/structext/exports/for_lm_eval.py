"""StrucText suites as a task group of lm-evaluation-harness."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

import yaml
from jinja2 import Template

from burnish.methods.structext.answerers import reply_tokens
from burnish.methods.structext.exports.folder import new_folder
from burnish.methods.structext.prompts import messages
from burnish.methods.structext.sample import Sample, Suite
from burnish.methods.structext.scorers import Style, metric_named

_METRICS_FILE: Template = Template(
    '''"""Reading and scoring of the StrucText-Eval questions beside this file."""

import json
from pathlib import Path

from datasets import Dataset

from burnish.methods.structext.exports.grading import grade

METRICS = {{ metrics }}
STYLE = {{ style }}


def questions(language, **_):
    with Path(__file__).with_name(f"{language}.jsonl").open(encoding="utf-8") as lines:
        return {"test": Dataset.from_list([json.loads(line) for line in lines])}


def process_results(doc, results):
    return grade(
        results[0],
        doc["answer"],
        metrics=METRICS,
        style=STYLE,
        compare=doc["compare"],
        rule=doc["rule"],
    )
''',
    keep_trailing_newline=True,
)


class _Function(str):
    """A function the harness looks up in the module beside the YAML file."""


class _Dumper(yaml.SafeDumper):
    """Writes `_Function` with the harness's tag."""


_Dumper.add_representer(
    _Function, lambda dumper, value: dumper.represent_scalar("!function", str(value))
)


def export_lm_eval(
    suite: Suite,
    directory: str | Path,
    *,
    prompt: str = "release",
    style: Style = "naive",
    metrics: Sequence[str] = ("rouge_l_75", "exact"),
) -> Path:
    """Write a folder for `lm_eval --tasks structext --include_path DIRECTORY`.

    The group `structext` has one task for each language of the suite (`structext_json`, ...), so
    the harness's own table shows them apart. Prompts are written out: worked examples are in them
    already, and the harness's `--num_fewshot` has no effect. Nothing but the folder is read, and
    it can be moved. Scoring needs burnish installed beside the harness.

    Args:
        suite: the questions.
        directory: new or empty.
        prompt: wording, "release" or "paper".
        style: "naive", "cot" or "plan".
        metrics: names from `structext.METRICS`.

    Returns:
        The folder.

    Raises:
        UsageError: the suite is empty, the folder is in use, or a name is unknown.
    """
    for metric in metrics:
        metric_named(metric)
    by_language = {
        language: list(samples)
        for language, samples in groupby(
            sorted(suite, key=attrgetter("language")), key=attrgetter("language")
        )
    }
    documents = {
        language: [_document(sample, prompt=prompt, style=style) for sample in samples]
        for language, samples in by_language.items()
    }
    folder = new_folder(suite, directory)
    for language, samples in by_language.items():
        _write_lines(folder / f"{language}.jsonl", documents[language])
        tokens = max(reply_tokens(sample.answer, style) for sample in samples)
        _write_yaml(folder / f"{language}.yaml", _task(language, metrics, tokens))
    _write_yaml(folder / "structext.yaml", _group(list(by_language), metrics))
    module = folder / "structext_metrics.py"
    module.write_text(
        _METRICS_FILE.render(metrics=repr(list(metrics)), style=repr(style)), encoding="utf-8"
    )
    return folder


def _document(sample: Sample, *, prompt: str, style: Style) -> dict[str, Any]:
    (question,) = messages(sample, prompt=prompt, style=style)
    return {
        "id": sample.id,
        "language": sample.language,
        "task": sample.task,
        "rule": sample.rule,
        "depth": sample.difficulty.depth,
        "width": sample.difficulty.width,
        "columns": sample.difficulty.columns,
        "shots": len(sample.shots),
        "hint": bool(sample.hint),
        "profile": sample.profile,
        "compare": sample.compare,
        "prompt": question.content,
        "answer": sample.answer,
    }


def _task(language: str, metrics: Sequence[str], reply_tokens: int) -> dict[str, Any]:
    return {
        "task": f"structext_{language}",
        "custom_dataset": _Function("structext_metrics.questions"),
        "dataset_kwargs": {"language": language},
        "test_split": "test",
        "output_type": "generate_until",
        "num_fewshot": 0,
        "doc_to_text": "prompt",
        "doc_to_target": "answer",
        "process_results": _Function("structext_metrics.process_results"),
        "generation_kwargs": {
            "until": [],
            "do_sample": False,
            "temperature": 0.0,
            "max_gen_toks": reply_tokens,
        },
        "metric_list": [
            {"metric": metric, "aggregation": "mean", "higher_is_better": True}
            for metric in metrics
        ],
        "metadata": {"version": 1.0},
    }


def _group(languages: Sequence[str], metrics: Sequence[str]) -> dict[str, Any]:
    return {
        "group": "structext",
        "task": [f"structext_{language}" for language in languages],
        "aggregate_metric_list": [
            {"metric": metric, "aggregation": "mean", "weight_by_size": True} for metric in metrics
        ],
        "metadata": {"version": 1.0},
    }


def _write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        yaml.dump(dict(content), file, Dumper=_Dumper, sort_keys=False)
