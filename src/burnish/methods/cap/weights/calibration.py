"""How large the inputs of linear layers are, over the tokens of some batches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from burnish.errors import UsageError


def input_norms(
    layers: Mapping[str, nn.Linear],
    forward: Callable[[Mapping[str, Tensor]], object],
    batches: Iterable[Mapping[str, Tensor]],
) -> dict[str, Tensor]:
    """L2 norm of every input of every layer, padding left out.

    Args:
        layers: by name.
        forward: runs the model on a batch; no gradients are kept.
        batches: (B, T) "attention_mask" with 1 for tokens, and whatever `forward` needs.

    Returns:
        (in,) by name, in float32.

    Raises:
        UsageError: there were no tokens, or a batch has no attention mask that fits a layer's
            inputs.

    Source: Sun et al. 2023, arXiv 2306.11695, section 3.
    """
    sums: dict[str, Tensor] = {}
    tokens, seen = torch.zeros(0, dtype=torch.bool), 0

    def recorder(name: str) -> Callable[[nn.Module, tuple[Any, ...]], None]:
        def record(_: nn.Module, inputs: tuple[Any, ...]) -> None:
            rows = inputs[0].detach().reshape(-1, inputs[0].shape[-1])
            if len(rows) != len(tokens):
                raise UsageError(
                    f"{name} was given {len(rows)} vectors for an attention mask of {len(tokens)} "
                    "tokens; calibrate with a layer that sees every token once"
                )
            squares = rows[tokens].float().square().sum(0, dtype=torch.float64)
            sums[name] = sums[name] + squares if name in sums else squares

        return record

    handles = [layer.register_forward_pre_hook(recorder(name)) for name, layer in layers.items()]
    try:
        with torch.no_grad():
            for batch in batches:
                if "attention_mask" not in batch:
                    raise UsageError(
                        "a calibration batch has no attention_mask, so padding cannot be told from "
                        f"tokens; it holds {', '.join(batch) or 'nothing'}"
                    )
                tokens = batch["attention_mask"].bool().flatten()
                seen += int(tokens.count_nonzero())
                forward(batch)
    finally:
        for handle in handles:
            handle.remove()
    if not seen or set(sums) != set(layers):
        lost = sorted(set(layers) - set(sums))
        what = f"never reached {lost[0]}" if seen and lost else "held no tokens"
        raise UsageError(f"calibration {what}; give it batches the whole model runs on")
    return {name: total.sqrt().float() for name, total in sums.items()}
