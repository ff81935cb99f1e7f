"""The four steps chained, on every kind of model."""

from __future__ import annotations

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from datasets import Dataset
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.pipeline import make_pipeline

from burnish import nlpguard
from burnish.errors import DataError, UsageError
from burnish.methods.nlpguard import (
    CATEGORIES,
    EncoderWithHead,
    Guard,
    Ledger,
    MitigationError,
    PartitionShapley,
    Protected,
    train,
)
from burnish.methods.nlpguard.lexicon import Lexicon

EMPTY = pytest.mark.filterwarnings("ignore:no text is predicted to be of class")
TEXTS = ["She was a nurse", "he was the king of the french", "a poet and a writer", "the king"] * 2


@pytest.fixture
def guard(trained):
    return Guard(trained, top_n=12)


def texts_of(rows):
    return [row["text"] for row in rows]


def test_each_step_gives_what_the_next_one_takes(guard, job_rows):
    table = guard.explain(texts_of(job_rows))
    protected = guard.identify(table, texts_of(job_rows))
    assert {"his", "her", "woman", "father"} <= set(protected)
    before = copy.deepcopy(job_rows)
    made = guard.moderate(job_rows, protected.override("number", "age", "for the test"))
    assert job_rows == before
    assert made.changed == 80
    assert not any(" number " in row["text"] for row in made.data)
    repaired = train(
        "linear", texts_of(made.data), [r["label"] for r in made.data], ("engineer", "nurse"), 0
    )
    report = guard.audit(
        after=repaired, test=job_rows, protected=protected, mitigated=made, train=job_rows
    )
    assert report.after.reliance.pa < report.before.reliance.pa
    assert report.rows == (80, 80)
    assert isinstance(report.ledger, Ledger)
    assert set(report.before.predictability) == set(report.after.predictability) == {*CATEGORIES}
    assert {"accuracy", "macro_f1", "auc"} == set(report.difference)
    assert report.before.subgroups is not None


def test_no_protected_words_leave_the_data_as_they_are(guard, job_rows):
    made = guard.moderate(job_rows, Protected({}))
    assert made.data == job_rows
    assert (made.changed, len(made.ledger)) == (0, 0)


def test_per_class_edits_rows_for_the_words_of_their_own_class(guard, job_rows):
    table = guard.explain(texts_of(job_rows))
    protected = guard.identify(table)
    assert "her" in table.top("nurse", 12)
    assert "her" not in table.top("engineer", 12)
    rows = [*job_rows, {"text": "her bridge and his plans", "label": "engineer"}]
    made = guard.moderate(rows, protected, per_class=True, table=table)
    assert made.data[-1]["text"] == "her bridge and plans"
    # whole words, not their letters
    assert {edit.old.strip() for edit in made.ledger.edits} <= set(protected)
    with pytest.raises(UsageError, match=r"per_class takes .* the table they came from"):
        guard.moderate(rows, protected, per_class=True)


def test_per_class_takes_indices_for_labels_too(guard, job_rows):
    table = guard.explain(texts_of(job_rows))
    words = Protected({"her": "sex"})
    rows = [{"text": "her ward", "label": 1}, {"text": "her bridge", "label": 0}]
    made = guard.moderate(rows, words, per_class=True, table=table)
    assert [row["text"] for row in made.data] == ["ward", "her bridge"]
    with pytest.raises(UsageError, match="no row has a label of the classes engineer, nurse"):
        guard.moderate([{"text": "her ward", "label": "x"}], words, per_class=True, table=table)


def test_rows_come_back_in_the_kind_they_came_in(guard, job_rows):
    words = Protected({"her": "sex"})
    frame = guard.moderate(pd.DataFrame(job_rows), words).data
    assert isinstance(frame, pd.DataFrame)
    dataset = guard.moderate(Dataset.from_list(job_rows), words).data
    assert isinstance(dataset, Dataset)
    assert list(dataset["text"]) == frame["text"].tolist()


def test_too_great_a_loss_is_refused_unless_allowed(guard, job_rows):
    words = Protected({"works": "age"})
    with pytest.raises(MitigationError, match="document_removal would leave no row of the class"):
        guard.moderate(job_rows, words, "document_removal")
    made = guard.moderate(job_rows, words, "document_removal", allow_loss=True)
    assert made.rows_after == 0


