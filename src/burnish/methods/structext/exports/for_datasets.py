"""StrucText suites as Hugging Face data sets, there and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, Value  # type: ignore[import-untyped]
from jinja2 import Template

from burnish.errors import DataError
from burnish.methods.structext.exports.folder import new_folder
from burnish.methods.structext.sample import Difficulty, Sample, Shot, Suite

_FIELDS: dict[str, str] = {
    "id": "first 16 hex digits of the SHA-256 of all other fields",
    "language": "of the document",
    "task": "one of the eight tasks",
    "rule": "which question is asked of which language",
    "difficulty": "the dials of the document: depth, width and columns, as ratios",
    "text": "the document, raw",
    "question": "what is asked about it",
    "answer": "the reference, stripped of white space at both ends",
    "shots": "worked examples in prompt order, each with text, question and answer",
    "hint": 'the rule hint for the prompt, or "" for none',
    "compare": '"exact", or "line_multiset" where the order of lines is free',
    "profile": '"official": as released; "corrected": with its defects mended',
    "simple_shots": "whether the shots were drawn at the fixed easy difficulty",
}

_CARD: Template = Template(
    """---
pretty_name: StrucText-Eval
language:
- en
task_categories:
- question-answering
tags:
- synthetic
- structured-text
configs:
- config_name: default
  data_files:
  - split: test
    path: data/test.parquet
---

# StrucText-Eval

{{ total }} questions about structure-rich text, with reference answers, for the method of
Gu et al., *StrucText-Eval* (ACL 2025, arXiv:2406.10621).

## Provenance

Written by burnish {{ version }} (`structext.export_datasets`). Generator profile: {{ profiles }}.
Documents are drawn at random from meaningless names and values: nobody's data is in them. The
wording of the questions is that of the authors' release (MIT licence).

| language | questions |
|---|---|
{% for language, count in languages -%}
| {{ language }} | {{ count }} |
{% endfor %}
## Fields

| field | meaning |
|---|---|
{% for name, meaning in fields.items() -%}
| `{{ name }}` | {{ meaning }} |
{% endfor %}
## Use

```python
import datasets
from burnish.methods.structext.exports import from_dataset

suite = from_dataset(datasets.load_dataset("PATH/OF/THIS/FOLDER", split="test"))
```
""",
    keep_trailing_newline=True,
)


def to_dataset(suite: Suite) -> Dataset:
    """A `datasets.Dataset` with one row a sample, in the suite's order; ids are a column.

    `difficulty` is a struct, `shots` a list of structs, empty for zero-shot.
    """
    return Dataset.from_list([_row(sample) for sample in suite], features=_features())


def from_dataset(dataset: Dataset) -> Suite:
    """The suite that `to_dataset` or `export_datasets` wrote; other columns are ignored.

    Args:
        dataset: one split, not the dictionary of splits.

    Raises:
        DataError: a column is missing, or a row's content does not hash to its id.
    """
    missing = [name for name in _FIELDS if name not in (dataset.column_names or ())]
    if missing:
        raise DataError(
            f"a StrucText data set has the columns {', '.join(_FIELDS)}; missing here: "
            f"{', '.join(missing)}; pass one split of a set that export_datasets wrote"
        )
    return Suite(tuple(_checked_samples(dataset)))


def export_datasets(suite: Suite, directory: str | Path) -> Path:
    """Write a folder that `datasets.load_dataset(DIRECTORY)` reads: Parquet and a data set card.

    The one split is "test". The folder can be uploaded to the Hub as it is.

    Args:
        suite: the questions.
        directory: new or empty.

    Returns:
        The folder.

    Raises:
        UsageError: the suite is empty or the folder is in use.
    """
    folder = new_folder(suite, directory)
    (folder / "data").mkdir()
    to_dataset(suite).to_parquet(folder / "data" / "test.parquet")
    (folder / "README.md").write_text(_card(suite), encoding="utf-8")
    return folder


def _features() -> Features:
    text, whole = Value("string"), Value("int64")
    fields: dict[str, Any] = dict.fromkeys(_FIELDS, text)
    fields["difficulty"] = {"depth": whole, "width": whole, "columns": whole}
    fields["shots"] = [{"text": text, "question": text, "answer": text}]
    fields["simple_shots"] = Value("bool")
    return Features(fields)


def _row(sample: Sample) -> dict[str, Any]:
    return {"id": sample.id, **asdict(sample)}


def _sample(row: Mapping[str, Any]) -> Sample:
    fields = {name: row[name] for name in _FIELDS if name != "id"}
    fields["difficulty"] = Difficulty(**fields["difficulty"])
    fields["shots"] = tuple(Shot(**shot) for shot in fields["shots"])
    return Sample(**fields)


def _checked_samples(dataset: Dataset) -> Iterator[Sample]:
    for index, row in enumerate(dataset):
        sample = _sample(row)
        if sample.id != row["id"]:
            raise DataError(
                f"row {index} says its id is {row['id']}, but its content hashes to {sample.id}; "
                "it was edited: build or export the suite again"
            )
        yield sample


def _card(suite: Suite) -> str:
    return _CARD.render(
        total=len(suite),
        version=version("burnish"),
        profiles=" and ".join(sorted({sample.profile for sample in suite})),
        languages=sorted(Counter(sample.language for sample in suite).items()),
        fields=_FIELDS,
    )
