import json
import math
import random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from scipy import stats

from burnish.errors import DataError, UsageError
from burnish.methods.nlpguard.aggregation import Ranking, WordSums, WordTable
from burnish.methods.nlpguard.classifier import Attributed

CLASSES = ("care", "state")


def text(**scores):
    words = tuple(scores)
    return Attributed(words, tuple((0, 0) for _ in words), np.array(list(scores.values())))


def of(pairs):
    """A text whose words may repeat."""
    words, scores = zip(*pairs, strict=True)
    return Attributed(words, tuple((0, 0) for _ in words), np.array(scores, dtype=float))


def drawn(count, seed=0):
    """Explained texts over few words in mixed case, and the classes they were explained for."""
    rng = np.random.default_rng(seed)
    words = np.array(["King", "king", "nurse", "She", "she", "a", "2024", "poet", "Île", "##ing"])
    texts = [
        of(list(zip(rng.choice(words, size).tolist(), rng.uniform(-1, 1, size), strict=True)))
        for size in rng.integers(1, 9, count)
    ]
    return rng.integers(0, 2, count).tolist(), texts


def summed(targets, texts):
    sums = WordSums(CLASSES)
    sums.add(targets, texts)
    return sums


def naive(targets, texts):
    rows = [
        (CLASSES[target], word.lower(), score)
        for target, one in zip(targets, texts, strict=True)
        for word, score in zip(one.words, one.scores.tolist(), strict=True)
    ]
    grouped = pd.DataFrame(rows, columns=["class", "word", "s"]).groupby(["class", "word"])["s"]
    return grouped.agg(["count", "mean", "std"])


def test_equals_a_naive_computation_with_pandas():
    targets, texts = drawn(3000)
    table = summed(targets, texts).table().frame.set_index(["class", "word"]).sort_index()
    wanted = naive(targets, texts).sort_index()
    assert table.index.tolist() == wanted.index.tolist()
    assert table["n"].tolist() == wanted["count"].tolist()
    assert np.abs(table["mean"] - wanted["mean"]).max() < 1e-9
    assert np.abs(table["sd"] - wanted["std"]).max() < 1e-9


def test_nearly_equal_scores_keep_their_small_deviation():
    scores = [0.5, 0.5 + 1e-7, 0.5 - 1e-7]
    (row,) = summed([0], [of([("king", s) for s in scores])]).table().frame.itertuples()
    assert row.sd == pytest.approx(np.std(scores, ddof=1), rel=1e-3)
    (same,) = summed([0], [of([("king", 0.3)] * 5)]).table().frame.itertuples()
    assert same.sd == 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 12))
def test_any_sharding_and_any_order_give_the_same_bytes(tmp_path_factory, seed, parts):
    folder = tmp_path_factory.mktemp("sums")
    targets, texts = drawn(60)
    order = list(range(60))
    random.Random(seed).shuffle(order)
    shards = [
        summed([targets[i] for i in order[k::parts]], [texts[i] for i in order[k::parts]])
        for k in range(parts)
    ]
    merged = WordSums(CLASSES)
    for shard in shards:
        merged.merge(shard)
    merged.to_parquet(folder / "merged")
    whole = summed(targets, texts)
    whole.to_parquet(folder / "whole")
    assert (folder / "merged").read_bytes() == (folder / "whole").read_bytes()
    merged.table().to_parquet(folder / "merged")
    whole.table().to_parquet(folder / "whole")
    assert (folder / "merged").read_bytes() == (folder / "whole").read_bytes()


def test_merging_is_associative_and_leaves_the_other_alone():
    a, b, c = (summed(*drawn(40, seed)) for seed in range(3))
    before = b.counted().copy()
    left, right = WordSums(CLASSES), WordSums(CLASSES)
    left.merge(a)
    left.merge(b)
    left.merge(c)
    b_c = WordSums(CLASSES)
    b_c.merge(c)
    b_c.merge(b)
    right.merge(b_c)
    right.merge(a)
    pd.testing.assert_frame_equal(left.table().frame, right.table().frame)
    pd.testing.assert_frame_equal(b.counted(), before)


