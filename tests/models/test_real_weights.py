"""The pulled assets do what they are for. Each is loaded once."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from burnish import assets
from burnish.errors import AssetMissing
from burnish.models import gguf_path, load_causal_lm, load_encoder

LM, ENCODER = "smollm2-135m-instruct", "all-minilm-l6-v2"
ENGLISH = (
    "Photosynthesis is the process by which green plants and some other organisms use sunlight to "
    "make food from carbon dioxide and water. It takes place mainly in the leaves, in small bodies "
    "called chloroplasts, which contain the green pigment chlorophyll. Oxygen is released as a "
    "by-product, and the sugar that is made is used for growth or stored as starch for later use."
)


def here(name: str) -> str:
    try:
        assets.path(name)
    except AssetMissing as missing:
        pytest.skip(str(missing))
    return name


@pytest.fixture(scope="module")
def lm():
    return load_causal_lm(here(LM), device="cpu")


@pytest.fixture(scope="module")
def encoder():
    return load_encoder(here(ENCODER), device="cpu")


def answer_ids(lm, questions: list[str]) -> list[list[int]]:
    chats = [[{"role": "user", "content": question}] for question in questions]
    inputs = lm.tokenizer.apply_chat_template(
        chats, add_generation_prompt=True, padding=True, return_dict=True, return_tensors="pt"
    )
    with torch.no_grad():
        tokens = lm.model.generate(**inputs, max_new_tokens=12, do_sample=False)
    end = lm.tokenizer.eos_token_id
    answers = tokens[:, inputs["input_ids"].shape[1] :].tolist()
    return [answer[: answer.index(end)] if end in answer else answer for answer in answers]


@pytest.mark.xdist_group("smollm2")
class TestSmolLM2:
    def test_identity_is_the_pinned_hash(self, lm):
        assert lm.identity == f"{LM}@sha256:{assets.ASSETS[LM].files[0].sha256}"
        assert gguf_path(LM) == assets.path(LM) / assets.ASSETS[LM].files[0].path

    def test_reads_english(self, lm):
        def perplexity(text: str) -> float:
            tokens = lm.tokenizer(text, return_tensors="pt")["input_ids"]
            with torch.no_grad():
                return lm.model(tokens, labels=tokens).loss.exp().item()

        assert 5 < perplexity(ENGLISH) < 25
        assert perplexity(" ".join(sorted(ENGLISH.split()))) > 10 * perplexity(ENGLISH)

    def test_answers_alike_alone_and_in_a_batch(self, lm):
        questions = ["What is the capital of France?", "Say hello."]
        together = answer_ids(lm, questions)
        assert "Paris" in lm.tokenizer.decode(together[0])
        assert together == [answer_ids(lm, [question])[0] for question in questions]

    def test_is_the_same_after_saving(self, lm, tmp_path):
        lm.model.save_pretrained(tmp_path)
        lm.tokenizer.save_pretrained(tmp_path)
        again = load_causal_lm(tmp_path, device="cpu")
        inputs = lm.tokenizer(ENGLISH[:100], return_tensors="pt")
        with torch.no_grad():
            assert torch.equal(again.model(**inputs).logits, lm.model(**inputs).logits)
        assert again.tokenizer(ENGLISH)["input_ids"] == lm.tokenizer(ENGLISH)["input_ids"]
        assert again.tokenizer.chat_template == lm.tokenizer.chat_template

    def test_a_step_down_the_gradient_lowers_the_loss(self, lm):
        model = copy.deepcopy(lm.model)
        tokens = lm.tokenizer(ENGLISH[:200], return_tensors="pt")["input_ids"]
        before = model(tokens, labels=tokens).loss
        before.backward()
        assert model.get_output_embeddings().weight is model.get_input_embeddings().weight
        with torch.no_grad():
            for weight in model.parameters():
                assert weight.grad is not None
                weight -= 1e-3 * weight.grad
            assert model(tokens, labels=tokens).loss < before - 0.01


def test_minilm_finds_paraphrases(encoder):
    texts = [
        "A man is playing a guitar on stage.",
        "Someone performs music on a stringed instrument.",
        "The central bank raised interest rates.",
        "Borrowing became more expensive after the monetary decision.",
    ]
    inputs = encoder.tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        states = encoder.model(**inputs).last_hidden_state
    mask = inputs["attention_mask"][..., None]
    vectors = F.normalize((states * mask).sum(1) / mask.sum(1), dim=-1)
    cosines = vectors @ vectors.T
    assert min(cosines[0, 1], cosines[2, 3]) > 0.3
    assert cosines[:2, 2:].max() < 0.15
