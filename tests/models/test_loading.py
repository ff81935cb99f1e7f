from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
import torch
from huggingface_hub import constants
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, BertConfig, BertModel

from burnish.errors import AssetMissing, MissingExtra, UsageError
from burnish.models import load_causal_lm, load_encoder

TOKENS = torch.tensor([[5, 9, 11, 200, 7]])


def logits(model) -> torch.Tensor:
    with torch.no_grad():
        return model(TOKENS).logits


def test_a_folder_loads_as_it_was_saved(tiny, capfd):
    model, folder = tiny
    before = torch.get_rng_state()
    lm = load_causal_lm(folder)
    assert torch.equal(logits(lm.model), logits(model))
    assert not lm.model.training
    assert torch.equal(torch.get_rng_state(), before)
    assert capfd.readouterr() == ("", "")


def test_pads_on_the_left_with_the_end_token_where_there_is_no_other(tiny):
    lm = load_causal_lm(tiny[1])
    batch = lm.tokenizer(["abcd", "abcdabcd e"], padding=True)
    assert lm.tokenizer.pad_token == "</s>"
    assert batch["attention_mask"][0][0] == 0
    assert batch["attention_mask"][0][-1] == 1
    assert lm.model.generation_config.pad_token_id == lm.tokenizer.pad_token_id == 2


def test_a_padding_token_that_the_model_has_no_row_for_is_replaced(tiny):
    _, folder = tiny
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.pad_token = "<pad>"
    tokenizer.save_pretrained(folder)
    lm = load_causal_lm(folder)
    assert lm.tokenizer.pad_token == "</s>"
    assert lm.model(**lm.tokenizer(["a", "b c"], padding=True, return_tensors="pt"))


def test_takes_the_precision_asked_for(tiny):
    lm = load_causal_lm(tiny[1], dtype="bfloat16", device="cpu")
    assert {weight.dtype for weight in lm.model.parameters()} == {torch.bfloat16}


def test_identity_is_of_the_content(tiny, tmp_path):
    _, folder = tiny
    first = load_causal_lm(folder).identity
    assert first.startswith("tiny@sha256:")
    copied = shutil.copytree(folder, tmp_path / "elsewhere" / "tiny")
    assert load_causal_lm(copied).identity == first
    template = copied / "chat_template.jinja"
    template.write_text("{{ messages[0].content }}")
    changed = load_causal_lm(copied).identity
    assert changed != first
    weights = load_file(copied / "model.safetensors")
    weights["model.norm.weight"][0] += 1
    save_file(weights, copied / "model.safetensors", metadata={"format": "pt"})
    assert load_causal_lm(copied).identity not in (first, changed)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda w: w.pop("model.norm.weight"), r"1 missing keys such as model\.norm\.weight"),
        (lambda w: w.update(odd=torch.ones(1)), "1 unexpected keys such as odd"),
        (lambda w: w.update({"model.norm.weight": torch.ones(3)}), "mismatch"),
    ],
    ids=["missing", "unexpected", "other shape"],
)
def test_weights_that_do_not_fit_are_refused(tiny, change, complaint):
    _, folder = tiny
    weights = load_file(folder / "model.safetensors")
    change(weights)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UsageError, match=complaint):
        load_causal_lm(folder)


def test_an_encoder_loads_and_is_no_language_model(tmp_path, tiny):
    config = BertConfig(
        vocab_size=300,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    model = BertModel(config).eval()
    model.save_pretrained(tmp_path / "bert")
    for file in tiny[1].glob("token*"):
        shutil.copy(file, tmp_path / "bert")
    encoder = load_encoder(tmp_path / "bert")
    with torch.no_grad():
        ours, saved = encoder.model(TOKENS), model(TOKENS)
    assert torch.equal(ours.last_hidden_state, saved.last_hidden_state)
    with pytest.raises(UsageError, match=r"not those of a BertLMHeadModel: .* missing keys"):
        load_causal_lm(tmp_path / "bert")


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        ("nope", r"no model 'nope': it is no asset \(.*smollm2.*\), no folder or \.gguf file"),
        ("./nope.gguf", "no folder or .gguf file that exists"),
        (
            "{empty}",
            r"no model folder: looked for config\.json and \*\.safetensors .* found nothing",
        ),
        ("{pickled}", r"pickle files are not read\), found config\.json, pytorch_model\.bin"),
        ("{pickled}/config.json", r"a single file, of which only \.gguf can be read"),
        ("{broken}", r"transformers cannot load .*broken: "),
    ],
)
def test_what_is_no_model_is_one_line(tmp_path, tiny, spec, complaint):
    folders = {name: tmp_path / name for name in ("empty", "pickled", "broken")}
    for folder in folders.values():
        folder.mkdir()
    shutil.copy(tiny[1] / "config.json", folders["pickled"])
    torch.save({}, folders["pickled"] / "pytorch_model.bin")
    shutil.copy(tiny[1] / "config.json", folders["broken"])
    (folders["broken"] / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(UsageError, match=complaint) as caught:
        load_causal_lm(spec.format(**folders))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"dtype": "int8"}, "dtype must be float32, .* got 'int8'"),
        ({"dtype": "nope"}, "dtype must be .* got 'nope'"),
        ({"device": "nope"}, "device 'nope' cannot be used"),
        ({"device": "cuda:99"}, "device 'cuda:99' cannot be used"),
    ],
)
def test_a_wrong_option_is_one_line(tiny, options, complaint):
    with pytest.raises(UsageError, match=complaint) as caught:
        load_causal_lm(tiny[1], **options)
    assert "\n" not in str(caught.value)


def test_an_asset_that_was_not_pulled_names_the_command(own_cache):
    with pytest.raises(AssetMissing, match="run: burnish assets pull smollm2-135m-instruct"):
        load_causal_lm("smollm2-135m-instruct")


def test_code_beside_the_weights_is_not_run(tiny, tmp_path):
    _, folder = tiny
    trace = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(trace)!r}, 'w')\n")
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.Config"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UsageError, match="transformers cannot load"):
        load_causal_lm(folder)
    assert not trace.exists()


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """The hub's local cache, offline."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_a_hub_model_comes_from_the_cache_when_offline(tiny, hub):
    model, folder = tiny
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = hub / "models--some--tiny"
    shutil.copytree(folder, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    lm = load_causal_lm("some/tiny")
    assert lm.identity == f"some/tiny@{commit}"
    assert torch.equal(logits(lm.model), logits(model))


def test_a_hub_model_that_is_not_there_says_so_offline(hub):
    with pytest.raises(UsageError, match=r"no model 'no/such': .* while HF_HUB_OFFLINE is set"):
        load_causal_lm("no/such")
    with pytest.raises(UsageError, match=r"no model 'a--b/c': .* the hub says: Cannot have --"):
        load_causal_lm("a--b/c")


@pytest.mark.parametrize("package", ["torch", "transformers"])
def test_a_missing_package_names_the_extra(tiny, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=rf'needs {package}, .* pip install "burnish\[models\]"'):
        load_causal_lm(tiny[1])


def test_importing_loads_no_engine():
    script = (
        "import sys, burnish.models, burnish.assets\n"
        "print({'torch', 'transformers', 'gguf', 'huggingface_hub'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
