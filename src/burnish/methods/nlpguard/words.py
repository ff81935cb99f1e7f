"""Words of a text, and what the pieces of a tokenizer add up to for each of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Literal

import numpy as np
import regex  # type: ignore[import-untyped]
from numpy.typing import NDArray

Span = tuple[int, int]
Granularity = Literal["word", "token"]

# Letters and digits with their marks, joiners inside; any other visible character is its own
_WORD = regex.compile(r"\w[\w\p{M}\u200c\u200d]*|[^\w\s]")
_CONTINUES = "##"  # how WordPiece marks a piece that continues a word


def word_spans(text: str) -> list[Span]:
    """(start, end) of every word: a run of letters and digits, or one other visible character.

    "women's" has the words "women", "'" and "s"; "african-american" has three.
    """
    return [match.span() for match in _WORD.finditer(text)]


def add_up(
    scores: NDArray[np.float64], pieces: NDArray[np.int64], words: Sequence[Span]
) -> tuple[list[int], NDArray[np.float64]]:
    """Scores of pieces added up by the word that a piece lies in.

    A piece that reaches into several words counts for the first that it covers.

    Args:
        scores: (p,), of the pieces in the order of the text.
        pieces: (p, 2), where each starts and ends in the text.
        words: as from `word_spans`.

    Returns:
        Which words have pieces, ascending, and their scores. Words behind a cut have none, and
        pieces that cover blanks alone belong to none.
    """
    ends = np.array([end for _, end in words], dtype=np.int64)
    starts = np.array([start for start, _ in words], dtype=np.int64)
    of = np.searchsorted(ends, pieces[:, 0], side="right")  # the first word that ends behind it
    inside = of < len(words)
    inside[inside] = starts[of[inside]] < pieces[inside, 1]
    sums = np.zeros(len(words))
    np.add.at(sums, of[inside], scores[inside])
    there = np.unique(of[inside])
    return there.tolist(), sums[there]


def continues(text: str, pieces: NDArray[np.int64]) -> list[str]:
    """The pieces as they stand in the text, with "##" before one that continues a word."""
    inner = {place for start, end in word_spans(text) for place in range(start + 1, end)}
    return [
        f"{_CONTINUES if start in inner else ''}{text[start:end]}" for start, end in pieces.tolist()
    ]


def align(tokens: Sequence[str], text: str) -> NDArray[np.int64]:
    """Where tokens stand in a text, found greedily, for tokenizers that do not tell.

    Each token is looked for from the end of the one before, without its marks (##, ▁, Ġ), case
    and accents. One that is not found, such as an unknown token, covers nothing.

    Returns:
        (tokens, 2), start and end; (k, k) for a token that covers nothing.
    """
    plain, origin = _plain(text)
    found, here = [], 0
    for token in tokens:
        wanted, _ = _plain(token.removeprefix(_CONTINUES).strip("▁Ġ "))
        place = plain.find(wanted, here) if wanted else -1
        if place < 0:
            at = origin[here]
            found.append((at, at))
            continue
        here = place + len(wanted)
        found.append((origin[place], origin[here - 1] + 1))
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _plain(text: str) -> tuple[str, list[int]]:
    """Lower case without accents, and where each of its characters, and its end, came from."""
    parts = [
        (kept, place)
        for place, char in enumerate(text)
        for kept in unicodedata.normalize("NFD", char.lower())
        if not unicodedata.combining(kept)
    ]
    return "".join(kept for kept, _ in parts), [*(place for _, place in parts), len(text)]
