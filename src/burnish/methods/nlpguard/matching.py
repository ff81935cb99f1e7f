"""Find terms in texts: any case, whole words, longest phrase first. Knows no categories' meaning.

A text is cut into words once, and each distinct word is folded and looked up once, so the time
does not depend on how many terms there are. Nothing of the text is rewritten: spans index the text
as it came, although folding may change a word's length.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from burnish.errors import UsageError
from burnish.methods.nlpguard.annotation import CATEGORIES, key

_MOST_REMEMBERED = 1 << 17  # spellings; a corpus has more only if it is noise
_APOSTROPHES = "'\u2019\u02bc\uff07"
# joins the words of a phrase; an apostrophe, a word of its own, joins without anything between
_GAP = re.compile(rf"[\s_]+|[-\u2010-\u2013]|(?=[{_APOSTROPHES}])|(?<=[{_APOSTROPHES}])")
_POINT = re.compile(r"(?<![^\W_]{2})\.")  # behind a single letter, as in "U.S."
_QUOTED = 200  # characters before a word in which an opening quotation mark is looked for


class Match(NamedTuple):
    """A term found in a text.

    Attributes:
        start: of the word or phrase in the text.
        end: behind it, without a possessive mark.
        term: the term as the matcher was given it.
        category: of the term.
        possessive: length of "'s" or "'" behind `end`, else 0.
    """

    start: int
    end: int
    term: str
    category: str
    possessive: int = 0

    @property
    def whole_end(self) -> int:
        """Behind the possessive mark, where there is one: what a removal takes out."""
        return self.end + self.possessive


class _Phrase(NamedTuple):
    """A term and its folded words after the first."""

    rest: tuple[str, ...]
    term: str
    category: str


class Matcher:
    """Terms and how to find them.

    Words are runs of letters and digits with their marks; everything else bounds them, so "women"
    is found in "women's" and "woman" in "woman-owned", and "homme" in "l'homme". The words of a
    phrase may be joined by spaces or line breaks, a hyphen or underscores: "african american" finds
    "African-American"; single letters also by points, so "u.s." is found in "U.S." without its last
    point, and not in "us". Where terms overlap, the leftmost counts, and the longest of those that
    start there. A script without spaces between words is not cut into words.

    Args:
        terms: category by term; spellings that fold alike are one term.

    Raises:
        UsageError: a term holds no word, or two spellings of a term differ in category.
    """

    def __init__(self, terms: Mapping[str, str]) -> None:
        self._token = _token_pattern()
        found: dict[tuple[str, ...], _Phrase] = {}
        for term, category in terms.items():
            words = tuple(self._words(term))
            if not words:
                raise UsageError(f"a term needs a letter or a digit, got {term!r}")
            known = found.setdefault(words, _Phrase(words[1:], term, category))
            if known.category != category:
                raise UsageError(
                    f"{term!r} is both {known.category!r} and {category!r}; keep one of them"
                )
        heads: dict[str, list[_Phrase]] = {}
        for words, phrase in found.items():
            heads.setdefault(words[0], []).append(phrase)
        self._spellings = _Spellings(
            {
                head: tuple(sorted(phrases, key=lambda phrase: -len(phrase.rest)))
                for head, phrases in heads.items()
            }
        )
        self.terms: Mapping[str, str] = {each.term: each.category for each in found.values()}

    def find(self, text: str) -> list[Match]:
        """The terms in a text, from left to right, none overlapping."""
        return list(self.iterate(text))

    def iterate(self, text: str) -> Iterator[Match]:
        """As `find`, one at a time."""
        spellings, behind = self._spellings, 0
        for word in self._token.finditer(text):
            phrases = spellings[word[0]]
            if phrases is None or word.start() < behind:
                continue
            for phrase in phrases:
                end = self._end(text, word.end(), phrase.rest)
                if end is not None:
                    mark = _possessive(text, word.start(), end)
                    yield Match(word.start(), end, phrase.term, phrase.category, mark)
                    behind = end
                    break

    def find_all(self, texts: Iterable[str]) -> Iterator[list[Match]]:
        """`find` of each text, in order, as they come."""
        return map(self.find, texts)

    def presence(self, texts: Sequence[str]) -> NDArray[np.bool_]:
        """Which categories each text holds a term of.

        Returns:
            (n, 9), in the order of `CATEGORIES`.
        """
        column = {category: index for index, category in enumerate(CATEGORIES)}
        found = np.zeros((len(texts), len(CATEGORIES)), dtype=np.bool_)
        for row, text in enumerate(texts):
            for match in self.iterate(text):
                if match.category in column:
                    found[row, column[match.category]] = True
        return found

    def _words(self, term: str) -> Iterator[str]:
        return (key(word[0]) for word in self._token.finditer(term))

    def _end(self, text: str, end: int, rest: tuple[str, ...]) -> int | None:
        """Where a phrase ends whose first word ends at `end`; None if the rest does not follow."""
        for wanted in rest:
            gap = _GAP.match(text, end) or (_POINT.match(text, end) if len(wanted) == 1 else None)
            word = gap and self._token.match(text, gap.end())
            if not word or key(word[0]) != wanted:
                return None
            end = word.end()
        return end


class _Spellings(dict[str, tuple[_Phrase, ...] | None]):
    """Phrases by a first word as it is spelled in texts, filled as spellings turn up."""

    def __init__(self, heads: Mapping[str, tuple[_Phrase, ...]]) -> None:
        super().__init__()
        self._heads = heads

    def __missing__(self, spelling: str) -> tuple[_Phrase, ...] | None:
        if len(self) >= _MOST_REMEMBERED:
            self.clear()
        phrases = self[spelling] = self._heads.get(key(spelling))
        return phrases


@cache
def _token_pattern() -> re.Pattern[str]:
    """A word, or an apostrophe inside one, which is a word of its own.

    Python's class of word characters leaves out combining marks, which would cut words of many
    scripts, and words that are spelled with separate accents or hidden by invisible characters.
    """
    marks = "".join(map(chr, filter(_is_mark, range(0x300, 0xFE30))))
    inner = "[" + marks + "\u00ad\u200b\u200c\u200d\u2060\ufeff]"
    return re.compile(rf"[^\W_]+(?:{inner}+[^\W_]*)*|(?<=\w)[{_APOSTROPHES}](?=\w)")


def _is_mark(code: int) -> bool:
    return unicodedata.category(chr(code)).startswith("M")


def _possessive(text: str, start: int, end: int) -> int:
    """Length of the possessive mark at `end`.

    A bare apostrophe behind an s may close a quotation; it counts as a mark only before another
    word and if no quotation was opened shortly before.
    """
    if text[end : end + 1] not in _APOSTROPHES or end >= len(text):
        return 0
    if text[end + 1 : end + 2] in ("s", "S"):
        return 0 if text[end + 2 : end + 3].isalnum() else 2
    follows = re.match(r"\s+\w", text[end + 1 : end + 8])
    if text[end - 1] not in "sS" or not follows:
        return 0
    before = text[max(0, start - _QUOTED) : start]
    return 0 if re.search(rf"(?<!\w)[{_APOSTROPHES}]", before) else 1
