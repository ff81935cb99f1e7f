"""Decoding against transformers' own `generate` and naive forward passes."""

from __future__ import annotations

import random
from types import SimpleNamespace

import pytest
import torch
from transformers import MambaConfig, MambaForCausalLM

from burnish.chat import ContinuationScorer, Message, Reply, Request, TransformersChat, decoding
from burnish.errors import ChatError, ContextOverflow, UsageError

LENGTHS = [3, 41, 17, 8, 41, 90, 25]


def ask(text: str, **settings) -> Request:
    return Request(messages=(Message("user", text),), **{"max_tokens": 12, **settings})


def texts(lengths=LENGTHS) -> list[str]:
    rng = random.Random(5)
    return ["".join(rng.choice("abcdefgh ,.") for _ in range(n)) for n in lengths]


def by_index(chat, requests) -> list[Reply | ChatError]:
    outcomes = sorted(chat.replies(requests), key=lambda outcome: outcome.index)
    assert [outcome.index for outcome in outcomes] == list(range(len(requests)))
    return [outcome.reply for outcome in outcomes]


def encode(lm, request: Request) -> torch.Tensor:
    return lm.tokenizer.apply_chat_template(
        [{"role": m.role, "content": m.content} for m in request.messages],
        add_generation_prompt=True,
        return_tensors="pt",
        return_dict=True,
    )["input_ids"]


def generated_ids(lm, request: Request) -> list[int]:
    ids = encode(lm, request)
    out = lm.model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=request.max_tokens,
        do_sample=False,
        pad_token_id=256,
    )
    return out[0, ids.shape[1] :].tolist()


def generated(lm, request: Request) -> str:
    return lm.tokenizer.decode(generated_ids(lm, request), skip_special_tokens=True)


def naive_log_probs(lm, request: Request, continuation: str) -> list[float]:
    prompt = encode(lm, request)
    tail = lm.tokenizer.encode(continuation, add_special_tokens=False)
    ids = torch.cat([prompt, torch.tensor([tail], dtype=torch.long)], dim=1)
    with torch.inference_mode():
        scores = lm.model(ids).logits[0].double().log_softmax(-1)
    start = prompt.shape[1] - 1
    return [float(scores[start + i, token]) for i, token in enumerate(tail)]


@pytest.mark.parametrize("family", ["llama", "mistral"])
@pytest.mark.parametrize("batch_size", [1, 3, 8])
def test_greedy_replies_are_those_of_generate_one_by_one(family, batch_size, request):
    lm = request.getfixturevalue(family)
    requests = [ask(text, max_tokens=4 + i) for i, text in enumerate(texts())]
    replies = by_index(TransformersChat(lm, batch_size=batch_size), requests)
    assert [reply.text for reply in replies] == [generated(lm, asked) for asked in requests]
    assert len({reply.text for reply in replies}) > 4, "the model says different things"
    for reply, asked in zip(replies, requests, strict=True):
        assert reply.usage.prompt_tokens == encode(lm, asked).shape[1]
        assert reply.usage.completion_tokens <= asked.max_tokens
        assert reply.seconds > 0


def test_prompts_with_a_common_beginning_are_read_once(llama):
    """Also through the cache, replies stay those of `generate`."""
    common = "the same long document, " * 4
    requests = [ask(common + text) for text in texts([3, 9, 30, 5])]
    seen = []
    handle = llama.model.get_input_embeddings().register_forward_hook(
        lambda module, args, out: seen.append(args[0].numel() if args[0].shape[1] > 1 else 0)
    )
    replies = by_index(TransformersChat(llama), requests)
    handle.remove()
    whole = sum(reply.usage.prompt_tokens for reply in replies)
    assert sum(seen) <= whole - 3 * len(common)
    assert [reply.text for reply in replies] == [generated(llama, asked) for asked in requests]


def test_reading_order_puts_families_together_and_long_prompts_first():
    a, b = [1] * 20, [2] * 50
    prompts = [[*a, 7], [9] * 30, [*a, 8, 8], [*b, 7], [*b, 8]]
    assert decoding.reading_order(prompts) == [3, 4, 1, 0, 2]
    assert decoding.reading_order([]) == []
    assert decoding.shared_prefix([1, 2, 3], [1, 2]) == 2
    assert decoding.shared_prefix([1, 2, 3], [1, 5, 3]) == 1


