"""Whoever answers samples: exact solvers, floors that know no document, and language models."""

from __future__ import annotations

import hashlib
import json
import math
import random
import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, runtime_checkable

from burnish.chat import ChatModel, ContinuationScorer, Message, Reply, Request, Usage
from burnish.errors import ChatError, ConfigError, ContextOverflow, UsageError
from burnish.methods.structext.candidates import typed_answers
from burnish.methods.structext.prompts import messages, prefix_order
from burnish.methods.structext.sample import Sample
from burnish.methods.structext.scorers import Style, extract_answer, score
from burnish.methods.structext.solver import solve

MIN_TOKENS = 64
REASONING_TOKENS = 1024
DISTRACTORS = 4
FREE = Usage()

_TOKEN_LIKE = re.compile(r"[^\W\d_]+|\d|_|[^\w\s]|\n\s*")


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an answerer said about one sample, or why it said nothing.

    Attributes:
        text: the answer, as scored.
        raw: the whole reply where it holds more than the answer, else "".
        usage: tokens and cost of the call; empty where nothing was called.
        seconds: wall time of the call; for a batch, its share.
        finish: "stop", or "length" when the reply was cut.
        cached: the reply came from a cache and cost nothing now.
        choices: how many answers there were to choose from; 0 for a free answer.
        error: why the call failed; it is asked again on resume.
        skipped: why the sample could not be asked at all, e.g. the context is too short.
    """

    text: str = ""
    raw: str = ""
    usage: Usage = FREE
    seconds: float = 0.0
    finish: str = "stop"
    cached: bool = False
    choices: int = 0
    error: str = ""
    skipped: str = ""


@runtime_checkable
class Answerer(Protocol):
    """Anything that answers samples."""

    @property
    def identity(self) -> str:
        """Everything that changes what it answers: model, prompt, style, sampling, seed."""

    def prompt_hash(self, sample: Sample) -> str:
        """Names what this answerer would be given for the sample; the same words, the same hash."""

    def answers(self, samples: Sequence[Sample]) -> Iterator[tuple[int, Answer]]:
        """(index, answer) for every sample once, in any order, each as soon as it is there.

        A `BudgetExceeded` may end the iteration; what was yielded before stays valid.
        """


@runtime_checkable
class SimpleAnswerer(Protocol):
    """Anything that answers one sample; an `identity`, where it has one, names it in logs."""

    def answer(self, sample: Sample) -> str:
        """The answer; a `UsageError` says that the sample has none and skips it.

        A `ChatError` is logged as a failed call and asked again on resume.
        """


class OneByOne:
    """A `SimpleAnswerer` asked sample by sample, `concurrency` of them at once.

    Args:
        answerer: its `answer` is called from that many threads.
        concurrency: at least 1; with 1 everything stays in the caller's thread.

    Raises:
        ConfigError: concurrency below 1.
    """

    def __init__(self, answerer: SimpleAnswerer, *, concurrency: int = 1) -> None:
        if concurrency < 1:
            raise ConfigError(f"concurrency must be at least 1, got {concurrency}")
        self.answerer = answerer
        self.concurrency = concurrency

    @property
    def identity(self) -> str:
        """The answerer's, or the name of its class."""
        named = getattr(self.answerer, "identity", None)
        return str(named or type(self.answerer).__qualname__)

    def prompt_hash(self, sample: Sample) -> str:
        """The sample's id: how it is asked is the answerer's own affair."""
        return sample.id

    def answers(self, samples: Sequence[Sample]) -> Iterator[tuple[int, Answer]]:
        """See `Answerer.answers`."""
        if self.concurrency == 1:
            yield from enumerate(map(self._timed, samples))
            return
        pool = ThreadPoolExecutor(self.concurrency, thread_name_prefix="burnish-answer")
        try:
            asked = {pool.submit(self._timed, sample): i for i, sample in enumerate(samples)}
            for done in as_completed(asked):
                yield asked[done], done.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _timed(self, sample: Sample) -> Answer:
        start = time.perf_counter()
        try:
            text = self.answerer.answer(sample)
        except ChatError as error:
            return _failed(error)
        except UsageError as error:
            return Answer(skipped=f"it has no answer: {error}")
        return Answer(text=text, seconds=time.perf_counter() - start)


class DocumentOrderOracle:
    """Solves every sample from its text alone and lists things in document order.

    Under the official score this is the ceiling that an obedient reader reaches: 0.953 of the
    release, because references list bold strings and files in arbitrary order.
    """

    identity = "document-order-oracle"

    def answer(self, sample: Sample) -> str:
        """See `SimpleAnswerer.answer`; what the text does not answer is skipped."""
        return _solve(sample)


