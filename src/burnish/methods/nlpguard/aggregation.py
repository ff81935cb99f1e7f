"""From the scores of words in texts to one ranked table of words, class by class.

Sums are kept as whole numbers, so they come out the same, to the last bit, in whatever order and
in however many parts they were added.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet
from scipy import stats

from burnish.errors import DataError, UsageError
from burnish.methods.nlpguard.classifier import Attributed

_BITS = 36  # a score is a whole number of 2^-36; sums of 2^27 occurrences fit 64 bits
_LOW = 18  # a square, of up to 72 bits, is kept in three sums of halves of 18 bits
_KEYS = ["class", "word"]
_SUMS = ["n", "sum", "high", "cross", "low"]
_MERGE_AT = 500_000  # rows waiting to be added up
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Ranking:
    """Which words are ranked, and by what.

    Attributes:
        least: occurrences that a word needs.
        length: characters that it needs.
        shrinkage: kappa in n * S / (n + kappa), the mean as if kappa more scores had been 0.
        by_shrunk: rank by the shrunk mean, not by the mean as the authors' code does.
    """

    least: int = 2
    length: int = 3
    shrinkage: float = 5.0
    by_shrunk: bool = False

    def __post_init__(self) -> None:
        if self.shrinkage < 0:
            raise UsageError(f"shrinkage must not be negative, got {self.shrinkage}")


@dataclass(frozen=True, eq=False)
class WordTable:
    """What every word says for the class of the texts it stands in.

    Attributes:
        classes: names of the classes, in the order of the classifier.
        frame: one row a class and word, by class, then rank, then word: class, word, n
            (occurrences), mean, sd (nan where n is 1), low and high (Student's 95 % interval of
            the mean), shrunk (see `Ranking`), rank (from 1; 0 for a word that is not ranked).
    """

    classes: tuple[str, ...]
    frame: pd.DataFrame

    def top(self, name: str, count: int) -> list[str]:
        """The `count` most predictive words of a class; fewer, or none, where fewer are ranked.

        Raises:
            UsageError: there is no such class.
        """
        words: list[str] = self.of(name).query("0 < rank <= @count")["word"].tolist()
        return words

    def of(self, name: str) -> pd.DataFrame:
        """The rows of a class, a copy.

        Raises:
            UsageError: there is no such class.
        """
        if name not in self.classes:
            raise UsageError(f"there is no class {name!r}; there are: {', '.join(self.classes)}")
        return self.frame[self.frame["class"] == name].reset_index(drop=True)

    def to_parquet(self, path: Path) -> None:
        """Write the table to a file."""
        _write(path, self.frame, {"classes": self.classes})

    @classmethod
    def from_parquet(cls, path: Path) -> WordTable:
        """Read what `to_parquet` wrote.

        Raises:
            DataError: it is no such file.
        """
        frame, notes = _read(path, [*_KEYS, "n", "mean", "rank"])
        return cls(tuple(notes["classes"]), frame)


class WordSums:
    """Occurrences of words by class, added up as they come.

    Args:
        classes: names of the classes; targets are indices of them.

    Raises:
        UsageError: two classes share a name.
    """

    def __init__(self, classes: Sequence[str]) -> None:
        self.classes = tuple(classes)
        if len(set(self.classes)) != len(self.classes):
            raise UsageError(f"classes must have names of their own, got {', '.join(classes)}")
        self._waiting: list[pd.DataFrame] = []
        self._rows = 0

    def add(self, targets: Iterable[int], results: Iterable[Attributed]) -> None:
        """Count the words of explained texts, in lower case, each occurrence by itself.

        Args:
            targets: the class that each text was explained for.
            results: as many.

        Raises:
            UsageError: a score is not finite or beyond 1, so it was not normalised.
        """
        columns: list[int] = []
        words: list[str] = []
        scores: list[NDArray[np.float64]] = []
        for target, result in zip(targets, results, strict=True):
            columns += [int(target)] * len(result.words)
            words += [word.lower() for word in result.words]
            scores.append(result.scores)
        if not words:
            return
        every = np.concatenate(scores)
        if not (np.abs(every) <= 1 + 1e-9).all():
            raise UsageError("scores of words must be finite and normalised, from -1 to 1")
        whole = np.rint(every * 2.0**_BITS).astype(np.int64)
        size = np.abs(whole)
        high, low = size >> _LOW, size & ((1 << _LOW) - 1)
        self._wait(
            pd.DataFrame(
                {
                    "class": np.array(columns, dtype=np.int64),
                    "word": words,
                    "n": np.ones(len(words), dtype=np.int64),
                    "sum": whole,
                    "high": high * high,
                    "cross": high * low,
                    "low": low * low,
                }
            )
        )

    def merge(self, other: WordSums) -> None:
        """Add what another has counted; neither the order nor the grouping of merges matters.

        Raises:
            UsageError: it has other classes.
        """
        if other.classes != self.classes:
            raise UsageError(f"classes differ: {self.classes} and {other.classes}")
        self._wait(other.counted())

    def counted(self) -> pd.DataFrame:
        """One row a class and word, sorted: class (index), word, n, and the exact sums."""
        if not self._waiting:
            empty = {name: np.zeros(0, dtype=np.int64) for name in ["class", *_SUMS]}
            frame = pd.DataFrame({**empty, "word": pd.Series([], dtype="str")})
            return frame[[*_KEYS, *_SUMS]]
        if len(self._waiting) > 1 or self._rows:
            together = pd.concat(self._waiting, ignore_index=True)
            self._waiting = [together.groupby(_KEYS, sort=True, as_index=False)[_SUMS].sum()]
            self._rows = 0
        return self._waiting[0]

    def table(self, ranking: Ranking | None = None) -> WordTable:
        """Means, intervals and ranks of what was counted."""
        rules = ranking or Ranking()
        counted = self.counted()
        n = counted["n"].to_numpy()
        mean, m2 = _moments(counted)
        sd = np.sqrt(np.divide(m2, n - 1, out=np.full(len(n), np.nan), where=n > 1))
        half = stats.t.ppf((1 + CONFIDENCE) / 2, np.maximum(n - 1, 1)) * sd / np.sqrt(n)
        frame = pd.DataFrame(
            {
                "class": [self.classes[index] for index in counted["class"]],
                "word": counted["word"],
                "n": n,
                "mean": mean,
                "sd": sd,
                "low": mean - half,
                "high": mean + half,
                "shrunk": n * mean / (n + rules.shrinkage),
            }
        )
        frame["rank"] = _ranks(frame, counted["class"].to_numpy(), rules)
        order = frame["rank"].where(frame["rank"] > 0, len(frame) + 1)
        index = counted["class"].to_numpy()
        place = np.lexsort((frame["word"].to_numpy(dtype=object), order.to_numpy(), index))
        return WordTable(self.classes, frame.iloc[place].reset_index(drop=True))

    def to_parquet(self, path: Path, notes: dict[str, Any] | None = None) -> None:
        """Write class (by name), word, n, mean, M2 and the exact sums, with notes in JSON."""
        counted = self.counted()
        mean, m2 = _moments(counted)
        frame = counted.assign(
            **{"class": [self.classes[index] for index in counted["class"]], "mean": mean, "M2": m2}
        )
        _write(
            path,
            frame[[*_KEYS, "n", "mean", "M2", *_SUMS[1:]]],
            {**(notes or {}), "classes": self.classes},
        )

    @classmethod
    def from_parquet(cls, path: Path) -> tuple[WordSums, dict[str, Any]]:
        """What `to_parquet` wrote, and its notes.

        Raises:
            DataError: it is no such file.
        """
        frame, notes = _read(path, [*_KEYS, *_SUMS])
        sums = cls(notes["classes"])
        index = {name: place for place, name in enumerate(sums.classes)}
        if not set(frame["class"]) <= index.keys():
            raise DataError(f"{path} has words of classes that it does not name; make it anew")
        if len(frame):
            whole = frame.assign(**{"class": frame["class"].map(index).astype(np.int64)})
            sums._wait(whole[[*_KEYS, *_SUMS]])
        return sums, notes

    def _wait(self, frame: pd.DataFrame) -> None:
        self._waiting.append(frame)
        self._rows += len(frame)
        if self._rows > _MERGE_AT:
            self.counted()


def _moments(counted: pd.DataFrame) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and sum of squared deviations, each rounded once, from exact sums."""
    n = counted["n"].to_numpy()
    total = counted["sum"].to_numpy()
    mean = total / (n * 2.0**_BITS)
    parts = zip(*(counted[name].tolist() for name in _SUMS), strict=True)
    m2 = [  # whole numbers of Python have no limit; true division of them rounds once
        (count * ((high << 2 * _LOW) + (cross << _LOW + 1) + low) - added * added)
        / (count << 2 * _BITS)
        for count, added, high, cross, low in parts
    ]
    return mean, np.array(m2, dtype=np.float64)