def test_sampled_replies_depend_on_their_seed_only(llama):
    requests = [ask(text, temperature=1.0, seed=i % 3) for i, text in enumerate(texts())]
    torch.manual_seed(0)
    state = torch.random.get_rng_state()
    together = by_index(TransformersChat(llama, batch_size=8), requests)
    assert torch.equal(torch.random.get_rng_state(), state), "global random state is not touched"
    torch.manual_seed(1)
    alone = [by_index(TransformersChat(llama), [asked])[0] for asked in requests]
    assert [reply.text for reply in together] == [reply.text for reply in alone]
    same, other = ask("x", temperature=1.0, seed=1), ask("x", temperature=1.0, seed=2)
    first, second, third = by_index(TransformersChat(llama), [same, same, other])
    assert first.text == second.text != third.text


@pytest.mark.parametrize(("temperature", "top_p"), [(1.0, 1.0), (3.0, 1.0), (3.0, 0.8)])
def test_sampled_tokens_follow_the_distribution(llama, temperature, top_p):
    """Draws of one token, against the softmax by hand; total variation falls with 1/sqrt(n)."""
    draws = 800
    requests = [
        ask("abc", max_tokens=1, temperature=temperature, top_p=top_p, seed=seed)
        for seed in range(draws)
    ]
    with torch.inference_mode():
        logits = llama.model(encode(llama, requests[0])).logits[0, -1]
    odds = (logits / temperature).softmax(-1)
    ranked, order = odds.sort(descending=True)
    nucleus = order[: int((ranked.cumsum(-1) < top_p).sum()) + 1]
    assert len(nucleus) > 3
    wanted = torch.zeros_like(odds)
    wanted[nucleus] = odds[nucleus] / odds[nucleus].sum()
    counts: dict[str, int] = {}
    for reply in by_index(TransformersChat(llama, batch_size=64), requests):
        counts[reply.text] = counts.get(reply.text, 0) + 1
    allowed: dict[str, float] = {}
    for token in nucleus.tolist():
        text = llama.tokenizer.decode([token], skip_special_tokens=True)
        allowed[text] = allowed.get(text, 0.0) + float(wanted[token])
    assert set(counts) <= set(allowed)
    distance = sum(abs(counts.get(t, 0) / draws - p) for t, p in allowed.items()) / 2
    # expected: sum of sqrt(p (1 - p) / (2 pi n)); 1.5 times that is many deviations away
    expected = sum((p * (1 - p) / (2 * torch.pi * draws)) ** 0.5 for p in allowed.values())
    assert distance < 1.5 * expected


def test_a_stop_string_ends_the_reply_and_is_not_part_of_it(llama):
    [whole] = by_index(TransformersChat(llama), [ask("tell", max_tokens=20)])
    assert whole.finish == "length"
    stop = whole.text[7:9]
    cut = whole.text.index(stop)
    requests = [ask("tell", max_tokens=20, stop=("never said", stop)), ask("tell", max_tokens=20)]
    stopped, other = by_index(TransformersChat(llama), requests)
    assert (stopped.text, stopped.finish) == (whole.text[:cut], "stop")
    assert stopped.usage.completion_tokens < 20
    assert other.text == whole.text, "the neighbour goes on"


def test_an_end_token_ends_the_reply(llama):
    asked = ask("tell", max_tokens=20)
    ids = generated_ids(llama, asked)
    llama.model.generation_config.eos_token_id = [256, ids[5]]
    [ended] = by_index(TransformersChat(llama), [asked])
    first = ids.index(ids[5])
    assert ended.finish == "stop"
    assert ended.usage.completion_tokens == first + 1
    assert ended.text == llama.tokenizer.decode(ids[:first])


def test_a_prompt_over_the_context_fails_alone(llama):
    requests = [ask("a"), ask("b" * 300), ask("c" * 240), ask("d" * 254)]
    short, over, tight, full = by_index(TransformersChat(llama), requests)
    assert short.usage.completion_tokens == 12
    for refused, tokens in ((over, 303), (full, 257)):
        assert isinstance(refused, ContextOverflow)
        assert f"has {tokens} tokens and leaves no room for 1 more in a context of 256" in str(
            refused
        )
    assert tight.usage.prompt_tokens == 243
    assert (tight.usage.completion_tokens, tight.finish) == (12, "length")
    [cut] = by_index(TransformersChat(llama), [ask("c" * 240, max_tokens=100)])
    assert (cut.usage.completion_tokens, cut.finish) == (13, "length")


