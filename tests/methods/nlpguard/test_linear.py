import numpy as np
import pytest
from scipy.special import softmax
from sklearn.decomposition import TruncatedSVD
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.svm import LinearSVC

from burnish.errors import UsageError
from burnish.methods.nlpguard.classifier import Skipped
from burnish.methods.nlpguard.linear import LinearClassifier, LinearExplainer

TEXTS = ["She was a nurse and a writer, a good nurse", "the king of the french", "a poet", "xyz"]
LABELS = ["care", "state", "art", "art"]
LOOSE = r"(?u)\b\w+\b"


def fitted(*steps, labels=LABELS, texts=TEXTS):
    return make_pipeline(*steps).fit(texts, labels)


PIPELINES = {
    "counts": lambda: fitted(CountVectorizer(token_pattern=LOOSE), LogisticRegression()),
    "binary": lambda: fitted(CountVectorizer(binary=True), LogisticRegression()),
    "tf-idf": lambda: fitted(TfidfVectorizer(), LinearSVC()),
    "steps": lambda: fitted(
        CountVectorizer(), TfidfTransformer(sublinear_tf=True), MaxAbsScaler(), LogisticRegression()
    ),
    "bigrams": lambda: fitted(
        CountVectorizer(ngram_range=(1, 2), stop_words=["a"]), LogisticRegression()
    ),
    "two classes": lambda: fitted(
        CountVectorizer(), LogisticRegression(), labels=["a", "b", "a", "b"]
    ),
    "two classes, margin": lambda: fitted(
        CountVectorizer(), LinearSVC(), labels=["a", "b", "a", "b"]
    ),
}


@pytest.fixture(params=list(PIPELINES))
def classifier(request):
    return LinearClassifier(PIPELINES[request.param]())


def scores_of(classifier, texts):
    """(n, C) of the model, where two classes have the score and its opposite."""
    scores = classifier.pipeline.decision_function(texts)
    return scores if scores.ndim == 2 else np.stack([-scores, scores], 1)


def test_scores_are_what_the_class_score_has_over_the_empty_text(classifier):
    """Normalised scores times the total of their absolute values: the difference of scores."""
    for target in range(len(classifier.classes)):
        found = LinearExplainer(classifier).explain(TEXTS, np.full(len(TEXTS), target))
        wanted = scores_of(classifier, TEXTS)[:, target] - scores_of(classifier, [""])[0, target]
        coefficients = classifier.coefficients[target]
        for row, one in enumerate(found):
            assert one.completeness_error < 1e-9
            signed = one.scores.sum()
            assert np.sign(signed) == np.sign(wanted[row]) or abs(wanted[row]) < 1e-12
        # by hand, for the words of one text
        features = classifier.features(TEXTS[1:2]).toarray()[0]
        raw = features * coefficients
        assert raw.sum() == pytest.approx(wanted[1])


def test_matches_weight_times_presence_by_hand():
    classifier = LinearClassifier(PIPELINES["counts"]())
    vocabulary = classifier.vectorizer.vocabulary_
    weights = classifier.pipeline[-1].coef_[list(classifier.classes).index("care")]
    text = TEXTS[0]
    (found,) = LinearExplainer(classifier).explain(
        [text], np.array([classifier.classes.index("care")])
    )
    raw = np.array([weights[vocabulary[word.lower()]] for word in found.words])
    assert found.words == ("She", "was", "a", "nurse", "and", "a", "writer", "a", "good", "nurse")
    assert np.allclose(found.scores, raw / np.abs(raw).sum())


def test_binary_features_are_shared_by_the_occurrences_of_their_word():
    classifier = LinearClassifier(PIPELINES["binary"]())
    (found,) = LinearExplainer(classifier).explain(
        [TEXTS[0]], np.array([classifier.classes.index("care")])
    )
    by_word = dict(zip(found.words, found.scores, strict=True))
    assert found.words.count("nurse") == 2
    weights = classifier.coefficients[classifier.classes.index("care")]
    vocabulary = classifier.vectorizer.vocabulary_
    assert by_word["nurse"] / by_word["She"] == pytest.approx(
        weights[vocabulary["nurse"]] / 2 / weights[vocabulary["she"]]
    )


def test_bigrams_are_shared_by_their_words():
    texts = ["new york", "old town"]
    classifier = LinearClassifier(
        fitted(
            CountVectorizer(ngram_range=(2, 2)), LogisticRegression(), labels=[0, 1], texts=texts
        )
    )
    (found,) = LinearExplainer(classifier).explain(["New York old"], np.array([0]))
    assert found.words == ("New", "York", "old")
    assert found.scores.tolist() == [0.5, 0.5, 0]


def test_unknown_words_score_nothing():
    classifier = LinearClassifier(PIPELINES["counts"]())
    (found,) = LinearExplainer(classifier).explain(["zebra king"], np.array([0]))
    assert found.words == ("zebra", "king")
    assert found.scores[0] == 0
    (none,) = LinearExplainer(classifier).explain(["zebra"], np.array([0]))
    assert none.scores.tolist() == [0]