def test_neighbours_come_from_the_texts_of_a_linear_model(guard, job_rows):
    words = Protected({"her": "sex"})
    made = guard.moderate(job_rows, words, "word_variants", k=3, strict=False)
    assert made.rows_after > made.rows_before
    strict = guard.moderate(job_rows, words, "word_replacement")
    lexicon = Lexicon()
    assert not any(lexicon.entry(edit.new) for edit in strict.ledger.edits if edit.new)


def test_an_audit_alone_needs_no_labels(guard, job_rows):
    report = guard.audit(texts=texts_of(job_rows))
    assert report.after is None
    assert report.before.performance == {}
    assert report.before.sensitivity.swapped > 50
    assert report.settings["texts explained"] == 80


def test_a_correction_is_made_again_in_an_audit(guard, job_rows):
    protected = guard.identify(guard.explain(texts_of(job_rows)))
    corrected = protected.override("her", "none", "for the test")
    report = guard.audit(texts=texts_of(job_rows), protected=corrected)
    assert "her" in protected
    assert "her" not in report.before.reliance.identified
    assert (
        report.before.reliance.mass["all classes"]
        < guard.audit(texts=texts_of(job_rows)).before.reliance.mass["all classes"]
    )


def test_a_word_that_its_sentences_clear_is_not_counted(job_rows):
    """The lexicon lists "black" as race; next to "coffee" it is none."""
    rows = [
        {"text": row["text"] + (" black coffee" if row["label"] == "nurse" else " milk"),
         "label": row["label"]}
        for row in job_rows
    ]  # fmt: skip
    model = train("linear", texts_of(rows), [r["label"] for r in rows], ("engineer", "nurse"), 0)
    guard = Guard(model, top_n=12)
    table = guard.explain(texts_of(rows))
    assert "black" in table.top("nurse", 12)
    assert "black" in guard.lexicon.terms
    assert "black" not in guard.identify(table, texts_of(rows))
    assert "black" not in guard.audit(texts=texts_of(rows)).before.reliance.identified


def test_what_is_missing_is_named(guard, job_rows):
    with pytest.raises(UsageError, match="there are no texts to explain"):
        guard.audit()
    with pytest.raises(UsageError, match="there are no texts to explain"):
        guard.explain([])
    with pytest.raises(UsageError, match="texts are a sequence of strings, got one string"):
        guard.explain("she works")
    with pytest.raises(UsageError, match="there is no class 'doctor'"):
        guard.explain(texts_of(job_rows), classes=["doctor"])
    with pytest.raises(DataError, match="has no column 'job'"):
        guard.audit(test=job_rows, label="job")
    with pytest.raises(DataError, match="the label of row 0 is 'cook', which is no class"):
        guard.audit(test=[{"text": "a ward", "label": "cook"}])
    with pytest.raises(UsageError, match="top_n counts words"):
        Guard(guard.classifier, top_n=0)


def test_classifiers_of_other_classes_are_not_compared(guard, linear, job_rows):
    with pytest.raises(UsageError, match="the classifiers differ in classes"):
        guard.audit(after=linear, texts=texts_of(job_rows))


@EMPTY
def test_a_corpus_of_whole_batches_is_predicted_once(bert, tokenizer):
    guard = Guard(bert, tokenizer, max_length=24)
    found = guard.explained(TEXTS[:4], batch_size=2, steps=2)
    assert sum(found.predicted.values()) == found.explained == 4


@EMPTY
def test_a_module_a_module_with_a_head_and_a_folder(bert, tokenizer, tmp_path):
    whole = Guard(bert, tokenizer, explainer="ig", max_length=24)
    table = whole.explain(TEXTS, steps=2)
    assert table.classes == ("care", "state", "art")
    head = torch.nn.Linear(16, 2)
    parts = EncoderWithHead(bert.bert, head)
    two = Guard(parts, tokenizer, classes=("x", "y"), max_length=24)
    assert two.explain(TEXTS, steps=2).classes == ("x", "y")
    bert.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again = Guard(tmp_path, max_length=24)
    np.testing.assert_allclose(
        again.classifier.probabilities(TEXTS), whole.classifier.probabilities(TEXTS), atol=1e-6
    )


def test_a_linear_model_of_a_folder(trained, tmp_path, job_rows):
    trained.save(tmp_path)
    guard = Guard(tmp_path)
    assert guard.explainer_name == "linear"
    np.testing.assert_array_equal(
        guard.classifier.probabilities(texts_of(job_rows)),
        trained.probabilities(texts_of(job_rows)),
    )


