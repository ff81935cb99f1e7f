"""Two classifiers to guard: a linear one on words, and a fine-tuned sentence encoder.

The linear one is softmax regression on which words are there; what it thinks of a word is exactly
its weight. The encoder is a `BertForSequenceClassification`, or what the encoder's own family has,
so it is saved, loaded and explained like any other Hugging Face classifier.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import ArrayLike, NDArray
from safetensors.numpy import load_file, save_file
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from burnish.data.batching import eval_batches, plan_batches
from burnish.data.encoding import Encoded, encode
from burnish.data.examples import Examples
from burnish.errors import DataError, UsageError
from burnish.methods.nlpguard.hf import HfClassifier
from burnish.methods.nlpguard.linear import LinearClassifier
from burnish.models.heads import fresh_head, load_task_model
from burnish.models.options import has_bfloat16
from burnish.training import Group, Training, derive, fit
from burnish.training.loop import Precision

Kind = Literal["linear", "minilm"]
Penalty = Callable[[nn.Module, Mapping[str, Tensor]], Tensor]
Floats = NDArray[np.float32]

_WORD = r"\b\w+\b"
SAVED_WORDS, _SAVED_WEIGHTS = "vocabulary.json", "weights.safetensors"


@dataclass(frozen=True, kw_only=True)
class LinearSettings:
    """How to train the linear classifier.

    Attributes:
        inverse_penalty: C of scikit-learn's `LogisticRegression`; smaller shrinks weights more.
        max_steps: of L-BFGS.
    """

    inverse_penalty: float = 1.0
    max_steps: int = 1000


@dataclass(frozen=True, kw_only=True)
class EncoderSettings:
    """How to fine-tune an encoder.

    Attributes:
        encoder: as in `burnish.models.load_encoder`.
        learning_rate: peak of the encoder's.
        head_rate: peak of the head's, which starts at random.
        epochs: passes over the training texts.
        batch_size: texts of a step.
        max_length: tokens of a text; the rest is cut.
        validation: share of the training texts that is held out; after each epoch macro F1 is
            taken on it, and the weights of the best epoch are kept. 0 keeps the last.
        patience: epochs without a better F1 after which training stops.
        precision: of matrix products in training; None takes bfloat16 where the machine has it.
    """

    encoder: str = "all-minilm-l6-v2"
    learning_rate: float = 2e-4
    head_rate: float = 2e-3
    epochs: int = 3
    batch_size: int = 32
    max_length: int = 128
    validation: float = 0.1
    patience: int = 2
    precision: Precision | None = None


@dataclass(frozen=True, eq=False)
class TrainedLinear:
    """A linear classifier of texts.

    Attributes:
        pipeline: `CountVectorizer` and `LogisticRegression`, fitted.
        classes: names of all C classes; those without a training text have probability 0.
    """

    pipeline: Pipeline
    classes: tuple[str, ...]

    @cached_property
    def classifier(self) -> LinearClassifier:
        """What explainers take."""
        return LinearClassifier(self.pipeline, self.classes)

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """(n, C), rows in the order of the texts."""
        return self.classifier.probabilities(texts)

    def save(self, folder: str | Path) -> None:
        """Write words and weights to a folder, as JSON and safetensors."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        words, model = self.pipeline[0].get_feature_names_out().tolist(), self.pipeline[-1]
        told = {"classes": self.classes, "words": words}
        (target / SAVED_WORDS).write_text(json.dumps(told), encoding="utf-8")
        weights = {"coef": model.coef_, "intercept": model.intercept_, "classes": model.classes_}
        save_file(
            {name: np.ascontiguousarray(value) for name, value in weights.items()},
            target / _SAVED_WEIGHTS,
        )


