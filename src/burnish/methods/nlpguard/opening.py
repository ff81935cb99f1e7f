"""From what a user holds or names to a classifier of texts, and to what explains it."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator
from torch import nn
from transformers import PreTrainedTokenizerBase

from burnish.errors import UsageError, nearest
from burnish.gradients.integrated import Steps
from burnish.methods.nlpguard.classifier import Classifier, Explainer
from burnish.methods.nlpguard.hf import HfClassifier
from burnish.methods.nlpguard.integrated import IntegratedGradients
from burnish.methods.nlpguard.linear import LinearClassifier, LinearExplainer
from burnish.methods.nlpguard.occlusion import Occlusion
from burnish.methods.nlpguard.shapley import PartitionShapley
from burnish.methods.nlpguard.training import (
    SAVED_WORDS,
    TrainedEncoder,
    TrainedLinear,
    load_encoder_classifier,
    load_linear,
)
from burnish.methods.nlpguard.words import Granularity

ExplainerName = Literal["auto", "ig", "shap", "occlusion"]
MakeExplainer = Callable[[Any], Explainer]


@dataclass(frozen=True)
class ScikitClassifier:
    """A fitted scikit-learn estimator on texts that is no linear pipeline: asked, not looked into.

    Attributes:
        estimator: takes texts; has `predict_proba` or `decision_function`.
        classes: names of the C classes, in the order of `estimator.classes_`.

    Raises:
        UsageError: it is not fitted, gives only labels, or has another number of classes.
    """

    estimator: Any
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        known = getattr(self.estimator, "classes_", None)
        name = type(self.estimator).__name__
        if known is None:
            raise UsageError(f"a classifier that was fitted is wanted, and this {name} was not")
        if len(known) != len(self.classes):
            raise UsageError(f"this {name} has {len(known)} classes, got names {self.classes}")
        if not any(
            hasattr(self.estimator, each) for each in ("predict_proba", "decision_function")
        ):
            raise UsageError(f"this {name} gives labels alone; take one that gives probabilities")

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, C), as `Classifier` says; softmax of the scores where the estimator has no own."""
        if not len(texts):
            return np.zeros((0, len(self.classes)), np.float32)
        if hasattr(self.estimator, "predict_proba"):
            return np.asarray(self.estimator.predict_proba(list(texts)), np.float32)
        scores = np.asarray(self.estimator.decision_function(list(texts)))
        scores = scores if scores.ndim == 2 else np.stack([-scores, scores], 1)
        found: NDArray[np.float32] = softmax(scores, axis=1).astype(np.float32)
        return found


def classifier_of(
    model: Any,
    tokenizer: PreTrainedTokenizerBase | None = None,
    *,
    classes: Sequence[str] | None = None,
    max_length: int = 128,
) -> Classifier:
    """A classifier of texts.

    Args:
        model: a folder, asset or hub id of a sequence classifier; a folder that
            `TrainedLinear.save` wrote; a module that gives logits, with its tokenizer (any
            `AutoModelForSequenceClassification`, or an `EncoderWithHead`); a scikit-learn pipeline
            that takes texts; what `train` gave; or anything with `classes` and `probabilities`.
        tokenizer: of a module.
        classes: names by column, where the model has none or others are wanted. For a scikit-learn
            pipeline they are in the order of its labels, or the labels are indices of them.
        max_length: tokens of a text, for transformers; the rest is cut.

    Raises:
        UsageError: it is none of these, a part is missing, it has fewer than two classes, or a
            text may have several.
    """
    if isinstance(model, str | os.PathLike):
        return _named(model, classes, max_length)
    if isinstance(model, TrainedLinear | TrainedEncoder):
        return model.classifier
    if isinstance(model, nn.Module):
        if tokenizer is None:
            raise UsageError(
                f"a {type(model).__name__} reads tokens; give its tokenizer as well, or name the "
                "folder that has both"
            )
        return _of_module(model, tokenizer, classes, max_length)
    if isinstance(model, BaseEstimator):
        return _of_scikit(model, classes)
    if hasattr(model, "probabilities") and hasattr(model, "classes"):
        found: Classifier = model
        return found
    raise UsageError(
        "a classifier is a folder, an asset or a hub id, a module with its tokenizer, a "
        f"scikit-learn pipeline, or has classes and probabilities; got a {type(model).__name__}"
    )