def test_all_together_are_what_each_is_alone(classifier):
    texts = TEXTS * 7
    targets = np.arange(len(texts)) % len(classifier.classes)
    together = LinearExplainer(classifier).explain(texts, targets)
    for row, text in enumerate(texts):
        (one,) = LinearExplainer(classifier).explain([text], targets[row : row + 1])
        assert one.words == together[row].words
        assert one.spans == together[row].spans
        assert np.array_equal(one.scores, together[row].scores)


@pytest.mark.parametrize("text", ["İstanbul king", "ΟΔΟΣ king", "STRASSE ẞ king"])
def test_words_stand_where_they_do_in_the_original_text(text):
    classifier = LinearClassifier(
        fitted(
            CountVectorizer(token_pattern=LOOSE),
            LogisticRegression(),
            labels=[0, 1],
            texts=[text, "poet"],
        )
    )
    (found,) = LinearExplainer(classifier).explain([text], np.array([0]))
    assert found.words[-1] == "king"
    assert [text[start:end] for start, end in found.spans] == list(found.words)
    assert found.completeness_error < 1e-9
    assert (found.scores > 0).all()


def test_a_vectorizer_that_changes_texts_is_warned_of_and_its_words_are_found():
    texts = ["Él café", "poet sea"]
    classifier = LinearClassifier(
        fitted(
            CountVectorizer(strip_accents="unicode"),
            LogisticRegression(),
            labels=[0, 1],
            texts=texts,
        )
    )
    with pytest.warns(UserWarning, match="looked for in the text"):
        (found,) = LinearExplainer(classifier).explain(texts[:1], np.array([0]))
    assert found.words == ("Él", "café")
    assert found.completeness_error < 1e-9


def test_probabilities_are_the_pipeline_s_own():
    classifier = LinearClassifier(PIPELINES["steps"]())
    found = classifier.probabilities(TEXTS)
    assert found.dtype == np.float32
    assert np.allclose(found, classifier.pipeline.predict_proba(TEXTS))
    assert classifier.probabilities([]).shape == (0, 3)


def test_margins_without_probabilities_go_through_softmax():
    for name in ("tf-idf", "two classes, margin"):
        classifier = LinearClassifier(PIPELINES[name]())
        found = classifier.probabilities(TEXTS)
        assert np.allclose(found, softmax(scores_of(classifier, TEXTS), axis=1), atol=1e-6)
        wanted = classifier.pipeline.predict(TEXTS)
        assert [classifier.classes[row] for row in found.argmax(1)] == wanted.tolist()


def test_labels_may_be_indices_of_more_classes_than_were_seen():
    pipeline = fitted(
        CountVectorizer(token_pattern=LOOSE), LogisticRegression(), labels=[2, 0, 0, 2]
    )
    classifier = LinearClassifier(pipeline, ["art", "care", "state"])
    found = classifier.probabilities(TEXTS)
    assert np.allclose(found[:, [0, 2]], pipeline.predict_proba(TEXTS))
    assert (found[:, 1] == 0).all()
    unseen, seen = LinearExplainer(classifier).explain(TEXTS[:2], np.array([1, 2]))
    assert unseen == Skipped("the scores of its class are not finite")
    assert seen.completeness_error < 1e-9


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        (LogisticRegression(), "begins with a CountVectorizer"),
        (fitted(CountVectorizer(analyzer="char"), LogisticRegression()), "analyzer 'char'"),
        (fitted(CountVectorizer(), TruncatedSVD(2), LogisticRegression()), "got TruncatedSVD"),
        (fitted(CountVectorizer(), RandomForestClassifier(2)), "got RandomForestClassifier"),
        (fitted(CountVectorizer(), MultinomialNB()), "got MultinomialNB"),
    ],
)
def test_what_is_not_linear_in_words_is_refused(pipeline, message):
    with pytest.raises(UsageError, match=message):
        LinearClassifier(pipeline)


def test_labels_that_are_no_classes_are_refused():
    with pytest.raises(UsageError, match="neither names nor indices"):
        LinearClassifier(PIPELINES["counts"](), ["art", "care"])


def test_identity_is_of_the_weights_the_words_and_the_steps():
    first = LinearClassifier(PIPELINES["counts"]()).identity()
    assert LinearClassifier(PIPELINES["counts"]()).identity() == first
    other = LinearClassifier(PIPELINES["counts"]())
    other.pipeline[-1].coef_[0, 0] += 1e-3
    reweighed = LinearClassifier(PIPELINES["steps"]())
    before = reweighed.identity()
    reweighed.pipeline[1].idf_ = reweighed.pipeline[1].idf_ * np.arange(
        1, 1 + len(reweighed.pipeline[1].idf_)
    )
    renamed = LinearClassifier(PIPELINES["counts"]())
    renamed.classes = ("x", "y", "z")
    made = {first, other.identity(), before, reweighed.identity(), renamed.identity()}
    assert len(made) == 5
