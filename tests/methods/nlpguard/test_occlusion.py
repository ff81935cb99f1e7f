import tracemalloc

import numpy as np
import pytest
from scipy.special import logit

from burnish.methods.nlpguard.classifier import Skipped
from burnish.methods.nlpguard.occlusion import Occlusion, log_odds


def odds(classifier, text, target):
    return logit(float(classifier.probabilities([text])[0, target]))


def test_a_word_scores_what_the_log_odds_lose_without_it(linear):
    text = "She  was, a nurse"
    without = ["  was, a nurse", "She  , a nurse", "She  was a nurse", "She  was,  nurse"]
    without.append("She  was, a ")
    raw = np.array([odds(linear, text, 1) - odds(linear, other, 1) for other in without])
    (found,) = Occlusion(linear).explain([text], np.array([1]))
    assert found.words == ("She", "was", ",", "a", "nurse")
    assert np.allclose(found.scores, raw / np.abs(raw).sum(), atol=1e-6)
    assert found.completeness_error is None


def test_one_occurrence_goes_at_a_time(linear):
    (found,) = Occlusion(linear).explain(["king king"], np.array([2]))
    assert found.words == ("king", "king")
    assert found.scores[0] == pytest.approx(found.scores[1])


def test_one_call_predicts_the_variants_of_all_texts(linear):
    calls = []

    class Counted:
        classes = linear.classes

        def probabilities(self, texts):
            calls.append(len(texts))
            return linear.probabilities(texts)

    Occlusion(Counted()).explain(["a king", "a poet was", ""], np.array([0, 1, 2]))
    assert calls == [3 + 4 + 1]


def test_long_corpora_are_cut_into_calls_of_bounded_size(linear):
    calls = []

    class Counted:
        classes = linear.classes

        def probabilities(self, texts):
            calls.append(len(texts))
            return linear.probabilities(texts)

    found = Occlusion(Counted()).explain(["a king"] * 2000, np.zeros(2000, dtype=int))
    assert sum(calls) == 6000
    assert max(calls) == 4096
    assert all(np.array_equal(one.scores, found[0].scores) for one in found)


def test_a_long_text_is_not_held_once_a_word(linear):
    class Cut:
        classes = linear.classes

        def probabilities(self, texts):
            return linear.probabilities([text[:20] for text in texts])

    text = "king " * 20_000  # its variants together have 2 GB
    tracemalloc.start()
    (found,) = Occlusion(Cut()).explain([text], np.array([2]))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found.words) == 20_000
    assert peak < 150e6


def test_a_sure_classifier_keeps_its_odds_finite():
    class Sure:
        classes = ("no", "yes")

        def probabilities(self, texts):
            return np.array([[1, 0] if "not" in text else [0, 1] for text in texts], np.float32)

    found = log_odds(Sure(), ["not", "so"], np.array([1, 1]))
    assert found == pytest.approx([-16.118, 16.118], abs=1e-3)
    (one,) = Occlusion(Sure()).explain(["not so"], np.array([0]))
    assert one.scores.tolist() == [1, 0]


def test_probabilities_that_are_not_finite_skip_their_text_alone(linear):
    class Broken:
        classes = linear.classes

        def probabilities(self, texts):
            found = linear.probabilities(texts)
            found[["her" in text for text in texts]] = np.nan
            return found

    found = Occlusion(Broken()).explain(["his king", "her king"], np.array([0, 0]))
    assert found[1] == Skipped("its probabilities are not finite")
    assert len(found[0].words) == 2
