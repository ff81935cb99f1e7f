"""Votes by hand, and kappa against scikit-learn and the published example."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from burnish.errors import UsageError
from burnish.methods.nlpguard.annotation import NONE, UNDECIDED, Annotation
from burnish.methods.nlpguard.lexicon import Lexicon
from burnish.methods.nlpguard.voting import VoteAnnotator, agreement, decide

N, U, R, S = NONE, UNDECIDED, "race", "sex"


@pytest.mark.parametrize(
    ("votes", "majority", "any_", "unanimous"),
    [
        ([R, R, N], R, R, N),
        ([R, N, N], N, R, N),
        ([N, N, N], N, N, N),
        ([R, S, N], R, R, N),  # more for any category than for none: the first named
        ([R, S, S], S, S, S),
        ([R, N], U, R, N),
        ([R, N, U], U, R, N),
        ([R, R, U], R, R, U),
        ([R, R, N, N, U], U, R, N),
        ([R, U], U, R, U),
        ([N, U], U, U, N),
        ([R, U, U], U, R, U),
        ([N, N, U], N, U, N),
        ([N, U, U], U, U, N),
        ([U, U, U], U, U, U),
        ([], U, U, U),
    ],
)
def test_rules(votes, majority, any_, unanimous):
    assert decide(votes, "majority")[0] == majority
    assert decide(votes, "any")[0] == any_
    assert decide(votes, "unanimous")[0] == unanimous


def test_the_score_is_the_share_of_the_winning_side():
    assert decide([R, S, N])[1] == pytest.approx(2 / 3)
    assert decide([N, N, N, N, R])[1] == pytest.approx(4 / 5)
    assert decide([R, N])[1] == 0


def test_unknown_rules_and_votes_are_refused():
    with pytest.raises(UsageError, match="'most' is no rule of voting"):
        decide([R], "most")
    with pytest.raises(UsageError, match="'yes' is no category"):
        decide([R, "yes"])
    with pytest.raises(UsageError, match="at least one annotator"):
        VoteAnnotator([])


class Saying:
    """An annotator of one opinion on everything."""

    def __init__(self, label):
        self.label = label

    def annotate(self, words, contexts=None):
        return [Annotation(word=w, category=self.label, source=self.label) for w in words]


def test_no_model_overrides_the_lexicon_by_default():
    lexicon, no, race = Lexicon(), Saying(N), Saying(R)
    words = ["actress", "novel"]
    heard = VoteAnnotator([no, lexicon, race, race]).annotate(words)
    assert [a.category for a in heard] == [S, N]
    assert [a.votes for a in heard] == [(N, S, R, R), (N, N, R, R)]
    assert heard[0].source == "lexicon:equality-act-2010"
    alike = VoteAnnotator([no, lexicon, race, race], final=()).annotate(words)
    assert [a.category for a in alike] == [R, U]


def test_the_first_final_voice_that_decides_stands():
    unsure, yes = Saying(U), Saying(S)
    (said,) = VoteAnnotator([Saying(N), unsure, yes], final=(unsure, yes)).annotate(["x"])
    assert (said.category, said.source) == (S, S)
    (open_,) = VoteAnnotator([Saying(N), unsure], final=(unsure,)).annotate(["x"])
    assert open_.category == U
    with pytest.raises(UsageError, match="must be one of the voters"):
        VoteAnnotator([yes], final=(unsure,))


def voted(*rows):
    return [Annotation(word=f"w{n}", category=N, votes=tuple(row)) for n, row in enumerate(rows)]


def test_cohen_is_that_of_scikit_learn():
    rng = np.random.default_rng(1)
    rows = rng.choice([R, S, N], size=(80, 3)).tolist()
    found = agreement(voted(*rows), ["a", "b", "c"], seed=0)
    assert found.words == 80
    for (one, other), interval in found.cohen.items():
        i, j = "abc".index(one), "abc".index(other)
        estimate = cohen_kappa_score([row[i] for row in rows], [row[j] for row in rows])
        assert interval.estimate == pytest.approx(estimate)
        assert interval.low < estimate < interval.high


def test_intervals_are_those_of_a_plain_bootstrap():
    rng = np.random.default_rng(2)
    truth = rng.choice([R, S, N], size=120)
    noisy = np.where(rng.random(120) < 0.3, rng.choice([R, S, N], size=120), truth)
    rows = np.stack([truth, noisy], axis=1)
    found = agreement(voted(*rows.tolist()), ["a", "b"], seed=0).cohen["a", "b"]
    drawn = [rows[rng.integers(0, 120, 120)] for _ in range(400)]
    low, high = np.percentile([cohen_kappa_score(d[:, 0], d[:, 1]) for d in drawn], (2.5, 97.5))
    assert found.bounds == pytest.approx((low, high), abs=0.04)


def test_fleiss_of_two_raters_by_hand():
    # 4 words: agree on race, agree on none twice, differ once; shares 3/8 and 5/8
    found = agreement(voted([R, R], [N, N], [N, N], [R, N]), ["a", "b"], seed=0).fleiss
    expected = (3 / 8) ** 2 + (5 / 8) ** 2
    assert found.estimate == pytest.approx((3 / 4 - expected) / (1 - expected))


def test_fleiss_of_the_published_table():
    # Fleiss 1971 as quoted everywhere: 10 subjects, 14 raters, 5 labels, kappa 0.210
    table = [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
    labels = [R, S, N, "age", "disability"]
    rows = [[labels[c] for c, n in enumerate(counts) for _ in range(n)] for counts in table]
    found = agreement(voted(*rows), [str(n) for n in range(14)], seed=0)
    assert found.fleiss.estimate == pytest.approx(0.210, abs=5e-4)
    assert found.fleiss.low < 0.210 < found.fleiss.high


def test_the_same_seed_gives_the_same_interval():
    rows = voted([R, R], [N, N], [S, N], [R, N])
    assert agreement(rows, "ab", seed=3) == agreement(rows, "ab", seed=3)


def test_categories_or_only_whether_protected():
    rows = voted([R, S], [S, R], [N, N], [N, N])
    assert agreement(rows, "ab", seed=0).cohen["a", "b"].estimate < 0.5
    coarse = agreement(rows, "ab", seed=0, between="protected").cohen["a", "b"]
    assert coarse.estimate == pytest.approx(1)


def test_words_that_a_rater_left_open_are_counted_out():
    found = agreement(voted([R, R], [R, U], [N], [N, N]), "ab", seed=0)
    assert (found.words, found.left_out) == (2, 2)


def test_kappa_that_is_undefined_is_none():
    assert agreement(voted([R, R], [R, R]), "ab", seed=0).cohen == {("a", "b"): None}
    assert agreement(voted([R, R], [R, R]), "ab", seed=0).fleiss is None
    assert agreement([], "ab", seed=0).fleiss is None
    assert agreement(voted([R], [N]), "a", seed=0).fleiss is None
    with pytest.raises(UsageError, match="distinct names"):
        agreement([], "aa", seed=0)
