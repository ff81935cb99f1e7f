"""What an evaluation found: tables, comparisons and new scores, all from its log alone."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from burnish.errors import UsageError
from burnish.evidence.intervals import (
    RESAMPLES,
    Interval,
    bootstrap_mean,
    paired_bootstrap,
    wilson,
)
from burnish.methods.structext import records as log
from burnish.methods.structext.records import TAGS, Row, Source, Tag
from burnish.methods.structext.scorers import Metric, metric_named, score_all

_BATCH_CELLS = 2_000_000  # numbers held at once while resampling


@dataclass(frozen=True)
class Group:
    """A row of a table.

    Attributes:
        by: the tags that its samples share.
        n: samples in the denominator.
        skipped: samples that could not be asked, whether or not they are in the denominator.
        errors: samples whose call failed; they score 0, as in the official evaluation.
        scores: mean and 95 % interval by metric, in [0, 1]; None where nothing was scored.
        unscored: samples without a verdict by metric; they are left out of its mean.
    """

    by: Mapping[str, Tag]
    n: int
    skipped: int
    errors: int
    scores: Mapping[str, Interval | None]
    unscored: Mapping[str, int]

    def flat(self) -> dict[str, Tag | float | None]:
        """Tags, counts, means, and the means' bounds as "METRIC_low" and "METRIC_high"."""
        found: dict[str, Tag | float | None] = dict(self.by)
        found |= {"n": self.n, "skipped": self.skipped, "errors": self.errors}
        for metric, mean in self.scores.items():
            found[metric] = mean.estimate if mean else None
            found[f"{metric}_low"] = mean.low if mean else None
            found[f"{metric}_high"] = mean.high if mean else None
        return found


@dataclass(frozen=True)
class Comparison:
    """Two answerers on the samples that both were scored on.

    Attributes:
        n: common samples.
        ours: mean score of the first.
        theirs: mean score of the second.
        difference: of the means, ours minus theirs, with its 95 % interval.
    """

    n: int
    ours: float
    theirs: float
    difference: Interval


