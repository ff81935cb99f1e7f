"""The official profile against what was measured on the released samples."""

from statistics import mean, pstdev

import pytest

from burnish.methods.structext.generate import build

HARD = {
    (1, 1): 22, (1, 2): 26, (1, 3): 25, (2, 1): 80, (2, 2): 136, (2, 3): 283,
    (3, 1): 312, (3, 2): 2229, (3, 3): 7411,
}  # fmt: skip
MISSED = pytest.mark.xfail(
    strict=True,
    reason="18 % above and 17 % below means of four documents each; (2, 1) cannot match at once "
    "the Hard set's 80 and the 68 of 638 Test samples, and the generator has 67",
)
CASES = [
    pytest.param(cell, published, marks=[MISSED] if cell in ((1, 3), (2, 1)) else [], id=str(cell))
    for cell, published in HARD.items()
]


@pytest.fixture(scope="module")
def small():
    return build(profile="official", n=300, seed=1)


@pytest.mark.parametrize(("depth", "text", "answer"), [(1, 107, 21), (2, 548, 68)])
def test_mean_lengths_are_the_released_ones(small, depth, text, answer):
    cell = [sample for sample in small if sample.difficulty.depth == depth]
    assert mean(len(sample.text) for sample in cell) == pytest.approx(text, rel=0.1)
    assert mean(len(sample.answer) for sample in cell) == pytest.approx(answer, rel=0.1)


def test_syntax_is_nearly_always_faulty(small):
    syntax = [sample.answer == "True" for sample in small if sample.task == "Syntax"]
    assert mean(syntax) == pytest.approx(778 / 792, abs=0.02)


def document_means(cell, documents):
    """Mean length of a document's answers, characters."""
    suite = build(profile="official", grid=[cell], n=documents, seed=3)
    return [mean(len(s.answer) for s in suite[at : at + 29]) for at in range(0, len(suite), 29)]


@pytest.mark.parametrize(("cell", "published"), CASES)
def test_answers_of_the_hard_grid_are_as_long(cell, published):
    documents = 20 if cell[0] == 3 and cell[1] > 1 else 400
    assert mean(document_means(cell, documents)) == pytest.approx(published, rel=0.15)


@pytest.mark.parametrize(("cell", "published"), HARD.items(), ids=str)
def test_published_lengths_are_likely_for_four_documents(cell, published):
    documents = 20 if cell[0] == 3 and cell[1] > 1 else 400
    means = document_means(cell, documents)
    assert abs(mean(means) - published) < 2 * pstdev(means) / 4**0.5
