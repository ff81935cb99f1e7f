"""Take attention heads and feed-forward units out of a model: as zeros, or for good.

Knows nothing of why they go. `shrink` and `zero_out` give models that compute the same function.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from burnish.errors import UsageError
from burnish.models.anatomy import LayerParts, layer_parts
from burnish.models.shapes import CONFIG_KEY, empty_model, record_shapes, set_head_counts


@dataclass(frozen=True, eq=False)
class LayerKeep:
    """What one layer keeps.

    Attributes:
        heads: (n,) long, increasing: indices of query heads, among those there are now; n >= 1.
        units: (m,) long, increasing: indices of feed-forward units, among those there are now;
            with m = 0 only the bias of the output, the residual and the norm remain.
    """

    heads: Tensor
    units: Tensor


@dataclass(frozen=True, eq=False)
class _Kept:
    """Indices of the features that one layer keeps, for its linear layers.

    Attributes:
        query: rows of the query layer, and columns of the attention's output.
        key: rows of the key and of the value layer.
        units: rows of the first feed-forward layers, and columns of the last.
    """

    query: Tensor
    key: Tensor
    units: Tensor

    def by_row(self, parts: LayerParts) -> list[tuple[nn.Linear, Tensor]]:
        """Linear layers that lose rows, with the rows kept."""
        return [
            (parts.query, self.query),
            (parts.key, self.key),
            (parts.value, self.key),
            *((linear, self.units) for linear in parts.ffn_in),
        ]

    def by_column(self, parts: LayerParts) -> list[tuple[nn.Linear, Tensor]]:
        """Linear layers that lose columns, with the columns kept."""
        return [(parts.attention_out, self.query), (parts.ffn_out, self.units)]


def shrink(model: nn.Module, keep: Sequence[LayerKeep]) -> None:
    """Take everything that is not kept out of a model, in place; the rest is not changed.

    Rows of the query, key, value and first feed-forward layers go with the matching columns of
    the output layers. Parameters are replaced, so an optimiser must be made anew. Head counts of
    the modules follow, and the shapes are written into the model's config, whose sizes stay those
    of the dense model.

    Args:
        model: of a family in `burnish.models.anatomy`.
        keep: one for each layer. Where query heads share key and value heads, each shared head
            goes with all its query heads or keeps as many of them as the others do.

    Raises:
        UsageError: not one `keep` a layer, indices that are not long, increasing and in range, no
            head kept in a layer, or unequal groups of query heads. Nothing is changed then.
    """
    layers = layer_parts(model)
    with torch.no_grad():
        for parts, kept in zip(layers, _checked(layers, keep), strict=True):
            for linear, index in kept.by_row(parts):
                _take_rows(linear, index)
            for linear, index in kept.by_column(parts):
                _take_columns(linear, index)
            set_head_counts(parts)
    record_shapes(model)


def zero_out(model: nn.Module, keep: Sequence[LayerKeep]) -> None:
    """Set everything that is not kept to zero, in place; the shapes stay as they are.

    Arguments and errors as in `shrink`.
    """
    layers = layer_parts(model)
    with torch.no_grad():
        for parts, kept in zip(layers, _checked(layers, keep), strict=True):
            for linear, index in kept.by_row(parts):
                gone = _others(index, linear.weight, 0)
                linear.weight.index_fill_(0, gone, 0.0)
                if linear.bias is not None:
                    linear.bias.index_fill_(0, gone, 0.0)
            for linear, index in kept.by_column(parts):
                linear.weight.index_fill_(1, _others(index, linear.weight, 1), 0.0)


def expand(model: nn.Module, keep: Sequence[LayerKeep], dense_config: Any) -> nn.Module:
    """A shrunk model in the shape it once had, with zeros for what was taken out.

    The result computes the same function, and plain transformers saves and loads it.

    Args:
        model: a transformers model that `shrink` made; it is not changed.
        keep: what `shrink` was told, for the whole way from the dense model.
        dense_config: the transformers config of the dense model.

    Raises:
        UsageError: `keep` does not lead from the dense config to this model.
    """
    if not isinstance(model, PreTrainedModel):
        raise UsageError(
            f"expand makes a transformers model of the same class anew, which cannot be done for "
            f"{type(model).__name__}; expand the transformers model inside it"
        )
    plain = copy.deepcopy(dense_config)
    if hasattr(plain, CONFIG_KEY):  # models that were shrunk share their config with the dense one
        delattr(plain, CONFIG_KEY)
    dense: nn.Module = empty_model(type(model), plain, model.dtype).to(model.device)
    narrow, wide = layer_parts(model), layer_parts(dense)
    kept = _checked(wide, keep)
    _check_leads_to(narrow, wide, kept)
    inside = {id(linear.weight) for parts in narrow for linear in parts.linears}
    with torch.no_grad():
        for own, other, indices in zip(narrow, wide, kept, strict=True):
            inside |= _spread(own, other, indices)
        rest = {
            name: weight
            for name, weight in model.state_dict(keep_vars=True).items()
            if id(weight) not in inside
        }
        dense.load_state_dict(rest, strict=False)
    return dense.train(model.training)


def _spread(narrow: LayerParts, wide: LayerParts, kept: _Kept) -> set[int]:
    """Fill one wide layer; returns the ids of the biases that went into it."""
    biases = set()
    for (target, index), (source, _) in zip(kept.by_row(wide), kept.by_row(narrow), strict=True):
        target.weight.zero_().index_copy_(0, index, source.weight)
        if target.bias is not None:
            target.bias.zero_().index_copy_(0, index, source.bias)
            biases.add(id(source.bias))
    for (target, index), (source, _) in zip(
        kept.by_column(wide), kept.by_column(narrow), strict=True
    ):
        target.weight.zero_().index_copy_(1, index, source.weight)
    return biases


def _check_leads_to(
    narrow: Sequence[LayerParts], wide: Sequence[LayerParts], kept: Sequence[_Kept]
) -> None:
    if len(narrow) != len(wide):
        raise UsageError(
            f"the model has {len(narrow)} layers, the dense config {len(wide)}; "
            "pass the config of the model that was shrunk"
        )
    for number, (parts, indices) in enumerate(zip(narrow, kept, strict=True)):
        wanted = len(indices.query), len(indices.key), len(indices.units)
        found = parts.query.out_features, parts.key.out_features, parts.units
        if wanted != found:
            raise UsageError(
                f"keep leaves layer {number} with {wanted} query, key and feed-forward features, "
                f"but the model has {found}; pass what was kept of the dense model"
            )


def _take_rows(linear: nn.Linear, index: Tensor) -> None:
    linear.weight = _selected(linear.weight, 0, index)
    if linear.bias is not None:
        linear.bias = _selected(linear.bias, 0, index)
    linear.out_features = len(index)


def _take_columns(linear: nn.Linear, index: Tensor) -> None:
    linear.weight = _selected(linear.weight, 1, index)
    linear.in_features = len(index)


def _selected(weight: Tensor, axis: int, index: Tensor) -> nn.Parameter:
    kept = weight.detach().index_select(axis, index).contiguous()
    return nn.Parameter(kept, requires_grad=weight.requires_grad)


def _others(index: Tensor, weight: Tensor, axis: int) -> Tensor:
    gone = torch.ones(weight.shape[axis], dtype=torch.bool, device=weight.device)
    gone[index] = False
    return gone.nonzero().flatten()


def _checked(layers: Sequence[LayerParts], keep: Sequence[LayerKeep]) -> list[_Kept]:
    if len(keep) != len(layers):
        raise UsageError(f"one LayerKeep for each of the {len(layers)} layers, got {len(keep)}")
    return [_of_layer(*pair, number) for number, pair in enumerate(zip(layers, keep, strict=True))]


def _of_layer(parts: LayerParts, keep: LayerKeep, number: int) -> _Kept:
    _check_indices(keep.heads, parts.heads, f"heads of layer {number}")
    _check_indices(keep.units, parts.units, f"units of layer {number}")
    if not len(keep.heads):
        raise UsageError(
            f"layer {number} keeps none of its {parts.heads} heads; keep at least one in each layer"
        )
    device = parts.query.weight.device
    return _Kept(
        query=_features(keep.heads, parts.head_dim).to(device),
        key=_features(_shared_heads(parts, keep.heads, number), parts.head_dim).to(device),
        units=keep.units.to(device),
    )


def _check_indices(index: Tensor, size: int, what: str) -> None:
    if index.dtype != torch.long or index.dim() != 1:
        raise UsageError(
            f"{what} are given as a 1-d long tensor of indices, "
            f"got shape {tuple(index.shape)} of {index.dtype}"
        )
    rising = bool((index[1:] > index[:-1]).all())
    inside = not len(index) or (int(index[0]) >= 0 and int(index[-1]) < size)
    if not rising or not inside:
        raise UsageError(
            f"{what} are given as increasing indices from 0 to {size - 1}, got {index.tolist()}"
        )


def _shared_heads(parts: LayerParts, heads: Tensor, number: int) -> Tensor:
    """The key-value heads that serve the query heads kept."""
    size = parts.heads // parts.kv_heads
    kept = torch.bincount(heads.cpu() // size, minlength=parts.kv_heads)
    groups = kept.nonzero().flatten()
    if int(kept[groups].min()) != int(kept[groups].max()):
        raise UsageError(
            f"layer {number} keeps {kept.tolist()} query heads of its {parts.kv_heads} key-value "
            f"heads ({size} each); keep the same number of each one that stays, none of the others"
        )
    return groups


def _features(heads: Tensor, head_dim: int) -> Tensor:
    """Rows of the heads: (n,) to (n * head_dim,)."""
    within = torch.arange(head_dim, device=heads.device)
    return (heads[:, None] * head_dim + within).flatten()
