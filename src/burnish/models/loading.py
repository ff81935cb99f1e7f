"""Models and their tokenizers, ready to answer in batches, to train and to save."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from burnish import assets
from burnish.errors import MissingExtra, UsageError
from burnish.models.options import place, precision, quiet
from burnish.models.sources import Weights, find

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_LOCAL: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}


@dataclass(frozen=True)
class CausalLM:
    """A language model that continues text.

    Attributes:
        model: in evaluation mode; every weight takes gradients.
        tokenizer: pads on the left, as generation in batches needs.
        identity: what tells these weights from all others, for cache keys and manifests.
    """

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    identity: str


@dataclass(frozen=True)
class Encoder:
    """A model that gives each token of a text a vector; attributes as in `CausalLM`."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    identity: str


def load_causal_lm(
    spec: str | os.PathLike[str],
    *,
    dtype: torch.dtype | str = "float32",
    device: torch.device | str | None = None,
) -> CausalLM:
    """A causal language model with all its weights; code that comes with a model is not run.

    Args:
        spec: an asset's name, a folder with config.json and *.safetensors, a .gguf file or a hub
            id; see `burnish.models.sources.find`. A .gguf file is de-quantised and kept in
            burnish's cache, so that only its first loading is slow.
        dtype: of the weights, e.g. "bfloat16".
        device: where to, e.g. "cuda:1"; None is the first GPU of CUDA, or the processor.

    Raises:
        UsageError: no such model, dtype or device; or the weights do not make up a causal LM.
        AssetMissing: the asset was not pulled.
        MissingExtra: torch or transformers is not installed.
    """
    model, tokenizer, identity = load_as(spec, "AutoModelForCausalLM", dtype, device)
    rows = model.get_input_embeddings().weight.shape[0]
    if tokenizer.pad_token is None or tokenizer.pad_token_id >= rows:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    tokenizer.padding_side = "left"
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    return CausalLM(model, tokenizer, identity)


def load_encoder(
    spec: str | os.PathLike[str],
    *,
    dtype: torch.dtype | str = "float32",
    device: torch.device | str | None = None,
) -> Encoder:
    """An encoder with all its weights; arguments and errors as in `load_causal_lm`, but no GGUF.

    A head that lies beside the encoder is left out, and a pooler that was never saved, as in
    checkpoints of masked language models, is not made up: the model then has none.
    """
    return Encoder(*load_as(spec, "AutoModel", dtype, device))


def load_as(
    spec: str | os.PathLike[str],
    loader: str,
    dtype: torch.dtype | str,
    device: torch.device | str | None,
) -> tuple[Any, Any, str]:
    """Model, tokenizer and identity, by an Auto class of transformers such as "AutoModel".

    Other arguments and errors as in `load_causal_lm`.
    """
    try:
        import torch  # noqa: F401
        import transformers
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    number_type, where = precision(dtype), place(device)
    weights = find(spec)
    with quiet():
        folder = _folder(weights, number_type, loader)
        model = _pruned(folder, loader, number_type)
        try:
            if model is None:
                model = _complete(getattr(transformers, loader), folder, number_type)
            tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **_LOCAL)
        except UsageError:
            raise
        except Exception as error:  # the parsers of many formats raise what they like
            why = str(error).strip().partition("\n")[0]
            raise UsageError(f"transformers cannot load {folder}: {why}") from error
    return model.to(where).eval(), tokenizer, weights.identity


def _complete(loader: Any, folder: Path, dtype: torch.dtype) -> Any:
    """The model of a folder, none of whose weights are random or dropped."""
    options = {"dtype": dtype, "use_safetensors": True, "output_loading_info": True, **_LOCAL}
    model, info = loader.from_pretrained(folder, **options)
    if loader.__name__ == "AutoModel" and type(model).__name__ not in _saved_as(model):
        if info["missing_keys"] and all(key.startswith("pooler.") for key in info["missing_keys"]):
            model, info = loader.from_pretrained(folder, add_pooling_layer=False, **options)
        own = {name for name, _ in model.named_children()}
        info["unexpected_keys"] = [
            key for key in info["unexpected_keys"] if key.partition(".")[0] in own
        ]
    _check_complete(info, type(model).__name__, folder)
    return model


def _saved_as(model: Any) -> tuple[str, ...]:
    """The classes that a checkpoint says it is of."""
    return tuple(model.config.architectures or ())


def _pruned(folder: Path, loader: str, dtype: torch.dtype) -> Any:
    """The model of a folder that transformers cannot load by itself; None for other folders."""
    import transformers

    from burnish.models.pruned import AutoPruned, needs_auto_pruned

    if not needs_auto_pruned(folder):
        return None
    model = AutoPruned.from_pretrained(folder, device="cpu", dtype=dtype)
    wanted = getattr(transformers, loader)._model_mapping.get(type(model.config), type(None))
    if type(model) is not wanted:
        raise UsageError(
            f"{folder} has a {type(model).__name__}, not what {loader} loads; "
            "load it with burnish.models.AutoPruned"
        )
    return model


def _missing(error: ModuleNotFoundError) -> MissingExtra:
    return MissingExtra(
        f"loading a model needs {error.name}, which is not installed; "
        'run: pip install "burnish[models]"'
    )


def _folder(weights: Weights, dtype: torch.dtype, loader: str) -> Path:
    if weights.path.suffix != ".gguf":
        return weights.path
    if loader != "AutoModelForCausalLM":
        raise UsageError(f"an encoder cannot be read from a .gguf file such as {weights.path}")
    try:
        from burnish.models.conversion import converted
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    cache = assets.cache_dir() / "converted"
    return converted(weights.path, weights.revision, dtype=dtype, cache=cache)


def _check_complete(info: Mapping[str, Any], kind: str, folder: Path) -> None:
    faults = [
        f"{len(info[fault])} {fault.replace('_', ' ')} such as {min(map(str, info[fault]))}"
        for fault in ("missing_keys", "unexpected_keys", "mismatched_keys")
        if info[fault]
    ]
    if faults:
        raise UsageError(
            f"the weights in {folder} are not those of a {kind}: {'; '.join(faults)}; "
            "a model with random or dropped weights is of no use"
        )
