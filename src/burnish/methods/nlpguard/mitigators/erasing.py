"""Erase the categories from a trained encoder's vectors, and fit a linear head on what is left."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from torch import nn

from burnish.errors import UsageError
from burnish.methods.nlpguard.annotation import Protected
from burnish.methods.nlpguard.classifier import Classifier
from burnish.methods.nlpguard.matching import Matcher
from burnish.methods.nlpguard.mitigators.affine import Affine, Floats
from burnish.methods.nlpguard.mitigators.base import Mitigation
from burnish.methods.nlpguard.mitigators.inlp import fit_inlp
from burnish.methods.nlpguard.mitigators.leace import fit_leace
from burnish.methods.nlpguard.rows import Rows
from burnish.methods.nlpguard.training import class_indices

Eraser = Literal["leace", "inlp"]
_C = 0.1  # of 1, 0.1 and 0.01 the best on biographies; vectors have a spread of 1


@runtime_checkable
class Embedding(Protocol):
    """A classifier whose head is linear in one vector a text."""

    @property
    def classes(self) -> tuple[str, ...]:
        """As of any `Classifier`."""
        ...

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """As of any `Classifier`."""
        ...

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, D) vectors that the head sees, in the order of the texts."""
        ...


@dataclass(frozen=True)
class ConceptErasure:
    """Erase which categories a text holds words of from the vectors of a trained classifier.

    The head is fitted anew, by logistic regression on the erased vectors.

    Attributes:
        eraser: "leace" or "inlp".
        seed: of INLP's classifiers.

    Source: LEACE, arXiv 2306.03819; INLP, arXiv 2004.07667.
    """

    eraser: Eraser = "leace"
    seed: int = 0

    def __post_init__(self) -> None:
        if self.eraser not in ("leace", "inlp"):
            raise UsageError(f"eraser is leace or inlp, got {self.eraser!r}")

    @property
    def name(self) -> str:
        """That of the eraser."""
        return self.eraser

    def fit(self, rows: Rows, protected: Protected, matcher: Matcher) -> Mitigation:
        """A wrapper for a classifier trained on these rows; it must have `embed`."""
        return Mitigation(wrap=lambda classifier: self._erased(classifier, rows, matcher))

    def _erased(self, classifier: Classifier, rows: Rows, matcher: Matcher) -> Erased:
        if not isinstance(classifier, Embedding):
            raise UsageError(
                f"{self.name} erases from the vectors of an encoder, and a "
                f"{type(classifier).__name__} has none (no embed); train an encoder with a head"
            )
        targets = class_indices(rows.labels, classifier.classes)
        vectors = classifier.embed(rows.texts)
        present = matcher.presence(rows.texts)
        concepts = present[:, present.any(0) & ~present.all(0)]
        if self.eraser == "leace":
            affine = fit_leace(vectors, concepts)
        else:
            affine = fit_inlp(vectors, concepts, seed=self.seed)
        weight, bias = _head(affine(vectors), targets, len(classifier.classes))
        return Erased(classifier, affine, weight, bias)


@dataclass(frozen=True)
class Erased:
    """A classifier on erased vectors.

    Attributes:
        encoder: gives the vectors.
        affine: erases.
        weight, bias: (C, D) and (C,), of the head on erased vectors.
    """

    encoder: Embedding
    affine: Affine
    weight: Floats
    bias: Floats

    @property
    def classes(self) -> tuple[str, ...]:
        """Those of the encoder."""
        return self.encoder.classes

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, D) erased vectors."""
        return self.affine(self.encoder.embed(texts)).astype(np.float32)

    def probabilities(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(n, C)."""
        if not texts:
            return np.zeros((0, len(self.classes)), np.float32)
        logits = self.affine(self.encoder.embed(texts)) @ self.weight.T + self.bias
        shares: NDArray[np.float32] = softmax(logits, axis=1).astype(np.float32)
        return shares

    def model(self, original: nn.Module) -> nn.Module:
        """A copy of the encoder's model that gives the same logits, so that it can be explained.

        An affine map before a linear head is a linear head, so the map is folded into it.

        Args:
            original: a transformers model with a linear head `classifier` or `score`, whose input
                is what `embed` gives; left as it is.

        Raises:
            UsageError: it has no such head.
        """
        made = copy.deepcopy(original)
        name, head = _linear_head(made)
        if tuple(head.weight.shape) != self.weight.shape:
            raise UsageError(
                f"the head is of shape {tuple(head.weight.shape)} and the erased one of "
                f"{self.weight.shape}; give the model that `embed` uses"
            )
        folded = self.affine.folded(self.weight, self.bias)
        new = nn.Linear(head.in_features, head.out_features, device=head.weight.device)
        with torch.no_grad():
            for parameter, value in zip((new.weight, new.bias), folded, strict=True):
                parameter.copy_(torch.from_numpy(value))
        setattr(made, name, new.to(head.weight.dtype))
        return made


def _linear_head(model: nn.Module) -> tuple[str, nn.Linear]:
    for name in ("classifier", "score"):
        head: Any = getattr(model, name, None)
        if isinstance(head, nn.Linear):
            return name, head
    raise UsageError(
        f"{type(model).__name__} has no linear head named classifier or score; take a model of one "
        "linear layer on a pooled vector"
    )


def _head(vectors: Floats, targets: NDArray[np.int64], classes: int) -> tuple[Floats, Floats]:
    """Weight (C, D) and bias (C,) of logistic regression; absent classes get no chance."""
    there = np.unique(targets)
    if len(there) < 2:
        raise UsageError("a head needs training rows of at least two classes, got one")
    scale = float(vectors.std()) or 1.0
    fitted = LogisticRegression(C=_C, max_iter=2000).fit(vectors / scale, targets)
    coefficients, intercepts = fitted.coef_ / scale, fitted.intercept_
    if len(there) == 2:  # one row says how much the second class is preferred
        coefficients = np.concatenate([-coefficients / 2, coefficients / 2])
        intercepts = np.concatenate([-intercepts / 2, intercepts / 2])
    weight = np.zeros((classes, vectors.shape[1]))
    bias = np.full(classes, -1e4)
    weight[there], bias[there] = coefficients, intercepts
    return weight, bias
