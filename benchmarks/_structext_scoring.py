"""Time the official score against its dictionary programme, and an evaluation against a bare loop.

Both sides of a ratio run in one process, alternating, and the fastest of several rounds counts,
since noise only ever adds. Functions return plain rows, which
`python benchmarks/structext.py` prints.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from burnish.methods.structext.answerers import Answer
from burnish.methods.structext.evaluation import evaluate
from burnish.methods.structext.rouge import rouge_l
from burnish.methods.structext.sample import Difficulty, Sample
from burnish.methods.structext.scorers import score

Row = dict[str, str | int | float | None]


def rouge_rows(sizes: Sequence[int] = (100, 1000, 5000), *, seed: int = 0) -> list[Row]:
    """Seconds a pair of unequal texts of so many words, ours and the naive dynamic programme.

    The programme is that of PyPI `rouge` 1.0.1: one dictionary entry for each pair of words up to
    1,000 words. Longer texts get lists for a table, since 25 million entries would take gigabytes;
    both walk back in a loop instead of by recursion, which overflows beyond about 980 words.
    """
    rng = random.Random(seed)
    rows: list[Row] = []
    for words in sizes:
        naive, rounds = (dictionary_rouge_l, 5) if words <= 1000 else (list_rouge_l, 1)
        for kind, vocabulary in (("distinct", 10 * words), ("repeated", max(2, words // 20))):
            ours = [f"w{rng.randrange(vocabulary)}" for _ in range(words)]
            theirs = [word if rng.random() < 0.8 else "other" for word in ours]
            pair = " ".join(ours), " ".join(theirs)
            assert abs(rouge_l(*pair) - naive(*pair)) < 1e-9
            fast, slow = _alternate(partial(rouge_l, *pair), partial(naive, *pair), rounds=rounds)
            rows.append(
                {
                    "what": "rouge_l",
                    "words": words,
                    "vocabulary": kind,
                    "baseline": naive.__name__,
                    "burnish_s": fast,
                    "baseline_s": slow,
                    "speedup_ratio": slow / fast,
                }
            )
    return rows


def dictionary_rouge_l(hypothesis: str, reference: str) -> float:
    """RougeL F of two texts without full stops, with a dictionary for a table."""
    rows, columns = reference.split(), hypothesis.split()
    table: dict[tuple[int, int], int] = {}
    for i in range(len(rows) + 1):
        for j in range(len(columns) + 1):
            if i == 0 or j == 0:
                table[i, j] = 0
            elif rows[i - 1] == columns[j - 1]:
                table[i, j] = table[i - 1, j - 1] + 1
            else:
                table[i, j] = max(table[i - 1, j], table[i, j - 1])
    return _walked_back(rows, columns, lambda i, j: table[i, j])


def list_rouge_l(hypothesis: str, reference: str) -> float:
    """The same with a list of lists for a table."""
    rows, columns = reference.split(), hypothesis.split()
    table = [[0] * (len(columns) + 1)]
    for word in rows:
        above, row = table[-1], [0]
        for j, other in enumerate(columns):
            row.append(above[j] + 1 if word == other else max(above[j + 1], row[j]))
        table.append(row)
    return _walked_back(rows, columns, lambda i, j: table[i][j])


def _walked_back(
    rows: Sequence[str], columns: Sequence[str], length: Callable[[int, int], int]
) -> float:
    """F of the distinct words on one longest common subsequence."""
    found, i, j = set(), len(rows), len(columns)
    while i and j:
        if rows[i - 1] == columns[j - 1]:
            found.add(rows[i - 1])
            i, j = i - 1, j - 1
        elif length(i - 1, j) > length(i, j - 1):
            i -= 1
        else:
            j -= 1
    precision, recall = len(found) / len(set(columns)), len(found) / len(set(rows))
    return 2.0 * ((precision * recall) / (precision + recall + 1e-8))


def overhead_rows(items: int = 1000, *, call_seconds: float = 0.001, rounds: int = 5) -> list[Row]:
    """What logging, resuming and tables cost beside answering and scoring alone.

    The bare loop takes each answer and computes the same two scores. The answerer takes
    `call_seconds` an item, far less than any model; a second row has one that takes no time, for
    the cost of an item by itself.
    """
    rows: list[Row] = []
    for seconds in (call_seconds, 0.0):
        answerer = Scripted(seconds)
        with tempfile.TemporaryDirectory() as folder:
            # a fresh suite each round, since a sample hashes its content only once
            fresh = [(_suite(items), Path(folder) / str(number)) for number in range(rounds + 1)]
            ours, bare = _alternate(
                partial(_evaluate_next, iter(fresh), answerer),
                partial(bare_loop, _suite(items), answerer),
                rounds=rounds,
            )
        rows.append(
            {
                "what": "evaluate",
                "items": items,
                "call_s": seconds,
                "burnish_s": ours,
                "bare_loop_s": bare,
                "overhead_us_per_item": (ours - bare) / items * 1e6,
                "overhead_percent": (ours / bare - 1) * 100 if seconds else None,
            }
        )
    return rows


def _evaluate_next(fresh: Iterator[tuple[list[Sample], Path]], answerer: Scripted) -> None:
    suite, folder = next(fresh)
    evaluate(suite, answerer, log_dir=folder)


def bare_loop(suite: Sequence[Sample], answerer: Scripted) -> list[tuple[float, float]]:
    """Ask and score, keeping nothing else."""
    return [
        (
            score(answer.text, suite[index].answer),
            score(answer.text, suite[index].answer, metric="exact", compare=suite[index].compare),
        )
        for index, answer in answerer.answers(suite)
    ]


class Scripted:
    """Answers with the reference after a set time, spent as a model in process would: busy."""

    identity = "scripted"

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def prompt_hash(self, sample: Sample) -> str:
        """The sample's id."""
        return sample.id

    def answers(self, samples: Sequence[Sample]) -> Iterator[tuple[int, Answer]]:
        """One after the other."""
        for index, sample in enumerate(samples):
            end = time.perf_counter() + self.seconds
            while time.perf_counter() < end:
                pass
            yield index, Answer(text=sample.answer)


def _suite(items: int) -> list[Sample]:
    words = [f"w{number}" for number in range(26)]
    rng = random.Random(0)
    return [
        Sample(
            language="json",
            task="TextRetrieval",
            rule="json.1",
            difficulty=Difficulty(2, 1),
            text=" ".join(rng.choices(words, k=200)),
            question=f"question {number}",
            answer=" ".join(rng.choices(words, k=12)),
        )
        for number in range(items)
    ]


def _alternate(
    ours: Callable[[], object], other: Callable[[], object], *, rounds: int
) -> tuple[float, float]:
    """Fastest seconds of each side over rounds that take turns, after one that does not count."""
    best, best_other = float("inf"), float("inf")
    for number in range(rounds + 1):
        start = time.perf_counter()
        ours()
        between = time.perf_counter()
        other()
        end = time.perf_counter()
        if number:
            best, best_other = min(best, between - start), min(best_other, end - between)
    return best, best_other