def test_sums_come_back_from_their_file_with_notes(tmp_path):
    sums = summed(*drawn(50))
    sums.to_parquet(tmp_path / "sums.parquet", {"explained": 50})
    back, notes = WordSums.from_parquet(tmp_path / "sums.parquet")
    assert notes["explained"] == 50
    pd.testing.assert_frame_equal(back.table().frame, sums.table().frame)
    plain = pd.read_parquet(tmp_path / "sums.parquet")
    assert list(plain.columns[:5]) == ["class", "word", "n", "mean", "M2"]
    wanted = naive(*drawn(50)).loc[("care", "king")]
    row = plain[(plain["class"] == "care") & (plain["word"] == "king")].iloc[0]
    assert math.sqrt(row["M2"] / (row["n"] - 1)) == pytest.approx(wanted["std"], abs=1e-9)


def test_the_interval_is_student_s():
    scores = [0.1, 0.4, 0.25, 0.3]
    (row,) = summed([0], [of([("king", s) for s in scores])]).table().frame.itertuples()
    low, high = stats.ttest_1samp(scores, 0).confidence_interval(0.95)
    assert (row.low, row.high) == (pytest.approx(low), pytest.approx(high))


def test_one_occurrence_has_no_interval():
    (row,) = summed([0], [text(king=0.5)]).table().frame.itertuples()
    assert math.isnan(row.sd)
    assert math.isnan(row.low)
    assert math.isnan(row.high)
    assert row.rank == 0


def test_the_shrunk_mean_counts_further_scores_of_zero():
    frame = summed([0], [of([("king", 0.6)] * 3)]).table(Ranking(shrinkage=6)).frame
    assert frame["shrunk"].tolist() == pytest.approx([3 * 0.6 / 9])


def test_ranks_follow_the_mean_and_the_rules():
    scores = {"rare": 0.9, "king": 0.2, "poet": 0.4, "of": 0.8, "1999": 0.7, "##ing": 0.6}
    scores |= {"bad": -0.5, "none": 0.0, "x15": 0.1}
    texts = [of([(word, s) for word, s in scores.items() if word != "rare"])] * 2
    table = summed([0, 0, 0], [*texts, text(rare=0.9)]).table()
    ranked = table.of("care").set_index("word")["rank"]
    assert ranked[ranked > 0].to_dict() == {"poet": 1, "king": 2, "x15": 3}
    assert table.top("care", 2) == ["poet", "king"]
    assert table.top("care", 400) == ["poet", "king", "x15"]
    assert table.top("state", 5) == []


def test_ranks_are_of_each_class_alone_and_go_by_the_word_in_a_tie():
    texts = [of([("beta", 0.5), ("alpha", 0.5), ("gamma", 0.1)] * 2)] * 2
    table = summed([0, 1], texts).table()
    for name in CLASSES:
        assert table.top(name, 3) == ["alpha", "beta", "gamma"]


def test_ranking_by_the_shrunk_mean_lifts_frequent_words():
    texts = [of([("rare", 0.5)] * 2 + [("common", 0.4)] * 50)]
    assert summed([0], texts).table().top("care", 2) == ["rare", "common"]
    by_shrunk = Ranking(by_shrunk=True)
    assert summed([0], texts).table(by_shrunk).top("care", 2) == ["common", "rare"]


def test_rules_can_be_changed():
    table = summed([0], [text(of=0.5, king=0.2)]).table(Ranking(least=1, length=1))
    assert table.top("care", 9) == ["of", "king"]
    with pytest.raises(UsageError, match="shrinkage must not be negative, got -1"):
        Ranking(shrinkage=-1)