def test_what_the_model_cannot_do_fails_alone(llama):
    odd = Request(messages=(Message("user", "a"), Message("system", "late")))
    requests = [odd, ask("a"), ask("a", json_schema={"type": "object"})]
    refused, fine, schema = by_index(TransformersChat(llama), requests)
    assert isinstance(refused, ChatError)
    assert "the chat template refuses the messages: system comes first" in str(refused)
    assert isinstance(fine, Reply)
    assert isinstance(schema, ChatError)
    assert "cannot be held to a JSON schema" in str(schema)


def test_a_model_in_training_is_asked_without_dropout_and_left_as_it_was(llama):
    llama.model.config.attention_dropout = 0.9
    for layer in llama.model.model.layers:
        layer.self_attn.attention_dropout = 0.9
    wanted = generated(llama, ask("abc"))
    llama.model.train()
    chat = TransformersChat(llama)
    [reply] = by_index(chat, [ask("abc")])
    assert reply.text == wanted
    assert llama.model.training
    assert chat.log_probs(ask("abc").messages, ["de"]) == chat.log_probs(
        ask("abc").messages, ["de"]
    )
    assert llama.model.training


@pytest.mark.parametrize("family", ["llama", "mistral"])
def test_log_probs_are_those_of_the_naive_forward(family, request):
    lm = request.getfixturevalue(family)
    chat = TransformersChat(lm)
    assert isinstance(chat, ContinuationScorer)
    continuations = ["a", "a longer one", "", "zz", "a longer other, of some length"]
    for text in texts():
        asked = ask(text)
        scores = chat.log_probs(asked.messages, continuations)
        for continuation, own in zip(continuations, scores, strict=True):
            assert own == pytest.approx(naive_log_probs(lm, asked, continuation), abs=1e-9)
    assert chat.log_probs(ask("x").messages, []) == []
    assert [len(own) for own in scores] == [len(text) for text in continuations]


def test_log_probs_over_the_context_are_refused(llama):
    chat = TransformersChat(llama)
    messages = ask("c" * 240).messages
    assert len(chat.log_probs(messages, ["d" * 13])[0]) == 13
    with pytest.raises(ContextOverflow, match="leaves no room for 14 more in a context of 256"):
        chat.log_probs(messages, ["short", "d" * 14])


def test_prompt_tokens(llama):
    assert TransformersChat(llama).prompt_tokens(ask("abcd").messages) == 7


def test_models_that_cannot_chat_are_refused(llama, tokenizer):
    plain = SimpleNamespace(
        model=llama.model,
        identity="base",
        tokenizer=type(tokenizer)(
            tokenizer_object=tokenizer.backend_tokenizer, eos_token="<|end|>"
        ),
    )
    with pytest.raises(UsageError, match="base has no chat template"):
        TransformersChat(plain)
    mamba = MambaForCausalLM(MambaConfig(vocab_size=260, hidden_size=8, num_hidden_layers=1))
    recurrent = SimpleNamespace(model=mamba, tokenizer=tokenizer, identity="mamba")
    with pytest.raises(UsageError, match="mamba is recurrent"):
        TransformersChat(recurrent)
    with pytest.raises(UsageError, match="batch_size must be at least 1, got 0"):
        TransformersChat(llama, batch_size=0)


@pytest.mark.xdist_group("smollm2")
def test_the_embedded_model_answers_and_scores(smollm2):
    chat = TransformersChat(smollm2, batch_size=4)
    france = ask("What is the capital of France? Answer in one word.", max_tokens=8)
    requests = [france, ask("Count from 1 to 5.", max_tokens=8), ask("Say hello.", max_tokens=8)]
    replies = by_index(chat, requests)
    assert "Paris" in replies[0].text
    assert [reply.text for reply in replies] == [generated(smollm2, asked) for asked in requests]
    choices = [" Paris", " Lyon", " Paris is the capital", " Ouagadougou"]
    scores = chat.log_probs(france.messages, choices)
    for choice, own in zip(choices, scores, strict=True):
        assert own == pytest.approx(naive_log_probs(smollm2, france, choice), abs=1e-4)
    assert sum(scores[0]) > sum(scores[1]) > sum(scores[3])
