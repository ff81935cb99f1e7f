"""Products with frozen weights, by the library that is fastest at them on a processor.

PyTorch gives float32 products on a CPU to MKL, which leaves the wide vector units of some makers'
processors idle; oneDNN, which PyTorch has built in as well, uses them. Same precision, float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

# The operators that models compiled by PyTorch call; they are not public, so they may be gone
_OPERATORS = ("_linear_pointwise", "_reorder_linear_weight")


@contextmanager
def onednn_products() -> Iterator[None]:
    """Inside, float32 linear layers whose weights take no gradient multiply through oneDNN.

    Each such weight is laid out anew, for outputs and for gradients, which takes its memory twice
    more until the end. Gradients flow to the inputs of the layers; where most rows of one are
    zero, as behind a model that reads its first token alone, the others are multiplied alone.
    Everything else, and everything where PyTorch has no oneDNN, goes its usual way. Results differ
    from the usual ones by rounding alone. Second derivatives are not to be had inside.
    """
    built_in: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
    if not (built_in and all(hasattr(torch.ops.mkldnn, name) for name in _OPERATORS)):
        yield
        return
    with _Rerouted():
        yield


class _Rerouted(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self._packed: dict[int, _Packed] = {}

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func is functional.linear and not kwargs and _suits(*args):
            inputs, weight, bias = args if len(args) == 3 else (*args, None)
            packed = self._of(weight, inputs.numel() // max(1, inputs.shape[-1]))
            return _FrozenLinear.apply(inputs, packed, bias)  # type: ignore[no-untyped-call]
        return func(*args, **(kwargs or {}))

    def _of(self, weight: nn.Parameter, rows: int) -> _Packed:
        found = self._packed.get(id(weight))
        if found is None or found.version != weight._version:
            found = self._packed[id(weight)] = _Packed(weight, rows)
        return found


class _Packed:
    """A weight, and its transpose, laid out as oneDNN likes them best."""

    def __init__(self, weight: nn.Parameter, rows: int) -> None:
        self.weight = weight  # kept, so that no other weight takes its id
        self.version = weight._version
        self._rows, self._met = rows, 0

    def ahead(self) -> Tensor:
        """For outputs; laid out from the second time on, since one product does not repay it."""
        self._met += 1
        return self._ahead if self._met > 1 else self.weight.detach().contiguous()

    @cached_property
    def back(self) -> Tensor:
        """For gradients."""
        return self._laid_out(self.weight.detach().T)

    @cached_property
    def _ahead(self) -> Tensor:
        return self._laid_out(self.weight.detach())

    def _laid_out(self, weight: Tensor) -> Tensor:
        with torch.no_grad():
            found: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), self._rows)
        return found


def _suits(inputs: Tensor, weight: Tensor, bias: Tensor | None = None) -> bool:
    tensors = [inputs, weight] if bias is None else [inputs, weight, bias]
    return (
        isinstance(weight, nn.Parameter)
        and all(one.dtype == torch.float32 and one.device.type == "cpu" for one in tensors)
        and not any(one.requires_grad for one in tensors[1:])
        and not torch.is_autocast_enabled("cpu")
        and inputs.numel() > 0
    )


class _FrozenLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, inputs: Tensor, packed: _Packed, bias: Tensor | None) -> Tensor:
        ctx.packed = packed  # of no activation: nothing is kept for the backward pass
        return _product(inputs, packed.ahead(), bias)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        rows = gradient.reshape(-1, gradient.shape[-1])
        some = _few(rows)
        if some is None:
            return _product(gradient, ctx.packed.back, None), None, None
        found = rows.new_zeros(len(rows), ctx.packed.weight.shape[1])
        if len(some):
            found[some] = _product(rows[some], ctx.packed.back, None)
        return found.view(*gradient.shape[:-1], -1), None, None


def _few(rows: Tensor) -> Tensor | None:
    """Which rows are not zero, if they are fewer than half."""
    # one column tells most gradients apart at no cost
    if 2 * int(rows[:, 0].count_nonzero()) >= len(rows):
        return None
    some = rows.any(1).nonzero()[:, 0]
    return some if 2 * len(some) < len(rows) else None


def _product(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    multiply = torch.ops.mkldnn._linear_pointwise
    product: Tensor = multiply(inputs.contiguous(), weight, bias, "none", [], "")
    return product
