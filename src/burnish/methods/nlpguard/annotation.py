"""What an identifier says of a word, and the set of protected words that comes of it.

Categories are the nine protected characteristics of the UK Equality Act 2010 (sections 4 to 12).
A word is compared by its `key`, so "Women", "WOMEN" and "women" are one word.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from burnish.errors import DataError, UsageError, nearest

CATEGORIES = (
    "age",
    "disability",
    "gender reassignment",
    "marriage and civil partnership",
    "pregnancy and maternity",
    "race",
    "religion and belief",
    "sex",
    "sexual orientation",
)
NONE = "none"
UNDECIDED = "undecided"
LABELS = (*CATEGORIES, NONE, UNDECIDED)

_FORMAT = 1
_APOSTROPHES = dict.fromkeys(map(ord, "\u2019\u02bc\uff07"), "'")
_DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013_"), "-")
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))
# of "\u0130" in lower case a dot remains over the i, and Turkish has an i without one
_ONE_I = str.maketrans({"\u0131": "i", "\u0307": None})
_SPELLING = _APOSTROPHES | _DASHES | _INVISIBLE


def key(word: str) -> str:
    """A word or phrase as it is compared: case, marks' composition and spacing do not count.

    Full case folding (so its length may differ from the word's), compatibility forms composed,
    dotted and dotless i as one, soft hyphens and zero-width characters dropped, straight
    apostrophes, plain hyphens, single spaces.
    """
    if word.isascii():
        return " ".join(word.lower().replace("_", "-").split())
    folded = unicodedata.normalize("NFKC", word).casefold().translate(_ONE_I)
    return " ".join(unicodedata.normalize("NFKC", folded).translate(_SPELLING).split())


def hashed(word: str) -> str:
    """How a word is named in logs: the first 12 hex digits of the SHA-256 of its key."""
    return hashlib.sha256(key(word).encode()).hexdigest()[:12]


def check_category(category: str, *, known: Sequence[str] = CATEGORIES) -> str:
    """The category, if it is one of the known.

    Raises:
        UsageError: it is not.
    """
    if category not in known:
        raise UsageError(f"{category!r} is no category; {nearest(category, known)}")
    return category


@dataclass(frozen=True, kw_only=True)
class Annotation:
    """What an annotator says of one word.

    Attributes:
        word: as it was asked.
        category: one of `CATEGORIES`, "none", or "undecided" where no answer could be had.
        score: how sure the annotator is, 0 to 1: the winning share of the votes, or a weight the
            annotator gives itself. Never used for the decision.
        votes: one label a vote, in the order they came; empty where nobody voted.
        source: who says so.
        rationale: why, in a line.

    Raises:
        UsageError: a label is unknown, or the score is no share.
    """

    word: str
    category: str
    score: float = 1.0
    votes: tuple[str, ...] = ()
    source: str = ""
    rationale: str = ""

    def __post_init__(self) -> None:
        for label in (self.category, *self.votes):
            check_category(label, known=LABELS)
        if not 0 <= self.score <= 1:
            raise UsageError(f"score is a share from 0 to 1, got {self.score}")

    @property
    def protected(self) -> bool:
        """Whether it names one of the nine categories."""
        return self.category in CATEGORIES


class Annotator(Protocol):
    """Anything that says which category words belong to."""

    def annotate(
        self, words: Sequence[str], contexts: Mapping[str, Sequence[str]] | None = None
    ) -> list[Annotation]:
        """One annotation a word, in their order.

        Args:
            words: distinct words or phrases.
            contexts: by word, sentences that hold it, for those who can use them.
        """
        ...


@dataclass(frozen=True)
class Override:
    """A person's correction: `before` and `after` are labels, `reason` is why."""

    word: str
    before: str
    after: str
    reason: str


class Protected(Mapping[str, str]):
    """The protected words and their categories; immutable, in alphabetical order.

    Words are held by their `key`; looking one up folds it likewise. What could not be decided is
    no protected word, but stays listed in `undecided` until somebody overrides it.

    Args:
        categories: by word, one of `CATEGORIES`.
        undecided: words without a decision.
        overrides: corrections that have been made, oldest first.

    Raises:
        UsageError: an unknown category, an empty word, or spellings of one word under two
            categories.
    """

    def __init__(
        self,
        categories: Mapping[str, str],
        *,
        undecided: Iterable[str] = (),
        overrides: Sequence[Override] = (),
    ) -> None:
        held: dict[str, str] = {}
        for word, category in categories.items():
            check_category(category)
            if not (name := key(word)):
                raise UsageError(f"a protected word is not empty, got {word!r}")
            if held.setdefault(name, category) != category:
                raise UsageError(
                    f"{name!r} is both {held[name]!r} and {category!r}; keep one of them"
                )
        self._held = dict(sorted(held.items()))
        self.undecided = tuple(sorted({key(word) for word in undecided} - self._held.keys()))
        self.overrides = tuple(overrides)

    @classmethod
    def of_annotations(cls, annotations: Iterable[Annotation]) -> Protected:
        """The words that were given a category; those without a decision are `undecided`."""
        known = list(annotations)
        return cls(
            {each.word: each.category for each in known if each.protected},
            undecided=[each.word for each in known if each.category == UNDECIDED],
        )

    @property
    def words(self) -> tuple[str, ...]:
        """All protected words."""
        return tuple(self._held)

    @cached_property
    def by_category(self) -> Mapping[str, tuple[str, ...]]:
        """The words of each of the nine categories; a category may have none."""
        found: dict[str, list[str]] = {category: [] for category in CATEGORIES}
        for word, category in self._held.items():
            found[category].append(word)
        return MappingProxyType({name: tuple(words) for name, words in found.items()})

    def of(self, category: str) -> tuple[str, ...]:
        """The words of one category.

        Raises:
            UsageError: it is not one of the nine.
        """
        return self.by_category[check_category(category)]

    def override(self, word: str, category: str, reason: str) -> Protected:
        """A copy in which a word has another label, and the correction is on record.

        Args:
            word: need not have been annotated before.
            category: one of `CATEGORIES`, or "none" to take the word out.
            reason: for the record; not empty.

        Raises:
            UsageError: another label, an empty word or no reason.
        """
        check_category(category, known=(*CATEGORIES, NONE))
        name = key(word)
        if not name or not reason.strip():
            raise UsageError(f"an override names a word and a reason, got {word!r}, {reason!r}")
        before = self._held.get(name, UNDECIDED if name in self.undecided else NONE)
        held = {known: label for known, label in self._held.items() if known != name}
        if category != NONE:
            held[name] = category
        return Protected(
            held,
            undecided=[each for each in self.undecided if each != name],
            overrides=[*self.overrides, Override(name, before, category, reason.strip())],
        )

    def save(self, path: str | Path) -> None:
        """Write JSON that `load` reads; the same set gives the same bytes."""
        content = {
            "format": _FORMAT,
            "categories": self._held,
            "undecided": list(self.undecided),
            "overrides": [asdict(each) for each in self.overrides],
        }
        text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
        Path(path).write_text(text, encoding="utf-8", newline="\n")

    @classmethod
    def load(cls, path: str | Path) -> Protected:
        """Read what `save` wrote.

        Raises:
            DataError: the file is missing or is no such JSON; names file and reason.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8-sig"))
            return cls._of_json(content)
        except OSError as error:
            raise DataError(f"cannot read protected words from {path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise DataError(
                f"{path} holds no protected words as Protected.save writes them: {error}"
            ) from error

    @classmethod
    def _of_json(cls, content: Any) -> Protected:
        if content["format"] != _FORMAT:
            raise UsageError(f"format {content['format']!r} is unknown, this version reads 1")
        categories, undecided = content["categories"], content["undecided"]
        overrides = [Override(**each) for each in content["overrides"]]
        words = [*categories.items(), *undecided, *(asdict(o).values() for o in overrides)]
        if not isinstance(undecided, list) or not all(map(_is_text, words)):
            raise UsageError("words, categories and reasons are strings")
        return cls(categories, undecided=undecided, overrides=overrides)

    def __getitem__(self, word: str) -> str:
        return self._held[key(word)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, word: object) -> bool:
        return isinstance(word, str) and key(word) in self._held

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Protected):
            return NotImplemented
        return (self._held, self.undecided, self.overrides) == (
            other._held,
            other.undecided,
            other.overrides,
        )

    def __hash__(self) -> int:
        return hash((tuple(self._held.items()), self.undecided, self.overrides))

    def __repr__(self) -> str:
        # a set of slurs does not belong into a log
        return f"Protected({len(self)} words, {len(self.undecided)} undecided)"


def undecided(word: str, *, source: str, reason: str) -> Annotation:
    """The annotation of a word for which no answer could be had."""
    return Annotation(word=word, category=UNDECIDED, score=0.0, source=source, rationale=reason)


def _is_text(value: Any) -> bool:
    if isinstance(value, str):
        return True
    return isinstance(value, Iterable) and all(isinstance(part, str) for part in value)