def test_a_model_that_is_no_linear_one_is_explained_by_occlusion(job_rows):
    forest = RandomForestClassifier(n_estimators=10, random_state=0)
    pipeline = make_pipeline(CountVectorizer(), forest)
    pipeline.fit(texts_of(job_rows), [row["label"] for row in job_rows])
    guard = Guard(pipeline, top_n=5)
    assert guard.explainer_name == "occlusion"
    top = guard.explain(texts_of(job_rows)[:20]).top("nurse", 5)
    assert set(top) & {"she", "her", "ward", "patients", "care", "shift", "clinic", "night"}
    with pytest.raises(UsageError, match="has no gradients; explain it with occlusion or shap"):
        Guard(pipeline, explainer="ig")
    with pytest.raises(UsageError, match="a checkpoint needs to tell models apart"):
        guard.explain(["a ward"], checkpoint="kept")


def test_other_explainers_by_name_or_as_functions(trained):
    assert Guard(trained, explainer="shap").explainer_name == "shapley"
    assert Guard(trained, explainer=PartitionShapley).explainer_name == "shapley"
    with pytest.raises(UsageError, match="'lime' is no explainer"):
        Guard(trained, explainer="lime")


def test_what_is_no_classifier_is_refused(bert):
    with pytest.raises(UsageError, match="give its tokenizer as well"):
        Guard(bert)
    with pytest.raises(UsageError, match=r"a classifier is a folder, .* got a int"):
        Guard(3)
    with pytest.raises(UsageError, match="that was fitted is wanted"):
        Guard(make_pipeline(CountVectorizer(), RandomForestClassifier()))


def test_a_class_called_all_is_told_before_any_work(bert, tokenizer):
    told = []
    names = ["all classes", "nurse", "other"]
    with pytest.raises(
        UsageError, match="calls all classes together 'all classes', and one has that name"
    ):
        Guard(bert, tokenizer, classes=names).audit(texts=TEXTS, advance=told.append)
    assert told == []


def test_a_text_has_one_class_of_at_least_two(bert, tokenizer, tmp_path):
    several = copy.deepcopy(bert)
    several.config.problem_type = "multi_label_classification"
    several.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    for model in (several, tmp_path):
        with pytest.raises(UsageError, match=r"gives every text one class, .* \(multi-label\)"):
            Guard(model, tokenizer)
    with pytest.raises(UsageError, match=r"at least two classes, got \['toxic'\]"):
        Guard(bert, tokenizer, classes=["toxic"])


@EMPTY
def test_the_calls_of_the_specification_run_as_they_stand(bert, tokenizer, tmp_path, job_rows):
    train_rows, test = Dataset.from_list(job_rows), pd.DataFrame(job_rows[:10])
    test["label"], model = test["label"].map({"engineer": "care", "nurse": "state"}), bert
    texts = TEXTS
    guard = nlpguard.Guard(
        model, tokenizer, explainer="ig", annotator=nlpguard.Lexicon("equality-act-2010"),
        top_n=400, granularity="word", seed=0,
    )  # fmt: skip
    table = guard.explain(texts, classes=None, batch_size=32, steps="auto", checkpoint=tmp_path)
    prot = guard.identify(table)
    prot = prot.override("ward", "disability", "for the test")
    result = guard.moderate(
        train_rows, prot, strategy="word_removal", text="text", label="label", per_class=False
    )
    before, after = bert, copy.deepcopy(bert)
    report = guard.audit(before, after, texts, test)
    assert isinstance(result.data, Dataset)
    assert len(result.ledger) > 0
    assert report.difference["accuracy"].estimate == 0
    assert {path.name for path in nlpguard.write_report(report, tmp_path / "report")} == {
        "audit.json", "audit.md", "audit.html",
    }  # fmt: skip


def test_progress_is_told_and_shards_are_kept_every_250_texts(trained, tmp_path):
    told = []
    own = ("she works with the ward", "he works with steel")
    texts = [f"{own[n % 2]}, number {n}" for n in range(600)]
    Guard(trained).explained(texts, checkpoint=tmp_path, advance=told.append)
    assert told == [250, 250, 100]
    assert len(list(tmp_path.iterdir())) == 3


def test_a_checkpoint_is_not_explained_again(trained, job_rows, tmp_path):
    guard = Guard(trained)
    first = guard.explained(texts_of(job_rows), checkpoint=tmp_path)
    second = guard.explained(texts_of(job_rows), checkpoint=tmp_path)
    assert (first.reused, second.reused) == (0, 1)
    pd.testing.assert_frame_equal(first.sums.table().frame, second.sums.table().frame)