@dataclass(frozen=True, eq=False)
class TrainedEncoder:
    """A fine-tuned encoder with a linear head.

    Attributes:
        model: an `AutoModelForSequenceClassification`, in evaluation mode.
        tokenizer: its own.
        classes: names of the C classes.
        max_length: tokens of a text; the rest is cut.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    classes: tuple[str, ...]
    max_length: int = 128

    @cached_property
    def classifier(self) -> HfClassifier:
        """What explainers take."""
        return HfClassifier(self.model, self.tokenizer, self.classes, max_length=self.max_length)

    @property
    def head(self) -> nn.Linear:
        """What turns a pooled representation into logits."""
        found = getattr(self.model, "classifier", None)
        if not isinstance(found, nn.Linear):
            raise UsageError(
                f"a {type(self.model).__name__} has no linear head on a pooled representation; "
                "take an encoder of BERT's family"
            )
        return found

    def probabilities(self, texts: Sequence[str]) -> Floats:
        """(n, C), rows in the order of the texts."""
        return self.classifier.probabilities(texts)

    def embed(self, texts: Sequence[str]) -> Floats:
        """Pooled representations (n, D), what the head sees."""
        found = np.zeros((len(texts), self.head.in_features), np.float32)
        if not len(texts):
            return found
        caught: list[Tensor] = []
        hook = self.head.register_forward_pre_hook(lambda _, inputs: caught.append(inputs[0]))
        encoded = _encoded(texts, np.zeros(len(texts), np.int64), self)
        try:
            with torch.inference_mode():
                for rows in eval_batches(encoded.lengths, _EVAL_BATCH):
                    inputs = _inputs(encoded, rows, self.model.device)
                    del inputs["labels"]
                    self.model(**inputs)
                    found[rows] = caught.pop().float().cpu().numpy()
        finally:
            hook.remove()
        return found

    def save(self, folder: str | Path) -> None:
        """Write a Hugging Face folder."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


Trained = TrainedLinear | TrainedEncoder
_EVAL_BATCH = 64


def train(
    kind: Kind,
    texts: Sequence[str],
    labels: Sequence[str | int],
    classes: Sequence[str],
    seed: int,
    *,
    weights: ArrayLike | None = None,
    penalty: Penalty | None = None,
    linear: LinearSettings | None = None,
    encoder: EncoderSettings | None = None,
) -> Trained:
    """Train a classifier; the same arguments give the same one.

    Args:
        kind: "linear", or "minilm" for the encoder of `encoder`.
        texts: n texts.
        labels: (n,) names or indices of classes.
        classes: names of the C classes, at least two.
        seed: of the head's first weights, of the batches, dropout and the validation part.
        weights: (n,) how much each text counts, at least 0, scaled so that those that count have
            a mean of 1; a text of weight 0 might as well not be there.
        penalty: a term of the encoder's loss, given the model and a batch with its labels.
        linear: settings of the linear one.
        encoder: settings of the encoder.

    Raises:
        DataError: texts and labels do not pair up, a label is no class, fewer than two classes
            have a text, or no text has a word.
        UsageError: the kind or a weight is wrong, or a penalty was given for the linear one.
        BurnishError: the loss became NaN or infinite.
    """
    targets = class_indices(labels, classes)
    counted = _checked_weights(weights, len(targets))
    if len(texts) != len(targets):
        raise DataError(f"every text has a label, got {len(texts)} texts, {len(targets)} labels")
    kept = np.flatnonzero(counted)  # a text that does not count must not be validated on either
    texts, targets, counted = [texts[int(row)] for row in kept], targets[kept], counted[kept]
    if len(np.unique(targets)) < 2:
        raise DataError("training needs texts of at least two classes; take back some of the edits")
    if kind == "linear":
        if penalty is not None:
            raise UsageError("a penalty needs gradients through the encoder; train kind 'minilm'")
        return _train_linear(texts, targets, classes, counted, linear or LinearSettings())
    if kind == "minilm":
        settings = encoder or EncoderSettings()
        return _train_encoder(texts, targets, classes, seed, counted, penalty, settings)
    raise UsageError(f"kind is linear or minilm, got {kind!r}")


def load_linear(folder: str | Path) -> TrainedLinear:
    """A classifier that `TrainedLinear.save` wrote; nothing in the folder is run.

    Raises:
        DataError: the folder has none, or files that do not fit each other.
    """
    source = Path(folder)
    try:
        told = json.loads((source / SAVED_WORDS).read_text(encoding="utf-8"))
        words, classes = list(map(str, told["words"])), tuple(map(str, told["classes"]))
        weights = load_file(source / _SAVED_WEIGHTS)
        coef, intercept, known = (weights[name] for name in ("coef", "intercept", "classes"))
    except Exception as error:  # safetensors raises an error of its own
        raise DataError(f"{source} has no linear classifier: {error}; save one there") from error
    rows = 1 if len(known) == 2 else len(known)
    fits = coef.shape == (rows, len(words)) and intercept.shape == (rows,)
    if not fits or known.max(initial=0) >= len(classes) or len(set(words)) < len(words):
        raise DataError(f"the weights in {source} do not fit its words and classes; save it anew")
    vectorizer = CountVectorizer(binary=True, token_pattern=_WORD, vocabulary=words).fit([""])
    model = LogisticRegression()
    model.coef_, model.intercept_, model.classes_ = coef, intercept, known
    return TrainedLinear(make_pipeline(vectorizer, model), classes)


