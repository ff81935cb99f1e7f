"""Explanations beside Captum's and beside one text at a time: the same values, and how fast."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from burnish.methods.nlpguard.classifier import Attributed, Classifier, Explainer, Skipped
from burnish.methods.nlpguard.config import NlpguardConfig
from burnish.methods.nlpguard.ground import Ground, encoder_settings, ground_of
from burnish.methods.nlpguard.integrated import IntegratedGradients
from burnish.methods.nlpguard.linear import LinearExplainer
from burnish.methods.nlpguard.peers import CaptumIntegratedGradients
from burnish.methods.nlpguard.training import TrainedEncoder, TrainedLinear, train
from burnish.training import derive

_TEXTS = 50
_STEPS = 50
_TURNS = 3
_COMPLETE = 0.02

Targets = NDArray[np.int64]
Explain = Callable[[Sequence[str], Targets], Sequence[Attributed | Skipped]]


def race(config: NlpguardConfig, seed: int) -> dict[str, Any]:
    """Processor seconds a text of every side, least of several turns; and how far values differ.

    All sides explain the same texts for the same classes, in 50 steps where they take steps, in
    this process and by turns.

    Returns:
        By kind of classifier: seconds a text of each side; for an encoder also the largest
        relative difference to Captum's scores, and the share of complete texts. Captum explains
        one text at a time, with all its steps in one pass or one by one; its sides are missing
        where it is not installed.
    """
    found: dict[str, Any] = {}
    for kind in config.kinds:
        ground = ground_of(config, seed, 0, kind)
        trained = train(
            kind,
            ground.train.texts,
            ground.targets,
            ground.classes,
            derive(seed, "race") % 2**31,
            encoder=encoder_settings(config),
        )
        found[kind] = (
            _linear(trained, ground)
            if isinstance(trained, TrainedLinear)
            else _encoder(trained, ground)
        )
    return found


def _linear(trained: TrainedLinear, ground: Ground) -> dict[str, Any]:
    explainer = LinearExplainer(trained.classifier)
    sides = {"ours": explainer.explain, "one text at a time": one_by_one(explainer)}
    texts, targets = _asked(trained.classifier, ground, len(ground.test))
    seconds, _ = _timed(sides, texts, targets)
    return {"seconds": seconds}


def _encoder(trained: TrainedEncoder, ground: Ground) -> dict[str, Any]:
    classifier = trained.classifier
    texts, targets = _asked(classifier, ground, _TEXTS)
    fixed = IntegratedGradients(classifier, _STEPS)
    sides: dict[str, Explain] = {"ours": fixed.explain}
    sides["ours, steps as needed"] = IntegratedGradients(classifier).explain
    if find_spec("captum"):
        sides["captum"] = CaptumIntegratedGradients(classifier, _STEPS).explain
        naive = CaptumIntegratedGradients(classifier, _STEPS, rows_per_pass=1)
        sides["one text and step at a time"] = naive.explain
    seconds, values = _timed(sides, texts, targets)
    complete = [
        one.completeness_error is not None and one.completeness_error < _COMPLETE
        for one in values["ours, steps as needed"]
        if isinstance(one, Attributed)
    ]
    told: dict[str, Any] = {"seconds": seconds, "complete_share": float(np.mean(complete))}
    if "captum" in values:
        told["difference"] = float(differences(values["ours"], values["captum"]).max())
    return told


def _asked(classifier: Classifier, ground: Ground, count: int) -> tuple[list[str], Targets]:
    texts = list(ground.test[:: max(1, len(ground.test) // count)][:count])
    return texts, classifier.probabilities(texts).argmax(1).astype(np.int64)


def one_by_one(explainer: Explainer) -> Explain:
    """An explainer called for one text after the other."""
    return lambda texts, targets: [
        explainer.explain([text], targets[row : row + 1])[0] for row, text in enumerate(texts)
    ]


def _timed(
    sides: Mapping[str, Explain], texts: Sequence[str], targets: Targets
) -> tuple[dict[str, float], dict[str, Sequence[Attributed | Skipped]]]:
    seconds = dict.fromkeys(sides, float("inf"))
    values: dict[str, Sequence[Attributed | Skipped]] = {}
    for _ in range(_TURNS):
        for name, explain in sides.items():
            begun = time.process_time()
            values[name] = explain(texts, targets)
            taken = (time.process_time() - begun) / len(texts)
            seconds[name] = min(seconds[name], taken)
    return seconds, values


def differences(
    ours: Sequence[Attributed | Skipped], theirs: Sequence[Attributed | Skipped]
) -> NDArray[np.float64]:
    """(n,) the largest difference of scores in each text, relative to its largest score.

    Texts without a score, on either side, are left out.
    """
    return np.array(
        [
            np.abs(one.scores - other.scores).max() / np.abs(other.scores).max()
            for one, other in zip(ours, theirs, strict=True)
            if isinstance(one, Attributed) and isinstance(other, Attributed) and other.scores.any()
        ]
    )
