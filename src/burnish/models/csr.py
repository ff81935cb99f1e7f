"""Linear layers with compressed sparse rows: what unstructured zeros are worth in PyTorch."""

from __future__ import annotations

import copy
import warnings

import torch
from torch import Tensor, nn

from burnish.errors import UsageError
from burnish.models.anatomy import layer_parts


class CsrLinear(nn.Module):
    """A linear layer that multiplies by the non-zeros of its weight alone; for inference.

    Measured with 6 layers of 384 on one thread of AVX-512: at 50 % of zeros 0.4 to 0.9 times the
    speed of dense PyTorch, at 90 % 1.8 to 2.5 times, at 97 % 2.9 to 3.7 times.

    Args:
        linear: the dense layer, (out, in); its zeros are dropped.
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.in_features, self.out_features = linear.in_features, linear.out_features
        self.register_buffer("weight", _csr(linear.weight.detach()), persistent=False)
        bias = None if linear.bias is None else linear.bias.detach().clone()
        self.register_buffer("bias", bias, persistent=False)

    def forward(self, states: Tensor) -> Tensor:
        """(..., in) to (..., out)."""
        # not F.linear, whose kernel for these weights takes five times as long
        out = torch.mm(self.weight, states.reshape(-1, self.in_features).T).T
        if self.bias is not None:
            out = out + self.bias
        return out.reshape(*states.shape[:-1], self.out_features)


def to_csr(model: nn.Module, min_sparsity: float = 0.0) -> nn.Module:
    """A copy of a model whose transformer layers have `CsrLinear` where enough of a weight is zero.

    Args:
        model: of a family in `burnish.models.anatomy`, in float32 on the processor.
        min_sparsity: share of zeros from which on a layer is replaced, 0 to 1.

    Raises:
        UsageError: the share is out of range, the family is unknown, or the model is elsewhere or
            in another precision.
    """
    if not 0 <= min_sparsity <= 1:
        raise UsageError(f"min_sparsity is a share from 0 to 1, got {min_sparsity}")
    twin = copy.deepcopy(model).eval()
    linears = [linear for parts in layer_parts(twin) for linear in parts.linears]
    for linear in linears:
        weight = linear.weight
        if weight.device.type != "cpu" or weight.dtype != torch.float32:
            raise UsageError(
                f"sparse rows are for float32 on the processor, the model is {weight.dtype} on "
                f"{weight.device}; convert it first: model.float().cpu()"
            )
    replaced = {
        id(linear): CsrLinear(linear)
        for linear in linears
        if linear.weight.numel() and (linear.weight == 0).float().mean() >= min_sparsity
    }
    for module in list(twin.modules()):
        for name, child in list(module.named_children()):
            if id(child) in replaced:
                setattr(module, name, replaced[id(child)])
    return twin


def _csr(weight: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta", UserWarning)
        sparse = weight.to_sparse_csr()
        return torch.sparse_csr_tensor(
            sparse.crow_indices().int(),  # 32 bits halve what is read beside the values
            sparse.col_indices().int(),
            sparse.values(),
            sparse.shape,
            check_invariants=True,  # left unsaid, torch warns
        )