class Oracle:
    """Solves every sample from its text; a list of the right things takes the reference's order.

    Where its answer differs from the reference in more than order, it keeps its own.
    """

    identity = "oracle"

    def answer(self, sample: Sample) -> str:
        """See `SimpleAnswerer.answer`; what the text does not answer is skipped."""
        solved = _solve(sample)
        return sample.answer if _right(solved, sample) else solved


class Constant:
    """One answer a rule, whatever the document: the most frequent reference of another suite.

    What it scores is the floor that a score has to be read against.

    Args:
        fitted_on: samples drawn with another seed; ties go to the reference seen first.
    """

    def __init__(self, fitted_on: Iterable[Sample]) -> None:
        counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for sample in fitted_on:
            counts[sample.rule][sample.answer] += 1
        self.table = {rule: seen.most_common(1)[0][0] for rule, seen in sorted(counts.items())}

    @property
    def identity(self) -> str:
        """Names the table of answers."""
        return f"constant:{_sha(self.table)}"

    def answer(self, sample: Sample) -> str:
        """See `SimpleAnswerer.answer`; a rule it was not fitted on gets an empty answer."""
        return self.table.get(sample.rule, "")


class RandomTyped:
    """Guesses uniformly among the answers of the right type in the text, see `typed_answers`.

    Expected exact match is one over their number, where the text holds the right one.

    Args:
        seed: with the sample's id it decides the guess, whatever else is asked.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed

    @property
    def identity(self) -> str:
        """Names the seed."""
        return f"random-typed:{self.seed}"

    def answer(self, sample: Sample) -> str:
        """See `SimpleAnswerer.answer`."""
        return next(typed_answers(sample, _rng(self.seed, sample)), "")


class CopyLastShot:
    """Repeats the answer of the last worked example; says nothing where there is none."""

    identity = "copy-last-shot"

    def answer(self, sample: Sample) -> str:
        """See `SimpleAnswerer.answer`."""
        return sample.shots[-1].answer if sample.shots else ""


class ChatAnswerer:
    """A language model asked in the words of `prompts.messages`.

    Samples go to the model in the order of their prompts' beginnings, so that an engine with a
    prefix cache reads shared shots once; a budget that runs out leaves the later languages.

    Args:
        model: how many requests are in flight is its own setting.
        prompt: "release" or "paper".
        style: "naive", "cot" or "plan"; for the latter two the answer is what `extract_answer`
            finds in the reply.
        max_tokens: longest reply; None for `reply_tokens` of each sample.
        temperature: 0 is greedy. The paper samples local models at 0.95; we default to repeatable.
        top_p: nucleus share.
        seed: of the sampling.

    Raises:
        ConfigError: max_tokens below 1.
        UsageError: unknown prompt or style, on first use.
    """

    def __init__(
        self,
        model: ChatModel,
        *,
        prompt: str = "release",
        style: Style = "naive",
        max_tokens: int | None = None,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> None:
        if max_tokens is not None and max_tokens < 1:
            raise ConfigError(
                f"max_tokens must be at least 1, got {max_tokens}; leave it out to fit each answer"
            )
        self.model = model
        self.prompt = prompt
        self.style: Style = style
        self.max_tokens = max_tokens
        self.temperature = temperature
        self.top_p = top_p
        self.seed = seed

    @property
    def identity(self) -> str:
        """The model's identity and every setting."""
        settings = {
            "prompt": self.prompt,
            "style": self.style,
            "max_tokens": self.max_tokens or "fitted",
            "temperature": self.temperature,
            "top_p": self.top_p,
            "seed": self.seed,
        }
        return f"{self.model.identity} {json.dumps(settings)}"

    def prompt_hash(self, sample: Sample) -> str:
        """Of the messages and the length of the reply."""
        request = self._request(sample)
        turns = [[turn.role, turn.content] for turn in request.messages]
        return _sha([turns, request.max_tokens])

    def answers(self, samples: Sequence[Sample]) -> Iterator[tuple[int, Answer]]:
        """See `Answerer.answers`; a prompt longer than the context is skipped."""
        order = sorted(range(len(samples)), key=lambda index: prefix_order(samples[index]))
        for outcome in self.model.replies([self._request(samples[index]) for index in order]):
            yield order[outcome.index], self._read(outcome.reply)

    def _request(self, sample: Sample) -> Request:
        return Request(
            messages=messages(sample, prompt=self.prompt, style=self.style),
            max_tokens=self.max_tokens or reply_tokens(sample.answer, self.style),
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.seed,
        )

    def _read(self, reply: Reply | ChatError) -> Answer:
        if not isinstance(reply, Reply):
            return _failed(reply)
        answer = reply.text if self.style == "naive" else extract_answer(reply.text, self.style)
        return Answer(
            text=answer,
            raw="" if answer == reply.text else reply.text,
            usage=reply.usage,
            seconds=reply.seconds,
            finish=reply.finish,
            cached=reply.cached,
        )


