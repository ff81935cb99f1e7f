"""Words that name a protected characteristic of the UK Equality Act 2010, and their annotator.

What counts, by the Act, its Explanatory Notes and the Employment Statutory Code of Practice:

- race covers colour, nationality, citizenship, ethnic and national origins, so countries and
  regions too; caste and tribe are taken along.
- sex covers every word that refers to a person's gender: pronouns, titles, family words (mother,
  son), gendered roles (actress, king, chairman), and words about the sexes (feminism, gender).
  A role that is gendered by custom alone (nurse, secretary) is not protected.
- marriage and civil partnership covers words that name a marriage even where they name a sex as
  well (wife, widow, bride). Departure: the Act protects neither single nor divorced nor engaged
  people, but a model that reads those words reads marital status, so they count.
- disability covers named impairments; cancer, HIV and multiple sclerosis are disabilities from
  their diagnosis (Schedule 1, paragraph 6).
- religion and belief covers adherents, offices, places, books and rites, and the lack of belief.
- slurs and insults that are aimed at a characteristic count under it.

Some words mean more than one thing. Such an entry says what the word is taken for on its own, and
which neighbours speak for and against its protected sense; sentences decide, where they are given.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from burnish.errors import DataError, UsageError, nearest
from burnish.methods.nlpguard.annotation import CATEGORIES, NONE, Annotation, Protected, key
from burnish.methods.nlpguard.matching import Match, Matcher

DEFAULT = "equality-act-2010"
WINDOW = 3  # words on each side of an ambiguous one that are read for cues

_SHIPPED = resources.files("burnish.methods.nlpguard") / "lexicons"
_COLUMNS = ("term", "category", "plural", "forms", "pair", "group", "alone", "note")
_CUE_COLUMNS = ("cues_for", "cues_against")
_CAPITAL, _SMALL = "Aa", "aa"
_WORD = re.compile(r"[^\W_]+")
_OPENS = frozenset(".!?:;\"'(\u201c\u2018\u2026\u2013\u2014-*#>")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A term of a lexicon.

    Attributes:
        term: in the spelling that is listed, in the singular where it has one.
        category: one of the nine.
        plural: or "".
        forms: other inflections and spellings.
        pair: its gendered counterpart, and that one's plural where it is no entry itself.
        group: names terms that may take each other's place in a sentence, or "".
        alone: whether the word counts without a context.
        cues_for: neighbouring words that speak for the protected sense; "Aa" is a capital letter
            inside a sentence.
        cues_against: neighbours that speak against it; "aa" is a small letter in a text that has
            capitals.
        note: what else the word means, for a person who reviews it.
    """

    term: str
    category: str
    plural: str = ""
    forms: tuple[str, ...] = ()
    pair: tuple[str, ...] = ()
    group: str = ""
    alone: bool = True
    cues_for: frozenset[str] = frozenset()
    cues_against: frozenset[str] = frozenset()
    note: str = ""

    @property
    def spellings(self) -> tuple[str, ...]:
        """The term and all its inflections."""
        return tuple(filter(None, (self.term, self.plural, *self.forms)))

    @property
    def ambiguous(self) -> bool:
        """Whether a context could change what the word is taken for."""
        return not self.alone or bool(self.cues_for or self.cues_against)


