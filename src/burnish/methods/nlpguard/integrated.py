"""Words by Integrated Gradients, for classifiers that read embeddings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from burnish.gradients.integrated import Integrated, Steps, integrated_gradients
from burnish.methods.nlpguard.classifier import Attributed, Skipped, check_targets
from burnish.methods.nlpguard.hf import HfClassifier, Tokens
from burnish.methods.nlpguard.words import Granularity, add_up, continues, word_spans

_GROUP = 64  # texts of one length that go together; bounds what their slopes take


@dataclass(frozen=True)
class IntegratedGradients:
    """Integrated Gradients of the target's logit, from the same text of padding.

    The baseline keeps the special tokens and pads all others. Texts of one length go together, so
    nothing is padded, and the cut is the classifier's.

    Attributes:
        classifier: whose predictions are explained.
        steps: nodes of a Gauss-Legendre rule, or "auto"; see `integrated_gradients`.
        granularity: "word" adds up the pieces of a word; "token" leaves them apart.
        tolerance: completeness error at which "auto" stops.
        positions_per_pass: texts times steps times tokens of one pass.

    Source: Sundararajan et al. 2017; settings of the NLPGuard authors' code, which takes 50 steps
    and tokens. Departure: words and "auto" are the defaults.
    """

    classifier: HfClassifier
    steps: Steps = "auto"
    granularity: Granularity = "word"
    tolerance: float = 0.02
    positions_per_pass: int = 2048
    name: str = "ig"

    def explain(
        self, texts: Sequence[str], targets: NDArray[np.int64]
    ) -> list[Attributed | Skipped]:
        """As `Explainer` says."""
        check_targets(texts, targets, self.classifier.classes)
        tokens = self.classifier.tokens(texts)
        found: list[Attributed | Skipped] = [Skipped("it has no tokens")] * len(texts)
        with self.classifier.ready():
            for rows in _of_one_length(tokens):
                parts = self._scored([tokens[row] for row in rows], targets[rows])
                for row, part in zip(rows, parts, strict=True):
                    found[row] = (
                        part
                        if isinstance(part, Skipped)
                        else gathered(texts[row], tokens[row], part[0], part[1], self.granularity)
                    )
        return found

    def _scored(
        self, tokens: Sequence[Tokens], targets: NDArray[np.int64]
    ) -> list[tuple[NDArray[np.float64], float] | Skipped]:
        """Raw scores and completeness error of texts of one length; one that fails, fails alone."""
        try:
            found = self._integrated(tokens, targets)
        except RuntimeError as error:  # what torch raises, be it for one text of many
            if len(tokens) == 1:
                return [Skipped(f"the model raised {type(error).__name__}")]
            return [
                part
                for row in range(len(tokens))
                for part in self._scored(tokens[row : row + 1], targets[row : row + 1])
            ]
        scores = found.attributions.cpu().numpy()
        errors = found.completeness_errors.cpu().numpy()
        finite = np.isfinite(scores).all(1) & np.isfinite(errors)
        return [
            (scores[row], float(errors[row]))
            if finite[row]
            else Skipped("its gradients are not finite")
            for row in range(len(tokens))
        ]

    def _integrated(self, tokens: Sequence[Tokens], targets: NDArray[np.int64]) -> Integrated:
        classifier = self.classifier
        inputs, baselines = embedded(classifier, tokens)
        wanted = torch.from_numpy(targets).to(classifier.device)

        def score(embeddings: Tensor, which: Tensor) -> Tensor:
            logits = classifier.logits(inputs_embeds=embeddings)
            return logits.gather(1, wanted[which, None])[:, 0]

        return integrated_gradients(
            score,
            inputs,
            baselines,
            steps=self.steps,
            tolerance=self.tolerance,
            positions_per_pass=self.positions_per_pass,
        )


def embedded(classifier: HfClassifier, tokens: Sequence[Tokens]) -> tuple[Tensor, Tensor]:
    """Embeddings (B, T, H) of texts of one length, and those of their baselines."""
    ids = np.stack([one.ids for one in tokens])
    special = np.stack([one.special for one in tokens])
    pads = np.where(special, ids, classifier.tokenizer.pad_token_id)
    return classifier.embedded(ids), classifier.embedded(pads)


def gathered(
    text: str,
    tokens: Tokens,
    scores: NDArray[np.float64],
    completeness_error: float | None,
    granularity: Granularity,
) -> Attributed:
    """Scores of tokens as scores of words: added up, normalised, special tokens dropped last.

    Tokens of blanks alone belong to no word, and are left out of all sums of words.

    Args:
        text: that was explained.
        tokens: T of them.
        scores: (T,), raw, one a token, special ones included.
        completeness_error: passed on.
        granularity: "word" or "token".
    """
    own = ~tokens.special
    pieces, values = tokens.spans[own], scores[own]
    if granularity == "token":
        words, spans = continues(text, pieces), pieces.tolist()
    else:
        every = word_spans(text)
        there, values = add_up(values, pieces, every)
        spans = [every[word] for word in there]
        words = [text[start:end] for start, end in spans]
    whole = float(np.abs(values).sum() + np.abs(scores[tokens.special]).sum())
    return Attributed(
        tuple(words),
        tuple((start, end) for start, end in spans),
        values / whole if whole > 0 else np.zeros_like(values),
        completeness_error,
    )


def _of_one_length(tokens: Sequence[Tokens]) -> Iterator[NDArray[np.int64]]:
    by_length: dict[int, list[int]] = defaultdict(list)
    for row, one in enumerate(tokens):
        by_length[len(one.ids)].append(row)
    for length in sorted(by_length, reverse=True):
        if not length:
            continue
        rows = by_length[length]
        for start in range(0, len(rows), _GROUP):
            yield np.array(rows[start : start + _GROUP])
