import copy
import sys

import numpy as np
import pytest

from burnish.errors import MissingExtra
from burnish.methods.nlpguard.classifier import Skipped
from burnish.methods.nlpguard.hf import HfClassifier
from burnish.methods.nlpguard.peers import CaptumIntegratedGradients, ShapPartition
from burnish.methods.nlpguard.shapley import PartitionShapley

TEXTS = ["She was a nurse and the king of the french", "a poet, a writer and the nurse"]


@pytest.mark.parametrize(
    ("module", "package", "peer"),
    [
        ("captum.attr", "captum", lambda hf, _: CaptumIntegratedGradients(hf)),
        ("shap", "shap", lambda _, linear: ShapPartition(linear)),
    ],
)
def test_a_library_that_is_not_there_is_named(monkeypatch, hf, linear, module, package, peer):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtra, match=f"needs {package}.* pip install {package}"):
        peer(hf, linear).explain(["king"], np.array([0]))


def test_captum_leaves_the_model_as_it_was(bert, hf):
    bert.train()
    CaptumIntegratedGradients(hf, steps=2).explain(["king"], np.array([0]))
    assert bert.training
    bert.eval()
    assert all(weight.requires_grad for weight in bert.parameters())


def test_shap_scores_words_much_as_our_shapley_values_do(linear):
    targets = np.array([0, 2])
    theirs = ShapPartition(linear, budget=400).explain(TEXTS, targets)
    ours = PartitionShapley(linear, budget=400).explain(TEXTS, targets)
    for one, other in zip(ours, theirs, strict=True):
        assert one.words == other.words
        # probabilities there and log-odds here, and other trees, but one story
        assert np.corrcoef(one.scores, other.scores)[0, 1] > 0.95


def test_shap_takes_a_text_of_one_word(linear):
    found, none = ShapPartition(linear).explain(["king", " "], np.array([2, 2]))
    assert found.words == ("king",)
    assert found.scores.tolist() == [1]
    assert none == Skipped("it has no words")


def test_shap_skips_a_text_without_finite_probabilities_alone(linear):
    class Broken:
        classes = linear.classes

        def probabilities(self, texts):
            found = linear.probabilities(texts)
            found[["her" in text for text in texts]] = np.nan
            return found

    found, other = ShapPartition(Broken()).explain(["her", "king"], np.array([2, 2]))
    assert found == Skipped("its probabilities are not finite")
    assert other.words == ("king",)


def test_captum_skips_a_text_on_which_the_model_raises_alone(bert, tokenizer):
    model = copy.deepcopy(bert)

    def refuse(_, __, kwargs):
        if kwargs["inputs_embeds"].shape[1] > 4:
            raise RuntimeError("too long: a secret")

    model.register_forward_pre_hook(refuse, with_kwargs=True)
    found = CaptumIntegratedGradients(HfClassifier(model, tokenizer), steps=2).explain(
        ["king", "the king was", "poet"], np.array([0, 1, 2])
    )
    assert found[1] == Skipped("the model raised RuntimeError")
    assert [one.words for one in (found[0], found[2])] == [("king",), ("poet",)]