class Lexicon:
    """A list of protected terms; also an `Annotator`, the default one.

    Args:
        source: the name of a lexicon that is shipped, or a tab-separated file with the columns
            term and category and, as wanted, plural, forms, pair, group, alone (yes or no),
            cues_for, cues_against and note; what holds several is split at "|". Lines that begin
            with "# source:" name what it follows.

    Raises:
        UsageError: no lexicon of that name, and no such file.
        DataError: a line of the file is wrong; names file, line and field.
    """

    def __init__(self, source: str | Path = DEFAULT) -> None:
        text, where = _text_of(source)
        self.name = Path(where).stem
        self.sources: tuple[str, ...] = tuple(
            line.removeprefix("# source:").strip()
            for line in text.splitlines()
            if line.startswith("# source:")
        )
        self.entries: tuple[Entry, ...] = tuple(_entries(text, where))
        self._by_spelling: dict[str, Entry] = {}
        for entry in self.entries:
            for spelling in entry.spellings:
                known = self._by_spelling.setdefault(_loose(spelling), entry)
                if known is not entry:
                    raise DataError(f"{where}: {spelling!r} is both {known.term!r} and of its own")

    @cached_property
    def terms(self) -> Mapping[str, str]:
        """Category of every spelling that counts without a context: what a `Matcher` takes."""
        return MappingProxyType(
            {word: each.category for each in self.entries if each.alone for word in each.spellings}
        )

    @cached_property
    def pairs(self) -> Mapping[str, str]:
        """Gendered counterparts, inflection by inflection: "kings" to "queens", "he's" to "she's".

        Terms of the lexicon have one; a counterpart that is no protected word (actor) has none.
        """
        return MappingProxyType(dict(self._counterparts()))

    @cached_property
    def groups(self) -> Mapping[str, tuple[str, ...]]:
        """Terms that may be swapped for each other, without those that need a context.

        Plurals are a group of their own, whose name ends in " plural".
        """
        found: dict[str, list[str]] = {}
        for entry in self.entries:
            if entry.group and entry.alone:
                found.setdefault(entry.group, []).append(entry.term)
                if entry.plural:
                    found.setdefault(f"{entry.group} plural", []).append(entry.plural)
        return MappingProxyType({name: tuple(terms) for name, terms in found.items()})

    @cached_property
    def group_of(self) -> Mapping[str, str]:
        """The group of each term that has one, those that need a context included; see `groups`."""
        found: dict[str, str] = {}
        for entry in self.entries:
            if entry.group:
                found[entry.term] = entry.group
                if entry.plural and entry.plural != entry.term:
                    found[entry.plural] = f"{entry.group} plural"
        return MappingProxyType(found)

    @property
    def protected(self) -> Protected:
        """All that counts without a context."""
        return Protected(self.terms)

    def entry(self, word: str) -> Entry | None:
        """The entry of a word, in any case and inflection, possessive or hyphenated; else None."""
        loose = _loose(word)
        return self._by_spelling.get(loose) or self._by_spelling.get(_without_possessive(loose))

    def annotate(
        self, words: Sequence[str], contexts: Mapping[str, Sequence[str]] | None = None
    ) -> list[Annotation]:
        """See `Annotator.annotate`.

        A word that is no entry but holds an unambiguous one ("german-born") has its category, and
        so has one that stands inside a listed phrase in more than half of its places in the
        sentences ("states", of the United States). An
        ambiguous word takes a vote of each context with cues for one side only; a tie, or no
        vote, leaves it at what it is taken for on its own, with a score of one half.
        """
        sentences = contexts or {}
        return [self._annotate(word, sentences.get(word, ())) for word in words]

    def _annotate(self, word: str, sentences: Sequence[str]) -> Annotation:
        entry = self.entry(word)
        if entry is None:
            return self._unlisted(word, sentences)
        if not entry.ambiguous:
            return self._said(word, entry.category, rationale=f"listed as {entry.term!r}")
        by_itself = entry.category if entry.alone else NONE
        finder = Matcher({word: entry.category})
        votes = tuple(filter(None, (_vote(entry, finder, sentence) for sentence in sentences)))
        tally = Counter(votes)
        if tally[NONE] == tally[entry.category]:
            reason = f"listed as {entry.term!r}, {entry.note or 'ambiguous'}; taken by default"
            return self._said(word, by_itself, score=0.5, votes=votes, rationale=reason)
        label, count = tally.most_common(1)[0]
        reason = f"listed as {entry.term!r}; decided by {count} of {len(votes)} contexts"
        return self._said(word, label, score=count / len(votes), votes=votes, rationale=reason)

    def _unlisted(self, word: str, sentences: Sequence[str]) -> Annotation:
        parts = self._unambiguous.find(word)
        if parts:
            return self._said(word, parts[0].category, rationale=f"holds {parts[0].term!r}")
        votes = tuple(self._phrase_votes(word, sentences))
        named = [vote for vote in votes if vote.category]
        if 2 * len(named) <= len(votes):
            return self._said(word, NONE, rationale="not listed")
        return self._said(
            word,
            named[0].category,
            score=len(named) / len(votes),
            votes=tuple(vote.category or NONE for vote in votes),
            rationale=f"part of {named[0].term!r} in {len(named)} of {len(votes)} places",
        )

    def _phrase_votes(self, word: str, sentences: Sequence[str]) -> Iterator[Match]:
        """The listed phrase around each place of a word, or the place itself, without category."""
        if not _WORD.search(word):
            return
        finder = Matcher({word: ""})
        for sentence in sentences:
            places = finder.find(sentence)
            phrases = self._unambiguous.find(sentence) if places else []
            for place in places:
                around = (p for p in phrases if p.start <= place.start and place.end <= p.end)
                yield next(around, place)

    def _said(
        self,
        word: str,
        category: str,
        *,
        score: float = 1.0,
        votes: tuple[str, ...] = (),
        rationale: str,
    ) -> Annotation:
        return Annotation(
            word=word,
            category=category,
            score=score,
            votes=votes,
            source=f"lexicon:{self.name}",
            rationale=rationale,
        )

    @cached_property
    def _unambiguous(self) -> Matcher:
        return Matcher(
            {
                word: each.category
                for each in self.entries
                if not each.ambiguous
                for word in each.spellings
            }
        )

    def _counterparts(self) -> Iterator[tuple[str, str]]:
        for entry in self.entries:
            if not entry.pair:
                continue
            other = self._by_spelling.get(_loose(entry.pair[0]))
            yield entry.term, entry.pair[0]
            plural = other.plural if other else "".join(entry.pair[1:2])
            if entry.plural and plural:
                yield entry.plural, plural
            if other and other.pair[:1] == (entry.term,) and len(other.forms) == len(entry.forms):
                yield from zip(entry.forms, other.forms, strict=True)


