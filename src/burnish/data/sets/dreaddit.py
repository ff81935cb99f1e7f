"""Dreaddit: whether a post shows stress. Source: Turcan and McKeown 2019, arXiv:1911.00133."""

from __future__ import annotations

from pathlib import Path

from pyarrow import csv

from burnish.data.examples import Examples
from burnish.data.sets.parts import Parts, distinct, text_key

_NAMES = ("no stress", "stress")


def read(folder: Path) -> Parts:
    """The set from an asset's folder, in the authors' own parts; ids are the rows of both files."""
    texts, labels = _columns(folder / "dreaddit_training.csv")
    cut = len(texts)
    more_texts, more_labels = _columns(folder / "dreaddit_testing.csv")
    texts, labels = texts + more_texts, labels + more_labels
    keys = [text_key(text) for text in texts]
    test = [(row + cut, label) for row, label in distinct(keys[cut:], labels[cut:])]
    tested = {keys[row] for row, _ in test}
    train = [
        (row, label) for row, label in distinct(keys[:cut], labels[:cut]) if keys[row] not in tested
    ]
    note = (
        "posts from forums on Reddit, labelled by people, in the authors' own parts; "
        f"{len(texts) - len(train) - len(test)} posts that came twice, or in both, were dropped"
    )
    return Parts(_examples(texts, train), _examples(texts, test), note)


def _columns(path: Path) -> tuple[list[str], list[int]]:
    options = csv.ParseOptions(newlines_in_values=True)
    table = csv.read_csv(path, parse_options=options)
    return table["text"].to_pylist(), table["label"].to_pylist()


def _examples(texts: list[str], rows: list[tuple[int, int]]) -> Examples:
    return Examples(
        task="classification",
        ids=tuple(row for row, _ in rows),
        texts=tuple(texts[row].strip() for row, _ in rows),
        labels=tuple(label for _, label in rows),
        label_names=_NAMES,
    )
