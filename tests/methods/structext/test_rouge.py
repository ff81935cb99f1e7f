"""The fast RougeL against the package it must equal and against a plain dictionary programme."""

import random
import time

import pytest
from rouge import Rouge

from burnish.methods.structext.rouge import rouge_l, rouge_l_75

PACKAGE = Rouge(metrics=["rouge-l"])


def package(hypothesis: str, reference: str) -> float:
    """The PyPI package; 0 where it refuses an empty text."""
    try:
        return PACKAGE.get_scores(hypothesis, reference)[0]["rouge-l"]["f"]
    except ValueError:
        return 0.0


def by_hand(hypothesis: str, reference: str) -> float:
    """The definition: a full table for each pair of pieces, walked back in a loop."""

    def pieces(text: str) -> list[list[str]]:
        return [" ".join(piece.split()).split(" ") for piece in text.split(".") if piece]

    union: set[str] = set()
    for rows in pieces(reference):
        for columns in pieces(hypothesis):
            n, m = len(rows), len(columns)
            length = [[0] * (m + 1) for _ in range(n + 1)]
            for i in range(1, n + 1):
                for j in range(1, m + 1):
                    if rows[i - 1] == columns[j - 1]:
                        length[i][j] = length[i - 1][j - 1] + 1
                    else:
                        length[i][j] = max(length[i - 1][j], length[i][j - 1])
            i, j = n, m
            while i and j:
                if rows[i - 1] == columns[j - 1]:
                    union.add(rows[i - 1])
                    i, j = i - 1, j - 1
                elif length[i - 1][j] > length[i][j - 1]:
                    i -= 1
                else:
                    j -= 1
    words = [{word for piece in pieces(text) for word in piece} for text in (hypothesis, reference)]
    if not all(words):
        return 0.0
    precision, recall = len(union) / len(words[0]), len(union) / len(words[1])
    return 2 * precision * recall / (precision + recall + 1e-8)


def random_pairs(count: int, seed: int) -> list[tuple[str, str]]:
    """Texts with few and many distinct words, repeats, full stops, blank and empty pieces."""
    rng = random.Random(seed)
    extras = [[], ["."], [".", " ", "\n", "\t"], ["a.b", "..", ". ."], ["x.png\n", "y.jpg\n"]]
    pairs = []
    for _ in range(count):
        words = [f"w{i}" for i in range(rng.choice([1, 2, 3, 6, 40]))]
        alphabet = words + rng.choice(extras)
        texts = [
            rng.choice([" ", " ", "", "\n"]).join(rng.choices(alphabet, k=rng.randint(0, 30)))
            for _ in range(2)
        ]
        if rng.random() < 0.3:  # a near copy, as good answers are
            kept = [word for word in texts[0].split(" ") if rng.random() < 0.9]
            texts[1] = " ".join(kept)
        pairs.append((texts[0], texts[1]))
    return pairs


def structured_pairs(count: int, seed: int) -> list[tuple[str, str]]:
    """Excerpts as the benchmark asks for, and slips models make in them."""
    rng = random.Random(seed)
    pairs = []
    for _ in range(count):
        lines = [f'"{rng.choice("ABCDE")}":"{rng.choice("abcde")}",' for _ in range(12)]
        answer = "{\n" + "\n".join(" " * rng.randint(0, 2) + line for line in lines) + "\n}"
        slips = [line for line in lines if rng.random() < 0.8]
        rng.shuffle(slips) if rng.random() < 0.5 else None
        pairs.append((answer, "{\n" + "\n".join(slips) + "\n}"))
        files = [
            f"{rng.choice('abc')}{rng.choice('def')}.{rng.choice(['png', 'jpg'])}" for _ in "12345"
        ]
        pairs.append(("\n".join(files), "\n".join(rng.sample(files, 5))))
    return pairs


def test_equals_the_package_on_random_texts():
    pairs = random_pairs(2000, seed=1)
    assert [rouge_l(a, b) for a, b in pairs] == pytest.approx(
        [package(a, b) for a, b in pairs], abs=1e-9
    )


def test_equals_the_package_on_structured_answers():
    pairs = structured_pairs(150, seed=2)
    assert [rouge_l(a, b) for a, b in pairs] == pytest.approx(
        [package(a, b) for a, b in pairs], abs=1e-9
    )


def test_equals_the_definition():
    pairs = random_pairs(400, seed=3)
    assert [rouge_l(a, b) for a, b in pairs] == pytest.approx(
        [by_hand(a, b) for a, b in pairs], abs=1e-12
    )


def test_a_tie_drops_the_hypothesis_word():
    # "x y" against "y x" has two longest subsequences; only the walk's own choice is in U, and
    # here it decides whether a second pair of pieces adds a word
    assert rouge_l("x y.y", "y x") == pytest.approx(package("x y.y", "y x"), abs=1e-12)
    assert rouge_l("x y.x", "y x") == pytest.approx(package("x y.x", "y x"), abs=1e-12)
    assert rouge_l("x y.y", "y x") != rouge_l("x y.x", "y x")


def test_the_thresholded_score_is_the_score_or_nothing():
    pairs = random_pairs(1500, seed=4) + structured_pairs(100, seed=5)
    values = [
        (rouge_l_75(prediction, answer), rouge_l(answer, prediction))
        for prediction, answer in pairs
    ]
    assert all(cut == (full if full >= 0.75 else 0.0) for cut, full in values)
    assert any(cut > 0 for cut, _ in values)
    assert any(cut == 0 < full for cut, full in values)


@pytest.mark.parametrize("nothing", ["", ".", "...", " . . "])
def test_an_empty_answer_scores_nothing(nothing):
    assert rouge_l("a b", nothing) == 0.0
    assert rouge_l_75(nothing, "a b") == 0.0


def test_equal_texts_score_a_hair_below_one():
    assert rouge_l("a b. c", "a b. c") == package("a b. c", "a b. c")
    assert 0.999 < rouge_l("a b. c", "a b. c") < 1


def test_five_thousand_words_neither_fail_nor_take_long():
    rng = random.Random(6)
    ours, theirs = (" ".join(f"w{rng.randrange(900)}" for _ in range(5000)) for _ in "ab")
    start = time.perf_counter()
    value = rouge_l(ours, theirs)
    assert time.perf_counter() - start < 5
    assert 0 < value < 1


def test_five_thousand_pieces_are_no_quadratic_wait():
    rng = random.Random(7)
    ours, theirs = (".".join(f"the w{rng.randrange(3000)}" for _ in range(5000)) for _ in "ab")
    start = time.perf_counter()
    assert rouge_l(ours, theirs) > 0.5
    assert time.perf_counter() - start < 5
