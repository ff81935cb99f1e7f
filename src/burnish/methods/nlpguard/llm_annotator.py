"""A language model says which category a word belongs to, and can say nothing else.

A chat model is held to a JSON schema whose category is an enumeration. A model in this process,
which cannot be held to one, says how likely each of the names is. Either way the answer is
read strictly: what cannot be read is asked again with another seed, and after that is an undecided
vote, counted and logged, never "not protected".
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from burnish.chat import ChatModel, ContinuationScorer, Message, Reply, Request
from burnish.errors import ChatError, UsageError
from burnish.methods.nlpguard.annotation import (
    CATEGORIES,
    NONE,
    UNDECIDED,
    Annotation,
    check_category,
    hashed,
    key,
)
from burnish.methods.nlpguard.voting import decide

logger = logging.getLogger(__name__)

CHOICES = (*CATEGORIES, NONE)
CONTEXTS = 3  # sentences that a question shows
LONGEST_CONTEXT = 200  # characters
AT_ONCE = 32  # words whose answers are recorded together

DEFINITIONS = {
    "age": "a person's age or age group, young or old",
    "disability": "a physical or mental impairment, an illness or an aid for it",
    "gender reassignment": "being transgender, or changing one's sex",
    "marriage and civil partnership": "being married or a civil partner, or not",
    "pregnancy and maternity": "being pregnant, giving birth, maternity leave, breastfeeding",
    "race": "colour, nationality, citizenship, ethnic or national origin, a country or a people",
    "religion and belief": "a religion, its people, places and rites, a belief or the lack of it",
    "sex": "being a woman or a man: pronouns, titles and family words included",
    "sexual orientation": "being gay, lesbian, bisexual or straight",
}
GUIDANCE = (
    "Read them as the UK Equality Act 2010, sections 4 to 12, its Explanatory Notes and the "
    "Employment Statutory Code of Practice do. Choose a category only if the word itself names it, "
    "whoever it is said of. A word that people merely connect with a group, like a job, is none."
)
_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "category": {"type": "string", "enum": list(CHOICES)},
        "reliability": {"type": "integer", "description": "0 to 100"},
        "explanation": {"type": "string", "description": "at most 15 words"},
    },
    "required": ["category", "reliability", "explanation"],
    "additionalProperties": False,
}
_ASKED = "Which category does the word name, if any?"
_CONTENT_FREE = "N/A"


@dataclass
class Tally:
    """What became of the questions.

    Attributes:
        words: that were asked for.
        cached: of them answered before.
        questions: put to the model, those asked again included.
        unreadable: answers that could not be read.
        failed: questions that the model refused or could not answer.
        undecided: words without a decision.
    """

    words: int = 0
    cached: int = 0
    questions: int = 0
    unreadable: int = 0
    failed: int = 0
    undecided: int = 0

    @property
    def parsed_share(self) -> float:
        """Of the answers that came; 1 before the first."""
        answers = self.questions - self.failed
        return 1 - self.unreadable / answers if answers else 1.0


class LLMAnnotator:
    """A language model as annotator.

    Each word is asked about several times and the answers vote by majority, see `decide`. With a
    schema each repeat has a seed of its own. With choices each repeat lists the categories in an
    order of its own, and a name's log-probability is taken relative to that for a word without
    content, which takes out what the model thinks of names (Zhao et al. 2021, arXiv:2102.09690).

    Args:
        model: a `ChatModel`, a `ContinuationScorer` or both.
        repeats: answers a word, odd.
        attempts: how often a question is asked until its answer can be read, >= 1.
        temperature: of a written answer.
        max_tokens: of a written answer.
        seed: of orders and answers.
        cache: a JSON Lines file of decided words, by word, annotator and prompt; may be shared.
        constrained: "schema" or "choice"; by default choices where the model can weigh them.

    Raises:
        UsageError: a number is out of range, or the model cannot be constrained that way.

    Source: Greco et al. 2024, the machine annotator of the official repository, version 0.0.7
    (temperature 0.3, 150 tokens, definitions, guidance, question). Departures: JSON in place of a
    line with two bars; definitions and guidance share a turn, as many chat templates refuse two
    turns of one role; the wording is ours; sentences may be shown.
    """

    def __init__(
        self,
        model: ChatModel | ContinuationScorer,
        *,
        repeats: int = 5,
        attempts: int = 3,
        temperature: float = 0.3,
        max_tokens: int = 150,
        seed: int = 0,
        cache: str | Path | None = None,
        constrained: Literal["schema", "choice"] | None = None,
    ) -> None:
        if repeats < 1 or repeats % 2 == 0:
            raise UsageError(f"repeats must be odd, so that a majority exists, got {repeats}")
        if attempts < 1:
            raise UsageError(f"attempts must be at least 1, got {attempts}")
        if constrained is None:
            constrained = "choice" if isinstance(model, ContinuationScorer) else "schema"
        wanted = "log_probs" if constrained == "choice" else "replies"
        if not hasattr(model, wanted):
            raise UsageError(
                f"{model.identity} has no {wanted}, which constraining it by {constrained} needs; "
                "leave `constrained` out"
            )
        settings: dict[str, str | float] = {
            "repeats": repeats,
            "constrained": constrained,
            "seed": seed,
        }
        self._asker: _Asker
        if constrained == "choice":
            self._asker = _ByChoice(model, seed)
        else:
            settings |= {"temperature": temperature, "max_tokens": max_tokens}
            self._asker = _BySchema(model, temperature, max_tokens, seed)
        self.identity = f"llm:{model.identity} {json.dumps(settings)}"
        self.tally = Tally()
        self._repeats, self._attempts = repeats, attempts
        self._cache = _Cache(None if cache is None else Path(cache), self.identity)

    def annotate(
        self, words: Sequence[str], contexts: Mapping[str, Sequence[str]] | None = None
    ) -> list[Annotation]:
        """See `Annotator.annotate`.

        Raises:
            BudgetExceeded: of an endpoint; what was decided before is in the cache.
        """
        subjects = [_Subject.of(word, (contexts or {}).get(word, ())) for word in words]
        found = {subject: self._cache.get(subject) for subject in subjects}
        self.tally.words += len(words)
        self.tally.cached += sum(found[subject] is not None for subject in subjects)
        waiting = [subject for subject, known in found.items() if known is None]
        for start in range(0, len(waiting), AT_ONCE):
            for subject, annotation in self._ask(waiting[start : start + AT_ONCE]):
                found[subject] = annotation
                self._cache.put(subject, annotation)
        said = [found[subject] for subject in subjects]
        return [annotation for annotation in said if annotation is not None]

    def _ask(self, subjects: Sequence[_Subject]) -> Iterator[tuple[_Subject, Annotation]]:
        answers: dict[_Question, _Vote] = {}
        waiting = [_Question(subject, n) for subject in subjects for n in range(self._repeats)]
        # only answers that cannot be read come again: a model in trouble retries by itself
        for attempt in range(self._attempts):
            self.tally.questions += len(waiting)
            votes = dict(zip(waiting, self._asker.ask(waiting, attempt), strict=True))
            answers |= votes
            waiting = [question for question, vote in votes.items() if vote.unreadable]
            self.tally.unreadable += len(waiting)
            self.tally.failed += sum(vote.failed for vote in votes.values())
            if not waiting:
                break
        for subject in subjects:
            own = [answers[_Question(subject, n)] for n in range(self._repeats)]
            yield subject, self._annotation(subject, own)

    def _annotation(self, subject: _Subject, votes: Sequence[_Vote]) -> Annotation:
        label, score = decide([vote.label for vote in votes])
        # of an undecided word, why: a refusal names its remedy, but may quote what was asked
        agreeing = [vote.rationale for vote in votes if vote.label == label and vote.rationale]
        if label == UNDECIDED:
            self.tally.undecided += 1
            logger.warning("no decision on word %s: %s", hashed(subject.word), _reasons(votes))
        return Annotation(
            word=subject.word,
            category=label,
            score=score,
            votes=tuple(vote.label for vote in votes),
            source=self.identity,
            rationale=agreeing[0] if agreeing else "",
        )


@dataclass(frozen=True)
class _Subject:
    """A word and the sentences that are shown with it."""

    word: str
    sentences: tuple[str, ...]

    @classmethod
    def of(cls, word: str, sentences: Sequence[str]) -> _Subject:
        shown = (" ".join(sentence.split())[:LONGEST_CONTEXT] for sentence in sentences[:CONTEXTS])
        return cls(word, tuple(shown))

    def question(self) -> str:
        """Quoted as JSON: what a stranger wrote stays inside its quotation marks."""
        lines = [f"Word: {json.dumps(key(self.word), ensure_ascii=False)}"]
        if self.sentences:
            lines.append(f"It was used in: {json.dumps(self.sentences, ensure_ascii=False)}")
        return "\n".join(lines)


@dataclass(frozen=True)
class _Question:
    subject: _Subject
    repeat: int


@dataclass(frozen=True)
class _Vote:
    """An answer, or why there is none."""

    label: str = UNDECIDED
    rationale: str = ""
    unreadable: bool = False
    failed: bool = False


class _Asker(Protocol):
    def ask(self, questions: Sequence[_Question], attempt: int) -> list[_Vote]:
        """One vote a question, in their order."""
        ...


class _Answer(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    category: Literal[CHOICES]  # type: ignore[valid-type]
    reliability: int = Field(ge=0, le=100)
    explanation: str


class _BySchema:
    """Written answers, held to a schema."""

    def __init__(self, model: Any, temperature: float, max_tokens: int, seed: int) -> None:
        self._model: ChatModel = model
        self._temperature, self._max_tokens, self._seed = temperature, max_tokens, seed

    def ask(self, questions: Sequence[_Question], attempt: int) -> list[_Vote]:
        votes = [_Vote(failed=True)] * len(questions)
        requests = [self._request(question, attempt) for question in questions]
        for outcome in self._model.replies(requests):
            votes[outcome.index] = _read(outcome.reply)
        return votes

    def _request(self, question: _Question, attempt: int) -> Request:
        return Request(
            messages=(
                Message("system", f"{_definitions(CHOICES)}\n\n{GUIDANCE}"),
                Message(
                    "user",
                    f"{question.subject.question()}\n{_ASKED} Answer in JSON: category, "
                    "reliability from 0 to 100, and an explanation of at most 15 words.",
                ),
            ),
            max_tokens=self._max_tokens,
            temperature=self._temperature,
            seed=_derived(self._seed, question.subject.word, question.repeat, attempt) % 2**31,
            json_schema=_SCHEMA,
        )


class _ByChoice:
    """The name that the word makes likelier than any other; always one of them."""

    def __init__(self, model: Any, seed: int) -> None:
        self._model: ContinuationScorer = model
        self._seed = seed
        self._content_free: dict[int, list[float]] = {}

    def ask(self, questions: Sequence[_Question], attempt: int) -> list[_Vote]:
        return [self._vote(question) for question in questions]

    def _vote(self, question: _Question) -> _Vote:
        rng = np.random.default_rng(_derived(self._seed, question.repeat))
        order = [CHOICES[index] for index in rng.permutation(len(CHOICES))]
        try:
            if question.repeat not in self._content_free:
                nothing = _Subject(_CONTENT_FREE, ())
                self._content_free[question.repeat] = self._weigh(nothing, order)
            weights = self._weigh(question.subject, order)
        except ChatError as error:
            return _Vote(rationale=str(error), failed=True)
        gains = np.subtract(weights, self._content_free[question.repeat])
        if not np.isfinite(gains).all():
            return _Vote(rationale="a choice has no finite log-probability", unreadable=True)
        shares = np.exp(gains - gains.max())
        best = int(gains.argmax())
        return _Vote(order[best], f"weight {shares[best] / shares.sum():.2f} of 1")

    def _weigh(self, subject: _Subject, order: Sequence[str]) -> list[float]:
        messages = (
            Message("system", f"{_definitions(order)}\n\n{GUIDANCE}"),
            Message("user", f"{subject.question()}\n{_ASKED} Answer with its name alone."),
        )
        # the full stop ends a name, or "sex" would also be the beginning of a longer one
        scored = self._model.log_probs(messages, [f"{name}." for name in order])
        return [math.fsum(tokens) for tokens in scored]


class _Cache:
    """Decided words in a JSON Lines file, or in memory alone.

    Lines are appended whole; one that a killed process left torn, or that somebody damaged, is
    passed over and its word asked again.
    """

    def __init__(self, path: Path | None, identity: str) -> None:
        self._path, self._identity = path, identity
        self._known: dict[str, Annotation] = {}
        if path is not None and path.exists():
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                self._remember(line)

    def get(self, subject: _Subject) -> Annotation | None:
        known = self._known.get(self._digest(subject))
        return None if known is None else replace(known, word=subject.word)

    def put(self, subject: _Subject, annotation: Annotation) -> None:
        """Keep a decision; what is undecided is asked again another time."""
        if annotation.category == UNDECIDED:
            return
        digest = self._digest(subject)
        self._known[digest] = annotation
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            line = json.dumps({"key": digest, **asdict(annotation)}, ensure_ascii=True)
            with self._path.open("a+b") as file:
                file.write(f"{'' if _ends_whole(file) else chr(10)}{line}\n".encode())

    def _digest(self, subject: _Subject) -> str:
        prompt = [DEFINITIONS, GUIDANCE, subject.question()]
        text = json.dumps([key(subject.word), self._identity, prompt], ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def _remember(self, line: str) -> None:
        try:
            fields = json.loads(line)
            digest, votes = fields.pop("key"), tuple(fields.pop("votes"))
            self._known[digest] = Annotation(**fields, votes=votes)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return


def _ends_whole(file: Any) -> bool:
    """Whether a file, open for appending, is empty or ends its last line."""
    if file.seek(0, 2) == 0:
        return True
    file.seek(-1, 2)
    return bool(file.read(1) == b"\n")


def _read(reply: Reply | ChatError) -> _Vote:
    if not isinstance(reply, Reply):
        return _Vote(rationale=str(reply), failed=True)
    try:
        answer = _Answer.model_validate_json(reply.text.strip())
    except ValidationError as error:
        what = error.errors(include_url=False, include_input=False)[0]["msg"]
        return _Vote(rationale=f"unreadable ({reply.finish}): {what}", unreadable=True)
    return _Vote(
        check_category(answer.category, known=CHOICES), " ".join(answer.explanation.split())
    )


def _reasons(votes: Sequence[_Vote]) -> str:
    """Why, without quoting a model that may quote the word."""
    unreadable = sum(vote.unreadable for vote in votes)
    failed = sum(vote.failed for vote in votes)
    return f"{unreadable} of {len(votes)} answers unreadable, {failed} failed"


def _definitions(choices: Sequence[str]) -> str:
    listed = (f"- {choice}: {DEFINITIONS.get(choice, 'any other word')}" for choice in choices)
    return "Categories of words:\n" + "\n".join(listed)


def _derived(seed: int, *names: str | int) -> int:
    from burnish.training import derive  # imports torch: only once a model is asked

    return derive(seed, "nlpguard-annotator", *names)
