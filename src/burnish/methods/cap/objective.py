"""What a model is pruned under: its labels, its teacher's answers, and three views of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from burnish.contrast import bank_contrast
from burnish.contrast.bank import Reduction
from burnish.data.encoding import Encoded
from burnish.distill import soft_target_kl
from burnish.errors import ConfigError
from burnish.methods.cap.banks import Banks, Kind
from burnish.training import derive

FEW = 10_000  # examples below which the published weight of the contrast swamps distillation
Rows = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class CapObjective:
    """L = alpha CE + beta T² KL(teacher || model) + sum over banks of lambda_u L_u + lambda_s L_s.

    `use=()` leaves the contrast out, which is distillation alone; `alpha=1, beta=0, use=()` is
    training on labels alone.

    Attributes:
        alpha: weight of the cross-entropy with the labels.
        beta: weight of distillation.
        kd_temperature: T of distillation.
        use: the views contrasted with: "pre" (PrC), "snap" (SnC), "fine" (FiC), any of them.
        tau: temperature of the contrast.
        lambda_u: weight of the unsupervised term; "auto" is 0.03 below 10,000 examples, else 0.3.
        lambda_s: weight of the supervised term; 0 leaves it out, as question answering always
            does. With reduction "reference" the published values are 3 and 10.
        extra: E, further keys drawn from all examples for each bank.
        reduction: how the contrast is averaged, see `burnish.contrast.bank_contrast`.
        pooling: the vector that is contrasted; "auto" is the encoder's own, where the caller
            knows it, else "cls".
        anchor_dropout: probability of dropout on the anchors, for "cls" in classification.
        projection: learn a linear map to the teacher's hidden size for "fine".

    Source: CAP, arXiv 2112.07198, and its released code. Departures: `extra` is cut to half the
    examples where there are few, `lambda_u` depends on their number, and `reduction` is "mean"
    with `lambda_s` 0.005, which is the size the released code's supervised term really has.
    """

    alpha: float = 0.1
    beta: float = 0.9
    kd_temperature: float = 1.0
    use: tuple[Kind, ...] = ("pre", "snap", "fine")
    tau: float = 0.1
    lambda_u: float | Literal["auto"] = "auto"
    lambda_s: float = 0.005
    extra: int = 1024
    reduction: Reduction = "mean"
    pooling: Literal["auto", "cls", "mean"] = "auto"
    anchor_dropout: float = 0.1
    projection: bool = False

    def __post_init__(self) -> None:
        if not self.tau > 0:
            raise ConfigError(f"tau divides cosines and must be > 0, got {self.tau}")
        if not self.kd_temperature > 0:
            raise ConfigError(f"kd_temperature must be > 0, got {self.kd_temperature}")
        weights = {"alpha": self.alpha, "beta": self.beta, "lambda_s": self.lambda_s}
        if self.lambda_u != "auto":
            weights["lambda_u"] = self.lambda_u
        for name, value in weights.items():
            if not value >= 0 or not np.isfinite(value):
                raise ConfigError(f"{name} is the weight of a loss and must be >= 0, got {value}")
        if unknown := set(self.use) - {"pre", "snap", "fine"}:
            raise ConfigError(f"use takes pre, snap and fine, got {', '.join(sorted(unknown))}")
        if self.extra < 0:
            raise ConfigError(f"extra is a number of keys and must be >= 0, got {self.extra}")

    @property
    def teaches(self) -> bool:
        """Whether a teacher is needed."""
        return self.beta > 0 or "fine" in self.use

    def unsupervised_weight(self, examples: int) -> float:
        """lambda_u for so many examples."""
        if self.lambda_u == "auto":
            return 0.03 if examples < FEW else 0.3
        return self.lambda_u


CE_ONLY = CapObjective(alpha=1.0, beta=0.0, use=())
KD_ONLY = CapObjective(use=())


@dataclass(frozen=True)
class Losses:
    """The parts of one batch's loss; scalars in nats."""

    total: Tensor
    labels: Tensor
    distilled: Tensor | None
    contrast: Tensor | None


