"""Folders of models whose layers differ in size, saved so that they load again."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedConfig, PreTrainedModel

from burnish.errors import UsageError
from burnish.models.anatomy import layer_parts
from burnish.models.options import place, precision, quiet
from burnish.models.shapes import (
    CONFIG_KEY,
    LayerShape,
    empty_model,
    layer_shapes,
    recorded_shapes,
    resize,
)


def save_pruned(
    model: PreTrainedModel, folder: str | os.PathLike[str], tokenizer: Any | None = None
) -> Path:
    """Save a shrunk model as config.json and model.safetensors, which `AutoPruned` loads.

    Under `burnish_pruned` the config has the shape of every layer and says whether the folder is
    `plain`: whether transformers loads it by itself, as it does where all layers ended alike, in
    sizes that a plain config can say.

    Args:
        model: of a class of transformers, shrunk or dense.
        folder: made if need be; files of the same names are replaced.
        tokenizer: saved beside the model when given.

    Returns:
        The folder.

    Raises:
        UsageError: the model is of a class or family that could not be loaded again.
    """
    if _architecture(type(model).__name__) is not type(model):
        raise UsageError(
            f"{type(model).__name__} must be a class of transformers itself to load again; "
            "save the transformers model inside it"
        )
    config, path = _described(model), Path(folder)
    path.mkdir(parents=True, exist_ok=True)
    if tokenizer is not None:
        tokenizer.save_pretrained(path)
    if model.can_generate():
        model.generation_config.save_pretrained(path)
    weights = {
        name: weight.detach().contiguous()
        for name, weight in model.state_dict().items()
        if name not in model.all_tied_weights_keys
    }
    save_file(weights, path / "model.safetensors", metadata={"format": "pt"})
    config.save_pretrained(path)
    return path


class AutoPruned:
    """Loads what `save_pruned` saved; used like the Auto classes of transformers."""

    @classmethod
    def from_pretrained(
        cls,
        folder: str | os.PathLike[str],
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | str = "float32",
    ) -> PreTrainedModel:
        """The model in a folder, in evaluation mode; code that comes with it is not run.

        Args:
            folder: has config.json with the shapes of the layers, and *.safetensors.
            device: where to, e.g. "cuda:1"; None is the first GPU of CUDA, or the processor.
            dtype: of the weights, e.g. "bfloat16".

        Raises:
            UsageError: no such folder, dtype or device; the folder was not saved by `save_pruned`
                or is damaged; its weights do not fit its config.
        """
        number_type, where, path = precision(dtype), place(device), Path(folder)
        with quiet():
            config = _config(path)
            kind = _architecture(*(config.architectures or [""])[:1])
            if kind.config_class is not type(config):
                raise UsageError(
                    f"{path / 'config.json'} names the class {kind.__name__} but the model type "
                    f"{config.model_type}; it is damaged"
                )
            model = empty_model(kind, config, number_type)
            resize(model, recorded_shapes(config))
            _fill(model, _weights(path), path)
        loaded: PreTrainedModel = model.to(where).eval()
        return loaded


def needs_auto_pruned(folder: Path) -> bool:
    """Whether a folder has a model that transformers cannot load by itself."""
    try:
        record = json.loads((folder / "config.json").read_text(encoding="utf-8"))[CONFIG_KEY]
    except (OSError, ValueError, LookupError, TypeError):
        return False
    return not (isinstance(record, dict) and record.get("plain") is True)


def _architecture(name: str) -> Any:
    """A model class of transformers itself, by name."""
    kind = getattr(transformers, name, None) if name.isidentifier() else None
    if not (isinstance(kind, type) and issubclass(kind, PreTrainedModel)):
        raise UsageError(f"transformers has no model class {name!r}, so it cannot be loaded")
    return kind


def _described(model: PreTrainedModel) -> PreTrainedConfig:
    """The config for the folder: with the sizes of the layers where those say it all."""
    shapes = layer_shapes(model)
    changes: dict[str, Any] = {
        CONFIG_KEY: {
            "layers": [[shape.heads, shape.kv_heads, shape.units] for shape in shapes],
            "plain": False,
        },
        "architectures": [type(model).__name__],
        "dtype": str(model.dtype).removeprefix("torch."),
    }
    config = model.config.to_dict() | changes
    if len(set(shapes)) == 1:
        record = changes[CONFIG_KEY] | {"plain": True}
        plain = config | _sizes(model, shapes[0]) | {CONFIG_KEY: record}
        if _makes_the_same_shapes(plain, model):
            return type(model.config).from_dict(plain)
    return type(model.config).from_dict(config)


def _sizes(model: PreTrainedModel, shape: LayerShape) -> dict[str, int]:
    """The fields of a config that say the sizes of all layers, as its family calls them."""
    config = model.config
    heads = config.attribute_map.get("num_attention_heads", "num_attention_heads")
    units = "intermediate_size" if hasattr(config, "intermediate_size") else "hidden_dim"
    sizes = {heads: shape.heads, units: shape.units}
    if hasattr(config, "num_key_value_heads"):
        sizes["num_key_value_heads"] = shape.kv_heads
        sizes["head_dim"] = layer_parts(model)[0].head_dim
    return sizes


def _makes_the_same_shapes(config: Mapping[str, Any], model: PreTrainedModel) -> bool:
    """Tried out, since each class has its own rules of what sizes go together."""
    try:
        built = type(model.config).from_dict(dict(config))
        with torch.device("meta"):
            twin = empty_model(type(model), built, model.dtype)
    except Exception:  # sizes that a class refuses; the shapes are then recorded layer by layer
        return False
    head_dims = {parts.head_dim for parts in (*layer_parts(twin), *layer_parts(model))}
    return len(head_dims) == 1 and _sizes_of(twin) == _sizes_of(model)


def _sizes_of(model: nn.Module) -> dict[str, torch.Size]:
    return {name: weight.shape for name, weight in model.state_dict().items()}


def _config(path: Path) -> PreTrainedConfig:
    if not (path / "config.json").is_file():
        raise UsageError(f"{path} is no model folder: it has no config.json")
    try:
        config: PreTrainedConfig = transformers.AutoConfig.from_pretrained(
            path, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # configs are checked by each class in its own way
        why = str(error).strip().partition("\n")[0]
        raise UsageError(f"transformers cannot read {path / 'config.json'}: {why}") from error
    return config


def _weights(path: Path) -> dict[str, Tensor]:
    files = sorted(path.glob("*.safetensors"))
    if not files:
        raise UsageError(f"{path} has no *.safetensors; weights in pickle files are not read")
    try:
        return {name: value for file in files for name, value in load_file(file).items()}
    except (SafetensorError, OSError) as error:
        raise UsageError(f"the weights in {path} cannot be read: {error}") from error


def _fill(model: PreTrainedModel, weights: Mapping[str, Tensor], path: Path) -> None:
    """Copy weights into a model; all of them, and nothing is left without."""
    own = model.state_dict()
    wanted = {name for name in own if name not in model.all_tied_weights_keys}
    faults = _faults(own, weights, wanted)
    if faults:
        raise UsageError(
            f"the weights in {path} are not those of the {type(model).__name__} in its config: "
            f"{'; '.join(faults)}"
        )
    model.load_state_dict(dict(weights), strict=False)


def _faults(
    own: Mapping[str, Tensor], weights: Mapping[str, Tensor], wanted: set[str]
) -> Sequence[str]:
    missing = sorted(wanted - weights.keys())
    unexpected = sorted(weights.keys() - own.keys())
    sizes = [
        f"{name} is {tuple(weights[name].shape)} and should be {tuple(own[name].shape)}"
        for name in sorted(own.keys() & weights.keys())
        if own[name].shape != weights[name].shape
    ]
    named = ((missing, "missing"), (unexpected, "unexpected"), (sizes, "of another size"))
    return [f"{len(names)} {fault} such as {names[0]}" for names, fault in named if names]
