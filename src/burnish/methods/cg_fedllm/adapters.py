"""LoRA adapters of a model: made, read, written, kept as PEFT keeps them."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from burnish.codecs.errors import LayoutMismatch
from burnish.errors import ConfigError, DataError
from burnish.training import derive, seeded

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
"""What the paper adapts, by the names that Llama and its kin have."""


def fresh_adapter(
    model: PreTrainedModel,
    *,
    rank: int,
    alpha: float,
    dropout: float,
    seed: int,
    targets: Sequence[str] = ATTENTION,
) -> PeftModel:
    """The model with a new LoRA adapter; nothing else of it takes gradients from now on.

    The model is changed in place. A is random, B zero, so the adapter does nothing yet. One seed
    gives one initialisation, which everything that is trained or encoded later depends on.

    Args:
        model: without adapter.
        rank: r, columns of B.
        alpha: the adapter's part is multiplied by alpha / rank.
        dropout: share of the adapter's inputs that are zeroed in training.
        seed: of A.
        targets: names of the linear modules to adapt.

    Raises:
        ConfigError: the model has no module of these names, or has an adapter already.
    """
    from peft import LoraConfig, get_peft_model

    if any(".lora_A." in name for name, _ in model.named_parameters()):
        raise ConfigError("the model has an adapter already; load it anew")
    settings = LoraConfig(
        r=rank,
        lora_alpha=alpha,  # type: ignore[arg-type]  # only ever divided by the rank
        lora_dropout=dropout,
        target_modules=list(targets),
        bias="none",
        task_type="CAUSAL_LM",
    )
    with seeded(derive(seed, "lora")), warnings.catch_warnings():
        # peft 0.21 reads a name that transformers 5 deprecates
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        try:
            return get_peft_model(model, settings)
        except ValueError as error:
            why = str(error).strip().partition("\n")[0][:200]
            raise ConfigError(
                f"modules {', '.join(targets)} cannot be adapted: {why}; name linear modules of "
                "this model"
            ) from error


def matrices(model: PeftModel) -> dict[str, nn.Parameter]:
    """The active adapter's own matrices, by the names they have in a saved adapter.

    Raises:
        LayoutMismatch: the adapter also holds something else, such as biases or whole modules.
    """
    mark = f".{model.active_adapter}."
    found = {}
    for name, weight in model.named_parameters():
        if mark in name and name.endswith(f"{mark}weight") and _is_factor(name):
            found[name.replace(mark, ".")] = weight
        elif mark in name or weight.requires_grad:
            raise LayoutMismatch(
                f"{name} is trained or kept beside the LoRA matrices; adapt linear modules alone, "
                'with bias="none", without DoRA and modules_to_save'
            )
    return found


def _is_factor(name: str) -> bool:
    return ".lora_A." in name or ".lora_B." in name


def read_adapter(model: PeftModel) -> dict[str, Tensor]:
    """Copies of the active adapter's matrices, float32, on the processor."""
    return {name: copy_of(weight) for name, weight in matrices(model).items()}


def write_adapter(model: PeftModel, tensors: Mapping[str, Tensor]) -> None:
    """Put matrices in the place of the active adapter's.

    Raises:
        LayoutMismatch: one is missing, unknown, or of another shape; nothing was written.
    """
    write_matrices(matrices(model), tensors)


def write_matrices(own: Mapping[str, nn.Parameter], tensors: Mapping[str, Tensor]) -> None:
    """`write_adapter` for who has the matrices at hand."""
    if own.keys() != tensors.keys():
        odd = min(own.keys() ^ tensors.keys())
        where = "missing" if odd in own else "not in the model"
        raise LayoutMismatch(f"{odd} is {where}; the adapter is of another model or set of modules")
    for name, weight in own.items():
        if weight.shape != tensors[name].shape:
            raise LayoutMismatch(
                f"{name} must have the shape {tuple(weight.shape)}, got "
                f"{tuple(tensors[name].shape)}; both sides need one model and one rank"
            )
    with torch.no_grad():
        for name, weight in own.items():
            weight.copy_(tensors[name])


def copy_of(tensor: Tensor) -> Tensor:
    """A copy in float32, on the processor, without history."""
    return tensor.detach().to("cpu", torch.float32, copy=True)


def init_hash(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, shapes and float32 bytes of an adapter, in hex; order does not matter.

    Factors are defined only up to (B Q)(Q^-1 A), so that what is learned of one initialisation
    does not hold of another.
    """
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().to("cpu", torch.float32).contiguous()
        digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def save_adapter(model: PeftModel, folder: str | Path) -> None:
    """Write the active adapter as PEFT does: adapter_config.json, adapter_model.safetensors."""
    model.save_pretrained(
        str(folder), selected_adapters=[model.active_adapter], save_embedding_layers=False
    )


def load_adapter(model: PreTrainedModel, folder: str | Path) -> PeftModel:
    """A model with an adapter that PEFT or `save_adapter` has saved; it can be trained on.

    Raises:
        DataError: the folder has no adapter in safetensors; other formats can run code.
    """
    from peft import PeftModel

    for name in ("adapter_config.json", "adapter_model.safetensors"):
        if not (Path(folder) / name).is_file():
            raise DataError(f"{folder} must be a folder with a PEFT adapter, but has no {name}")
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        return PeftModel.from_pretrained(model, str(folder), is_trainable=True)
