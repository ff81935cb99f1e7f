"""Fine-tuning on a tiny real Llama: what is learnt, what is resumed, what is left alone."""

import random

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from burnish.errors import ConfigError
from burnish.methods.structext.generate import build
from burnish.methods.structext.train import IGNORED, Training, _ordered, fine_tune, tokenise

TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


@pytest.fixture(scope="module")
def tokenizer():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE({byte: i for i, byte in enumerate(alphabet)}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(["<|end|>", "<|user|>", "<|assistant|>"])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<|end|>", pad_token="<|end|>", chat_template=TEMPLATE
    )


def tiny():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return LlamaForCausalLM(
            LlamaConfig(
                vocab_size=259,
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                bos_token_id=None,
                eos_token_id=256,
            )
        )


@pytest.fixture(scope="module")
def samples():
    return build(languages=["tree"], grid=[(1, 1)], n=80, seed=1)


def settings(steps, **changes):
    wanted = {
        "steps": steps, "batch": 2, "learning_rate": 3e-3, "lora_rank": 4, "max_tokens": 2000,
        "seed": 0,
    }  # fmt: skip
    return Training(**(wanted | changes))


def test_loss_is_on_the_answer_and_its_end_alone(samples, tokenizer):
    row = tokenise(samples[2], tokenizer)
    scored = [label for label in row["labels"] if label != IGNORED]
    assert tokenizer.decode(scored) == samples[2].answer + "<|end|>"
    assert row["input_ids"][-len(scored) :] == scored
    prompt = tokenizer.decode(row["input_ids"][: -len(scored)])
    assert prompt.endswith("<|assistant|>")
    assert samples[2].text in prompt


def test_a_step_holds_questions_of_like_length_and_no_question_comes_twice(samples, tokenizer):
    rows = [tokenise(sample, tokenizer) for sample in samples]
    lengths = [len(row["labels"]) for row in _ordered(list(rows), settings(100))]
    assert len(lengths) == 200
    gaps = [abs(one - other) for one, other in zip(lengths[::2], lengths[1::2], strict=True)]
    assert sum(gaps) < 0.2 * 100 * (max(lengths) - min(lengths))
    assert lengths != sorted(lengths)
    seen = [id(row) for row in _ordered(rows, settings(100))]
    assert len(set(seen)) == len(seen)


@pytest.mark.parametrize(("rank", "rate", "share"), [(0, 3e-3, 0.8), (4, 1e-2, 0.97)])
def test_training_lowers_the_loss_and_leaves_random_state_alone(
    samples, tokenizer, tmp_path, rank, rate, share
):
    losses: list[float] = []
    before = (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state())  # noqa: NPY002
    model = fine_tune(
        tiny(), tokenizer, samples, settings(30, lora_rank=rank, learning_rate=rate), tmp_path,
        on_step=lambda step, loss: losses.append(loss),
    )  # fmt: skip
    assert len(losses) == 30
    assert sum(losses[-10:]) < share * sum(losses[:10])
    assert isinstance(model, LlamaForCausalLM)
    assert random.getstate() == before[0]
    assert np.random.get_state()[1].tolist() == before[1]  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])


def test_a_run_that_broke_off_ends_with_the_same_weights(samples, tokenizer, tmp_path):
    class Cut(Exception):
        """The power went."""

    def cut(step, loss):
        if step == 55:
            raise Cut

    whole = fine_tune(
        tiny(), tokenizer, samples, settings(60), tmp_path / "whole", on_step=lambda *_: None
    )
    with pytest.raises(Cut):
        fine_tune(tiny(), tokenizer, samples, settings(60), tmp_path / "cut", on_step=cut)
    steps: list[int] = []
    resumed = fine_tune(
        tiny(), tokenizer, samples, settings(60), tmp_path / "cut",
        on_step=lambda step, _: steps.append(step),
    )  # fmt: skip
    assert steps == list(range(51, 61))
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name


def test_too_few_questions_are_refused_before_anything_is_trained(samples, tokenizer, tmp_path):
    with pytest.raises(ConfigError, match=r"need 2000 questions .* got 240"):
        fine_tune(tiny(), tokenizer, samples, settings(1000), tmp_path, on_step=lambda *_: None)
