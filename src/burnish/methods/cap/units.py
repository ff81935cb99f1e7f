"""Structured pruning's arithmetic: which heads and feed-forward units go."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from burnish.errors import BurnishError, ConfigError
from burnish.models.anatomy import LayerParts

UnitKind = Literal["heads", "ffn"]
KINDS: tuple[UnitKind, ...] = ("heads", "ffn")


@dataclass(frozen=True)
class UnitState:
    """What a criterion may look at, for the heads or for the units of one layer.

    Attributes:
        weight: (units, fan) every weight of a head or unit, one row each.
        sensitivity: (units,) sum over batches of |dL/dm| at m = 1, or None where not asked for.
    """

    weight: Tensor
    sensitivity: Tensor | None


@runtime_checkable
class UnitCriterion(Protocol):
    """Scores whole heads and feed-forward units."""

    @property
    def name(self) -> str:
        """For tables."""

    @property
    def units(self) -> tuple[UnitKind, ...]:
        """The kinds that are pruned."""

    @property
    def sensitive(self) -> bool:
        """Whether `score` needs gradients of the masks."""

    def score(self, state: UnitState) -> Tensor:
        """(units,), higher is kept; comparable between layers."""


@dataclass(frozen=True)
class FirstOrder:
    """|dL/dm| summed over the training batches, divided by the layer's L2 norm.

    Source: Michel et al. 2019, arXiv 1905.10650, section 3; CAP's released code (CAP-f).
    """

    units: tuple[UnitKind, ...] = KINDS
    name: str = "first-order"
    sensitive: bool = True

    def __post_init__(self) -> None:
        _check_kinds(self.units)

    def score(self, state: UnitState) -> Tensor:
        """See the class."""
        if state.sensitivity is None:
            raise BurnishError("a first-order score needs gradients of the masks, got none")
        return _over_norm(state.sensitivity)


@dataclass(frozen=True)
class UnitMagnitude:
    """L2 norm of all weights of a head or unit, divided by the layer's L2 norm.

    The structured form of magnitude pruning; a baseline.
    """

    units: tuple[UnitKind, ...] = KINDS
    name: str = "unit-magnitude"
    sensitive: bool = False

    def __post_init__(self) -> None:
        _check_kinds(self.units)

    def score(self, state: UnitState) -> Tensor:
        """See the class."""
        return _over_norm(state.weight.norm(dim=1))


def _check_kinds(units: Sequence[str]) -> None:
    if not units or set(units) - set(KINDS):
        raise ConfigError(f"units takes heads, ffn or both, got {', '.join(units) or 'nothing'}")


def _over_norm(scores: Tensor) -> Tensor:
    norm = scores.norm()
    return scores / norm if norm > 0 else scores


def unit_weights(parts: LayerParts, kind: UnitKind) -> Tensor:
    """(units, fan): rows of what goes into a head or unit and columns of what comes out of it."""
    if kind == "heads":
        rows = [each.weight.view(parts.heads, -1) for each in (parts.query, parts.key, parts.value)]
        out = parts.attention_out.weight.T.reshape(parts.heads, -1)
        return torch.cat([*rows, out], dim=1).detach()
    return torch.cat(
        [*(each.weight for each in parts.ffn_in), parts.ffn_out.weight.T], dim=1
    ).detach()


@contextmanager
def unit_masks(layers: Sequence[LayerParts]) -> Iterator[dict[UnitKind, list[Tensor]]]:
    """Masks of ones on every head and unit that is there, which take gradients.

    A head's mask multiplies what it hands to the output projection, which is the same as masking
    its attention probabilities; a unit's multiplies its activation.
    """
    device = layers[0].ffn_out.weight.device
    masks: dict[UnitKind, list[Tensor]] = {
        "heads": [torch.ones(each.heads, device=device) for each in layers],
        "ffn": [torch.ones(each.units, device=device) for each in layers],
    }
    handles = []
    for index, each in enumerate(layers):
        for kind, target, width in (
            ("heads", each.attention_out, each.head_dim),
            ("ffn", each.ffn_out, 1),
        ):
            mask = masks["heads" if kind == "heads" else "ffn"][index].requires_grad_()
            handles.append(target.register_forward_pre_hook(_Multiply(mask, width)))
    try:
        yield masks
    finally:
        for handle in handles:
            handle.remove()


@dataclass(frozen=True)
class _Multiply:
    mask: Tensor
    width: int

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        wide = self.mask.repeat_interleave(self.width) if self.width > 1 else self.mask
        return (inputs[0] * wide.to(inputs[0].dtype), *inputs[1:])


def most_removable(layers: int, units: int, *, at_least: int) -> float:
    """The largest share of all units that may go when every layer keeps `at_least`."""
    return 1 - at_least / units if layers and units else 0.0


def surviving(scores: Sequence[Tensor], whole: int, share: float, *, protect: bool) -> list[Tensor]:
    """Which units of each layer stay: sorted positions among those that are there.

    The lowest-scored units of all layers together go, until int(share * layers * whole) of the
    original ones are gone; ties go by layer, then by position.

    Args:
        scores: one tensor (units there,) a layer; higher is kept.
        whole: units a layer had originally.
        share: of the original units, to be gone in the end.
        protect: whether the best unit of every layer stays whatever it scores.

    Raises:
        ConfigError: that many cannot go; the message says how many can.
        BurnishError: a score is not finite.
    """
    flat = torch.cat([each.float().cpu() for each in scores])
    if not torch.isfinite(flat).all():
        raise BurnishError("a unit's score is not finite; lower the learning rate")
    there = len(flat)
    gone = int(share * len(scores) * whole + 1e-9) - (len(scores) * whole - there)
    order = flat.clone()
    if protect:
        start = 0
        for each in scores:
            if len(each):
                order[start + int(each.argmax())] = torch.inf
            start += len(each)
    free = int(torch.isfinite(order).sum())
    if gone > free:
        most = (len(scores) * whole - there + free) / (len(scores) * whole)
        raise ConfigError(
            f"{share:.1%} of {len(scores)} x {whole} units cannot go while each layer keeps one; "
            f"at most {most:.1%} can"
        )
    kept = torch.ones(there, dtype=torch.bool)
    if gone > 0:
        kept[torch.argsort(order, stable=True)[:gone]] = False
    parts = torch.split(kept, [len(each) for each in scores])
    return [part.nonzero()[:, 0] for part in parts]


def keep_digest(keep: Sequence[tuple[Tensor, Tensor]]) -> str:
    """SHA-256 of the original positions of the heads and units that stay, layer by layer."""
    text = ";".join(
        f"{','.join(map(str, heads.tolist()))}|{','.join(map(str, units.tolist()))}"
        for heads, units in keep
    )
    return hashlib.sha256(text.encode()).hexdigest()
