"""Load a causal language model or an encoder: from an asset, a folder, a .gguf file or the hub.

Also shrinks models for good, saves them so that they load again, and exports them;
`burnish.models.latency` times them. What needs torch at once loads on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from burnish.lazy import lazily
from burnish.models.loading import CausalLM, Encoder, load_causal_lm, load_encoder
from burnish.models.sources import gguf_path

if TYPE_CHECKING:
    from burnish.models.anatomy import LayerParts, layer_parts
    from burnish.models.csr import to_csr
    from burnish.models.onnx_export import OnnxModel, export_onnx, quantize_int8
    from burnish.models.pruned import AutoPruned, save_pruned
    from burnish.models.shrinking import LayerKeep, expand, shrink, zero_out

_HOME = {
    "anatomy": ("LayerParts", "layer_parts"),
    "csr": ("to_csr",),
    "onnx_export": ("OnnxModel", "export_onnx", "quantize_int8"),
    "pruned": ("AutoPruned", "save_pruned"),
    "shrinking": ("LayerKeep", "expand", "shrink", "zero_out"),
}

__all__ = [
    "AutoPruned",
    "CausalLM",
    "Encoder",
    "LayerKeep",
    "LayerParts",
    "OnnxModel",
    "expand",
    "export_onnx",
    "gguf_path",
    "layer_parts",
    "load_causal_lm",
    "load_encoder",
    "quantize_int8",
    "save_pruned",
    "shrink",
    "to_csr",
    "zero_out",
]


__getattr__ = lazily(__name__, _HOME)
