"""Comments labelled for toxicity, from the user's own file. No such set ships with a package."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.data.examples import Examples
from burnish.data.tables import Table, read_table
from burnish.errors import DataError, UsageError

CLASSES = ("civil", "toxic")
_TEXTS = ("comment_text", "comment", "text", "tweet")
_LABELS = ("toxic", "toxicity", "target", "label", "is_toxic")
_WORDS = {
    **dict.fromkeys(("toxic", "true", "yes"), 1.0),
    **dict.fromkeys(("civil", "non-toxic", "nontoxic", "not toxic", "false", "no"), 0.0),
}
_UNSCORED = -1.0  # how the public Wikipedia comments mark what was left out of scoring


@dataclass(frozen=True, eq=False)
class Toxicity:
    """Comments, and whom they are about where the file says so.

    Attributes:
        examples: the comments; classes "civil" and "toxic". Ids are row numbers from 0.
        identities: (n,) by column, whether raters saw that identity mentioned.
        unlabelled: rows left out for want of a label, or marked -1 as unscored.
    """

    examples: Examples
    identities: Mapping[str, NDArray[np.bool_]]
    unlabelled: int


def read_toxicity(
    spec: str | Path,
    *,
    text: str | None = None,
    label: str | None = None,
    identities: Sequence[str] = (),
    threshold: float = 0.5,
    split: str | None = None,
) -> Toxicity:
    """Comments from a file, a folder or the hub.

    The layouts of the public sets of Wikipedia and Civil comments are read as they are.

    Args:
        spec: as in `burnish.data.read_examples`.
        text: column of the comments; None takes comment_text, comment, text or tweet.
        label: column of 0 or 1, of a share of raters, or of "toxic" and the like; None takes
            toxic, toxicity, target, label or is_toxic.
        identities: columns with the share of raters who saw an identity; no value counts as 0.
        threshold: least share that counts as toxic, and as an identity mentioned.
        split: of a folder or hub data set.

    Raises:
        DataError: the source is not as described; one line, with its place.
        UsageError: the threshold is no share.
    """
    if not 0 < threshold <= 1:
        raise UsageError(f"threshold is a share above 0 and up to 1, got {threshold}")
    texts, labels = (text,) if text else _TEXTS, (label,) if label else _LABELS
    table = read_table(spec, [*texts, *labels, *identities], split=split)
    text_column, label_column = _first(table, texts), _first(table, labels)
    scores = [_label(table, row, label_column) for row in range(len(table.numbers))]
    kept = [row for row, score in enumerate(scores) if score is not None]
    if not kept:
        raise DataError(f"{table.source} has no labelled comment; give at least one")
    examples = Examples(
        task="classification",
        ids=tuple(kept),
        texts=tuple(_text(table, row, text_column) for row in kept),
        labels=tuple(int((scores[row] or 0.0) >= threshold) for row in kept),
        label_names=CLASSES,
    )
    seen = {
        name: np.array([_share(table, row, name) >= threshold for row in kept])
        for name in identities
    }
    return Toxicity(examples, seen, len(scores) - len(kept))


def _first(table: Table, names: Sequence[str]) -> str:
    found = next((name for name in names if name in table.columns), names[0])
    table.column(found)  # raises where there is none
    return found


def _text(table: Table, row: int, column: str) -> str:
    value = table.columns[column][row]
    if not isinstance(value, str) or not value.strip():
        raise DataError(f"{table.place(row, column)}, must be a text; fill it in or drop the row")
    return value


def _label(table: Table, row: int, column: str) -> float | None:
    value = table.columns[column][row]
    if value in (None, "", -1, "-1"):
        return None
    if isinstance(value, str) and (word := value.strip().lower()) in _WORDS:
        return _WORDS[word]
    number = _number(value)
    if number == _UNSCORED:
        return None
    if not 0 <= number <= 1:
        raise DataError(
            f"{table.place(row, column)}, must be 0, 1, a share between them, toxic or civil, but "
            f"is {value!r}; mend or drop the row"
        )
    return number


def _share(table: Table, row: int, column: str) -> float:
    value = table.column(column)[row]
    number = 0.0 if value in (None, "") else _number(value)
    if not 0 <= number <= 1:
        raise DataError(
            f"{table.place(row, column)}, must be a share from 0 to 1, but is {value!r}; mend it"
        )
    return number


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return math.inf  # no share, and so the caller says what it is
    return number if math.isfinite(number) else math.inf