@dataclass(frozen=True)
class Gain:
    """Where a score lies between the constant floor (0) and the oracle's ceiling (1).

    Attributes:
        by: the tags that its samples share.
        n: common samples.
        value: (score - constant) / (oracle - constant); None where the oracle is no better than a
            constant answer, since then there is nothing to gain.
        low: of the 95 % interval; None where a resample leaves the gain undefined.
        high: likewise.
    """

    by: Mapping[str, Tag]
    n: int
    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Evaluation:
    """The answers of one answerer to a suite, and their scores.

    Attributes:
        answerer: its identity.
        rows: by sample id, everything but the texts.
        source: the log.
        count_skipped: whether samples that could not be asked score 0 or are left out.
        unanswered: samples of the suite that have no record, because a budget ran out.
        stopped: why the evaluation ended early, or "".
    """

    answerer: str
    rows: Mapping[str, Row]
    source: Source
    count_skipped: bool = True
    unanswered: int = 0
    stopped: str = ""

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics that any record has, in order of first appearance."""
        return tuple(dict.fromkeys(name for row in self.rows.values() for name in row.scores))

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens of all records, cached ones included."""
        return sum(row.tokens for row in self.rows.values())

    @property
    def usd(self) -> float:
        """US dollars of all records, where prices are known."""
        return sum(row.usd for row in self.rows.values())

    def records(self) -> Iterator[dict[str, Any]]:
        """The newest record of each sample with texts and scores, read from the log one by one."""
        return log.records(self.source, self.rows)

    def table(self, by: Sequence[str] = (), *, seed: int = 0) -> list[Group]:
        """Means by tags, sorted.

        Intervals are Wilson's where every value is 0 or 1, which takes questions as independent;
        otherwise a bootstrap that draws whole documents, since their questions go together.

        Args:
            by: any of `records.TAGS`; nothing gives one row over everything.
            seed: of the bootstrap.

        Raises:
            UsageError: unknown tag; the message lists the known ones.
        """
        groups = self._groups(by)
        return [
            self._group(dict(zip(by, key, strict=True)), rows, seed) for key, rows in groups.items()
        ]

    def rescore(self, metrics: Sequence[str]) -> Evaluation:
        """The same answers with further scores, from the log alone; no model is called.

        Args:
            metrics: names in `scorers.METRICS`; earlier scores of that name are computed anew.

        Raises:
            UsageError: unknown metric.
        """
        chosen = [metric_named(name) for name in metrics]
        rows = dict(self.rows)
        for record in self.records():
            old = rows[record["id"]]
            if old.status == "done":
                rows[old.id] = replace(
                    old, scores={**old.scores, **recorded_scores(record, chosen)}
                )
        return replace(self, rows=rows)

    def compare(self, other: Evaluation, *, seed: int = 0) -> dict[str, Comparison]:
        """Paired bootstrap over common samples, whole documents drawn together, by metric.

        Args:
            other: another answerer on the same suite, or part of it.
            seed: of the bootstrap.

        Raises:
            UsageError: no common samples or metrics.
        """
        found: dict[str, Comparison] = {}
        for metric in self.metrics:
            if metric not in other.metrics:
                continue
            ids, columns = _common([self, other], metric, None)
            if not ids:
                continue
            ours, theirs = columns
            clusters = [self.rows[name].document for name in ids]
            found[metric] = Comparison(
                n=len(ids),
                ours=sum(ours) / len(ids),
                theirs=sum(theirs) / len(ids),
                difference=paired_bootstrap(ours, theirs, seed=seed, clusters=clusters),
            )
        if not found:
            raise UsageError(
                f"nothing to compare: {self.answerer} and {other.answerer} share no sample with a "
                "score of one metric; evaluate them on the same suite"
            )
        return found

    def normalised_gain(
        self,
        constant: Evaluation,
        oracle: Evaluation,
        *,
        metric: str = "rouge_l_75",
        by: Sequence[str] = (),
        seed: int = 0,
    ) -> list[Gain]:
        """Scores between floor and ceiling, by tags, on samples common to all three.

        Args:
            constant: `Constant` on the same suite.
            oracle: `DocumentOrderOracle` on the same suite, so that what no reader can know (the
                order of lists) does not count; or `Oracle`.
            metric: all three have it.
            by: any of `records.TAGS`.
            seed: of the bootstrap.

        Raises:
            UsageError: unknown tag.
        """
        gains = []
        for key, rows in self._groups(by).items():
            inside = {row.id for row in rows}
            ids, columns = _common([self, constant, oracle], metric, inside)
            clusters = [self.rows[name].document for name in ids]
            gain = normalised_gain(*columns, seed=seed, clusters=clusters)
            gains.append(replace(gain, by=dict(zip(by, key, strict=True))))
        return gains

    def value(self, row: Row, metric: str) -> float | None:
        """Score of a row as it enters means; None where it is left out."""
        if row.status == "done":
            return row.scores.get(metric)
        return None if row.status == "skipped" and not self.count_skipped else 0.0

    def _groups(self, by: Sequence[str]) -> dict[tuple[Tag, ...], list[Row]]:
        unknown = [tag for tag in by if tag not in TAGS]
        if unknown:
            raise UsageError(f"unknown tag {unknown[0]!r}; known are: {', '.join(TAGS)}")
        groups: dict[tuple[Tag, ...], list[Row]] = {}
        for row in self._in_order():
            groups.setdefault(tuple(row.tags[tag] for tag in by), []).append(row)
        return dict(sorted(groups.items()))

    def _in_order(self) -> list[Row]:
        """By id: the order of the log is chance, and a seeded bootstrap must not depend on it."""
        return sorted(self.rows.values(), key=lambda row: row.id)

    def _group(self, by: Mapping[str, Tag], rows: Sequence[Row], seed: int) -> Group:
        skipped = sum(row.status == "skipped" for row in rows)
        scores: dict[str, Interval | None] = {}
        unscored: dict[str, int] = {}
        for metric in self.metrics:
            pairs = [(self.value(row, metric), row.document) for row in rows]
            values = [value for value, _ in pairs if value is not None]
            clusters = [document for value, document in pairs if value is not None]
            scores[metric] = _mean(values, clusters, seed) if values else None
            unscored[metric] = sum(
                row.status == "done" and row.scores.get(metric) is None for row in rows
            )
        return Group(
            by=by,
            n=len(rows) - (0 if self.count_skipped else skipped),
            skipped=skipped,
            errors=sum(row.status == "error" for row in rows),
            scores=scores,
            unscored=unscored,
        )


