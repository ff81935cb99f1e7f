"""Tiny real models made from configs: one that is saved with its tokenizer, and many families."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tokenizers
import torch
import transformers as hf
from tokenizers import decoders, models, pre_tokenizers
from torch import Tensor, nn
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from burnish.models.anatomy import layer_parts
from burnish.models.shrinking import LayerKeep

MERGES = [("a", "b"), ("c", "d"), ("ab", "cd")]


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE: three special tokens, every byte, three merges."""
    tokens = ["<unk>", "<s>", "</s>", *sorted(pre_tokenizers.ByteLevel.alphabet())]
    tokens += ["".join(merge) for merge in MERGES]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    inner = tokenizers.Tokenizer(models.BPE(vocab=vocabulary, merges=MERGES, unk_token="<unk>"))
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


ENCODER = {
    "vocab_size": 50,
    "hidden_size": 32,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 40,
    "max_position_embeddings": 40,
    "pad_token_id": 1,
    "num_labels": 3,
}
DECODER = {
    **ENCODER,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
    "hidden_size": 48,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
DISTIL = {
    "vocab_size": 50,
    "dim": 32,
    "n_layers": 3,
    "n_heads": 4,
    "hidden_dim": 40,
    "max_position_embeddings": 40,
    "pad_token_id": 1,
    "num_labels": 3,
}
FAMILIES: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "bert": (hf.BertModel, hf.BertConfig, ENCODER),
    "bert-classifier": (hf.BertForSequenceClassification, hf.BertConfig, ENCODER),
    "bert-qa": (hf.BertForQuestionAnswering, hf.BertConfig, ENCODER | {"num_labels": 2}),
    "roberta-classifier": (hf.RobertaForSequenceClassification, hf.RobertaConfig, ENCODER),
    "electra-classifier": (hf.ElectraForSequenceClassification, hf.ElectraConfig, ENCODER),
    "distilbert-classifier": (
        hf.DistilBertForSequenceClassification,
        hf.DistilBertConfig,
        DISTIL,
    ),
    "distilbert-qa": (
        hf.DistilBertForQuestionAnswering,
        hf.DistilBertConfig,
        DISTIL | {"num_labels": 2},
    ),
    "llama-lm": (hf.LlamaForCausalLM, hf.LlamaConfig, DECODER),
    "llama-tied-lm": (
        hf.LlamaForCausalLM,
        hf.LlamaConfig,
        {**DECODER, "tie_word_embeddings": True},
    ),
    "llama-classifier": (hf.LlamaForSequenceClassification, hf.LlamaConfig, DECODER),
    "mistral-lm": (hf.MistralForCausalLM, hf.MistralConfig, DECODER),
    "qwen2-lm": (hf.Qwen2ForCausalLM, hf.Qwen2Config, DECODER),
    "qwen3-lm": (hf.Qwen3ForCausalLM, hf.Qwen3Config, {**DECODER, "head_dim": 12}),
}


def family_model(name: str, *, seed: int = 0, attention: str = "sdpa", **changes: Any) -> Any:
    """A model whose every weight counts: biases and norms are random as well."""
    kind, config, settings = FAMILIES[name]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = kind._from_config(config(**settings | changes), attn_implementation=attention)
        for weight in model.parameters():
            weight.data += 0.2 * torch.randn_like(weight)
    return model.eval()


def ragged(*lengths: int, seed: int = 0) -> dict[str, Tensor]:
    """Token ids padded on the right, and their mask."""
    draw = torch.Generator().manual_seed(seed)
    mask = torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]
    ids = torch.randint(3, 50, mask.shape, generator=draw)
    return {"input_ids": torch.where(mask, ids, 1), "attention_mask": mask.long()}


def outputs(model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """What a model says: of the whole text, or of each token that is not padding."""
    with torch.no_grad():
        said = model(**inputs)
    if "start_logits" in said:
        out = torch.stack([said.start_logits, said.end_logits], -1)
    else:
        out = said.logits if "logits" in said else said.last_hidden_state
    return out[inputs["attention_mask"].bool()] if out.dim() == 3 else out


def uneven(model: nn.Module) -> list[LayerKeep]:
    """Another number of heads and units in each layer, the last with no units; whole groups."""
    keeps = []
    for number, parts in enumerate(layer_parts(model)):
        size = parts.heads // parts.kv_heads
        groups = [number, parts.kv_heads - 1] if number < 2 else [0]
        heads = [group * size + at for group in sorted(set(groups)) for at in range(size)]
        units = range(number, parts.units, number + 2) if number < 2 else ()
        keeps.append(kept(heads, units))
    return keeps


def kept(heads: Sequence[int], units: Sequence[int]) -> LayerKeep:
    return LayerKeep(
        torch.tensor(list(heads), dtype=torch.long), torch.tensor(list(units), dtype=torch.long)
    )


@pytest.fixture(scope="session")
def zoo() -> SimpleNamespace:
    """Models of every family that can be shrunk, inputs for them, and what to keep of them."""
    return SimpleNamespace(
        names=tuple(FAMILIES),
        model=family_model,
        ragged=ragged,
        outputs=outputs,
        uneven=uneven,
        kept=kept,
    )
