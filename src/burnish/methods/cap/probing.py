"""What a pruned encoder still knows: a linear classifier on its frozen vectors, on another set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from transformers import PreTrainedModel

from burnish.data.batching import eval_batches
from burnish.data.encoding import Encoded
from burnish.errors import UsageError
from burnish.methods.cap.represent import Pooling, Represented


@dataclass(frozen=True)
class Probed:
    """What a probe scores.

    Attributes:
        accuracy: in percent, of the test examples.
        majority: in percent, of guessing the commonest training class.
        train, test: examples.
    """

    accuracy: float
    majority: float
    train: int
    test: int


def vectors_of(
    model: PreTrainedModel, examples: Encoded, pooling: Pooling, *, precision: str = "float32"
) -> NDArray[np.float32]:
    """(n, D) pooled vectors of the examples, without dropout."""
    represented = Represented(model, pooling, 0.0).eval()
    device = next(model.parameters()).device
    found: NDArray[np.float32] | None = None
    on = precision == "bfloat16"
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=on):
        for rows in eval_batches(examples.lengths, 64):
            inputs = examples.batch(rows)
            inputs.pop("labels")
            given: Any = {name: value.to(device) for name, value in inputs.items()}
            vectors = represented(**given)[1].cpu().numpy()
            if found is None:
                found = np.empty((len(examples), vectors.shape[1]), np.float32)
            found[rows] = vectors
    represented.release()
    if found is None:
        raise UsageError("there is nothing to encode; give at least one example")
    return found


def probe(
    model: PreTrainedModel,
    train: Encoded,
    test: Encoded,
    *,
    pooling: Pooling = "cls",
    precision: str = "float32",
) -> Probed:
    """Freeze the encoder, fit logistic regression on its vectors, score it.

    Args:
        model: any encoder with a task head; the head is not used.
        train: classification examples, tokenised for this model, to fit on.
        test: likewise, to score on.
        pooling: which vector.
        precision: of matrix products.

    Raises:
        UsageError: the examples are no classification, or hold one class only.

    Source: CAP, arXiv 2112.07198, section on generalisation. Departure: logistic regression on
    standardised vectors (C = 1) in place of a trained linear head.
    """
    for part in (train, test):
        if part.task == "qa":
            raise UsageError("a probe classifies; give it classification or pairs, not qa")
    if len(np.unique(train.labels)) < 2:
        raise UsageError("a probe needs training examples of at least two classes, got one")
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    classifier.fit(vectors_of(model, train, pooling, precision=precision), train.labels)
    predicted = classifier.predict(vectors_of(model, test, pooling, precision=precision))
    commonest = np.bincount(train.labels).argmax()
    return Probed(
        accuracy=100 * float(np.mean(predicted == test.labels)),
        majority=100 * float(np.mean(test.labels == commonest)),
        train=len(train),
        test=len(test),
    )
