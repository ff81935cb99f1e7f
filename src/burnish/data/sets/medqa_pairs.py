"""Medical questions, each worded of a man and of a woman: whether two wordings are one question.

Source of the wordings: DiversityMedQA (Rawat et al. 2024, arXiv:2409.01497).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyarrow import csv
from sklearn.feature_extraction.text import TfidfVectorizer

from burnish.data.examples import Examples
from burnish.data.sets.parts import TEST_SEED, Parts

_NAMES = ("different", "same")
_TEST = 0.2
_NEAR = 20  # questions of the nearest lengths, of which the most similar is the other wording


def read(folder: Path) -> Parts:
    """The set from an asset's folder; ids are twice the row, plus 1 where the question is one."""
    options = csv.ParseOptions(newlines_in_values=True)
    table = csv.read_csv(folder / "diversity_med_qa_extracted.csv", parse_options=options)
    male, female = table["male_sentence"].to_pylist(), table["female_sentence"].to_pylist()
    order = np.random.default_rng(TEST_SEED).permutation(len(male))
    size = round(_TEST * len(male))
    note = (
        f"{len(male)} medical questions, worded of a man and of a woman: the two wordings of one "
        "are the same. Different are synthetic pairs, one to a question: its wording of a man and "
        f"another question's of a woman, of the {_NEAR} nearest in length the one that shares "
        "most words. The parts are ours, and no question is in both"
    )
    train, test = (_pairs(male, female, np.sort(rows)) for rows in (order[size:], order[:size]))
    return Parts(train, test, note)


def _pairs(male: list[str], female: list[str], rows: NDArray[np.int64]) -> Examples:
    partners = rows[_likely(np.array([len(male[row]) for row in rows]), [male[r] for r in rows])]
    return Examples(
        task="pairs",
        ids=tuple(2 * int(row) + same for row in rows for same in (0, 1)),
        texts=tuple(male[row] for row in rows for _ in (0, 1)),
        others=tuple(female[other] for pair in zip(partners, rows, strict=True) for other in pair),
        labels=(0, 1) * len(rows),
        label_names=_NAMES,
    )


def _likely(lengths: NDArray[np.int64], texts: list[str]) -> NDArray[np.int64]:
    """For each text the one of like length that shares most words with it, rare ones foremost."""
    words = TfidfVectorizer(stop_words="english", dtype=np.float32).fit_transform(texts)
    similar = (words @ words.T).toarray()
    apart = np.abs(lengths[:, None] - lengths[None, :]).astype(float)
    np.fill_diagonal(apart, np.inf)
    near = np.argsort(apart, axis=1, kind="stable")[:, :_NEAR]
    best: NDArray[np.int64] = np.take_along_axis(similar, near, axis=1).argmax(axis=1)
    chosen: NDArray[np.int64] = np.take_along_axis(near, best[:, None], axis=1)[:, 0]
    return chosen
