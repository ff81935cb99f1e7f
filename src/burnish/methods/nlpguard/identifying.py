"""From a table of words to the protected ones among those that drive a classifier."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from burnish.errors import UsageError
from burnish.methods.nlpguard.aggregation import WordTable
from burnish.methods.nlpguard.annotation import CATEGORIES, Annotator, Override, Protected, key
from burnish.methods.nlpguard.lexicon import Lexicon
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.strategies.removal import sentences

CONTEXTS = 5  # sentences of a word
_LONG = 300  # characters; of a longer text the sentence is shown, not the text


def top_words(table: WordTable, count: int) -> list[str]:
    """The `count` most predictive words of every class, in alphabetical order, each once.

    Spellings of one `key` are one word; what holds no letter or digit is no word.
    """
    words = sorted({word for label in table.classes for word in table.top(label, count)})
    return list({key(word): word for word in words if any(map(str.isalnum, word))}.values())


def contexts_of(words: Sequence[str], texts: Sequence[str]) -> dict[str, list[str]]:
    """Up to five sentences for each word, in the order of the texts; of short texts the whole."""
    found: dict[str, list[str]] = {word: [] for word in words}
    finder = Matcher(dict.fromkeys(words, CATEGORIES[0]))
    open_words = set(found)
    for text in texts:
        if not open_words:
            break
        for match in finder.iterate(text):
            if match.term in open_words:
                own = found[match.term]
                own.append(_around(text, match.start))
                if len(own) == CONTEXTS:
                    open_words.remove(match.term)
    return found


def _around(text: str, place: int) -> str:
    if len(text) <= _LONG:
        return text
    start, end = next(span for span in sentences(text) if span[1] > place)
    return text[start:end]


def identify(
    table: WordTable,
    annotator: Annotator,
    count: int,
    texts: Sequence[str] = (),
    *,
    overrides: Sequence[Override] = (),
) -> Protected:
    """Which of the most predictive words are protected.

    Args:
        table: of a corpus.
        annotator: says what a word is.
        count: words of each class, N.
        texts: where sentences are taken from that show what an ambiguous word means.
        overrides: corrections that were made before, made again where their words come up.
    """
    words = top_words(table, count)
    found = Protected.of_annotations(annotator.annotate(words, contexts_of(words, texts)))
    there = {key(word) for word in words}
    for each in overrides:
        if each.word in there:
            found = found.override(each.word, each.after, each.reason)
    return found


def known_words(
    lexicon: Lexicon, protected: Mapping[str, str], judged: Sequence[str] = ()
) -> dict[str, str]:
    """Every word that counts: the lexicon's, with what was decided otherwise in its place.

    Args:
        lexicon: what counts where nobody has decided.
        protected: words that were decided to count, and as what.
        judged: all words that were decided on; those not protected do not count, even if the
            lexicon lists them.
    """
    decided = Matcher(dict.fromkeys([*protected, *judged], CATEGORIES[0]))
    kept = {
        term: category
        for term, category in lexicon.terms.items()
        if not any(m.start == 0 and m.whole_end == len(term) for m in decided.iterate(term))
    }
    return {**kept, **protected}


def by_label(
    protected: Protected, table: WordTable, count: int, labels: Collection[Any]
) -> dict[Any, Protected]:
    """For each label, the protected words that drive its class.

    Args:
        protected: words of all classes; one that is in no class's list counts for every class.
        table: whose lists tell which words drive which class.
        count: words of a list, N.
        labels: of the rows that are to be edited: names of classes or their indices.

    Raises:
        UsageError: no label is a class.
    """
    lists = {name: {key(word) for word in table.top(name, count)} for name in table.classes}
    listed: set[str] = set().union(*lists.values())
    there = set(labels)
    found: dict[Any, Protected] = {}
    for place, name in enumerate(table.classes):
        label = next((each for each in (name, place, str(place)) if each in there), None)
        if label is not None:
            own: Mapping[str, str] = {
                word: category
                for word, category in protected.items()
                if word in lists[name] or word not in listed
            }
            found[label] = Protected(own)
    if not found:
        raise UsageError(
            f"no row has a label of the classes {', '.join(table.classes)}, or an index of them; "
            f"there are: {', '.join(sorted(map(repr, there))[:10])}"
        )
    return found
