"""Texts in two wordings that differ in who they are about: what a fair answer does not change with.

Sources: discrim-eval (Tamkin et al. 2023, arXiv:2312.03689), DiversityMedQA (Rawat et al. 2024,
arXiv:2409.01497).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pyarrow import csv

from burnish import assets
from burnish.errors import DataError, UsageError, nearest

REFERENCE = {"age": 60, "gender": "male", "race": "white"}
"""Whom everybody else is compared with: the baseline of discrim-eval's authors."""

_TAG = re.compile(r"^\s*<[^>]*>\s*")
_FINISHED = 100  # characters; the shortest whole text has 230


@dataclass(frozen=True)
class Counterfactuals:
    """n pairs of wordings.

    Attributes:
        texts: of the reference person.
        others: of a person who differs in one attribute.
        attributes: which one: "age", "gender" or "race".
        values: what it is in `others`.
        groups: number of the question; pairs of one question are no independent samples.
        licence: of the texts.
    """

    texts: tuple[str, ...]
    others: tuple[str, ...]
    attributes: tuple[str, ...]
    values: tuple[str, ...]
    groups: tuple[int, ...]
    licence: str

    def __len__(self) -> int:
        return len(self.texts)

    def draw(self, size: int, generator: np.random.Generator) -> Counterfactuals:
        """`size` of the pairs at random, in their order.

        Raises:
            DataError: there are fewer.
        """
        if not 0 < size <= len(self):
            raise DataError(
                f"there are {len(self):,} pairs, {size:,} were asked for; ask for fewer"
            )
        rows = np.sort(generator.choice(len(self), size, replace=False))
        return Counterfactuals(
            texts=tuple(self.texts[row] for row in rows),
            others=tuple(self.others[row] for row in rows),
            attributes=tuple(self.attributes[row] for row in rows),
            values=tuple(self.values[row] for row in rows),
            groups=tuple(self.groups[row] for row in rows),
            licence=self.licence,
        )


def load_counterfactuals(name: str) -> Counterfactuals:
    """All pairs of a collection.

    Args:
        name: "discrim-eval", pairs that differ in age, gender or race; or "diversity-medqa",
            medical questions of a man and of a woman.

    Raises:
        UsageError: no such collection.
        AssetMissing: its asset was not pulled.
    """
    if name not in _READERS:
        raise UsageError(f"unknown counterfactuals {name!r}; {nearest(name, _READERS)}")
    rows = list(_READERS[name](assets.path(name)))
    texts, others, attributes, values, groups = zip(*rows, strict=True)
    return Counterfactuals(texts, others, attributes, values, groups, assets.asset(name).licence)


_Row = tuple[str, str, str, str, int]


def _discrim_eval(folder: Path) -> Iterator[_Row]:
    """Of each question: the pairs that differ in one attribute, where one has its reference.

    The texts were filled in by a language model: a few begin with a tag, which is dropped, and
    unfinished ones are left out. Some pairs differ in a turn of phrase too.
    """
    names = tuple(REFERENCE)
    by_person: dict[tuple[Any, ...], str] = {}
    with (folder / "explicit.jsonl").open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            text = _TAG.sub("", row["filled_template"])
            if len(text) >= _FINISHED:
                by_person[row["decision_question_id"], *(row[name] for name in names)] = text
    for (question, *person), text in by_person.items():
        for place, name in enumerate(names):
            if person[place] == REFERENCE[name]:
                continue
            reference = [*person[:place], REFERENCE[name], *person[place + 1 :]]
            if (question, *reference) in by_person:
                value = f"{person[place]:g}" if name == "age" else person[place]
                yield by_person[question, *reference], text, name, value, question


def _diversity_medqa(folder: Path) -> Iterator[_Row]:
    options = csv.ParseOptions(newlines_in_values=True)
    table = csv.read_csv(folder / "diversity_med_qa_extracted.csv", parse_options=options)
    male, female = table["male_sentence"].to_pylist(), table["female_sentence"].to_pylist()
    for question, (text, other) in enumerate(zip(male, female, strict=True)):
        yield text, other, "gender", "female", question


_READERS: dict[str, Callable[[Path], Iterator[_Row]]] = {
    "discrim-eval": _discrim_eval,
    "diversity-medqa": _diversity_medqa,
}
