import numpy as np
import pytest

from burnish.errors import UsageError
from burnish.methods.nlpguard.integrated import IntegratedGradients
from burnish.methods.nlpguard.linear import LinearExplainer
from burnish.methods.nlpguard.occlusion import Occlusion
from burnish.methods.nlpguard.peers import CaptumIntegratedGradients
from burnish.methods.nlpguard.shapley import PartitionShapley

EXPLAINERS = {
    "ig": lambda hf, _: IntegratedGradients(hf),
    "ig-token": lambda hf, _: IntegratedGradients(hf, granularity="token", steps=4),
    "captum": lambda hf, _: CaptumIntegratedGradients(hf, steps=4),
    "linear": lambda _, linear: LinearExplainer(linear),
    "occlusion": lambda _, linear: Occlusion(linear),
    "shapley": lambda _, linear: PartitionShapley(linear, budget=16),
}
TEXTS = ["She was a nurse.", "the king, his king", "a poet"]


@pytest.fixture(params=list(EXPLAINERS))
def explainer(request, hf, linear):
    return EXPLAINERS[request.param](hf, linear)


def test_every_explainer_scores_words_where_they_stand(explainer):
    found = explainer.explain(TEXTS, np.array([0, 1, 2]))
    assert len(found) == len(TEXTS)
    for text, one in zip(TEXTS, found, strict=True):
        stands = [text[start:end] for start, end in one.spans]
        assert stands == [word.removeprefix("##") for word in one.words]
        assert one.scores.dtype == np.float64
        assert len(one.scores) == len(one.words) > 0
        assert 0 < np.abs(one.scores).sum() <= 1 + 1e-9


def test_every_explainer_takes_no_texts(explainer):
    assert explainer.explain([], np.zeros(0, dtype=np.int64)) == []


def test_every_explainer_refuses_targets_that_fit_nothing(explainer):
    with pytest.raises(UsageError, match="one target a text, got 3 texts and targets of shape"):
        explainer.explain(TEXTS, np.array([0, 1]))
    with pytest.raises(UsageError, match="indices of 3 classes, got 0 to 3"):
        explainer.explain(TEXTS, np.array([0, 1, 3]))


def test_every_explainer_gets_over_a_text_without_words(explainer):
    found = explainer.explain(["", "a poet"], np.array([0, 2]))
    assert len(getattr(found[0], "words", ())) == 0
    assert len(found[1].words) == 2
