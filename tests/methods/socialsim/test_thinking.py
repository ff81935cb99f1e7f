"""Weighing labels: an opening read once weighs as prompts read alone do."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from burnish.chat import Message, ScriptedChat, TransformersChat
from burnish.errors import ChatError, ContextOverflow, UsageError
from burnish.methods.socialsim.thinking import ChatThinker, LocalThinker

TEMPLATE = (
    "{% for m in messages %}<|{{ m['role'] }}|>{{ m['content'] }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
QUESTIONS = ["one post", "another, much longer post", "x", "one post, but not quite"]
LABELS = ("A", "B", "C")


@pytest.fixture(scope="module")
def llama():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE({byte: i for i, byte in enumerate(alphabet)}, []))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    raw.add_special_tokens(["<|end|>", "<|system|>", "<|user|>", "<|assistant|>"])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=raw, eos_token="<|end|>", chat_template=TEMPLATE
    )
    config = LlamaConfig(
        vocab_size=260,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        bos_token_id=None,
        eos_token_id=256,
        initializer_range=0.4,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = LlamaForCausalLM(config).double().eval()
    return SimpleNamespace(model=model, tokenizer=tokenizer, identity="tiny")


@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_weighs_as_a_scorer_of_single_prompts(llama, batch_size):
    found = LocalThinker(llama, batch_size=batch_size).weigh("an opening", QUESTIONS, LABELS)
    plain = TransformersChat(llama)
    for question, weighed in zip(QUESTIONS, found, strict=True):
        messages = [Message("system", "an opening"), Message("user", question)]
        alone = [tokens[0] for tokens in plain.log_probs(messages, LABELS)]
        assert weighed.log_probs == pytest.approx(alone, abs=1e-9)


def test_the_opening_is_counted_once(llama):
    found = LocalThinker(llama).weigh("an opening", QUESTIONS, LABELS)
    assert found[0].prompt_tokens > 20
    assert [weighed.prompt_tokens for weighed in found[1:]] == [
        len(question) + 2 for question in QUESTIONS[1:]
    ]


def test_nothing_is_asked_of_nothing(llama):
    assert LocalThinker(llama).weigh("an opening", [], LABELS) == []


def test_labels_need_tokens_of_their_own(llama):
    with pytest.raises(UsageError, match="labels must begin with tokens of their own"):
        LocalThinker(llama).weigh("an opening", ["x"], ("Ab", "Ac"))


def test_a_prompt_beyond_the_context_is_refused(llama):
    with pytest.raises(ContextOverflow, match="shorter memory"):
        LocalThinker(llama).weigh("an opening", ["x" * 200], LABELS)


def test_writing_is_seeded(llama):
    thinker = LocalThinker(llama)
    texts = [thinker.write("a", "b", max_tokens=6, seed=seed).text for seed in (3, 3, 4)]
    assert texts[0] == texts[1] != texts[2]


def test_any_scorer_will_do():
    chat = ScriptedChat([], log_probs=lambda messages, text: [-1.0, -float(len(text))])
    found = ChatThinker(chat).weigh("o", ["q"], ("A", "BB"))
    assert found[0].log_probs == (-2.0, -3.0)


def spoken(answer):
    """A model that only speaks."""
    chat = ScriptedChat(lambda request: answer)
    return SimpleNamespace(identity="speaks", context_tokens=None, replies=chat.replies)


@pytest.mark.parametrize(("answer", "label"), [("B", 1), (" c) share", 2), ('"A"', 0)])
def test_a_model_without_scores_says_its_label(answer, label):
    (found,) = ChatThinker(spoken(answer)).weigh("o", ["q"], LABELS)
    assert [score == 0 for score in found.log_probs] == [k == label for k in range(3)]
    assert math.isinf(min(found.log_probs))


def test_a_reply_without_a_label_is_an_error():
    with pytest.raises(ChatError, match="expected one of A, B, C, got 'I would'"):
        ChatThinker(spoken("I would")).weigh("o", ["q"], LABELS)
