from __future__ import annotations

import json
import warnings

import peft
import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from burnish.codecs.errors import LayoutMismatch
from burnish.errors import ConfigError, DataError
from burnish.methods.cg_fedllm.adapters import (
    fresh_adapter,
    init_hash,
    load_adapter,
    matrices,
    read_adapter,
    save_adapter,
    write_adapter,
)
from burnish.methods.cg_fedllm.layout import LoraLayout
from burnish.training import seeded

TOKENS = torch.arange(12).view(2, 6)


def base() -> LlamaForCausalLM:
    config = LlamaConfig(
        vocab_size=40,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )
    with seeded(0):
        return LlamaForCausalLM(config).eval()


def adapted(seed: int = 0, **changes):
    settings = {"rank": 4, "alpha": 8, "dropout": 0.0, "seed": seed} | changes
    return fresh_adapter(base(), **settings)


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(input_ids=TOKENS).logits


def other_values(model) -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(9)
    pairs = read_adapter(model).items()
    return {name: torch.randn(tensor.shape, generator=draw) for name, tensor in pairs}


def test_a_fresh_adapter_does_nothing_yet_and_alone_takes_gradients():
    model = adapted()
    assert torch.equal(logits(model), logits(base()))
    trained = [name for name, weight in model.named_parameters() if weight.requires_grad]
    assert len(trained) == 2 * 4 * 2
    assert all(".lora_" in name for name in trained)


def test_a_seed_gives_the_same_bytes_and_leaves_the_world_s_randomness_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    hashes = [init_hash(read_adapter(adapted(seed))) for seed in (1, 1, 2)]
    assert torch.equal(torch.rand(3), expected)
    assert hashes[0] == hashes[1] != hashes[2]


def test_the_hash_knows_names_and_bits_but_no_order():
    tensors = {"a": torch.tensor([[1.0, 2.0]]), "b": torch.zeros(1, 2)}
    assert init_hash(tensors) == init_hash(dict(reversed(tensors.items())))
    for changed in (
        {"a": tensors["a"], "c": tensors["b"]},
        {"a": tensors["a"].T, "b": tensors["b"]},
        {"a": tensors["a"], "b": -tensors["b"]},
    ):
        assert init_hash(changed) != init_hash(tensors)


def test_what_is_written_is_read_and_is_a_copy():
    model = adapted()
    wanted = other_values(model)
    write_adapter(model, wanted)
    found = read_adapter(model)
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)
    next(iter(found.values())).zero_()
    assert not torch.equal(next(iter(read_adapter(model).values())), next(iter(found.values())))
    assert not torch.equal(logits(model), logits(base()))


def test_nothing_is_written_if_one_matrix_does_not_fit():
    model = adapted()
    before = read_adapter(model)
    wrong = other_values(model)
    last = list(wrong)[-1]
    wrong[last] = torch.ones(3, 3)
    with pytest.raises(LayoutMismatch, match=rf"{last} must have the shape .* got \(3, 3\)"):
        write_adapter(model, wrong)
    del wrong[last]
    with pytest.raises(LayoutMismatch, match=f"{last} is missing"):
        write_adapter(model, wrong)
    with pytest.raises(LayoutMismatch, match="more is not in the model"):
        write_adapter(model, {**other_values(model), "more": torch.ones(1)})
    assert init_hash(read_adapter(model)) == init_hash(before)


def test_names_are_those_that_peft_saves():
    model = adapted()
    saved = peft.get_peft_model_state_dict(model, save_embedding_layers=False)
    assert saved.keys() == matrices(model).keys()


def test_the_layout_of_a_model_is_that_of_its_matrices():
    layout = LoraLayout.from_peft(adapted())
    assert layout.height == 32
    assert layout.numbers == sum(weight.numel() for weight in matrices(adapted()).values())
    vector = layout.to_vector(read_adapter(adapted()))
    assert vector.shape == (layout.size,)
    assert LoraLayout.from_peft(adapted(rank=2)).hash != layout.hash


def test_a_saved_adapter_is_loaded_by_peft_and_by_us(tmp_path):
    model = adapted()
    write_adapter(model, other_values(model))
    save_adapter(model, tmp_path)
    assert json.loads((tmp_path / "adapter_config.json").read_text())["r"] == 4
    ours = load_adapter(base(), tmp_path)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        theirs = peft.PeftModel.from_pretrained(base(), str(tmp_path))
    assert torch.equal(logits(ours), logits(model))
    assert torch.equal(logits(theirs), logits(model))
    assert all(weight.requires_grad for weight in matrices(ours).values())


def test_an_adapter_in_another_format_is_not_opened(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.bin").write_bytes(b"cos\nsystem\n")
    with pytest.raises(DataError, match=r"has no adapter_model\.safetensors"):
        load_adapter(base(), tmp_path)


def test_what_cannot_be_adapted_is_told():
    with pytest.raises(ConfigError, match="modules nothing cannot be adapted"):
        adapted(targets=["nothing"])
    with pytest.raises(ConfigError, match="has an adapter already; load it anew"):
        fresh_adapter(adapted(), rank=2, alpha=4, dropout=0.0, seed=0)


def test_an_adapter_that_is_more_than_matrices_has_no_layout():
    settings = peft.LoraConfig(r=2, target_modules=["q_proj"], use_dora=True)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing`", FutureWarning)
        model = peft.get_peft_model(base(), settings)
    with pytest.raises(LayoutMismatch, match="is trained or kept beside the LoRA matrices"):
        LoraLayout.from_peft(model)
