"""Explainers of other libraries behind our interface: Captum and SHAP, where installed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from burnish.errors import MissingExtra
from burnish.methods.nlpguard.classifier import Attributed, Classifier, Skipped, check_targets
from burnish.methods.nlpguard.hf import HfClassifier, Tokens
from burnish.methods.nlpguard.integrated import embedded, gathered
from burnish.methods.nlpguard.occlusion import normalised
from burnish.methods.nlpguard.words import Granularity, word_spans


@dataclass(frozen=True)
class CaptumIntegratedGradients:
    """Captum's Integrated Gradients, as the NLPGuard authors' code uses it: one text at a time.

    Attributes:
        classifier: whose predictions are explained.
        steps: nodes of Captum's Gauss-Legendre rule.
        granularity: "word" or "token".
        rows_per_pass: steps that go together, Captum's `internal_batch_size`; None is all.
    """

    classifier: HfClassifier
    steps: int = 50
    granularity: Granularity = "word"
    rows_per_pass: int | None = None
    name: str = "captum-ig"

    def explain(
        self, texts: Sequence[str], targets: NDArray[np.int64]
    ) -> list[Attributed | Skipped]:
        """As `Explainer` says.

        Raises:
            MissingExtra: captum is not installed.
        """
        check_targets(texts, targets, self.classifier.classes)
        explainer = _imported("captum.attr").IntegratedGradients(self._logits)
        with self.classifier.frozen():
            return [
                self._explained(explainer, text, tokens, target)
                for text, tokens, target in zip(
                    texts, self.classifier.tokens(texts), targets.tolist(), strict=True
                )
            ]

    def _explained(
        self, explainer: Any, text: str, tokens: Tokens, target: int
    ) -> Attributed | Skipped:
        if not len(tokens.ids):
            return Skipped("it has no tokens")
        inputs, baselines = embedded(self.classifier, [tokens])
        try:
            found, delta = explainer.attribute(
                inputs,
                baselines,
                target=target,
                n_steps=self.steps,
                internal_batch_size=self.rows_per_pass,
                return_convergence_delta=True,
            )
        except RuntimeError as raised:  # what torch raises
            return Skipped(f"the model raised {type(raised).__name__}")
        scores = found.detach().sum(-1, dtype=torch.float64)[0].cpu().numpy()
        if not np.isfinite(scores).all():
            return Skipped("its gradients are not finite")
        error = abs(float(delta)) / max(abs(float(scores.sum()) - float(delta)), 1e-30)
        return gathered(text, tokens, scores, error, self.granularity)

    def _logits(self, embeddings: Tensor) -> Tensor:
        return self.classifier.logits(inputs_embeds=embeddings)


@dataclass(frozen=True)
class ShapPartition:
    """SHAP's partition explainer over words, which it deletes, for the class's probability.

    Attributes:
        classifier: whose predictions are explained.
        budget: most evaluations of a text.
    """

    classifier: Classifier
    budget: int = 64
    name: str = "shap-partition"

    def explain(
        self, texts: Sequence[str], targets: NDArray[np.int64]
    ) -> list[Attributed | Skipped]:
        """As `Explainer` says.

        Raises:
            MissingExtra: shap is not installed.
        """
        check_targets(texts, targets, self.classifier.classes)
        shap = _imported("shap")
        masker = shap.maskers.Text(_split, mask_token=" ")  # noqa: S106
        explainer = shap.PartitionExplainer(self._scores, masker)
        found: list[Attributed | Skipped] = []
        for text, target in zip(texts, targets.tolist(), strict=True):
            spans = word_spans(text)
            if not spans:
                found.append(Skipped("it has no words"))
                continue
            if len(spans) == 1:  # SHAP builds no tree of one word
                without, full = self._scores(["", text])[:, target]
                scores = np.array([full - without])
            else:
                values = explainer([text], max_evals=self.budget, silent=True).values[0]
                scores = np.asarray(values, dtype=np.float64)[:, target]
            found.append(normalised(text, spans, scores, None))
        return found

    def _scores(self, texts: Sequence[str]) -> NDArray[np.float64]:
        return self.classifier.probabilities([str(text) for text in texts]).astype(np.float64)


def _split(text: str, return_offsets_mapping: bool = True) -> dict[str, Any]:
    """Words with the blanks that follow them, in the form of a tokenizer that SHAP takes."""
    starts = [0, *(start for start, _ in word_spans(text)[1:])] if text else []
    ends = [*starts[1:], len(text)][: len(starts)]
    offsets = list(zip(starts, ends, strict=True))
    return {"input_ids": [text[a:b] for a, b in offsets], "offset_mapping": offsets}


def _imported(module: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what they say of their own imports helps nobody
            return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        raise MissingExtra(
            f"this explainer needs {package}, which is not installed; run: pip install {package}"
        ) from error
