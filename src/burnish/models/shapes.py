"""How many heads and feed-forward units each layer has, in a model and in its config."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.initialization import no_init_weights

from burnish.errors import UsageError
from burnish.models.anatomy import LayerParts, layer_parts

CONFIG_KEY = "burnish_pruned"
_COUNTS = ("num_attention_heads", "num_heads", "n_heads")  # what families call their query heads


@dataclass(frozen=True)
class LayerShape:
    """Sizes of one layer: query heads, key and value heads, feed-forward units."""

    heads: int
    kv_heads: int
    units: int


def layer_shapes(model: nn.Module) -> list[LayerShape]:
    """The shape of every layer of a model there is now; errors as in `layer_parts`."""
    return [LayerShape(parts.heads, parts.kv_heads, parts.units) for parts in layer_parts(model)]


def record_shapes(model: nn.Module) -> None:
    """Write the shapes of the layers into the configs the model reads, under `CONFIG_KEY`."""
    shapes = [[shape.heads, shape.kv_heads, shape.units] for shape in layer_shapes(model)]
    configs: list[Any] = [part.attention.config for part in layer_parts(model)]
    configs += [model.config] if isinstance(model, PreTrainedModel) else []
    for config in {id(config): config for config in configs}.values():
        setattr(config, CONFIG_KEY, {"layers": shapes})


def recorded_shapes(config: Any) -> list[LayerShape]:
    """What `record_shapes` wrote into a config.

    Raises:
        UsageError: nothing, or something that no layer can have.
    """
    record = getattr(config, CONFIG_KEY, None)
    if record is None:
        raise UsageError(
            f"the config has no {CONFIG_KEY}, so this is no pruned model; "
            "load it with transformers or burnish.models.load_encoder"
        )
    layers = record.get("layers") if isinstance(record, dict) else None
    if not isinstance(layers, list) or not all(
        isinstance(layer, list) and len(layer) == 3 and all(type(size) is int for size in layer)
        for layer in layers
    ):
        raise UsageError(
            f"{CONFIG_KEY} of the config must have layers, each [heads, key-value heads, units], "
            f"got {str(record)[:80]}; the folder is damaged"
        )
    return [LayerShape(*layer) for layer in layers]


def empty_model(kind: Any, config: Any, dtype: torch.dtype) -> Any:
    """A model of the transformers class `kind` whose weights are yet to be filled; draws nothing.

    Raises:
        UsageError: the class cannot be made from this config.
    """
    try:
        with no_init_weights():
            model = kind._from_config(config, dtype=dtype)
        model.tie_weights()
    except Exception as error:  # configs are checked by each class in its own way
        why = str(error).strip().partition("\n")[0]
        raise UsageError(f"no {kind.__name__} can be made from its config: {why}") from error
    return model


def resize(model: nn.Module, shapes: Sequence[LayerShape]) -> None:
    """Cut layers to recorded shapes, in place, before their weights are loaded.

    Raises:
        UsageError: another number of layers, or shapes that cannot be cut out of them.
    """
    layers = layer_parts(model)
    if len(shapes) != len(layers):
        raise UsageError(f"{len(shapes)} layer shapes are recorded, the model has {len(layers)}")
    for number, (parts, shape) in enumerate(zip(layers, shapes, strict=True)):
        _check_fits(parts, shape, number)
    for parts, shape in zip(layers, shapes, strict=True):
        queries, keys = shape.heads * parts.head_dim, shape.kv_heads * parts.head_dim
        _cut(parts.query, rows=queries)
        _cut(parts.key, rows=keys)
        _cut(parts.value, rows=keys)
        _cut(parts.attention_out, columns=queries)
        for linear in parts.ffn_in:
            _cut(linear, rows=shape.units)
        _cut(parts.ffn_out, columns=shape.units)
        set_head_counts(parts)


def set_head_counts(parts: LayerParts) -> None:
    """Make the counts that a layer's forward pass reads agree with its linear layers."""
    attention = parts.attention
    counts: dict[str, int] = dict.fromkeys(_COUNTS, parts.heads)
    counts["all_head_size"] = parts.heads * parts.head_dim
    counts["num_key_value_heads"] = parts.kv_heads
    counts["num_key_value_groups"] = parts.heads // parts.kv_heads
    for name, value in counts.items():
        if hasattr(attention, name):
            setattr(attention, name, value)


def _check_fits(parts: LayerParts, shape: LayerShape, number: int) -> None:
    fits = (
        1 <= shape.heads <= parts.heads
        and 1 <= shape.kv_heads <= parts.kv_heads
        and shape.heads % shape.kv_heads == 0
        and 0 <= shape.units <= parts.units
    )
    if not fits:
        raise UsageError(
            f"layer {number} is recorded with {shape.heads} heads, {shape.kv_heads} key-value "
            f"heads and {shape.units} units, which cannot be cut out of {parts.heads}, "
            f"{parts.kv_heads} and {parts.units}; the folder is damaged"
        )


def _cut(linear: nn.Linear, *, rows: int | None = None, columns: int | None = None) -> None:
    weight = linear.weight.detach()[:rows, :columns].clone()
    linear.weight = nn.Parameter(weight, requires_grad=linear.weight.requires_grad)
    if linear.bias is not None and rows is not None:
        bias = linear.bias.detach()[:rows].clone()
        linear.bias = nn.Parameter(bias, requires_grad=linear.bias.requires_grad)
    linear.out_features, linear.in_features = weight.shape
