"""A tiny real language model and its tokenizer, made from a config."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

MERGES = [("a", "b"), ("c", "d"), ("ab", "cd")]


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE: three special tokens, every byte, three merges."""
    tokens = ["<unk>", "<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokens += ["".join(merge) for merge in MERGES]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    inner = Tokenizer(models.BPE(vocab=vocabulary, merges=MERGES, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, unk_token="<unk>", bos_token="<s>", eos_token="</s>"
    )


def tiny_model(seed: int, *, tied: bool = True) -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=len(tiny_tokenizer()),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        tie_word_embeddings=tied,
        bos_token_id=1,
        eos_token_id=2,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForCausalLM(config).eval()


@pytest.fixture
def tiny(tmp_path) -> tuple[LlamaForCausalLM, Path]:
    """The model, and the folder it is saved in."""
    folder = tmp_path / "tiny"
    model = tiny_model(0)
    model.save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return model, folder


@pytest.fixture
def own_cache(tmp_path, monkeypatch) -> Path:
    """A fresh cache instead of the user's."""
    monkeypatch.setenv("BURNISH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"
