"""Labelled text in columns. Knows nothing of files, tokenizers or models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from burnish.errors import DataError

Task = Literal["classification", "pairs", "qa"]


@dataclass(frozen=True)
class Examples:
    """n labelled texts; every column has n entries, or none where the task has no such column.

    Attributes:
        task: "classification" of one text, of "pairs" of texts, or "qa", finding the span of a
            context that answers a question.
        ids: whole numbers that stay with the examples, each once.
        texts: the text; the first of a pair; the context of a question.
        others: the second of a pair; the question. Empty for classification.
        labels: index into `label_names`. Empty for qa.
        answers: for qa alone, where the answer begins in the context, in characters, and its text.
        label_names: of the classes, in the order of their index.

    Raises:
        DataError: the columns do not fit each other or the task.
    """

    task: Task
    ids: tuple[int, ...]
    texts: tuple[str, ...]
    others: tuple[str, ...] = ()
    labels: tuple[int, ...] = ()
    answers: tuple[tuple[int, str], ...] = ()
    label_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.task not in ("classification", "pairs", "qa"):
            raise DataError(f"task is classification, pairs or qa, got {self.task!r}")
        n, asks = len(self.texts), self.task == "qa"
        expected = {
            "ids": n,
            "others": 0 if self.task == "classification" else n,
            "labels": 0 if asks else n,
            "answers": n if asks else 0,
        }
        for column, size in expected.items():
            if (came := len(getattr(self, column))) != size:
                raise DataError(
                    f"{n} texts of a {self.task} task need {size} {column}, got {came}; "
                    "give every column one entry a row"
                )
        if len(set(self.ids)) != n:
            twice = _first_repeated(self.ids)
            raise DataError(f"ids must differ, but {twice} is there twice; number the rows anew")
        classes = len(self.label_names)
        if self.labels and not 0 <= min(self.labels) <= max(self.labels) < classes:
            raise DataError(
                f"labels count from 0 to below the {classes} label_names, got "
                f"{min(self.labels)} to {max(self.labels)}; name every class"
            )
        for row, (start, answer) in enumerate(self.answers):
            if not answer or not self.texts[row].startswith(answer, start) or start < 0:
                raise DataError(
                    f"the answer of example {self.ids[row]}, {answer!r}, must stand in its context "
                    f"at character {start}; mend or drop it"
                )

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Iterable[int]) -> Examples:
        """The examples in these rows, in this order; they keep their ids.

        Raises:
            DataError: a row is taken twice.
        """
        wanted = [int(row) for row in rows]
        return Examples(
            task=self.task,
            ids=tuple(self.ids[row] for row in wanted),
            texts=tuple(self.texts[row] for row in wanted),
            others=tuple(self.others[row] for row in wanted) if self.others else (),
            labels=tuple(self.labels[row] for row in wanted) if self.labels else (),
            answers=tuple(self.answers[row] for row in wanted) if self.answers else (),
            label_names=self.label_names,
        )


def _first_repeated(ids: Iterable[int]) -> int:
    seen: set[int] = set()
    return next(one for one in ids if one in seen or seen.add(one))  # type: ignore[func-returns-value]
