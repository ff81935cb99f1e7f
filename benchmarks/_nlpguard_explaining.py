"""Time Integrated Gradients: ours, Captum's, one text at a time; and exact linear explanations.

All sides explain the same one-line biographies for the same classes, in float32, in one process, on
as many threads as PyTorch is given, with weights that take no gradient; they take turns, and the
least processor time of each piece of the corpus counts, since noise only ever adds. MiniLM gets a
head by logistic regression on what it pools. Functions return plain rows.

"One text at a time" is said of two things. The naive one makes a pass of one text and one step,
with PyTorch's usual products. The batched one makes passes of all steps of one text, as Captum
does; beside that, whoever has filled the processor already gains little by more texts.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
import torch
from captum.attr import IntegratedGradients as Captum
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from torch import Tensor
from torch.nn.functional import pad
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from burnish import assets
from burnish.data.embedded import load_set
from burnish.methods.nlpguard import hf as hf_module
from burnish.methods.nlpguard.classifier import Attributed, Explainer, Skipped
from burnish.methods.nlpguard.hf import HfClassifier
from burnish.methods.nlpguard.integrated import IntegratedGradients, embedded, gathered
from burnish.methods.nlpguard.linear import LinearClassifier, LinearExplainer
from burnish.methods.nlpguard.peers import CaptumIntegratedGradients
from burnish.methods.nlpguard.racing import differences, one_by_one
from burnish.models.options import quiet

Row = dict[str, str | int | float | None]
Targets = NDArray[np.int64]
Explained = Sequence[Attributed | Skipped]
Explain = Callable[[Sequence[str], Targets], Explained]

STEPS = 50
HEAD_TEXTS = 400
BATCH = 8  # texts of a padded batch for Captum; 400 rows of a pass
PIECE = 25  # texts timed together
CAPTUM, BATCHED = "Captum, one text at a time", f"Captum, padded batches of {BATCH}"
ALONE, NAIVE = "ours, all steps of one text at a time", "one step of one text at a time"
OURS, USUAL, AUTO = "ours", "ours, PyTorch's usual products", "ours, steps as needed"


def gradient_rows(count: int = 50, *, slow: int = 5, repeats: int = 3) -> list[Row]:
    """Texts a second of MiniLM explained in 50 steps, against Captum and one text at a time.

    Args:
        count: texts.
        slow: of them, for the side that takes one step at a time, and for ours beside it.
        repeats: turns; the fastest counts.
    """
    classifier, texts = _minilm()
    texts = texts[:count]
    targets = classifier.probabilities(texts).argmax(1).astype(np.int64)
    ours, needed = IntegratedGradients(classifier, STEPS), IntegratedGradients(classifier)
    one_step = IntegratedGradients(classifier, STEPS, positions_per_pass=1)
    sides: dict[str, Explain] = {
        CAPTUM: CaptumIntegratedGradients(classifier, STEPS).explain,
        BATCHED: lambda some, wanted: _captum_batches(classifier, some, wanted),
        ALONE: one_by_one(ours),
        USUAL: _usually(ours),
        OURS: ours.explain,
        AUTO: needed.explain,
    }
    few = {NAIVE: _usually(one_step), OURS: ours.explain, AUTO: needed.explain}
    seconds, results = _timed(sides, texts, targets, repeats)
    slow_seconds, _ = _timed(few, texts[:slow], targets[:slow], repeats)
    wanted = results[CAPTUM]
    return [
        _row(name, base, times, lowest)
        | {"relative_difference": float(differences(results[name], wanted).max())}
        | {"median_difference": float(np.median(differences(results[name], wanted)))}
        | {"complete_percent": _complete(results[name])}
        for name, base, times, lowest in (
            (OURS, CAPTUM, seconds, 2.0),
            (OURS, BATCHED, seconds, 2.0),
            (USUAL, CAPTUM, seconds, None),
            (USUAL, BATCHED, seconds, None),
            (AUTO, CAPTUM, seconds, None),
            (OURS, NAIVE, slow_seconds, 5.0),
            (AUTO, NAIVE, slow_seconds, None),
            (OURS, ALONE, seconds, None),
            (AUTO, OURS, seconds, None),
        )
    ]


def linear_rows(*, repeats: int = 3) -> list[Row]:
    """Texts a second of a bag of words explained exactly, against one at a time and a loop."""
    texts, labels = _biographies()
    pipeline = make_pipeline(CountVectorizer(binary=True), LogisticRegression(max_iter=1000))
    classifier = LinearClassifier(pipeline.fit(texts, labels))
    targets = classifier.probabilities(texts).argmax(1).astype(np.int64)
    explainer = LinearExplainer(classifier)
    together, alone, loop = "linear, all at once", "linear, one text at a time", "a plain loop"
    sides: dict[str, Explain] = {
        together: explainer.explain,
        alone: one_by_one(explainer),
        loop: lambda some, wanted: _loop(pipeline, some, wanted),
    }
    seconds, results = _timed(sides, texts, targets, repeats, piece=len(texts))
    return [
        _row(together, base, seconds, lowest)
        | {"relative_difference": float(differences(results[together], results[base]).max())}
        | {"complete_percent": _complete(results[together])}
        for base, lowest in ((alone, 10.0), (loop, None))
    ]


def _loop(pipeline: Pipeline, texts: Sequence[str], targets: Targets) -> list[Attributed | Skipped]:
    """What a user would write: the weights of a text's words, one text after the other."""
    vectorizer, model = pipeline[0], pipeline[-1]
    found: list[Attributed | Skipped] = []
    for text, target in zip(texts, targets.tolist(), strict=True):
        features = vectorizer.transform([text])
        weighed = dict(
            zip(
                features.indices.tolist(),
                (features.data * model.coef_[target, features.indices]).tolist(),
                strict=True,
            )
        )
        places = [match.span() for match in re.finditer(vectorizer.token_pattern, text.lower())]
        words = [text[start:end] for start, end in places]
        columns = [vectorizer.vocabulary_.get(word.lower(), -1) for word in words]
        scores = np.array([weighed.get(one, 0.0) / columns.count(one) for one in columns])
        whole = np.abs(scores).sum()
        found.append(
            Attributed(tuple(words), tuple(places), scores / whole if whole > 0 else scores, 0.0)
        )
    return found


