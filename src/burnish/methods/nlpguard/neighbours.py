"""Words near a word, by the cosine of their vectors in a table at hand: nothing is downloaded.

The table is the classifier's own input embeddings, or for linear models one made from texts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from burnish.errors import UsageError
from burnish.methods.nlpguard.annotation import key

_WORD_STARTS = ("\u2581", "\u0120")  # of a first piece, in SentencePiece and byte-level BPE
_MARKED = 10  # of so many tokens at least one begins a word, where words are marked so
_TERM = r"(?u)\b[^\W\d_]{2,}\b"
Rows = Callable[[str], Sequence[int]]


class WordVectors:
    """A table of word vectors, asked for neighbours.

    Args:
        words: of the rows; only these can be neighbours. Spellings of one `key` count once, the
            first.
        rows: (n,), the row of each word.
        vectors: (V, D); a row need not belong to a word.
        parts: rows whose mean stands for a word that is not among the words; may be none.

    Raises:
        UsageError: words, rows and vectors do not fit.
    """

    def __init__(
        self, words: Sequence[str], rows: Sequence[int], vectors: NDArray[Any], parts: Rows
    ) -> None:
        if len(words) != len(rows) or vectors.ndim != 2:
            raise UsageError(
                f"each word has a row in a table (V, D), got {len(words)} words, {len(rows)} rows "
                f"and a table {vectors.shape}"
            )
        own: dict[str, tuple[str, int]] = {}
        for word, row in zip(words, rows, strict=True):
            own.setdefault(key(word), (word, row))
        self._index = {name: at for at, name in enumerate(own)}
        self._words = [word for word, _ in own.values()]
        self._keys = list(own)
        self._all = np.asarray(vectors, dtype=np.float32)
        self._vectors = _of_length_one(self._all[[row for _, row in own.values()]])
        self._parts = parts

    def __len__(self) -> int:
        return len(self._words)

    def near(self, word: str, k: int, allowed: Callable[[str], bool]) -> list[str]:
        """The k nearest allowed words, nearest first, the word itself left out.

        Fewer if no more are allowed; none if the table knows neither the word nor parts of it.
        Words of the same cosine come in the order of the table.

        Raises:
            UsageError: k is below 1.
        """
        if k < 1:
            raise UsageError(f"k counts neighbours and is at least 1, got {k}")
        name = key(word)
        vector = self._vector(name)
        if vector is None:
            return []
        found: list[str] = []
        for at in np.argsort(-(self._vectors @ vector), kind="stable"):
            if self._keys[at] != name and allowed(self._words[at]):
                found.append(self._words[at])
                if len(found) == k:
                    break
        return found

    def _vector(self, name: str) -> NDArray[np.float32] | None:
        at = self._index.get(name)
        if at is not None:
            known: NDArray[np.float32] = self._vectors[at]
            return known
        parts = list(self._parts(name))
        mean = self._all[parts].mean(0) if parts else np.zeros(self._all.shape[1], np.float32)
        return _of_length_one(mean[None])[0] if mean.any() else None


def of_model(model: Any, tokenizer: Any) -> WordVectors:
    """The input embeddings of a transformers model; words are the tokens that are whole words.

    A word that the tokenizer cuts has the mean of its pieces. Only tokens of at least two
    characters, all letters, can be neighbours.

    Args:
        model: a transformers model.
        tokenizer: its own.

    Source: NLPGuard, arXiv 2407.01697. Departure: GloVe (300 d) there.
    """
    table = model.get_input_embeddings().weight.detach().float().cpu().numpy()
    words = _whole_words(tokenizer.get_vocab(), set(tokenizer.all_special_tokens))
    unknown = tokenizer.unk_token_id

    def pieces(word: str) -> list[int]:
        ids: list[int] = tokenizer(" " + word, add_special_tokens=False)["input_ids"]
        return [] if unknown is not None and unknown in ids else ids

    return WordVectors(list(words), list(words.values()), table, pieces)


def word_mark(vocabulary: Mapping[str, int]) -> str:
    """What a vocabulary puts before the first piece of a word; empty if it marks the others."""
    for mark in _WORD_STARTS:
        # the mark may stand in any vocabulary as a character of its own
        if sum(token.startswith(mark) for token in vocabulary) * _MARKED >= len(vocabulary):
            return mark
    return ""


def _whole_words(vocabulary: Mapping[str, int], special: set[str]) -> dict[str, int]:
    """Rows by word, in the order of the rows."""
    mark = word_mark(vocabulary)
    words: dict[str, int] = {}
    for token, row in sorted(vocabulary.items(), key=lambda item: item[1]):
        if token in special or not token.startswith(mark):
            continue
        word = token.removeprefix(mark)  # the "##ing" of the others holds no letters only
        if len(word) > 1 and word.isalpha():
            words.setdefault(word, row)
    return words


def of_texts(
    texts: Sequence[str], *, size: int = 100, least_texts: int = 2, seed: int = 0
) -> WordVectors:
    """Vectors from a truncated singular value decomposition of the term-document matrix.

    Words that stand in the same texts are near each other. Terms have two letters or more and
    sublinear tf-idf weights; a phrase has the mean of its words.

    Args:
        texts: of the training set, say.
        size: D, or less where there are fewer words or texts.
        least_texts: a word stands in at least so many.
        seed: of the decomposition's random start.

    Raises:
        UsageError: fewer than two texts, or fewer than two such words.
    """
    terms = TfidfVectorizer(min_df=least_texts, sublinear_tf=True, token_pattern=_TERM)
    try:
        matrix = terms.fit_transform(texts)
    except ValueError as error:  # of an empty vocabulary
        raise UsageError(
            f"no word stands in {least_texts} of the {len(texts)} texts; give more texts, or set "
            "least_texts=1"
        ) from error
    most = min(matrix.shape) - 1
    if most < 1:
        raise UsageError(
            f"word vectors need two texts and two words at least, got {matrix.shape[0]} texts and "
            f"{matrix.shape[1]} words"
        )
    vectors = TruncatedSVD(min(size, most), random_state=seed).fit_transform(matrix.T)
    words = list(map(str, terms.get_feature_names_out()))
    rows = {key(word): row for row, word in enumerate(words)}

    def parts(phrase: str) -> list[int]:
        known = [rows.get(word) for word in phrase.replace("-", " ").split()]
        return [row for row in known if row is not None]

    return WordVectors(words, range(len(words)), vectors, parts)


def _of_length_one(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