def _ranks(frame: pd.DataFrame, index: NDArray[np.int64], rules: Ranking) -> NDArray[np.int64]:
    """Ranks from 1 within each class; 0 for what the rules leave out. Ties go by the word."""
    words = frame["word"]
    keep = rankable(frame, rules) & (frame["mean"] > 0).to_numpy(dtype=bool)
    value = frame["shrunk" if rules.by_shrunk else "mean"].to_numpy()
    ranks = np.zeros(len(frame), dtype=np.int64)
    for one in np.unique(index):
        rows = np.flatnonzero(keep & (index == one))
        order = np.lexsort((words.to_numpy(dtype=object)[rows], -value[rows]))
        ranks[rows[order]] = np.arange(1, len(rows) + 1)
    return ranks


def rankable(frame: pd.DataFrame, rules: Ranking) -> NDArray[np.bool_]:
    """(rows,) whether a word would be ranked if it spoke for the class.

    Source: the NLPGuard authors' code: at least 2 occurrences, more than 2 characters, not all
    digits, no continuation of a word; it also wants a positive mean.
    """
    words = frame["word"]
    found: NDArray[np.bool_] = (
        (frame["n"] >= rules.least)
        & (words.str.len() >= rules.length)
        & ~words.str.fullmatch(r"\d+")
        & ~words.str.startswith("##")
    ).to_numpy(dtype=bool)
    return found


def _write(path: Path, frame: pd.DataFrame, notes: dict[str, Any]) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata({"burnish": json.dumps(notes, sort_keys=True)})
    half = path.with_name(f"{path.name}.{os.getpid()}")
    parquet.write_table(table, half)
    half.replace(path)


def _read(path: Path, columns: Sequence[str]) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A table and its notes.

    Raises:
        DataError: it cannot be read, or lacks one of the columns.
    """
    try:
        table = parquet.read_table(path)
        notes = json.loads((table.schema.metadata or {})[b"burnish"])
    except (OSError, KeyError, ValueError, pa.ArrowException) as error:
        raise DataError(f"{path} is no table of words that burnish wrote; make it anew") from error
    if not isinstance(notes, dict) or not isinstance(notes.get("classes"), list):
        raise DataError(f"{path} does not name its classes; make it anew")
    lacking = [name for name in columns if name not in table.column_names]
    if lacking:
        raise DataError(f"{path} lacks the columns {', '.join(lacking)}; make it anew")
    return table.to_pandas(), notes
