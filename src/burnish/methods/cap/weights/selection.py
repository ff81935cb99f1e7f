"""From scores to masks: exact counts, the same on every run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from burnish.errors import BurnishError, UsageError


def kept_count(total: int, keep_fraction: float) -> int:
    """How many of `total` weights a share keeps: rounded down, as the reference code does.

    Raises:
        UsageError: the share is not in [0, 1].
    """
    if not 0 <= keep_fraction <= 1:
        raise UsageError(f"a share kept lies between 0 and 1, got {keep_fraction}")
    # 0.29 * 100 is 28.999999999999996 in floating point, and means 29.
    return min(total, math.floor(keep_fraction * total + 1e-6))


def top_mask(
    scores: Sequence[Tensor],
    keep_fraction: float,
    ranking: Literal["matrix", "global", "row"],
) -> list[Tensor]:
    """Masks of the highest scores.

    Exactly `kept_count` are kept of every matrix, of every row, or of all matrices together. Of
    equal scores the earlier ones stay: by matrix, then row, then column.

    Args:
        scores: one (out, in) a matrix, any floating type, finite.
        keep_fraction: in [0, 1].
        ranking: what competes.

    Returns:
        bool, shapes and devices of `scores`.

    Raises:
        UsageError: the share is not in [0, 1].
        BurnishError: a score is NaN or infinite.
    """
    for each in scores:
        check_finite(each)
    own = [each.detach() for each in scores]
    if ranking == "row":
        return [_top_of_rows(each, keep_fraction) for each in own]
    if ranking == "global":
        return _top_together(own, keep_fraction)
    return [_top_together([each], keep_fraction)[0] for each in own]


def threshold_mask(scores: Tensor, threshold: float, least_kept: float) -> Tensor:
    """The scores above a threshold, and never fewer than a share of them.

    Args:
        scores: (out, in), finite.
        threshold: scores must be above it.
        least_kept: share that stays in any case, rounded up; the highest.

    Returns:
        (out, in) bool.

    Raises:
        BurnishError: a score is NaN or infinite.
    """
    check_finite(scores)
    mask = scores > threshold
    least = math.ceil(least_kept * scores.numel() - 1e-6)
    if int(mask.count_nonzero()) >= least:
        return mask
    return top_mask([scores], least / scores.numel(), "matrix")[0]


def check_finite(scores: Tensor) -> None:
    """Refuse scores that cannot be ranked.

    Raises:
        BurnishError: one is NaN or infinite.
    """
    if scores.numel() == 0:
        return
    low, high = torch.aminmax(scores.detach())  # NaN anywhere makes both NaN; one pass, no copy
    if not (math.isfinite(low) and math.isfinite(high)):
        raise BurnishError(
            f"weights cannot be ranked: scores reach from {float(low)} to {float(high)}; training "
            "has diverged, so lower the learning rate or train in float32"
        )


def _top_together(scores: Sequence[Tensor], keep_fraction: float) -> list[Tensor]:
    """Masks of the highest `kept_count` of all these scores."""
    total = sum(each.numel() for each in scores)
    keep = kept_count(total, keep_fraction)
    if keep in (0, total):
        return [torch.full_like(each, keep > 0, dtype=torch.bool) for each in scores]
    device = scores[0].device
    flat = torch.cat([each.flatten().to(device) for each in scores])
    lowest = float(_kth_highest(flat[None], keep))
    masks = [(each >= lowest).contiguous() for each in scores]
    spare = sum(int(mask.count_nonzero()) for mask in masks) - keep
    for mask, each in zip(reversed(masks), reversed(scores), strict=True):
        if spare <= 0:
            break
        late = (each == lowest).flatten().nonzero()[:, 0][-spare:]
        mask.view(-1)[late] = False
        spare -= len(late)
    return masks


def _top_of_rows(scores: Tensor, keep_fraction: float) -> Tensor:
    """Mask (rows, n) of the highest `kept_count` of each row."""
    keep = kept_count(scores.shape[1], keep_fraction)
    if keep in (0, scores.shape[1]):
        return torch.full_like(scores, keep > 0, dtype=torch.bool)
    lowest = _kth_highest(scores.clone(memory_format=torch.contiguous_format), keep)
    mask = scores >= lowest
    spare = mask.count_nonzero(dim=1) - keep
    if int(spare.count_nonzero()):
        rows, columns = (scores == lowest).nonzero(as_tuple=True)
        ties = torch.bincount(rows, minlength=len(scores))
        place = torch.arange(len(rows), device=rows.device) - (ties.cumsum(0) - ties)[rows]
        late = place >= (ties - spare)[rows]
        mask[rows[late], columns[late]] = False
    return mask


def _kth_highest(scores: Tensor, k: int) -> Tensor:
    """(rows, 1) of (rows, n), whose order is lost."""
    n = scores.shape[1]
    if scores.device.type != "cpu":
        return scores.kthvalue(n - k + 1, dim=1, keepdim=True).values
    # Vectorised quickselect: about ten times as fast as torch's, which uses one lane.
    wide = scores if scores.dtype in (torch.float32, torch.float64) else scores.float()
    wide.numpy().partition(n - k, axis=1)
    return wide[:, n - k, None].to(scores.dtype, copy=True)
