import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from burnish import assets
from burnish.errors import AssetMissing, UsageError
from burnish.methods.nlpguard.classifier import Skipped
from burnish.methods.nlpguard.explaining import Checkpoint, SkippedText, explain_corpus
from burnish.methods.nlpguard.hf import HfClassifier
from burnish.methods.nlpguard.integrated import IntegratedGradients
from burnish.methods.nlpguard.linear import LinearClassifier, LinearExplainer
from burnish.methods.nlpguard.peers import CaptumIntegratedGradients
from burnish.models.options import quiet
from burnish.training import seeded

STARTS = ["She was a nurse", "he was the king", "a poet and writer", "his country", "her patients"]
TEXTS = [f"{start} of the {end}" for start in STARTS for end in ("french", "sea", "king", "nurse")]


class Counting:
    """Counts the texts that an explainer is given, and fails on some of them."""

    def __init__(self, inner, *, fails=()):
        self.inner, self.fails, self.seen, self.name = inner, fails, [], inner.name

    def explain(self, texts, targets):
        self.seen += texts
        found = self.inner.explain(texts, targets)
        return [
            Skipped("its gradients are not finite") if text in self.fails else one
            for text, one in zip(texts, found, strict=True)
        ]


def corpus(linear, texts=TEXTS, **options):
    return explain_corpus(linear, LinearExplainer(linear), texts, **options)


def same(one, other):
    pd.testing.assert_frame_equal(
        one.sums.table().frame, other.sums.table().frame, check_exact=True
    )


def test_every_text_is_explained_for_the_class_that_is_predicted(linear):
    found = corpus(linear)
    predicted = linear.probabilities(TEXTS).argmax(1)
    counts = np.bincount(predicted, minlength=3).tolist()
    assert found.predicted == dict(zip(linear.classes, counts, strict=True))
    assert (found.explained, found.skipped, found.incomplete) == (len(TEXTS), (), 0)
    table = found.sums.table()
    for index, name in enumerate(linear.classes):
        own = [text for text, target in zip(TEXTS, predicted, strict=True) if target == index]
        assert table.of(name)["n"].sum() == sum(len(text.split()) for text in own)


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
def test_any_sharding_gives_the_same_table(linear, size):
    same(corpus(linear, shard_size=size), corpus(linear))


def test_any_order_gives_the_same_table(linear):
    same(corpus(linear, TEXTS[::-1], shard_size=3), corpus(linear))


@pytest.mark.filterwarnings("ignore:no text is predicted")
def test_gradients_in_any_sharding_give_the_same_ranking(hf):
    whole, parts = (
        explain_corpus(hf, IntegratedGradients(hf, steps=8), texts, shard_size=size).sums.table()
        for texts, size in ((TEXTS, 1000), (TEXTS[::-1], 3))
    )
    for name in hf.classes:
        assert whole.top(name, 400) == parts.top(name, 400)
    merged = whole.frame.merge(parts.frame, on=["class", "word"])
    assert len(merged) == len(whole.frame)
    assert np.abs(merged["mean_x"] - merged["mean_y"]).max() < 1e-5


def test_resuming_explains_nothing_again(tmp_path, linear):
    checkpoint = Checkpoint(tmp_path / "new" / "folder", "linear 1")
    first, second = Counting(LinearExplainer(linear)), Counting(LinearExplainer(linear))
    options = {"shard_size": 6, "checkpoint": checkpoint}
    before = explain_corpus(linear, first, TEXTS, **options)
    after = explain_corpus(linear, second, TEXTS, **options)
    assert sorted(first.seen) == sorted(TEXTS)
    assert second.seen == []
    assert (before.reused, after.reused) == (0, 4)
    same(before, after)
    assert (after.predicted, after.explained) == (before.predicted, before.explained)


def test_work_that_was_cut_off_goes_on_where_it_was(tmp_path, linear):
    checkpoint = Checkpoint(tmp_path, "linear 1")
    kept = Counting(LinearExplainer(linear))

    def stop(_):
        if len(kept.seen) >= 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        explain_corpus(linear, kept, TEXTS, shard_size=6, checkpoint=checkpoint, advance=stop)
    rest = Counting(LinearExplainer(linear))
    found = explain_corpus(linear, rest, TEXTS, shard_size=6, checkpoint=checkpoint)
    assert sorted(rest.seen) == sorted(TEXTS[12:])
    same(found, corpus(linear))


def test_another_identity_class_list_or_text_takes_no_kept_shard(tmp_path, linear):
    first = Checkpoint(tmp_path, "linear 1")
    corpus(linear, checkpoint=first)
    assert corpus(linear, checkpoint=first).reused == 1
    assert corpus(linear, checkpoint=Checkpoint(tmp_path, "linear 2")).reused == 0
    assert corpus(linear, checkpoint=first, classes=["care"]).reused == 0
    assert corpus(linear, [*TEXTS[:-1], "a king"], checkpoint=first).reused == 0


def test_a_corpus_may_grow_at_its_end(tmp_path, linear):
    checkpoint = Checkpoint(tmp_path, "linear 1")
    corpus(linear, TEXTS[:10], shard_size=5, checkpoint=checkpoint)
    assert corpus(linear, shard_size=5, checkpoint=checkpoint).reused == 2


def test_processes_share_the_shards_and_the_last_call_explains_nothing(tmp_path, linear):
    parts = [
        corpus(linear, shard_size=3, checkpoint=Checkpoint(tmp_path, "x", process, 3))
        for process in range(3)
    ]
    assert sum(part.explained for part in parts) == len(TEXTS)
    last = Counting(LinearExplainer(linear))
    found = explain_corpus(linear, last, TEXTS, shard_size=3, checkpoint=Checkpoint(tmp_path, "x"))
    assert last.seen == []
    same(found, corpus(linear))