class BoundObjective:
    """A `CapObjective` with the examples, the banks and the teacher's answers it works on.

    Args:
        objective: the weights.
        examples: what is trained on, N rows.
        banks: where the three views are, as far as they are filled.
        teacher_logits: (N, H * C) of the teacher, or None where nothing is distilled.
        seed: of the keys drawn.
        projection: to the teacher's hidden size, or None.
    """

    def __init__(
        self,
        objective: CapObjective,
        examples: Encoded,
        banks: Banks,
        teacher_logits: NDArray[np.floating[Any]] | None,
        *,
        seed: int,
        projection: nn.Module | None = None,
    ) -> None:
        self.objective, self.examples, self.banks = objective, examples, banks
        self._teacher_logits, self._seed, self._projection = teacher_logits, seed, projection
        self._classes: Tensor | None = None
        if objective.lambda_s > 0 and examples.task != "qa":
            self._classes = torch.from_numpy(examples.labels)

    def losses(
        self, rows: Rows, logits: Tensor, vectors: Tensor | None, labels: Tensor, *, step: str
    ) -> Losses:
        """The loss of a batch.

        Args:
            rows: (B,) which examples.
            logits: (H, B, C) of the model.
            vectors: (B, D) of the model, or None to leave the contrast out.
            labels: (H, B) classes or positions.
            step: names the draw of the further keys.
        """
        with torch.autocast(logits.device.type, enabled=False):
            heads = range(len(logits))
            each = [cross_entropy(logits[head], labels[head]) for head in heads]
            on_labels = torch.stack(each).mean()
            distilled = self._distilled(rows, logits)
            contrast = None if vectors is None else self._contrast(rows, vectors, step)
        total = self.objective.alpha * on_labels
        if distilled is not None:
            total = total + self.objective.beta * distilled
        if contrast is not None:
            total = total + contrast
        return Losses(total, on_labels, distilled, contrast)

    def _distilled(self, rows: Rows, logits: Tensor) -> Tensor | None:
        if self._teacher_logits is None or self.objective.beta == 0:
            return None
        heads, _, classes = logits.shape
        stored = torch.from_numpy(np.asarray(self._teacher_logits[rows], np.float32))
        kept = stored.view(len(rows), heads, -1)[:, :, :classes].to(logits.device)
        temperature = self.objective.kd_temperature
        each = [
            soft_target_kl(logits[head], kept[:, head], temperature=temperature)
            for head in range(heads)
        ]
        return torch.stack(each).mean()

    def _contrast(self, rows: Rows, vectors: Tensor, step: str) -> Tensor | None:
        kinds = [kind for kind in self.objective.use if self.banks.names(kind)]
        terms = [self._against(kind, rows, vectors, f"{step}/{kind}") for kind in kinds]
        return torch.stack(terms).sum() if terms else None

    def _against(self, kind: Kind, rows: Rows, vectors: Tensor, draw: str) -> Tensor:
        size, stored = self.banks.size, len(self.banks.names(kind))
        rng = np.random.default_rng(derive(self._seed, "keys", draw))
        wanted = min(self.objective.extra, size // 2) // stored
        others = rng.choice(size, wanted, replace=False, shuffle=False)
        if kind == "fine" and self._projection is not None:
            vectors = self._projection(vectors)
        device = vectors.device
        labels = self._classes
        terms = bank_contrast(
            vectors,
            torch.from_numpy(rows).to(device),
            self.banks.gather(kind, rows).to(device),
            self.banks.gather(kind, others).to(device),
            torch.from_numpy(others).to(device),
            temperature=self.objective.tau,
            labels=None if labels is None else labels[rows].to(device),
            other_labels=None if labels is None else labels[others].to(device),
            reduction=self.objective.reduction,
        )
        total = self.objective.unsupervised_weight(size) * terms.unsupervised
        if terms.supervised is not None:
            total = total + self.objective.lambda_s * terms.supervised
        return total
