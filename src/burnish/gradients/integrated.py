"""Integrated Gradients over input embeddings, many inputs and many steps in one pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from burnish.errors import UsageError
from burnish.gradients.quadrature import Quadrature, clenshaw_curtis, gauss_legendre

Steps = int | Literal["auto"]
Score = Callable[[Tensor, Tensor], Tensor]
AUTO = (8, 16, 32, 64)


@dataclass(frozen=True, eq=False)
class Integrated:
    """What each position adds to the score of its input.

    Attributes:
        attributions: (B, T) float64; row i sums to about differences[i].
        differences: (B,) float64, score of the input less score of the baseline.
        steps: (B,) int64, steps taken for each input; where they are "auto", 8, 16, 32 or 64.
    """

    attributions: Tensor
    differences: Tensor
    steps: Tensor

    @property
    def completeness_errors(self) -> Tensor:
        """(B,) |sum of attributions - difference| / |difference|.

        The divisor is at least a millionth of the sum of |attributions|, since float32 tells the
        scores of input and baseline no further apart.
        """
        floor = 1e-6 * self.attributions.abs().sum(1)
        size = torch.maximum(self.differences.abs(), floor).clamp_min(1e-30)
        return (self.attributions.sum(1) - self.differences).abs() / size


def integrated_gradients(
    score: Score,
    inputs: Tensor,
    baselines: Tensor,
    *,
    steps: Steps = "auto",
    tolerance: float = 0.02,
    positions_per_pass: int = 2048,
) -> Integrated:
    """Sum over h of (e - e')_th times the integral from 0 to 1 of the gradient on the way.

    Nothing is padded or masked: all inputs have one length. A number that is not finite stays
    with its own input.

    Args:
        score: takes embeddings (K, T, H) and (K,) int64, which input each row belongs to; gives
            (K,) scores, row by row. Weights that take no gradient make it faster.
        inputs: (B, T, H), B and T at least 1.
        baselines: (B, T, H), where the ways begin.
        steps: nodes of a Gauss-Legendre rule; or "auto": 8 intervals of a Clenshaw-Curtis rule,
            doubled up to 64 for the inputs whose completeness error is not below `tolerance`,
            with all that was evaluated used again.
        tolerance: see `steps`.
        positions_per_pass: rows times T in one forward and backward pass, at least one row.

    Raises:
        UsageError: shapes differ, steps is neither "auto" nor a positive whole number, or `score`
            gives something else than one number a row.

    Source: Sundararajan et al. 2017, arXiv 1703.01365, eq. 1, over embeddings. Departure: nested
    nodes with a stopping rule where steps is "auto". The rule looks at the sum, in which errors of
    positions may cancel out: single positions may be off by more than `tolerance`.
    """
    if inputs.shape != baselines.shape or inputs.dim() != 3 or not inputs.numel():
        raise UsageError(
            "inputs and baselines must be (B, T, H) alike and hold something, got "
            f"{tuple(inputs.shape)} and {tuple(baselines.shape)}"
        )
    way = _Way(score, inputs.detach(), baselines.detach(), positions_per_pass)
    if steps == "auto":
        return _doubling(way, tolerance)
    if not isinstance(steps, int):
        raise UsageError(f'steps must be a whole number or "auto", got {steps!r}')
    return _fixed(way, gauss_legendre(steps))


@dataclass(frozen=True, eq=False)
class _Way:
    """From each baseline straight to its input."""

    score: Score
    inputs: Tensor
    baselines: Tensor
    positions_per_pass: int

    def slopes(self, which: Tensor, nodes: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (R,) and what each position adds to their slope (R, T), both float64.

        Args:
            which: (R,) int64, inputs.
            nodes: (R,), how far on the way.
        """
        scores, slopes = [], []
        for rows, at in self._passes(which, nodes):
            start = self.baselines[rows]
            step = self.inputs[rows] - start
            here = (start + at.to(start)[:, None, None] * step).requires_grad_()
            with torch.enable_grad():
                found = self._scored(here, rows)
                (gradient,) = torch.autograd.grad(found.sum(), here)
            scores.append(found.detach().double())
            slopes.append((gradient * step).sum(-1, dtype=torch.float64))
        return torch.cat(scores), torch.cat(slopes)

    def ends(self) -> Tensor:
        """(B,) score of the input less score of the baseline, without gradients."""
        size = len(self.inputs)
        which = torch.arange(size, device=self.inputs.device).repeat(2)
        scores = []
        with torch.no_grad():
            for rows, at in self._passes(which, (torch.arange(2 * size) < size).double()):
                ends = torch.where(
                    at.to(self.inputs)[:, None, None] == 1, self.inputs[rows], self.baselines[rows]
                )
                scores.append(self._scored(ends, rows).double())
        found = torch.cat(scores)
        return found[:size] - found[size:]

    def _scored(self, embeddings: Tensor, which: Tensor) -> Tensor:
        found = self.score(embeddings, which)
        if found.shape != which.shape:
            raise UsageError(
                f"a score of {len(which)} rows must have shape ({len(which)},), got "
                f"{tuple(found.shape)}"
            )
        return found

    def _passes(self, which: Tensor, nodes: Tensor) -> list[tuple[Tensor, Tensor]]:
        rows = max(1, self.positions_per_pass // self.inputs.shape[1])
        return list(zip(torch.split(which, rows), torch.split(nodes, rows), strict=True))


def _fixed(way: _Way, rule: Quadrature) -> Integrated:
    size, count = len(way.inputs), len(rule.nodes)
    device = way.inputs.device
    which = torch.arange(size, device=device).repeat_interleave(count)
    _, slopes = way.slopes(which, torch.from_numpy(rule.nodes).repeat(size))
    weights = torch.from_numpy(rule.weights).to(device)
    found = torch.einsum("k,bkt->bt", weights, slopes.reshape(size, count, -1))
    return Integrated(found, way.ends(), torch.full((size,), count, device=device))


def _doubling(way: _Way, tolerance: float) -> Integrated:
    size, length, _ = way.inputs.shape
    device = way.inputs.device
    slopes = torch.zeros(size, AUTO[-1] + 1, length, dtype=torch.float64, device=device)
    found = Integrated(
        torch.zeros(size, length, dtype=torch.float64, device=device),
        torch.zeros(size, dtype=torch.float64, device=device),
        torch.zeros(size, dtype=torch.int64, device=device),
    )
    left = torch.arange(size, device=device)
    for intervals in AUTO:
        stride = AUTO[-1] // intervals
        first = intervals == AUTO[0]
        places = torch.arange(0 if first else stride, AUTO[-1] + 1, stride * (1 if first else 2))
        rule, every = clenshaw_curtis(intervals), clenshaw_curtis(AUTO[-1])
        which = left.repeat_interleave(len(places))
        at = places.repeat(len(left))
        scores, new = way.slopes(which, torch.from_numpy(every.nodes)[at])
        slopes[which, at.to(device)] = new
        if first:
            ends = scores.reshape(len(left), -1)
            found.differences.copy_(ends[:, -1] - ends[:, 0])
        weights = torch.from_numpy(rule.weights).to(device)
        found.attributions[left] = torch.einsum("k,bkt->bt", weights, slopes[left][:, ::stride])
        found.steps[left] = intervals
        errors = found.completeness_errors[left]
        # what is not finite will not mend with more steps
        left = left[(errors >= tolerance) & errors.isfinite()]
        if not len(left):
            break
    return found
