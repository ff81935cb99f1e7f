"""Masks on linear layers: W' = M * W, put on, set by a criterion, and taken off again.

It knows nothing of models, losses or loops; the layers are given by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypedDict, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from burnish.errors import BurnishError, UsageError
from burnish.methods.cap.weights.calibration import input_norms
from burnish.methods.cap.weights.criterion import (
    Estimating,
    Observing,
    Thresholded,
    WeightCriterion,
    WeightState,
)
from burnish.methods.cap.weights.selection import threshold_mask, top_mask

_MEMORY = "memory/"


class Sparsity(TypedDict):
    """Weights of the masked matrices that are out, and all of them."""

    removed: int
    total: int


class _Mask(torch.autograd.Function):
    """M * W, with the gradients of W and Z from one gradient of the product."""

    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, mask: Tensor, scores: Tensor | None, dense: bool
    ) -> Tensor:
        ctx.dense = dense
        ctx.save_for_backward(mask, None if scores is None else weight)
        return weight * mask

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, None, Tensor | None, None]:
        (gradient,) = gradients
        mask, weight = ctx.saved_tensors
        of_weight = of_scores = None
        if ctx.needs_input_grad[2]:
            of_scores = gradient * weight
        if ctx.needs_input_grad[0]:
            of_weight = gradient if ctx.dense else gradient * mask
        return of_weight, None, of_scores, None


class _MaskedLinear(nn.Linear):
    """A linear layer whose class was changed by `MaskedWeights`; its weight stays its own."""

    weight_mask: Tensor
    weight_scores: nn.Parameter | None
    dense_gradient: bool

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  # the name nn.Linear gives it
        masked = _Mask.apply(self.weight, self.weight_mask, self.weight_scores, self.dense_gradient)  # type: ignore[no-untyped-call]
        return linear(input, masked, self.bias)


class MaskedWeights:
    """Masks on the weights of some linear layers, all ones at first.

    The layers compute with M * W. Biases are left alone. While masks are on, every layer has a
    buffer `weight_mask`, which is not saved with the model, and, where scores are learnt, a
    parameter `weight_scores` (Z), zero at first. The gradient of W is M * dL/dW', that of Z is
    dL/dW' * W (straight-through). Where weights are not trained, W takes no gradient meanwhile.

    A training step calls `before_step`, then the forward and backward pass, with `penalty` added to
    the loss, then `after_backward`, before gradients are clipped. Processes that train together
    end with the same masks, as long as gradients are averaged before `after_backward`.

    Args:
        linears: the layers by name. They are changed in place, and put right again by `bake` or
            `detach`.
        criterion: what decides.
        refresh: steps from one setting of the masks to the next; None is the criterion's own.

    Raises:
        UsageError: no layers, one that is no plain linear layer, is given twice, or has masks
            already; a refresh below 1; or a criterion that ranks by threshold and has none.

    Source: Sanh et al. 2020, arXiv 2005.07683, eqs. 1-3.
    """

    def __init__(
        self,
        linears: Mapping[str, nn.Linear],
        criterion: WeightCriterion,
        *,
        refresh: int | None = None,
    ) -> None:
        _check_layers(linears)
        every = criterion.refresh if refresh is None else refresh
        if every < 1:
            raise UsageError(f"refresh is a number of steps and must be at least 1, got {every}")
        if criterion.ranking == "threshold" and not isinstance(criterion, Thresholded):
            raise UsageError(
                f"{criterion.name} ranks by threshold, so it needs least_kept, penalty and "
                "penalty_weight, as the protocol Thresholded has them"
            )
        self.criterion, self.refresh = criterion, every
        self._layers = {
            name: _attach(layer, criterion.learns_scores, isinstance(criterion, Observing))
            for name, layer in linears.items()
        }
        self._trained = {name: layer.weight.requires_grad for name, layer in self._layers.items()}
        if not criterion.trains_weights:
            for layer in self._layers.values():
                layer.weight.requires_grad_(False)
        self._memory: dict[str, dict[str, Tensor]] = {name: {} for name in linears}
        self._norms: dict[str, Tensor] = {}

    @property
    def score_parameters(self) -> tuple[nn.Parameter, ...]:
        """Z of every layer, for an optimiser group of their own; () where none are learnt."""
        found = (layer.weight_scores for layer in self._layers.values())
        return tuple(scores for scores in found if scores is not None)

    @property
    def masks(self) -> dict[str, Tensor]:
        """(out, in) bool by name; the masks themselves, not copies."""
        return {name: layer.weight_mask for name, layer in self._layers.items()}

    def due(self, step: int) -> bool:
        """Whether masks are set before this step, counted from 0."""
        return step % self.refresh == 0

    def before_step(self, step: int, level: float) -> bool:
        """Set the masks if they are due before this step, counted from 0.

        Args:
            step: of the training.
            level: as for `update`.

        Returns:
            Whether they were due.

        Raises:
            BurnishError: as for `update`.
        """
        if self.due(step):
            self.update(level)
        return self.due(step)

    def update(self, level: float) -> None:
        """Set the masks now.

        Args:
            level: the share kept, in [0, 1]; or the threshold, for a criterion that has one. A
                share of 1 needs no scores, so it asks nothing of the criterion.

        Raises:
            UsageError: the share is not in [0, 1].
            BurnishError: scores are NaN or infinite, or the criterion has not seen what it needs.
        """
        if level == 1 and self.criterion.ranking != "threshold":
            for name, mask in self.masks.items():
                mask.fill_(True)
                if isinstance(self.criterion, Estimating):
                    self._memory[name].clear()
            return
        with torch.no_grad():
            states = {name: self._state(name) for name in self._layers}
            scores = [self.criterion.score(state) for state in states.values()]
            masks = dict(zip(self._layers, self._select(scores, level), strict=True))
            if isinstance(self.criterion, Estimating):
                for name, state in states.items():
                    change = self.criterion.compensate(state, state.kept & ~masks[name])
                    self._layers[name].weight.add_(change.mul_(masks[name]))
            for name, mask in masks.items():
                self._layers[name].weight_mask.copy_(mask)

    def _select(self, scores: list[Tensor], level: float) -> list[Tensor]:
        if self.criterion.ranking != "threshold":
            return top_mask(scores, level, self.criterion.ranking)
        least = cast("Thresholded", self.criterion).least_kept
        return [threshold_mask(each, level, least) for each in scores]

    def after_backward(self) -> None:
        """Let the criterion see the gradients, then cut those of W down to M * dL/dW'.

        Nothing happens for a criterion that does not observe: its gradients come out right.

        Raises:
            BurnishError: a weight has no gradient.
        """
        if not isinstance(self.criterion, Observing):
            return
        with torch.no_grad():
            for name, layer in self._layers.items():
                gradient = self._gradient(name)
                self.criterion.observe(self._state(name, gradient))
                gradient.mul_(layer.weight_mask)

    def collect(self) -> None:
        """Show an `Estimating` criterion the gradients that are there, and drop them.

        Called after each of its `gradients` backward passes, before `update`; gradients of other
        parameters are the caller's to drop.

        Raises:
            UsageError: the criterion estimates nothing.
            BurnishError: a weight has no gradient.
        """
        if not isinstance(self.criterion, Estimating):
            raise UsageError(f"{self.criterion.name} estimates nothing from gradients")
        with torch.no_grad():
            for name, layer in self._layers.items():
                self.criterion.estimate(self._state(name, self._gradient(name)))
                layer.weight.grad = None

    def calibrate(
        self,
        forward: Callable[[Mapping[str, Tensor]], object],
        batches: Iterable[Mapping[str, Tensor]],
    ) -> None:
        """Measure the inputs of the layers with the masks and weights of now.

        Args:
            forward: runs the model, in evaluation mode, on a batch. Every process that takes part
                is given the same batches.
            batches: (B, T) "attention_mask" tells tokens, 1, from padding, 0, and whatever else
                `forward` needs.

        Raises:
            UsageError: there were no tokens, or a batch has no attention mask that fits.
        """
        self._norms = input_norms(self._layers, forward, batches)

    def penalty(self, level: float) -> Tensor | None:
        """Weighted mean penalty over the matrices, to be added to the loss; None without one.

        Args:
            level: the threshold.
        """
        if not isinstance(self.criterion, Thresholded):
            return None
        each = [self.criterion.penalty(scores) for scores in self.score_parameters]
        return self.criterion.penalty_weight(level) * torch.stack(each).mean()

    def sparsity(self) -> Sparsity:
        """Weights out, and all weights, over the masked matrices together."""
        kept = sum(int(mask.count_nonzero()) for mask in self.masks.values())
        total = sum(mask.numel() for mask in self.masks.values())
        return Sparsity(removed=total - kept, total=total)

    def digest(self) -> str:
        """SHA-256 over names, shapes and masks."""
        sha = hashlib.sha256()
        for name, mask in sorted(self.masks.items()):
            sha.update(f"{name}{tuple(mask.shape)}".encode())
            sha.update(_packed(mask).numpy().tobytes())
        return sha.hexdigest()

    def state_dict(self) -> dict[str, Tensor]:
        """All that decides later masks, as tensors by "layer/what".

        Masks are copies, one bit a weight; scores, the criterion's memory and input norms are not
        copied.
        """
        state = {}
        for name, layer in self._layers.items():
            state[f"{name}/mask"] = _packed(layer.weight_mask)
            if layer.weight_scores is not None:
                state[f"{name}/scores"] = layer.weight_scores.detach()
            if name in self._norms:
                state[f"{name}/input_norm"] = self._norms[name]
            for key, value in self._memory[name].items():
                state[f"{name}/{_MEMORY}{key}"] = value
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take over what `state_dict` gave; tensors are copied.

        Raises:
            UsageError: it is the state of other layers or of another kind of criterion. Nothing
                has changed then.
        """
        self._check_state(state)
        with torch.no_grad():
            for name, layer in self._layers.items():
                weight = layer.weight
                mask = _unpacked(state[f"{name}/mask"], weight.shape)
                layer.weight_mask.copy_(mask)
                if layer.weight_scores is not None:
                    layer.weight_scores.copy_(state[f"{name}/scores"])
                prefix = f"{name}/{_MEMORY}"
                self._memory[name] = {
                    key.removeprefix(prefix): value.to(weight.device, copy=True)
                    for key, value in state.items()
                    if key.startswith(prefix)
                }
                if (norm := state.get(f"{name}/input_norm")) is not None:
                    self._norms[name] = norm.to(weight.device, copy=True)

    def _check_state(self, state: Mapping[str, Tensor]) -> None:
        wanted: dict[str, tuple[int, ...]] = {}
        for name, layer in self._layers.items():
            wanted[f"{name}/mask"] = (-(-layer.weight.numel() // 8),)
            if layer.weight_scores is not None:
                wanted[f"{name}/scores"] = tuple(layer.weight.shape)
        own = {key.split("/", 1)[0] for key in state}
        kinds = {key for key in state if key.endswith(("/mask", "/scores"))}
        if own != set(self._layers) or kinds != set(wanted):
            odd = sorted((own ^ set(self._layers)) or (kinds ^ set(wanted)))[0]
            raise UsageError(
                f"these masks are of other layers or of another criterion: {odd!r} is on one side "
                "only; build the same model and criterion as when they were saved"
            )
        for key, shape in wanted.items():
            if tuple(state[key].shape) != shape:
                raise UsageError(
                    f"{key} has shape {tuple(state[key].shape)}, and {shape} is wanted; build the "
                    "same model as when it was saved"
                )

    def bake(self) -> None:
        """Multiply the masks into the weights and take everything off; masks can be set no more.

        The layers compute bit for bit what they computed before.
        """
        with torch.no_grad():
            for layer in self._layers.values():
                layer.weight.mul_(layer.weight_mask)
        self.detach()

    def detach(self) -> None:
        """Take everything off and leave the weights dense; masks can be set no more."""
        for name, layer in self._layers.items():
            layer.weight.requires_grad_(self._trained[name])
            del layer.weight_mask, layer.weight_scores, layer.dense_gradient
            layer.__class__ = nn.Linear  # type: ignore[assignment]
        self._layers, self._memory, self._norms = {}, {}, {}

    def _gradient(self, name: str) -> Tensor:
        gradient = self._layers[name].weight.grad
        if gradient is None:
            raise BurnishError(
                f"the weight of {name} has no gradient; call this after a backward pass through "
                "all masked layers, and before gradients are dropped"
            )
        return gradient

    def _state(self, name: str, gradient: Tensor | None = None) -> WeightState:
        layer = self._layers[name]
        return WeightState(
            weight=layer.weight.detach(),
            kept=layer.weight_mask,
            gradient=gradient,
            scores=layer.weight_scores,
            input_norm=self._norms.get(name),
            memory=self._memory[name],
        )


def _check_layers(linears: Mapping[str, nn.Linear]) -> None:
    if not linears:
        raise UsageError("masks need at least one linear layer, got none")
    seen: dict[int, str] = {}
    for name, layer in linears.items():
        if isinstance(layer, _MaskedLinear):
            raise UsageError(f"{name} has masks already; bake or detach those first")
        if type(layer) is not nn.Linear:
            raise UsageError(
                f"{name} must be a torch.nn.Linear, is {type(layer).__name__}; merge adapters and "
                "undo quantisation first"
            )
        if "/" in name:
            raise UsageError(f"names of layers hold no slash, got {name!r}")
        if other := seen.get(id(layer.weight)):
            raise UsageError(f"{other} and {name} share one weight; name it once")
        seen[id(layer.weight)] = name


def _attach(layer: nn.Linear, learns_scores: bool, dense_gradient: bool) -> _MaskedLinear:
    weight = layer.weight
    mask = torch.ones_like(weight, dtype=torch.bool)
    layer.register_buffer("weight_mask", mask, persistent=False)
    scores = None
    if learns_scores:  # in float32 at least: steps of Z are far smaller than Z
        kind = torch.promote_types(weight.dtype, torch.float32)
        scores = nn.Parameter(torch.zeros_like(weight, dtype=kind))
    layer.register_parameter("weight_scores", scores)
    layer.__class__ = _MaskedLinear
    masked = cast("_MaskedLinear", layer)
    masked.dense_gradient = dense_gradient
    return masked


def _packed(mask: Tensor) -> Tensor:
    """(ceil(n / 8),) uint8, on the host."""
    return torch.from_numpy(np.packbits(mask.cpu().numpy()))


def _unpacked(packed: Tensor, shape: torch.Size) -> Tensor:
    bits = np.unpackbits(packed.cpu().numpy(), count=shape.numel())
    return torch.from_numpy(bits).view(shape).bool()
