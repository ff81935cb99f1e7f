"""Load a causal language model or an encoder: from an asset, a folder, a .gguf file or the hub."""

from burnish.models.loading import CausalLM, Encoder, load_causal_lm, load_encoder
from burnish.models.sources import gguf_path

__all__ = ["CausalLM", "Encoder", "gguf_path", "load_causal_lm", "load_encoder"]