def _vote(entry: Entry, finder: Matcher, sentence: str) -> str | None:
    """The label a sentence speaks for; None where it has no cues, or cues on both sides."""
    pro = con = False
    for match in finder.iterate(sentence):
        seen = _around(sentence, match) | _case(sentence, match)
        pro |= not seen.isdisjoint(entry.cues_for)
        con |= not seen.isdisjoint(entry.cues_against)
    return None if pro == con else entry.category if pro else NONE


def _around(sentence: str, match: Match) -> set[str]:
    before = _WORD.findall(sentence[: match.start])[-WINDOW:]
    after = _WORD.findall(sentence[match.whole_end :])[:WINDOW]
    return {key(word) for word in (*before, *after)}


def _case(sentence: str, match: Match) -> set[str]:
    """What the first letter says: nothing where a sentence begins or case is not used."""
    before = sentence[: match.start].rstrip()
    if sentence[match.start].islower():
        return {_SMALL} if any(map(str.isupper, sentence)) else set()
    if not before or before[-1] in _OPENS or not any(map(str.islower, sentence)):
        return set()
    return {_CAPITAL}


def _loose(word: str) -> str:
    """As words are looked up: hyphens are spaces."""
    return " ".join(key(word).replace("-", " ").split())


def _without_possessive(word: str) -> str:
    return word.removesuffix("'s") if word.endswith("'s") else word.rstrip("'")


def _text_of(source: str | Path) -> tuple[str, str]:
    """Content of a lexicon and what its errors call it."""
    shipped = _SHIPPED / f"{source}.tsv"
    try:
        if re.fullmatch(r"[a-z0-9-]+", str(source)) and shipped.is_file():
            return shipped.read_text(encoding="utf-8"), f"{source}.tsv"
        return Path(source).read_text(encoding="utf-8-sig"), str(source)
    except UnicodeDecodeError as error:
        raise DataError(f"{source} is not UTF-8: {error.reason}; save it as UTF-8") from error
    except OSError as error:
        names = [path.name.removesuffix(".tsv") for path in _SHIPPED.iterdir()]
        raise UsageError(
            f"there is no lexicon and no file {str(source)!r}; {nearest(str(source), names)}"
        ) from error


def _entries(text: str, where: str) -> Iterator[Entry]:
    lines = ((n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip())
    numbered = [(n, line) for n, line in lines if not line.startswith("#")]
    if not numbered:
        raise DataError(f"{where} is empty; it needs a line of column names: term, category")
    rows = csv.reader([line for _, line in numbered], delimiter="\t", quoting=csv.QUOTE_NONE)
    header = next(rows)
    unknown = set(header) - {*_COLUMNS, *_CUE_COLUMNS}
    if unknown or not {"term", "category"} <= set(header):
        raise DataError(
            f"{where}: the columns are term and category, and any of "
            f"{', '.join((*_COLUMNS[2:], *_CUE_COLUMNS))}; got {', '.join(header)}"
        )
    for (line, _), row in zip(numbered[1:], rows, strict=True):
        if len(row) > len(header):
            raise DataError(f"{where}, line {line}: {len(row)} fields for {len(header)} columns")
        yield _entry(dict(zip(header, row, strict=False)), f"{where}, line {line}")


def _entry(row: Mapping[str, str], where: str) -> Entry:
    fields = {name: (row.get(name) or "").strip() for name in (*_COLUMNS, *_CUE_COLUMNS)}
    if not _WORD.search(fields["term"]):
        raise DataError(f"{where}: a term needs a letter or a digit, got {fields['term']!r}")
    if fields["category"] not in CATEGORIES:
        near = nearest(fields["category"], CATEGORIES)
        raise DataError(f"{where}: {fields['category']!r} is no category; {near}")
    if fields["alone"] not in ("", "yes", "no"):
        raise DataError(f"{where}: alone is yes or no, got {fields['alone']!r}")
    return Entry(
        term=fields["term"],
        category=fields["category"],
        plural=fields["plural"],
        forms=_split(fields["forms"]),
        pair=_split(fields["pair"]),
        group=fields["group"],
        alone=fields["alone"] != "no",
        cues_for=frozenset(_split(fields["cues_for"])),
        cues_against=frozenset(_split(fields["cues_against"])),
        note=fields["note"],
    )


def _split(field: str) -> tuple[str, ...]:
    return tuple(part for part in (part.strip() for part in field.split("|")) if part)
