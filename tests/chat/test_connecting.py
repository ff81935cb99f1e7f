from __future__ import annotations

import pytest

from burnish.chat import Budget, EndpointChat, LlamaCppChat, TransformersChat, connect
from burnish.errors import AssetMissing, UsageError


def test_endpoints(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    chat = connect("openai:gpt-4o-mini", budget=Budget(tokens=10))
    assert isinstance(chat, EndpointChat)
    assert chat.identity == "https://api.openai.com/v1#gpt-4o-mini"
    assert chat.meter.budget == Budget(tokens=10)
    chat.close()
    chat = connect("http://127.0.0.1:8000/v1/#org/model:7b")
    assert chat.identity == "http://127.0.0.1:8000/v1#org/model:7b"
    chat.close()


def test_a_folder_is_read_by_transformers(llama, tmp_path):
    llama.model.float().save_pretrained(tmp_path)
    llama.tokenizer.save_pretrained(tmp_path)
    chat = connect(str(tmp_path), at_once=3)
    assert isinstance(chat, TransformersChat)
    assert chat.context_tokens == 256


@pytest.mark.xdist_group("smollm2")
def test_gguf_files_are_read_by_llama_cpp(smollm2_gguf):
    for spec in (str(smollm2_gguf), "gguf:smollm2-135m-instruct"):
        with connect(spec, at_once=1, context=128, threads=1) as chat:
            assert isinstance(chat, LlamaCppChat)
            assert chat.context_tokens == 128
            assert chat.identity.startswith(smollm2_gguf.name)


def test_an_asset_that_was_not_pulled_names_the_command(monkeypatch, tmp_path):
    monkeypatch.setenv("BURNISH_CACHE", str(tmp_path))
    for spec in ("gguf:smollm2-135m-instruct", "smollm2-135m-instruct"):
        with pytest.raises(AssetMissing, match="burnish assets pull smollm2-135m-instruct"):
            connect(spec)


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("", "a model is an asset's name, a folder"),
        ("  ", "a model is an asset's name, a folder"),
        ("anthropic:claude", r"a model is .*openai:MODEL.*; got 'anthropic:claude'"),
        ("ftp://host/model", "a model is an asset's name"),
        ("openai:", "an endpoint needs the model's name"),
        ("http://localhost:8000/v1", "an endpoint needs the model's name, like https://host/v1#"),
        ("https://#m", "base_url must be like https://host/v1"),
        ("nowhere/absent.gguf", "there is no model file nowhere/absent.gguf"),
        ("gguf:nothing-of-this-name", "no .gguf file for 'nothing-of-this-name'"),
    ],
)
def test_what_names_no_model_is_refused(spec, reason):
    with pytest.raises(UsageError, match=reason):
        connect(spec)


def test_a_budget_is_for_endpoints():
    with pytest.raises(UsageError, match=r"a budget and prices are about what an endpoint costs"):
        connect("m.gguf", budget=Budget(tokens=5))
