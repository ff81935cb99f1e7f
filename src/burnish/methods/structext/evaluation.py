"""Ask an answerer every sample of a suite, score and log each answer, and go on after a kill."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from filelock import FileLock, Timeout

from burnish.chat import Budget, ChatModel, Meter, Usage
from burnish.errors import BudgetExceeded, UsageError
from burnish.methods.structext import records as log
from burnish.methods.structext.answerers import (
    Answer,
    Answerer,
    ChatAnswerer,
    OneByOne,
    SimpleAnswerer,
)
from burnish.methods.structext.results import Evaluation, recorded_scores
from burnish.methods.structext.sample import Sample
from burnish.methods.structext.scorers import (
    JUDGE,
    JudgeScorer,
    Metric,
    Style,
    metric_named,
    score_all,
)

Progress = Callable[[int, int], None]


class Bar(Protocol):
    """Something that shows how far work has got, such as `Run.progress`."""

    def advance(self, amount: int = 1) -> None:
        """`amount` more pieces are done."""


def evaluate(
    suite: Iterable[Sample],
    answerer: Answerer | SimpleAnswerer | ChatModel,
    *,
    prompt: str | None = None,
    style: Style | None = None,
    scorers: Sequence[str | JudgeScorer] = ("rouge_l_75", "exact"),
    log_dir: Path | str | None = None,
    resume: bool = True,
    concurrency: int = 1,
    budget: Budget | None = None,
    count_skipped: bool = True,
    progress: Progress | None = None,
) -> Evaluation:
    """Answers and scores of a suite, each logged as soon as it is there.

    Every answer becomes one line of `log_dir/records.jsonl`, handed to the operating system before
    the next is taken: a killed run loses at most answers that had not been recorded. On resume
    those that are recorded are not asked again, failed calls are, a last line that was cut short
    goes, and metrics that the log does not have yet are computed from the recorded answers. What
    is returned covers the whole log, old part and new.

    Args:
        suite: samples. Equal ones (the same id) are asked and counted once.
        answerer: anything with `answer(sample) -> str` or, for batches, `answers(samples)`; or a
            chat model, which is asked as `ChatAnswerer(model, prompt=, style=)`.
        prompt: of a chat model, "release" by default; an answerer has its own.
        style: of a chat model, "naive" by default; an answerer has its own.
        scorers: names in `scorers.METRICS`, and at most one judge, which is asked at the end.
        log_dir: folder of the log; None keeps it in memory.
        resume: whether a log that is there may be continued.
        concurrency: calls of `answer(sample)` at once; chat models and answerers of batches have
            their own setting.
        budget: of this call, the judge's part aside. It ends the evaluation at the answer that
            passes a limit; that answer and all before are kept, calls in flight then are lost.
            Cached replies are free.
        count_skipped: whether samples that could not be asked score 0 or are left out.
        progress: told (done, total) after every answer, and at the start what the log already has.

    Returns:
        The evaluation; `stopped` and `unanswered` say whether a budget ended it.

    Raises:
        UsageError: unknown metric, prompt or style; a log that another process writes, that was
            made by another answerer, with other prompts or of other samples, or that may not be
            continued.
        DataError: the log is damaged elsewhere than in its last line.
    """
    metrics = [metric_named(scorer) for scorer in scorers if isinstance(scorer, str)]
    judges = [scorer for scorer in scorers if isinstance(scorer, JudgeScorer)]
    asked = _as_answerer(answerer, prompt, style, concurrency)
    samples = {sample.id: sample for sample in suite}
    folder = None if log_dir is None else Path(log_dir)
    with _opened(folder, asked.identity, resume=resume) as book:
        _check(book, samples, asked)
        stopped = _ask(book, samples, asked, metrics, budget, progress)
        _add_metrics(book, metrics)
        for judge in judges[:1]:
            _add_judgements(book, judge)
        source = book.source()
    return Evaluation(
        answerer=asked.identity,
        rows=book.rows,
        source=source,
        count_skipped=count_skipped,
        unanswered=len(samples) - len(book.rows),
        stopped=stopped,
    )


def reporting(bar: Bar) -> Progress:
    """What `evaluate` tells of (done, total), for a bar that is told of each step."""
    told = 0

    def advance(done: int, _: int) -> None:
        nonlocal told
        bar.advance(done - told)
        told = done

    return advance


class _Book:
    """An open log: what it holds, and a way to add a line."""

    def __init__(
        self, stream: BinaryIO, contents: log.Contents, source: Callable[[], log.Source]
    ) -> None:
        self.rows = contents.rows
        self.source = source  # where the lines can be read
        self._stream = stream
        self._end = contents.end

    def add(self, data: dict[str, Any]) -> int:
        """Append a line, hand it to the operating system, and say at which byte it begins."""
        line = log.encode(data)
        start = self._end
        self._stream.write(line)
        self._stream.flush()
        self._end += len(line)
        return start


@contextmanager
def _opened(folder: Path | None, answerer: str, *, resume: bool) -> Iterator[_Book]:
    """The log of a folder, healed and locked, or a new one in memory."""
    if folder is None:
        memory = io.BytesIO()
        book = _Book(memory, log.Contents(), memory.getvalue)
        book.add(log.header(answerer))
        yield book
        return
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / log.FILE_NAME
    try:
        with FileLock(folder / "records.lock", timeout=0), path.open("ab") as stream:
            contents = log.read(path)
            stream.truncate(contents.end)
            _check_header(path, contents, answerer, resume=resume)
            book = _Book(stream, contents, lambda: path)
            if contents.end == 0:
                book.add(log.header(answerer))
            yield book
    except Timeout as error:
        raise UsageError(
            f"another evaluation is writing {path}; wait for it or choose another folder"
        ) from error


def _check_header(path: Path, contents: log.Contents, answerer: str, *, resume: bool) -> None:
    if contents.end == 0:
        return
    if not resume:
        raise UsageError(
            f"{path} already holds {len(contents.rows)} answers; allow resuming, or choose another "
            "folder"
        )
    if contents.answerer != answerer:
        raise UsageError(
            f"{path} was made by {contents.answerer!r}, but now {answerer!r} answers; choose "
            "another folder or the settings of the log"
        )


def _check(book: _Book, samples: Mapping[str, Sample], answerer: Answerer) -> None:
    """Every record is about a sample of this suite, asked in these words."""
    for name, row in book.rows.items():
        if name not in samples:
            raise UsageError(
                f"{book.source()!s} holds an answer to sample {name}, which is not in this suite; "
                "choose another folder or the suite of the log"
            )
        if row.prompt != answerer.prompt_hash(samples[name]):
            raise UsageError(
                f"{book.source()!s} asked sample {name} in other words than now; choose another "
                "folder or the settings of the log"
            )


def _ask(
    book: _Book,
    samples: Mapping[str, Sample],
    answerer: Answerer,
    metrics: Sequence[Metric],
    budget: Budget | None,
    progress: Progress | None,
) -> str:
    """Ask what has no answer yet; why it ended early, or ""."""
    pending = [
        sample
        for sample in samples.values()
        if sample.id not in book.rows or book.rows[sample.id].status == "error"
    ]
    meter = Meter(budget) if budget else None
    done = len(samples) - len(pending)
    answers = answerer.answers(pending)
    if progress and done:
        progress(done, len(samples))
    try:
        for index, answer in answers:
            _write(book, pending[index], answer, answerer, metrics)
            done += 1
            if progress:
                progress(done, len(samples))
            if meter and done < len(samples):
                meter.charge(Usage() if answer.cached else answer.usage)
    except BudgetExceeded as exceeded:
        return str(exceeded)
    finally:
        if isinstance(answers, Generator):
            answers.close()  # calls in flight end now, not when the garbage is collected
    return ""


def _write(
    book: _Book, sample: Sample, answer: Answer, answerer: Answerer, metrics: Sequence[Metric]
) -> None:
    scores: dict[str, float] = {}
    if not (answer.error or answer.skipped):
        scores = score_all(
            answer.text, sample.answer, metrics, compare=sample.compare, rule=sample.rule
        )
    data = log.record(
        sample,
        answer,
        prompt=answerer.prompt_hash(sample),
        document=hashlib.sha256(sample.text.encode(errors="surrogatepass")).hexdigest()[:16],
        scores=scores,
    )
    book.rows[sample.id] = log.row(data, book.add(data))


def _add_metrics(book: _Book, metrics: Sequence[Metric]) -> None:
    """Scores that the log does not have yet, from its answers."""
    lacking = {
        row.id: [metric for metric in metrics if metric.name not in row.scores]
        for row in book.rows.values()
        if row.status == "done"
    }
    if not any(lacking.values()):
        return
    for record in log.records(book.source(), book.rows):
        if missing := lacking.get(record["id"]):
            _amend(book, record["id"], recorded_scores(record, missing))


def _add_judgements(book: _Book, judge: JudgeScorer) -> None:
    """The judge's scores of answers that it has not judged; what fails is asked again next time."""
    waiting = {
        row.id
        for row in book.rows.values()
        if row.status == "done" and row.scores.get(JUDGE) is None
    }
    if not waiting:
        return
    unjudged = [
        (record["id"], (record["question"], record["answer"], record["prediction"]))
        for record in log.records(book.source(), book.rows)
        if record["id"] in waiting
    ]
    for judged in judge.judge([case for _, case in unjudged]):
        _amend(book, unjudged[judged.index][0], {JUDGE: judged.score})


def _amend(book: _Book, name: str, scores: Mapping[str, float | None]) -> None:
    book.add({"id": name, "scores": dict(scores)})
    book.rows[name].scores.update(scores)


def _as_answerer(
    answerer: Answerer | SimpleAnswerer | ChatModel,
    prompt: str | None,
    style: Style | None,
    concurrency: int,
) -> Answerer:
    if not isinstance(answerer, Answerer | SimpleAnswerer):
        return ChatAnswerer(answerer, prompt=prompt or "release", style=style or "naive")
    if prompt is not None or style is not None:
        raise UsageError(
            f"prompt and style say how to ask a chat model, but {type(answerer).__name__} has its "
            "own way; set them there"
        )
    if isinstance(answerer, Answerer):
        return answerer
    return OneByOne(answerer, concurrency=concurrency)
