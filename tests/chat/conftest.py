"""Tiny real models, and the embedded one where it is installed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
)

from burnish.errors import AssetError
from burnish.models import gguf_path, load_causal_lm

TEMPLATE = (
    "{% for m in messages %}"
    "{% if m['role'] == 'system' and not loop.first %}"
    "{{ raise_exception('system comes first') }}{% endif %}"
    "<|{{ m['role'] }}|>{{ m['content'] }}<|end|>"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(scope="session")
def tokenizer() -> PreTrainedTokenizerFast:
    """Bytes and four control tokens, nothing learned."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({byte: i for i, byte in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token="<|end|>", chat_template=TEMPLATE
    )


SIZES = {
    "vocab_size": 260,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "bos_token_id": None,
    "eos_token_id": 256,
    "initializer_range": 0.4,  # so that logits differ by more than rounding
}


@pytest.fixture
def llama(tokenizer):
    """A random Llama in double precision: batch shapes do not show in its rounding."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = LlamaForCausalLM(LlamaConfig(**SIZES)).double().eval()
    return SimpleNamespace(model=model, tokenizer=tokenizer, identity="tiny-llama")


@pytest.fixture
def mistral(tokenizer):
    """A random Mistral that attends to 12 positions only."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        model = MistralForCausalLM(MistralConfig(**SIZES, sliding_window=12)).double().eval()
    return SimpleNamespace(model=model, tokenizer=tokenizer, identity="tiny-mistral")


@pytest.fixture(scope="session")
def smollm2():
    """The embedded chat model, loaded once."""
    try:
        return load_causal_lm("smollm2-135m-instruct")
    except AssetError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def smollm2_gguf() -> Path:
    """The embedded chat model's original file."""
    try:
        return gguf_path("smollm2-135m-instruct")
    except AssetError as missing:
        pytest.skip(str(missing))