def test_words_are_counted_in_lower_case():
    table = summed([0], [of([("King", 0.2), ("KING", 0.4), ("king", 0.6)])]).table()
    assert table.frame[["word", "n"]].to_numpy().tolist() == [["king", 3]]
    assert table.frame["mean"].tolist() == pytest.approx([0.4])


def test_no_words_make_an_empty_table(tmp_path):
    sums = WordSums(CLASSES)
    sums.add([0], [of([("a", 0.1)][:1])][:0] or [Attributed((), (), np.zeros(0))])
    table = sums.table()
    assert len(table.frame) == 0
    assert table.top("care", 3) == []
    sums.to_parquet(tmp_path / "none.parquet")
    back, _ = WordSums.from_parquet(tmp_path / "none.parquet")
    assert len(back.table().frame) == 0
    table.to_parquet(tmp_path / "table.parquet")
    assert WordTable.from_parquet(tmp_path / "table.parquet").top("state", 1) == []


def test_the_table_comes_back_from_its_file(tmp_path):
    table = summed(*drawn(50)).table()
    table.to_parquet(tmp_path / "table.parquet")
    back = WordTable.from_parquet(tmp_path / "table.parquet")
    assert back.classes == CLASSES
    pd.testing.assert_frame_equal(back.frame, table.frame)


def test_what_is_no_table_is_refused(tmp_path):
    (tmp_path / "bad").write_bytes(b"no parquet")
    pd.DataFrame({"class": ["a"]}).to_parquet(tmp_path / "other")
    for name in ("bad", "other", "missing"):
        with pytest.raises(DataError, match="no table of words that burnish wrote"):
            WordSums.from_parquet(tmp_path / name)
    summed([0], [text(king=0.5)]).to_parquet(tmp_path / "sums")
    with pytest.raises(DataError, match="lacks the columns rank"):
        WordTable.from_parquet(tmp_path / "sums")


@pytest.mark.parametrize(
    ("notes", "message"),
    [
        ({}, "does not name its classes"),
        ({"classes": "ab"}, "does not name its classes"),
        ([], "does not name its classes"),
        ({"classes": ["other"]}, "has words of classes that it does not name"),
    ],
)
def test_notes_that_do_not_fit_the_words_are_refused(tmp_path, notes, message):
    path = tmp_path / "sums"
    summed([0], [text(king=0.5)]).to_parquet(path)
    table = parquet.read_table(path).replace_schema_metadata({"burnish": json.dumps(notes)})
    parquet.write_table(table, path)
    with pytest.raises(DataError, match=message):
        WordSums.from_parquet(path)


@pytest.mark.parametrize("score", [1.5, -2.0, math.nan, math.inf])
def test_scores_that_were_not_normalised_are_refused(score):
    with pytest.raises(UsageError, match="finite and normalised"):
        summed([0], [text(king=score)])


def test_classes_are_checked():
    with pytest.raises(UsageError, match="classes differ"):
        WordSums(CLASSES).merge(WordSums(("a", "b")))
    with pytest.raises(UsageError, match="names of their own, got a, a"):
        WordSums(("a", "a"))
    with pytest.raises(UsageError, match="no class 'art'; there are: care, state"):
        WordSums(CLASSES).table().top("art", 3)


def test_many_occurrences_do_not_overflow():
    sums = summed([0], [of([("king", 1.0), ("king", -1.0)])])
    for _ in range(24):
        sums.merge(sums)
    (row,) = sums.table().frame.itertuples()
    assert row.n == 2**25
    assert row.mean == 0
    assert row.sd == pytest.approx(1, abs=1e-6)


def test_notes_are_plain_json(tmp_path):
    from pyarrow import parquet

    summed([0], [text(king=0.5)]).to_parquet(tmp_path / "sums", {"explained": 1})
    notes = json.loads(parquet.read_schema(tmp_path / "sums").metadata[b"burnish"])
    assert notes == {"classes": list(CLASSES), "explained": 1}
