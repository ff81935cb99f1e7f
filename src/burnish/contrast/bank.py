"""Anchors against a bank that keeps several vectors an example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import normalize

from burnish.errors import UsageError

Reduction = Literal["mean", "reference"]


@dataclass(frozen=True)
class BankTerms:
    """The two terms of the loss, scalars in nats.

    Attributes:
        unsupervised: the positives are the example's own vectors.
        supervised: the positives are all keys of the example's class; None without labels.
    """

    unsupervised: Tensor
    supervised: Tensor | None


def bank_contrast(
    anchors: Tensor,
    ids: Tensor,
    own: Tensor,
    others: Tensor,
    other_ids: Tensor,
    *,
    temperature: float,
    labels: Tensor | None = None,
    other_labels: Tensor | None = None,
    reduction: Reduction = "mean",
) -> BankTerms:
    """Cross-entropy of finding an example's own vectors, and its class's, among the keys.

    The keys are the anchors themselves (detached, an anchor's own copy left out), the bank's
    vectors of the batch's examples and those of a sample of all examples. No gradient reaches a
    key.

    Args:
        anchors: (B, D), any norm; cosines are compared.
        ids: (B,) whole numbers, no two alike: which example each anchor is.
        own: (B, R, D) the bank's vectors of these examples, of unit norm.
        others: (m, R, D) the bank's vectors of other examples; may hold the batch's again.
        other_ids: (m,) which examples those are.
        temperature: divides the cosines, > 0.
        labels: (B,) classes, or None to leave the supervised term out.
        other_labels: (m,) classes; goes with `labels`.
        reduction: "mean" averages over positives, then over anchors, as the paper's formula does;
            "reference" divides the sum once more by the number of positive pairs in place of B,
            as the released code does, which makes it smaller by the mean positives an anchor has.

    Raises:
        UsageError: shapes that do not fit together, a temperature that is not positive, or labels
            on one side alone.

    Source: CAP, arXiv 2112.07198, and its released code.
    """
    _check(anchors, ids, own, others, other_ids, temperature)
    if (labels is None) != (other_labels is None):
        raise UsageError("labels and other_labels go together; give both or neither")
    stored = own.shape[1]
    queries = normalize(anchors, dim=1)
    keys = torch.cat([queries.detach(), own.detach().flatten(0, 1), others.detach().flatten(0, 1)])
    similarity = queries @ keys.to(queries.dtype).T / temperature
    itself = torch.zeros_like(similarity, dtype=torch.bool)
    itself.fill_diagonal_(True)
    log_odds = torch.logsumexp(similarity.masked_fill(itself, -torch.inf), dim=1)

    def term(of_anchors: Tensor, of_others: Tensor) -> Tensor:
        repeated = [each.repeat_interleave(stored) for each in (of_anchors, of_others)]
        of_keys = torch.cat([of_anchors, *repeated])
        positive = (of_anchors[:, None] == of_keys[None, :]) & ~itself
        return _reduced(similarity, log_odds, positive, reduction)

    supervised = None
    if labels is not None and other_labels is not None:
        supervised = term(labels, other_labels)
    return BankTerms(term(ids, other_ids), supervised)


def _reduced(
    similarity: Tensor, log_odds: Tensor, positive: Tensor, reduction: Reduction
) -> Tensor:
    """Mean over an anchor's positives of -log p, reduced over anchors."""
    count = positive.sum(1)
    each = log_odds - (similarity * positive).sum(1) / count.clamp(min=1)
    total = each.masked_fill(count == 0, 0.0).sum()
    return total / (len(similarity) if reduction == "mean" else count.sum().clamp(min=1))


def _check(
    anchors: Tensor, ids: Tensor, own: Tensor, others: Tensor, other_ids: Tensor, temperature: float
) -> None:
    if not temperature > 0:
        raise UsageError(f"temperature divides cosines and must be > 0, got {temperature}")
    size, width = anchors.shape
    fits = own.dim() == 3 and others.dim() == 3 and own.shape[1:] == others.shape[1:]
    if not fits or own.shape[0] != size or own.shape[2] != width:
        raise UsageError(
            f"anchors (B, D), own (B, R, D) and others (m, R, D) must share B, R and D, but have "
            f"shapes {tuple(anchors.shape)}, {tuple(own.shape)} and {tuple(others.shape)}"
        )
    if ids.shape != (size,) or other_ids.shape != (others.shape[0],):
        raise UsageError(
            f"every row has an id, but there are {size} anchors with ids {tuple(ids.shape)} and "
            f"{others.shape[0]} others with ids {tuple(other_ids.shape)}"
        )
