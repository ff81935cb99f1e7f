"""One adapter from many: sums of LoRA factors, and the factors of a sum of products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

_ILL = 1e4  # a change of basis with a larger condition number loses the float32 digits it carries


def exact_product(
    adapters: Sequence[Mapping[str, Tensor]],
    weights: Sequence[float],
    pairs: Sequence[tuple[str, str]],
) -> dict[str, Tensor]:
    """The adapter of the same rank whose products B A are nearest to the weighted mean of theirs.

    The mean of A times the mean of B is not the mean of B A. This is, up to the rank: the stacked
    factors are re-factored by truncated singular value decomposition. A product leaves the basis
    of its factors open; the one taken makes A nearest to the weighted mean of the A, so that one
    adapter gives itself and codecs trained on this initialisation still fit.

    Args:
        adapters: matrices by name, A of (r, d_in) and B of (d_out, r).
        weights: one for each adapter, summing to 1.
        pairs: names of A and B of each module.

    Source: CG-FedLLM, arXiv 2405.13746, algorithm 1, whose G_i = B_i A_i this averages; the choice
    of basis is ours.
    """
    joined: dict[str, Tensor] = {}
    for a_name, b_name in pairs:
        a = torch.stack([each[a_name].double() for each in adapters])
        b = torch.stack([each[b_name].double() for each in adapters])
        new_a, new_b = _refactored(a, b, torch.tensor(weights, dtype=torch.float64))
        joined[a_name], joined[b_name] = new_a.float(), new_b.float()
    return joined


def _refactored(a: Tensor, b: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Factors (r, d_in) and (d_out, r) from a (K, r, d_in), b (K, d_out, r) and weights (K,)."""
    rank = a.shape[1]
    mean_a = torch.einsum("k,kri->ri", weights, a)
    rows = a.flatten(0, 1)  # (K r, d_in)
    columns = (b * weights[:, None, None]).permute(1, 0, 2).flatten(1)  # (d_out, K r)
    left, sizes, right = _leading(columns, rows, rank)
    basis = _basis(mean_a @ right.T)
    new_b: Tensor = torch.linalg.solve(basis, left * sizes, left=False)
    return basis @ right, new_b


def _leading(columns: Tensor, rows: Tensor, rank: int) -> tuple[Tensor, Tensor, Tensor]:
    """The `rank` largest singular triples of columns @ rows: (d_out, r), (r,), (r, d_in)."""
    inner = columns.shape[1]
    if inner >= min(len(columns), rows.shape[1]):
        u, s, v = torch.linalg.svd(columns @ rows, full_matrices=False)
        return u[:, :rank], s[:rank], v[:rank]
    # the product has d_out x d_in numbers; its singular values are those of a K r x K r one
    q_left, r_left = torch.linalg.qr(columns)
    q_right, r_right = torch.linalg.qr(rows.T)
    u, s, v = torch.linalg.svd(r_left @ r_right.T)
    return q_left @ u[:, :rank], s[:rank], v[:rank] @ q_right.T


def _basis(wanted: Tensor) -> Tensor:
    """The (r, r) change of basis itself, or where it is nearly singular a scaled rotation near it.

    A must keep its full rank: a direction without A and B never learns again.
    """
    u, s, v = torch.linalg.svd(wanted)
    if float(s[-1]) * _ILL > float(s[0]):
        return wanted
    scale = float(s.square().mean().sqrt())
    rotation: Tensor = u @ v
    return rotation * (scale or 1.0)