def _row(name: str, base: str, seconds: Mapping[str, float], lowest: float | None) -> Row:
    return {
        "what": name,
        "base": base,
        "texts_per_s": 1 / seconds[name],
        "base_texts_per_s": 1 / seconds[base],
        "speedup_ratio": seconds[base] / seconds[name],
        "lowest_ratio": lowest,
    }


def _timed(
    sides: Mapping[str, Explain],
    texts: Sequence[str],
    targets: Targets,
    repeats: int,
    *,
    piece: int = PIECE,
) -> tuple[dict[str, float], dict[str, list[Attributed]]]:
    """Processor seconds a text, the least of each piece, and the last results of each side."""
    for explain in sides.values():
        explain(texts[:2], targets[:2])
    seconds = dict.fromkeys(sides, 0.0)
    results: dict[str, list[Attributed]] = {name: [] for name in sides}
    for start in range(0, len(texts), piece):
        part = slice(start, start + piece)
        best = dict.fromkeys(sides, float("inf"))
        found: dict[str, Explained] = {}
        for _ in range(repeats):
            for name, explain in sides.items():
                begun = time.process_time()
                found[name] = explain(texts[part], targets[part])
                best[name] = min(best[name], time.process_time() - begun)
        for name in sides:
            seconds[name] += best[name] / len(texts)
            results[name] += _explained(found[name])
    return seconds, results


def _usually(explainer: Explainer) -> Explain:
    @contextmanager
    def nothing() -> Iterator[None]:
        yield

    def explain(texts: Sequence[str], targets: Targets) -> Explained:
        with (
            patch.object(hf_module, "onednn_products", nothing),
            patch.object(hf_module, "short_attention", nothing),
        ):
            return explainer.explain(texts, targets)

    return explain


def _captum_batches(classifier: HfClassifier, texts: Sequence[str], targets: Targets) -> Explained:
    """Captum on batches in the order of the corpus, padded and masked."""

    def logits(embeddings: Tensor, mask: Tensor) -> Tensor:
        return classifier.logits(inputs_embeds=embeddings, attention_mask=mask)

    captum = Captum(logits)
    results: list[Attributed | Skipped] = []
    with classifier.frozen():
        for start in range(0, len(texts), BATCH):
            some = classifier.tokens(texts[start : start + BATCH])
            longest = max(len(one.ids) for one in some)
            pairs = [embedded(classifier, [one]) for one in some]
            inputs, baselines = (
                torch.cat([pad(one, (0, 0, 0, longest - one.shape[1])) for one in side])
                for side in zip(*pairs, strict=True)
            )
            mask = torch.arange(longest) < torch.tensor([[len(one.ids)] for one in some])
            scores, deltas = captum.attribute(
                inputs,
                baselines,
                target=torch.from_numpy(targets[start : start + BATCH]),
                additional_forward_args=(mask.long(),),
                n_steps=STEPS,
                return_convergence_delta=True,
            )
            sums = scores.detach().sum(-1, dtype=torch.float64).numpy()
            results += [
                gathered(text, one, row[: len(one.ids)], abs(delta / (row.sum() - delta)), "word")
                for text, one, row, delta in zip(
                    texts[start : start + BATCH], some, sums, deltas.tolist(), strict=True
                )
            ]
    return results


def _explained(results: Explained) -> list[Attributed]:
    assert not any(isinstance(one, Skipped) for one in results)
    return [one for one in results if isinstance(one, Attributed)]


def _complete(found: Sequence[Attributed]) -> float:
    """Percent of the texts with a completeness error below 2 %."""
    return 100 * float(np.mean([(one.completeness_error or 0.0) < 0.02 for one in found]))


def _biographies() -> tuple[list[str], list[int]]:
    data = load_set("occupations")
    return list(data.train.texts), list(data.train.labels)


def _minilm() -> tuple[HfClassifier, list[str]]:
    """MiniLM with a head fitted to the biographies, and those it was not fitted to."""
    folder = assets.path("all-minilm-l6-v2")
    data = load_set("occupations")
    train = data.train
    with quiet(), torch.random.fork_rng():
        model = AutoModelForSequenceClassification.from_pretrained(
            folder, num_labels=len(train.label_names), local_files_only=True
        )
    classifier = HfClassifier(
        model, AutoTokenizer.from_pretrained(folder, local_files_only=True), train.label_names
    )
    pooled: list[Tensor] = []
    hook = model.classifier.register_forward_pre_hook(lambda _, inputs: pooled.append(inputs[0]))
    for text in train.texts[:HEAD_TEXTS]:
        classifier.probabilities([text])
    hook.remove()
    head = LogisticRegression(max_iter=1000).fit(
        torch.cat(pooled).numpy(), train.labels[:HEAD_TEXTS]
    )
    with torch.no_grad():
        for row, label in enumerate(head.classes_):
            model.classifier.weight[label] = torch.from_numpy(head.coef_[row])
            model.classifier.bias[label] = float(head.intercept_[row])
    return classifier, list(data.test.texts)