def recorded_scores(record: Mapping[str, Any], metrics: Sequence[Metric]) -> dict[str, float]:
    """Scores of a recorded answer."""
    return score_all(
        record["prediction"],
        record["answer"],
        metrics,
        compare=record["compare"],
        rule=record["rule"],
    )


def load_log(path: Path | str, *, count_skipped: bool = True) -> Evaluation:
    """An evaluation from its log, without suite or model.

    Args:
        path: the folder given as `log_dir`, or the file in it.
        count_skipped: whether samples that could not be asked score 0 or are left out.

    Raises:
        UsageError: there is no log.
        DataError: the file is damaged elsewhere than in its last line, or is no log.
    """
    file = Path(path)
    if file.is_dir():
        file = file / log.FILE_NAME
    if not file.is_file():
        raise UsageError(f"no evaluation log at {file}; give the log_dir of an evaluation")
    contents = log.read(file)
    return Evaluation(contents.answerer, contents.rows, file, count_skipped)


def normalised_gain(
    score: Sequence[float],
    constant: Sequence[float],
    oracle: Sequence[float],
    *,
    seed: int = 0,
    clusters: Sequence[Hashable] | None = None,
) -> Gain:
    """(s - s_constant) / (s_oracle - s_constant) of three means over the same samples.

    Args:
        score: (n,) in [0, 1].
        constant: (n,); row i is the same sample.
        oracle: (n,); likewise.
        seed: of the percentile bootstrap.
        clusters: (n,); samples of one cluster are drawn together.

    Returns:
        A gain without tags. `value` is None where the oracle's mean does not exceed the
        constant's, and the bounds are None where that happens in any resample.

    Source: specification of StrucText-Eval, section 6.
    """
    import numpy as np

    n = len(score)
    labels = list(range(n)) if clusters is None else list(clusters)
    order = {label: index for index, label in enumerate(dict.fromkeys(labels))}
    places = np.array([order[label] for label in labels], dtype=np.intp)
    gained = np.bincount(places, np.subtract(score, constant)) if n else np.zeros(1)
    room = np.bincount(places, np.subtract(oracle, constant)) if n else np.zeros(1)
    if room.sum() <= 0:
        return Gain({}, n, None, None, None)
    value = float(gained.sum() / room.sum())
    rng = np.random.default_rng(seed)
    gains, rooms = np.empty(RESAMPLES), np.empty(RESAMPLES)
    batch = max(1, _BATCH_CELLS // len(room))
    for start in range(0, RESAMPLES, batch):
        size = min(batch, RESAMPLES - start)
        chosen = rng.integers(len(room), size=(size, len(room)))
        gains[start : start + size] = gained[chosen].sum(axis=1)
        rooms[start : start + size] = room[chosen].sum(axis=1)
    if (rooms <= 0).any():
        return Gain({}, n, value, None, None)
    low, high = np.quantile(gains / rooms, (0.025, 0.975))
    return Gain({}, n, value, float(low), float(high))


def _mean(values: Sequence[float], clusters: Sequence[str], seed: int) -> Interval:
    if all(value in (0.0, 1.0) for value in values):
        return wilson(int(sum(values)), len(values))
    return bootstrap_mean(values, seed=seed, clusters=clusters)


def _common(
    runs: Sequence[Evaluation], metric: str, inside: set[str] | None
) -> tuple[list[str], list[list[float]]]:
    """Samples that every run has a value for, and the values of each run in that order."""
    ids: list[str] = []
    columns: list[list[float]] = [[] for _ in runs]
    for name in sorted(runs[0].rows):
        if inside is not None and name not in inside:
            continue
        values = [run.value(run.rows[name], metric) for run in runs if name in run.rows]
        if len(values) < len(runs) or any(value is None for value in values):
            continue
        ids.append(name)
        for column, value in zip(columns, values, strict=True):
            column.append(value or 0.0)
    return ids, columns