class ForcedChoice:
    """A model too small to answer freely picks the likeliest of up to five given answers.

    score(y) = (1/|y|) sum_t log p(y_t | x, y_<t), over the reference and four distractors of the
    same type from `typed_answers`: other nodes, paths, cells or sections of the same document, and
    near misses of them in the smallest ones. None of them is right. Which they are and their order
    depend on the seed and the sample's id alone. Syntax has two choices; a document too poor for
    four distractors may have fewer than five, and `Answer.choices` counts them, so that chance can
    be told. Score it with "exact".

    Args:
        model: scores continuations.
        prompt: as for `ChatAnswerer`.
        distractors: wanted, at least 1.
        seed: of distractors and order.

    Raises:
        ConfigError: fewer than 1 distractor.

    Source: specification of StrucText-Eval, section 6.
    """

    def __init__(
        self,
        model: ContinuationScorer,
        *,
        prompt: str = "release",
        distractors: int = DISTRACTORS,
        seed: int = 0,
    ) -> None:
        if distractors < 1:
            raise ConfigError(f"forced choice needs at least 1 distractor, got {distractors}")
        self.model = model
        self.prompt = prompt
        self.distractors = distractors
        self.seed = seed

    @property
    def identity(self) -> str:
        """The model's identity and every setting."""
        settings = {"prompt": self.prompt, "distractors": self.distractors, "seed": self.seed}
        return f"{self.model.identity} forced-choice {json.dumps(settings)}"

    def prompt_hash(self, sample: Sample) -> str:
        """Of the messages; the choices follow from the sample and the settings."""
        return _sha([[turn.role, turn.content] for turn in self._messages(sample)])

    def choices(self, sample: Sample) -> list[str]:
        """The reference among distinct wrong answers, in the order the model sees them."""
        rng = _rng(self.seed, sample)
        others = (other for other in typed_answers(sample, rng) if not _right(other, sample))
        found = [sample.answer, *islice(others, self.distractors)]
        rng.shuffle(found)
        return found

    def answers(self, samples: Sequence[Sample]) -> Iterator[tuple[int, Answer]]:
        """See `Answerer.answers`; a prompt longer than the context is skipped."""
        order = sorted(range(len(samples)), key=lambda index: prefix_order(samples[index]))
        for index in order:
            yield index, self._pick(samples[index])

    def _pick(self, sample: Sample) -> Answer:
        start = time.perf_counter()
        choices = self.choices(sample)
        try:
            log_probs = self.model.log_probs(self._messages(sample), choices)
        except ChatError as error:
            return _failed(error)
        means = [sum(tokens) / len(tokens) if tokens else -math.inf for tokens in log_probs]
        best = max(range(len(choices)), key=means.__getitem__)
        return Answer(text=choices[best], choices=len(choices), seconds=time.perf_counter() - start)

    def _messages(self, sample: Sample) -> tuple[Message, ...]:
        return messages(sample, prompt=self.prompt)


def reply_tokens(answer: str, style: Style = "naive") -> int:
    """How long a reply may be so that the reference would fit: max(64, 1.3 x its tokens).

    Without a tokenizer the tokens are counted high: a mark or a digit or a line break is one, a
    run of letters one for each three begun. "cot" and "plan" get 1,024 more for the reasoning.

    Args:
        answer: the reference.
        style: of the prompt.

    Source: specification of StrucText-Eval, section 3, where the published value is a misprint.
    """
    pieces = _TOKEN_LIKE.findall(answer)
    tokens = sum(math.ceil(len(piece) / 3) if piece[0].isalpha() else 1 for piece in pieces)
    room = max(MIN_TOKENS, math.ceil(1.3 * tokens))
    return room if style == "naive" else room + REASONING_TOKENS


def _solve(sample: Sample) -> str:
    return solve(
        sample.text, sample.question, sample.rule, sample.difficulty, profile=sample.profile
    )


def _right(answer: str, sample: Sample) -> bool:
    return score(answer, sample.answer, metric="exact", compare=sample.compare) == 1.0


def _failed(error: ChatError) -> Answer:
    reason = " ".join(str(error).split())
    if isinstance(error, ContextOverflow):
        return Answer(skipped=reason)
    return Answer(error=f"{type(error).__name__}: {reason}")


def _rng(seed: int, sample: Sample) -> random.Random:
    return random.Random(f"{seed}:{sample.id}")


def _sha(content: object) -> str:
    payload = json.dumps(content, ensure_ascii=True).encode()
    return hashlib.sha256(payload).hexdigest()[:16]
