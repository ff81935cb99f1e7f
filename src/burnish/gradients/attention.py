"""Attention over few positions, as a handful of products of many small matrices.

PyTorch's fused attention takes the matrices one by one, which repays itself over long inputs alone:
over some twenty positions most of its time goes into getting started.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

_FEW = 32  # positions; the fused kernel gains from about 50 on


@contextmanager
def short_attention() -> Iterator[None]:
    """Inside, float32 attention of all to all over at most 32 positions takes a shorter way.

    That is `scaled_dot_product_attention` on a processor without mask, dropout or causality, of
    queries, keys and values of one shape. Everything else goes its usual way. Results differ from
    the usual ones by rounding alone. Second derivatives are not to be had inside.
    """
    with _Shortened():
        yield


class _Shortened(TorchFunctionMode):
    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        named = kwargs or {}
        if func is functional.scaled_dot_product_attention and _suits(*args, **named):
            return _SmallAttention.apply(*args, named.get("scale"))  # type: ignore[no-untyped-call]
        return func(*args, **named)


def _suits(*tensors: Tensor, scale: float | None = None, **others: object) -> bool:
    # whatever else is asked for, be it a mask or one that is yet to come, is not done here
    if len(tensors) != 3 or any(
        isinstance(value, Tensor) or value not in (None, False, 0.0) for value in others.values()
    ):
        return False
    return (
        tensors[0].dim() == 4
        and 0 < tensors[0].shape[2] <= _FEW
        and tensors[0].numel() > 0
        and all(one.shape == tensors[0].shape for one in tensors)
        and all(one.dtype == torch.float32 and one.device.type == "cpu" for one in tensors)
        and not torch.is_autocast_enabled("cpu")
    )


class _SmallAttention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, value: Tensor, scale: float | None) -> Tensor:
        ctx.scale = query.shape[-1] ** -0.5 if scale is None else scale
        queries, keys, values = (one.reshape(-1, *one.shape[2:]) for one in (query, key, value))
        # keys in rows: the softmax over a middle dimension is the one that is always vectorised
        weights = torch.softmax(_scaled(keys, queries.transpose(1, 2), ctx.scale), 1)
        ctx.save_for_backward(queries, keys, values, weights)
        return torch.bmm(weights.transpose(1, 2), values).view(query.shape)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        queries, keys, values, weights = ctx.saved_tensors
        outer = gradient.reshape(queries.shape)
        inner = torch.ops.aten._softmax_backward_data(
            torch.bmm(values, outer.transpose(1, 2)), weights, 1, weights.dtype
        )
        query = _scaled(inner.transpose(1, 2), keys, ctx.scale)
        key = _scaled(inner, queries, ctx.scale)
        value = torch.bmm(weights, outer)
        shape = gradient.shape
        return query.view(shape), key.view(shape), value.view(shape), None


def _scaled(left: Tensor, right: Tensor, scale: float) -> Tensor:
    """(k, n, m) products of matrices, times a number, in one go."""
    return torch.baddbmm(left.new_empty(1, 1, 1), left, right, beta=0, alpha=scale)