def test_a_damaged_shard_is_made_anew(tmp_path, linear):
    checkpoint = Checkpoint(tmp_path, "x")
    corpus(linear, checkpoint=checkpoint)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:100])
    with pytest.warns(UserWarning, match="a kept shard is made anew"):
        found = corpus(linear, checkpoint=checkpoint)
    same(found, corpus(linear))
    assert corpus(linear, checkpoint=checkpoint).reused == 1


def test_a_table_in_the_place_of_a_shard_is_made_anew(tmp_path, linear):
    checkpoint = Checkpoint(tmp_path, "x")
    found = corpus(linear, checkpoint=checkpoint)
    (file,) = tmp_path.iterdir()
    found.sums.to_parquet(file)
    with pytest.warns(UserWarning, match="does not say what is predicted, explained"):
        again = corpus(linear, checkpoint=checkpoint)
    same(again, found)


def test_texts_that_fail_are_listed_by_row_and_kept_out(tmp_path, linear):
    fails = [TEXTS[4], TEXTS[13]]
    explainer = Counting(LinearExplainer(linear), fails=fails)
    for _ in range(2):  # the second time from the checkpoint
        found = explain_corpus(
            linear, explainer, TEXTS, shard_size=6, checkpoint=Checkpoint(tmp_path, "x")
        )
        why = "its gradients are not finite"
        assert found.skipped == (SkippedText(4, why), SkippedText(13, why))
        assert found.explained == len(TEXTS) - 2
        same(found, corpus(linear, [text for text in TEXTS if text not in fails]))


def test_texts_without_finite_probabilities_are_of_no_class(linear):
    class Broken:
        classes = linear.classes

        def probabilities(self, texts):
            found = linear.probabilities(texts)
            found[[text == TEXTS[2] for text in texts]] = np.nan
            return found

    found = explain_corpus(Broken(), LinearExplainer(linear), TEXTS)
    assert found.skipped == (SkippedText(2, "its probabilities are not finite"),)
    assert sum(found.predicted.values()) == len(TEXTS) - 1


def test_only_the_classes_asked_for_are_explained(linear):
    explainer = Counting(LinearExplainer(linear))
    found = explain_corpus(linear, explainer, TEXTS, classes=["state"])
    assert len(explainer.seen) == found.predicted["state"] == found.explained
    assert sum(found.predicted.values()) == len(TEXTS)
    assert found.sums.table().top("care", 9) == []


def test_a_class_without_predicted_texts_is_warned_of_and_its_list_is_empty(linear):
    texts = ["she was a nurse"] * 3
    with pytest.warns(UserWarning, match="no text is predicted to be of class 'art', 'state'"):
        found = corpus(linear, texts)
    assert found.sums.table().top("art", 5) == []


def test_bad_input_is_named(tmp_path, linear):
    with pytest.raises(UsageError, match="no texts to explain"):
        corpus(linear, [])
    with pytest.raises(UsageError, match="no class 'law'; there are: art, care, state"):
        corpus(linear, classes=["care", "law"])
    with pytest.raises(UsageError, match="shard_size must be at least 1, got 0"):
        corpus(linear, shard_size=0)
    with pytest.raises(UsageError, match="a checkpoint needs an identity"):
        Checkpoint(tmp_path, "")
    with pytest.raises(UsageError, match="between 0 and 1, got 2"):
        Checkpoint(tmp_path, "x", 2, 2)
    with pytest.raises(UsageError, match="none of 20 texts could be explained; the first: its"):
        explain_corpus(linear, Counting(LinearExplainer(linear), fails=TEXTS), TEXTS)


def test_progress_is_told_of_every_text(linear):
    told = []
    corpus(linear, shard_size=6, advance=told.append)
    assert told == [6, 6, 6, 2]


def test_a_planted_shortcut_ranks_first():
    rng = np.random.default_rng(0)
    words = [f"word{number}" for number in range(60)]
    texts = [" ".join(rng.choice(words, 8)) for _ in range(300)]
    labels = rng.integers(0, 2, 300)
    planted = [
        f"{text} zxqv" if label and rng.random() < 0.8 else text
        for text, label in zip(texts, labels, strict=True)
    ]
    pipeline = make_pipeline(CountVectorizer(), LogisticRegression()).fit(planted, labels)
    found = corpus(LinearClassifier(pipeline), planted)
    assert found.sums.table().top("1", 1) == ["zxqv"]


@pytest.mark.xdist_group("minilm")
def test_minilm_is_explained_as_captum_does_and_completely(one_thread):
    try:
        folder = assets.path("all-minilm-l6-v2")
    except AssetMissing as missing:
        pytest.skip(str(missing))
    with quiet(), seeded(0):
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=3, local_files_only=True
        )
    with torch.no_grad():  # logits of an untrained head hardly differ
        model.classifier.weight *= 20
    hf = HfClassifier(model, AutoTokenizer.from_pretrained(folder, local_files_only=True))
    texts = [
        "an unbelievable English actress, known for her performances on stage",
        "German physicist who formulated the quantum theory",
        "US painter",
    ]
    targets = hf.probabilities(texts).argmax(1)
    ours = IntegratedGradients(hf, steps=50).explain(texts, targets)
    theirs = CaptumIntegratedGradients(hf, steps=50).explain(texts, targets)
    auto = IntegratedGradients(hf).explain(texts, targets)
    for one, other, own in zip(ours, theirs, auto, strict=True):
        assert one.words == other.words == own.words
        assert np.abs(one.scores - other.scores).max() < 1e-4 * np.abs(other.scores).max()
        assert one.completeness_error < 0.02
        assert own.completeness_error < 0.02
    assert "unbelievable" in ours[0].words