def _named(
    model: str | os.PathLike[str], classes: Sequence[str] | None, max_length: int
) -> Classifier:
    folder = Path(model)
    if folder.is_dir() and not (folder / "config.json").exists():
        if not (folder / SAVED_WORDS).exists():
            raise UsageError(
                f"{folder} holds no classifier: transformers' have a config.json, and linear ones "
                f"of TrainedLinear.save a {SAVED_WORDS}; name a folder with one of them"
            )
        return load_linear(folder).classifier
    found = load_encoder_classifier(os.fspath(model))
    return _of_module(found.model, found.tokenizer, classes or found.classes, max_length)


def _of_module(
    model: nn.Module,
    tokenizer: PreTrainedTokenizerBase,
    classes: Sequence[str] | None,
    max_length: int,
) -> Classifier:
    kind = getattr(getattr(model, "config", None), "problem_type", None)
    if kind == "multi_label_classification":
        raise UsageError(
            "a classifier that is guarded gives every text one class, and this one may give "
            "several (multi-label); wrap it in an object with classes, such as toxic and civil, "
            "and probabilities"
        )
    found = HfClassifier(model, tokenizer, classes, max_length=max_length)
    if len(found.classes) < 2:
        raise UsageError(
            f"a classifier that is guarded has at least two classes, got {[*found.classes]}; wrap "
            "a score in an object with classes and probabilities"
        )
    return found


def _of_scikit(model: Any, classes: Sequence[str] | None) -> Classifier:
    try:
        LinearClassifier(model)
    except UsageError:
        own = [str(name) for name in getattr(model, "classes_", ())]
        return ScikitClassifier(model, tuple(own if classes is None else classes))
    return LinearClassifier(model, classes)


def explainer_of(
    classifier: Classifier,
    explainer: ExplainerName | MakeExplainer = "auto",
    *,
    steps: Steps = "auto",
    granularity: Granularity = "word",
    batch_size: int | None = None,
) -> Explainer:
    """What explains a classifier.

    Args:
        classifier: what `classifier_of` gave.
        explainer: "auto" is exact for linear models, Integrated Gradients where there are
            gradients, else occlusion; "ig" is the same and refuses the last; "shap" and
            "occlusion" take any model. Or a function from the classifier to an explainer, such as
            `CaptumIntegratedGradients`.
        steps: of Integrated Gradients.
        granularity: likewise.
        batch_size: texts of the longest length in one pass of Integrated Gradients; None takes
            what was fastest in measurements.

    Raises:
        UsageError: there is no such explainer, or it cannot explain this classifier.
    """
    if not isinstance(explainer, str):
        return explainer(classifier)
    if explainer not in get_args(ExplainerName):
        known = get_args(ExplainerName)
        raise UsageError(f"{explainer!r} is no explainer; {nearest(explainer, known)}")
    if explainer == "shap":
        return PartitionShapley(classifier)
    if explainer == "occlusion":
        return Occlusion(classifier)
    if isinstance(classifier, LinearClassifier):
        return LinearExplainer(classifier)
    if isinstance(classifier, HfClassifier):
        made = IntegratedGradients(classifier, steps=steps, granularity=granularity)
        if batch_size is None:
            return made
        return replace(made, positions_per_pass=batch_size * classifier.max_length)
    if explainer == "ig":
        raise UsageError(
            f"a {type(classifier).__name__} has no gradients; explain it with occlusion or shap"
        )
    return Occlusion(classifier)
