"""The official score: ROUGE-L as the PyPI package `rouge` 1.0.1 computes it, fast and unbounded.

The package fills a dictionary cell by cell and walks back by recursion, so it is slow, and it fails
beyond about 980 words. Here a row of the table is one integer whose bits say where the row grows
(bit-parallel longest common subsequence), and the way back jumps from bit to bit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

OFFICIAL_THRESHOLD = 0.75


def rouge_l(hypothesis: str, reference: str) -> float:
    """RougeL F of two texts, equal to `Rouge().get_scores(hypothesis, reference)` of `rouge` 1.0.1.

    Both texts are split at every full stop and then into words. U is the union, over all pairs of
    pieces, of the set of words on one longest common subsequence (LCS): the one found by walking
    back from the ends and, on a tie, dropping the hypothesis word. Recall is |U| over the distinct
    words of the reference, precision |U| over those of the hypothesis. Repetitions do not count.

    Args:
        hypothesis: the official evaluation passes the gold answer here.
        reference: and the model's answer here.

    Returns:
        F in [0, 1), up to a hair below 1 for equal texts; 0 when a text is empty or all full stops.
        Memory is one bit for each pair of words of two pieces: 3 MB for 5,000 by 5,000.

    Source: specification of StrucText-Eval, section 2.5; Hyyrö 2004, "Bit-parallel LCS-length
    computation revisited", for the rows. Departure from the package: an empty text scores 0 where
    the package raises `ValueError`, and long texts do not overflow the stack.
    """
    return _f_at_least(hypothesis, reference, threshold=0.0)


def rouge_l_75(prediction: str, answer: str) -> float:
    """The official score of an answer: `rouge_l(answer, prediction)` if at least 0.75, else 0.

    Exact. The words that both texts share bound U from above, so a pair that cannot reach the
    threshold costs no table.

    Args:
        prediction: what the model answered.
        answer: the reference.

    Returns:
        0, or a number in [0.75, 1).
    """
    return _f_at_least(answer, prediction, threshold=OFFICIAL_THRESHOLD)


def _f_at_least(hypothesis: str, reference: str, *, threshold: float) -> float:
    """RougeL F, or 0 when it is below the threshold."""
    ours, theirs = _pieces(hypothesis), _pieces(reference)
    ours_words = {word for piece in ours for word in piece}
    theirs_words = {word for piece in theirs for word in piece}
    shared = ours_words & theirs_words
    sizes = len(ours_words), len(theirs_words)
    if not shared or _f(len(shared), *sizes) < threshold:
        return 0.0
    found = len(shared) if hypothesis == reference else _union(ours, theirs, shared)
    value = _f(found, *sizes)
    return value if value >= threshold else 0.0


def _f(found: int, hypothesis_words: int, reference_words: int) -> float:
    precision = found / hypothesis_words
    recall = found / reference_words
    return 2.0 * ((precision * recall) / (precision + recall + 1e-8))


def _pieces(text: str) -> list[tuple[str, ...]]:
    """Words of each piece between full stops; white space alone is one empty word."""
    return [tuple(piece.split()) or ("",) for piece in text.split(".") if piece]


def _union(
    hypothesis: list[tuple[str, ...]], reference: list[tuple[str, ...]], shared: set[str]
) -> int:
    """|U|: distinct words on the subsequences of all pairs of pieces.

    Only pairs that could add a word are looked at: equal pieces give equal subsequences, and a
    subsequence holds none but words that both pieces have.
    """
    holders: defaultdict[str, list[int]] = defaultdict(list)
    ours = list(dict.fromkeys(hypothesis))
    words = [shared.intersection(piece) for piece in ours]
    for index, own in enumerate(words):
        for word in own:
            holders[word].append(index)
    union: set[str] = set()
    for piece in dict.fromkeys(reference):
        missing = shared.intersection(piece) - union
        partners = {index for word in missing for index in holders[word]}
        for index in sorted(partners):
            if not missing.isdisjoint(words[index]):
                found = _lcs_words(piece, ours[index])
                union |= found
                missing -= found
        if len(union) == len(shared):
            break
    return len(union)


def _lcs_words(rows: Sequence[str], columns: Sequence[str]) -> set[str]:
    """Distinct words on the LCS that the package's walk back finds.

    Bit j of `grows[i]` says that the LCS of rows[:i+1] is longer with columns[:j+1] than with
    columns[:j]. Where the words at (i, j) differ, that is when the package drops the row word;
    otherwise, ties included, it drops the column word.
    """
    if rows == columns:
        return set(rows)
    places: dict[str, int] = {}
    for j, word in enumerate(columns):
        places[word] = places.get(word, 0) | 1 << j
    everywhere = (1 << len(columns)) - 1
    grows: list[int] = []
    level = everywhere  # the complement of the row before, as Hyyrö writes it
    for word in rows:
        here = places.get(word, 0)
        if here:
            both = level & here
            level = ((level + both) | (level ^ both)) & everywhere
        grows.append(everywhere ^ level)
    return _walk_back(rows, places, grows, len(columns))


def _walk_back(
    rows: Sequence[str], places: dict[str, int], grows: list[int], width: int
) -> set[str]:
    found: set[str] = set()
    left = (1 << width) - 1  # columns not yet passed
    for i in range(len(rows) - 1, -1, -1):
        here = places.get(rows[i], 0)
        stop = ((grows[i] | here) & left).bit_length()  # columns between add nothing: drop them
        if not stop:
            break
        last = 1 << (stop - 1)
        if here & last:
            found.add(rows[i])
            left = last - 1
        else:
            left = (last << 1) - 1
    return found
