"""GGUF files: written here with the gguf package, read through transformers."""

from __future__ import annotations

import json
import resource
import shutil
import sys
from pathlib import Path

import gguf
import pytest
import torch
from transformers import AutoTokenizer

from burnish.errors import BurnishError, MissingExtra, UsageError
from burnish.models import gguf_path, load_causal_lm, load_encoder

TOKENS = torch.tensor([[5, 9, 11, 200, 7]])
NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def rotated(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """llama.cpp interleaves the halves of each head that its rotary embedding pairs up."""
    return weight.unflatten(0, (heads, 2, -1)).transpose(1, 2).flatten(0, 2)


def write(file: Path, model, tokenizer) -> Path:
    config = model.config
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_vocab_size(config.vocab_size)
    vocabulary = tokenizer.get_vocab()
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(sorted(vocabulary, key=vocabulary.__getitem__))
    writer.add_token_types([3, 3, 3] + [1] * (len(vocabulary) - 3))
    writer.add_token_merges(["a b", "c d", "ab cd"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_chat_template("{% for m in messages %}{{ m.content }}{% endfor %}")
    weights = model.state_dict()
    writer.add_tensor("token_embd.weight", weights["model.embed_tokens.weight"].numpy())
    writer.add_tensor("output_norm.weight", weights["model.norm.weight"].numpy())
    heads = {"attn_q": config.num_attention_heads, "attn_k": config.num_key_value_heads}
    for layer in range(config.num_hidden_layers):
        for ours, theirs in NAMES.items():
            weight = weights[f"model.layers.{layer}.{ours}.weight"]
            weight = rotated(weight, heads[theirs]) if theirs in heads else weight
            writer.add_tensor(f"blk.{layer}.{theirs}.weight", weight.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


@pytest.fixture
def written(tiny, tmp_path, own_cache):
    """The model, and its .gguf file."""
    return tiny[0], write(tmp_path / "tiny.gguf", tiny[0], AutoTokenizer.from_pretrained(tiny[1]))


def kept(cache: Path) -> set[str]:
    return {path.name for path in (cache / "converted").glob("*") if path.suffix != ".lock"}


def test_weights_tokenizer_and_template_come_across(written, own_cache, capfd):
    model, file = written
    lm = load_causal_lm(file)
    with torch.no_grad():
        torch.testing.assert_close(lm.model(TOKENS).logits, model(TOKENS).logits)
    assert lm.tokenizer("abcd</s>")["input_ids"][-2:] == [model.config.vocab_size - 1, 2]
    assert lm.tokenizer.decode(lm.tokenizer("abc d")["input_ids"]) == "abc d"
    assert lm.tokenizer.chat_template.startswith("{% for m in messages %}")
    assert lm.identity.startswith("tiny.gguf@sha256:")
    cache = own_cache / "converted"
    assert capfd.readouterr() == ("", f"de-quantising tiny.gguf, this once, into {cache}\n")
    load_causal_lm(file)
    assert capfd.readouterr() == ("", "")


def test_what_comes_back_trains_and_saves(written, tmp_path):
    lm = load_causal_lm(written[1])
    tied = lm.model.get_input_embeddings().weight
    assert lm.model.get_output_embeddings().weight is tied
    lm.model(TOKENS, labels=TOKENS).loss.backward()
    assert all(weight.grad is not None for weight in lm.model.parameters())
    with torch.no_grad():
        tied += 0.01
    lm.model.save_pretrained(tmp_path / "saved")
    lm.tokenizer.save_pretrained(tmp_path / "saved")
    with torch.no_grad():
        again = load_causal_lm(tmp_path / "saved").model(TOKENS).logits
        assert torch.equal(again, lm.model(TOKENS).logits)


def test_is_converted_once_for_each_content_and_precision(written, own_cache, tmp_path):
    _, file = written
    load_causal_lm(file)
    (first,) = kept(own_cache)
    made = (own_cache / "converted" / first).stat().st_ino
    load_causal_lm(shutil.copy(file, tmp_path / "b.gguf"), dtype="bfloat16")
    load_causal_lm(file)
    assert (own_cache / "converted" / first).stat().st_ino == made
    assert len(kept(own_cache)) == 2


def test_what_is_no_gguf_is_one_line_and_leaves_nothing(tmp_path, own_cache):
    (tmp_path / "bad.gguf").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(UsageError, match=r"transformers cannot read bad\.gguf as GGUF: ") as caught:
        load_causal_lm(tmp_path / "bad.gguf")
    assert "\n" not in str(caught.value)
    assert kept(own_cache) == set()


def test_a_failed_write_is_one_line_and_leaves_nothing(written, own_cache):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))  # the weights need more
    try:
        with pytest.raises(BurnishError, match=r"cannot keep the weights .* set BURNISH_CACHE"):
            load_causal_lm(written[1])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert kept(own_cache) == set()
    assert load_causal_lm(written[1])


def test_is_no_encoder(written):
    with pytest.raises(UsageError, match=r"encoder cannot be read from a \.gguf file"):
        load_encoder(written[1])


def test_a_missing_package_names_the_extra(written, monkeypatch):
    monkeypatch.delitem(sys.modules, "burnish.models.conversion", raising=False)
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(MissingExtra, match=r'needs gguf, .* pip install "burnish\[models\]"'):
        load_causal_lm(written[1])


def test_gguf_path_takes_a_file_or_a_folder_with_one(tmp_path):
    (tmp_path / "a.gguf").touch()
    assert gguf_path(tmp_path / "a.gguf") == gguf_path(tmp_path) == (tmp_path / "a.gguf").resolve()
    (tmp_path / "b.gguf").touch()
    with pytest.raises(
        UsageError, match=r"several \.gguf files; name one of them: a\.gguf, b\.gguf"
    ):
        gguf_path(tmp_path)


@pytest.mark.parametrize("spec", ["nope", "nope.gguf", "owner/name", "."])
def test_gguf_path_says_what_it_looked_for(tmp_path, monkeypatch, spec):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"no \.gguf file for .*: looked for an asset"):
        gguf_path(spec)


def test_what_lies_beside_the_file_changes_nothing(written, tmp_path):
    _, file = written
    trace = tmp_path / "ran"
    (tmp_path / "evil.py").write_text(f"open({str(trace)!r}, 'w')\n")
    code = {"auto_map": {"AutoTokenizer": ["evil.T", "evil.T"], "AutoConfig": "evil.C"}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(code | {"eos_token": "a"}))
    (tmp_path / "config.json").write_text(json.dumps(code | {"model_type": "evil"}))
    (tmp_path / "chat_template.jinja").write_text("another")
    (tmp_path / "generation_config.json").write_text('{"eos_token_id": 7}')
    lm = load_causal_lm(file)
    assert not trace.exists()
    assert lm.tokenizer.eos_token == "</s>"
    assert lm.tokenizer.chat_template.startswith("{% for m in messages %}")
    assert lm.model.generation_config.eos_token_id == 2