def load_encoder_classifier(folder: str | Path, *, max_length: int = 128) -> TrainedEncoder:
    """A classifier that `TrainedEncoder.save` wrote, or any sequence classifier.

    Raises:
        UsageError: as `burnish.models.load_task_model`, or there is no tokenizer.
    """
    loaded = load_task_model(folder, "classification")
    if len(loaded.tokenizer) <= len(loaded.tokenizer.all_special_tokens):
        # transformers makes one without words where the files are missing
        raise UsageError(f"{folder} has no tokenizer; save the one of its training there")
    config: Any = loaded.model.config
    names: Mapping[int, str] = config.id2label
    classes = tuple(names[index] for index in sorted(names))
    return TrainedEncoder(loaded.model, loaded.tokenizer, classes, max_length)


def class_indices(labels: Sequence[str | int], classes: Sequence[str]) -> NDArray[np.int64]:
    """Indices (n,) of classes that are given by name or by index.

    Raises:
        DataError: a label is neither; names the row.
        UsageError: fewer than two classes, or one named twice.
    """
    index: dict[Any, int] = {name: place for place, name in enumerate(classes)}
    if len(index) < len(classes) or len(classes) < 2:
        raise UsageError(f"at least two classes of different names are wanted, got {[*classes]}")
    found = np.empty(len(labels), np.int64)
    for row, label in enumerate(labels):
        place = index.get(label) if isinstance(label, str) else _whole(label, len(classes))
        if place is None:
            raise DataError(
                f"the label of row {row} is {label!r}, which is no class; there are: "
                f"{', '.join(classes)}"
            )
        found[row] = place
    return found


def _whole(label: Any, size: int) -> int | None:
    whole = isinstance(label, int | np.integer) and 0 <= label < size
    return int(label) if whole else None


def _checked_weights(weights: ArrayLike | None, n: int) -> NDArray[np.float64]:
    if weights is None:
        return np.ones(n)
    found = np.asarray(weights, np.float64)
    if found.shape != (n,) or not np.isfinite(found).all() or (found < 0).any() or not found.any():
        raise UsageError(
            f"weights are {n} finite numbers of at least 0, not all 0, got shape {found.shape}"
        )
    scaled: NDArray[np.float64] = found / found[found > 0].mean()
    return scaled


def _train_linear(
    texts: Sequence[str],
    targets: NDArray[np.int64],
    classes: Sequence[str],
    weights: NDArray[np.float64],
    settings: LinearSettings,
) -> TrainedLinear:
    pipeline = make_pipeline(
        CountVectorizer(binary=True, token_pattern=_WORD),
        LogisticRegression(C=settings.inverse_penalty, max_iter=settings.max_steps),
    )
    name = pipeline.steps[-1][0]
    try:
        pipeline.fit(texts, targets, **{f"{name}__sample_weight": weights})
    except ValueError as error:
        if "empty vocabulary" not in str(error):
            raise
        raise DataError("no training text has a word; take back some of the edits") from error
    return TrainedLinear(pipeline, tuple(classes))


def _train_encoder(
    texts: Sequence[str],
    targets: NDArray[np.int64],
    classes: Sequence[str],
    seed: int,
    weights: NDArray[np.float64],
    penalty: Penalty | None,
    settings: EncoderSettings,
) -> TrainedEncoder:
    generator = torch.Generator().manual_seed(derive(seed, "head"))
    made = fresh_head(settings.encoder, "classification", generator, labels=classes)
    if penalty is not None:  # fused attention has no second derivative
        made.model.set_attn_implementation("eager")
    trained = TrainedEncoder(made.model, made.tokenizer, tuple(classes), settings.max_length)
    encoded = _encoded(texts, targets, trained)
    rows, held = _parted(targets, settings.validation, seed)
    best = _Best(trained, [texts[row] for row in held], targets[held], settings.patience)
    _fit(trained, encoded, rows, weights, penalty, settings, seed, best)
    return trained


