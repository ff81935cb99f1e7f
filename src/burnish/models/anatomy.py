"""The linear layers inside the transformer layers of a model, found by reference."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter

from torch import nn
from torch.nn.utils import parametrize

from burnish.errors import UsageError


@dataclass(frozen=True, eq=False)
class LayerParts:
    """The linear layers of one transformer layer; they are the model's own, not copies.

    Attributes:
        attention: the module that holds the head counts its forward pass reads.
        query: (heads * head_dim, hidden) weight; rows of one head lie together.
        key: (kv_heads * head_dim, hidden).
        value: (kv_heads * head_dim, hidden).
        attention_out: (hidden, heads * head_dim); its columns pair up with the rows of the heads.
        ffn_in: one of (units, hidden), or gate and up projection in a gated decoder.
        ffn_out: (hidden, units).
        head_dim: width of one head.
    """

    attention: nn.Module
    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    attention_out: nn.Linear
    ffn_in: tuple[nn.Linear, ...]
    ffn_out: nn.Linear
    head_dim: int

    @property
    def heads(self) -> int:
        """Query heads there are now."""
        return self.query.out_features // self.head_dim

    @property
    def kv_heads(self) -> int:
        """Key and value heads there are now; each serves the same number of query heads."""
        return self.key.out_features // self.head_dim

    @property
    def units(self) -> int:
        """Feed-forward units there are now."""
        return self.ffn_out.in_features

    @property
    def linears(self) -> tuple[nn.Linear, ...]:
        """All of them: query, key, value, attention_out, then ffn_in and ffn_out."""
        first = (self.query, self.key, self.value, self.attention_out)
        return (*first, *self.ffn_in, self.ffn_out)


@dataclass(frozen=True)
class _Family:
    """Where models of a family keep the parts of a layer, as attributes of the layer."""

    model_types: tuple[str, ...]
    attention: str
    head_dim: str
    projections: tuple[str, str, str, str]
    ffn_in: tuple[str, ...]
    ffn_out: str
    refused: str = ""


_FAMILIES = (
    _Family(
        model_types=("bert", "roberta", "xlm-roberta", "camembert", "electra"),
        attention="attention.self",
        head_dim="attention_head_size",
        projections=(
            "attention.self.query",
            "attention.self.key",
            "attention.self.value",
            "attention.output.dense",
        ),
        ffn_in=("intermediate.dense",),
        ffn_out="output.dense",
        refused="crossattention",
    ),
    _Family(
        model_types=("distilbert",),
        attention="attention",
        head_dim="attention_head_size",
        projections=(
            "attention.q_lin",
            "attention.k_lin",
            "attention.v_lin",
            "attention.out_lin",
        ),
        ffn_in=("ffn.lin1",),
        ffn_out="ffn.lin2",
    ),
    _Family(
        model_types=("llama", "mistral", "qwen2", "qwen3"),
        attention="self_attn",
        head_dim="head_dim",
        projections=(
            "self_attn.q_proj",
            "self_attn.k_proj",
            "self_attn.v_proj",
            "self_attn.o_proj",
        ),
        ffn_in=("mlp.gate_proj", "mlp.up_proj"),
        ffn_out="mlp.down_proj",
    ),
)
FAMILIES = tuple(name for family in _FAMILIES for name in family.model_types)


def layer_parts(model: nn.Module) -> list[LayerParts]:
    """The parts of every transformer layer of a model, first layer first.

    Args:
        model: an encoder or decoder of one of `FAMILIES` (MiniLM is a BERT, SmolLM2 a Llama), with
            any head on top or inside a module of one's own, dense or already shrunk.

    Raises:
        UsageError: no layer of these families is in it, or one that has cross-attention, or whose
            linear layers were replaced or parametrised.
    """
    found = [
        _parts(module, family)
        for module in model.modules()
        for family in _FAMILIES
        if _is_layer(module, family)
    ]
    if not found:
        raise UsageError(
            f"{type(model).__name__} has no transformer layer that is known here; "
            f"supported are models of the types {', '.join(FAMILIES)}"
        )
    return found


def _is_layer(module: nn.Module, family: _Family) -> bool:
    attention = _at(module, family.attention)
    config = getattr(attention, "config", None)
    return getattr(config, "model_type", None) in family.model_types and all(
        isinstance(_at(module, path), nn.Module)
        for path in (*family.projections, *family.ffn_in, family.ffn_out)
    )


def _at(module: nn.Module, path: str) -> object:
    place: object = module
    for name in path.split("."):
        place = getattr(place, name, None)
    return place


def _parts(layer: nn.Module, family: _Family) -> LayerParts:
    if family.refused and hasattr(layer, family.refused):
        raise UsageError(
            f"{type(layer).__name__} has cross-attention, which cannot be pruned; "
            "load the model as an encoder (is_decoder=False)"
        )
    attention: nn.Module = attrgetter(family.attention)(layer)
    query, key, value, out = (_linear(layer, path) for path in family.projections)
    return LayerParts(
        attention=attention,
        query=query,
        key=key,
        value=value,
        attention_out=out,
        ffn_in=tuple(_linear(layer, path) for path in family.ffn_in),
        ffn_out=_linear(layer, family.ffn_out),
        head_dim=int(getattr(attention, family.head_dim)),
    )


def _linear(layer: nn.Module, path: str) -> nn.Linear:
    found = _at(layer, path)
    if not isinstance(found, nn.Linear):
        raise UsageError(
            f"{path} of {type(layer).__name__} must be a torch.nn.Linear, is "
            f"{type(found).__name__}; merge adapters and undo quantisation first"
        )
    if parametrize.is_parametrized(found):
        raise UsageError(
            f"{path} of {type(layer).__name__} is parametrised; make its weight plain first with "
            "torch.nn.utils.parametrize.remove_parametrizations"
        )
    return found