def _parted(
    targets: NDArray[np.int64], share: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows to train on and rows to validate on; the latter none where a class is too small."""
    rows = np.arange(len(targets))
    size = round(share * len(targets))
    counts = np.bincount(targets)
    if size < np.count_nonzero(counts) or counts[counts > 0].min() < 2:
        return rows, rows[:0]
    state = derive(seed, "validation") % 2**32
    kept, held = train_test_split(rows, test_size=size, random_state=state, stratify=targets)
    return np.sort(kept), np.sort(held)


class _Enough(Exception):
    """Raised inside the training loop to leave it."""


class _Best:
    """Weights of the epoch that did best on the validation part."""

    def __init__(
        self,
        trained: TrainedEncoder,
        texts: Sequence[str],
        targets: NDArray[np.int64],
        patience: int,
    ) -> None:
        self._trained, self._texts, self._targets = trained, texts, targets
        self._patience, self._worse = patience, 0
        self._score = -1.0
        self._weights: dict[str, Tensor] = {}

    def epoch_ended(self) -> None:
        """Look at the weights as they are.

        Raises:
            _Enough: nothing got better for long enough.
        """
        if not self._texts:
            return
        model = self._trained.model.train(False)
        predicted = self._trained.probabilities(self._texts).argmax(1)
        model.train()
        score = float(f1_score(self._targets, predicted, average="macro"))
        if score > self._score:
            self._score, self._worse = score, 0
            self._weights = {name: each.clone() for name, each in model.state_dict().items()}
            return
        self._worse += 1
        if self._worse >= self._patience:
            raise _Enough

    def restore(self) -> None:
        """Put the best weights back."""
        if self._weights:
            self._trained.model.load_state_dict(self._weights)
        self._trained.model.train(False)


def _fit(
    trained: TrainedEncoder,
    encoded: Encoded,
    rows: NDArray[np.int64],
    weights: NDArray[np.float64],
    penalty: Penalty | None,
    settings: EncoderSettings,
    seed: int,
    best: _Best,
) -> None:
    accelerator = Accelerator()
    trained.model.to(accelerator.device)
    counted = torch.from_numpy(weights.astype(np.float32)).to(accelerator.device)

    def loss(module: nn.Module, batch: NDArray[np.int64], step: int) -> Tensor:
        inputs = _inputs(encoded, batch, accelerator.device)
        labels = inputs.pop("labels")
        logits: Tensor = module(**inputs).logits
        each = cross_entropy(logits.float(), labels, reduction="none")
        total = (each * counted[torch.from_numpy(batch).to(each.device)]).mean()
        return total if penalty is None else total + penalty(module, {**inputs, "labels": labels})

    rng = np.random.default_rng(derive(seed, "batches"))
    planned = plan_batches(
        encoded.lengths[rows],
        batch_size=settings.batch_size,
        epochs=settings.epochs,
        generator=rng,
    )
    steps = len(planned) // settings.epochs

    def after_step(step: int, _: float) -> None:
        if step % steps == 0:
            best.epoch_ended()

    groups = [Group(tuple(trained.head.parameters()), settings.head_rate)]
    with contextlib.suppress(_Enough):
        fit(
            trained.model,
            loss,
            [rows[batch] for batch in planned],
            _training(settings, seed),
            groups=groups,
            accelerator=accelerator,
            after_step=after_step,
        )
    best.restore()


def _training(settings: EncoderSettings, seed: int) -> Training:
    precision = settings.precision or ("bfloat16" if has_bfloat16() else "float32")
    return Training(
        learning_rate=settings.learning_rate, precision=precision, seed=derive(seed, "dropout")
    )


def _encoded(
    texts: Sequence[str],
    targets: NDArray[np.int64],
    trained: TrainedEncoder,
) -> Encoded:
    examples = Examples(
        task="classification",
        ids=tuple(range(len(texts))),
        texts=tuple(texts),
        labels=tuple(targets.tolist()),
        label_names=trained.classes,
    )
    return encode(examples, trained.tokenizer, max_length=trained.max_length)


def _inputs(encoded: Encoded, rows: NDArray[np.int64], device: torch.device) -> dict[str, Tensor]:
    return {name: value.to(device) for name, value in encoded.batch(rows).items()}
