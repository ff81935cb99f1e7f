"""`burnish cg_fedllm VERB` and a whole run through the real command line, on a tiny model."""

from __future__ import annotations

import csv
import json
import os
import random
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, ByT5Tokenizer, LlamaConfig, LlamaForCausalLM

from burnish.cli.main import main
from burnish.codecs import load_codec
from burnish.methods.cg_fedllm.adapters import load_adapter, read_adapter
from burnish.training import seeded

SMALL = (
    "--model", "model", "--data", "notes.csv", "--text", "body", "--group", "hospital",
    "--set", "clients=2", "--set", "block=16", "--set", "heldout_blocks=2",
    "--set", "batch_size=2", "--set", "local_steps=1", "--set", "rank=2",
    "--set", "precision=float32",
)  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder with a model and notes of three hospitals, made once."""
    home = tmp_path_factory.mktemp("world")
    tokenizer = ByT5Tokenizer(extra_ids=0)
    with seeded(0):
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=32,
                intermediate_size=32,
                num_hidden_layers=1,
                num_attention_heads=2,
                num_key_value_heads=1,
                pad_token_id=0,
                bos_token_id=None,
                eos_token_id=1,
            )
        )
    model.save_pretrained(home / "model")
    tokenizer.save_pretrained(home / "model")
    words = random.Random(0)
    with (home / "notes.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["body", "hospital"])
        for number in range(90):
            text = " ".join(words.choice(["fever", "cough", "rest", "scan"]) for _ in range(12))
            rows.writerow([text, f"hospital {number % 3}"])
    return home


@pytest.fixture
def here(world, monkeypatch):
    monkeypatch.chdir(world)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    return world


def verb(capsys, *arguments, code=0):
    """What a verb prints on standard output, and the last line of the other."""
    line = ["burnish", "cg_fedllm", *map(str, arguments)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", line)
        with pytest.raises(SystemExit) as ended:
            main()
    out, err = capsys.readouterr()
    assert (ended.value.code or 0) == code, err
    return out, err.strip().rpartition("\n")[2]


@pytest.fixture(scope="module")
def fitted(world):
    """Updates that were collected, and an AutoEncoder of two steps."""
    for arguments in (
        ["collect", *SMALL, "--rounds", "3", "-o", "updates"],
        ["fit-codec", "updates", "--steps", "2", "-o", "ae.safetensors"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "burnish.cli.main", "cg_fedllm", *arguments],
            cwd=world,
            env=os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return world


def test_a_fitted_codec_carries_its_certificate_and_is_refused_when_it_loses_updates(
    fitted, here, capsys, tmp_path
):
    assert not load_codec(here / "ae.safetensors").certificate.viable
    asked = ["train", *SMALL, "--codec", "ae.safetensors", "--rounds", "1", "-o", tmp_path / "t"]
    _, told = verb(capsys, *asked, "--plain", code=1)
    assert "autoencoder is not viable" in told
    assert not (tmp_path / "t" / "adapter").exists()


def test_a_codec_of_another_seed_is_refused(fitted, here, capsys, tmp_path):
    asked = ["train", *SMALL, "--codec", "ae.safetensors", "--seed", "1", "-o", tmp_path / "t"]
    _, told = verb(capsys, *asked, code=2)
    assert "another model, rank or initialisation" in told


def test_training_writes_a_peft_folder_and_the_same_bytes_again(here, capsys, tmp_path):
    for name in ("one", "two"):
        out, _ = verb(
            capsys, "train", *SMALL, "--codec", "sign", "--rounds", "2", "--json",
            "-o", tmp_path / name,
        )  # fmt: skip
        found = json.loads(out)
        assert len(found["losses"]) == 2
        assert found["up_bytes"] > 0
    files = [tmp_path / name / "adapter" / "adapter_model.safetensors" for name in ("one", "two")]
    assert files[0].read_bytes() == files[1].read_bytes()
    base = AutoModelForCausalLM.from_pretrained(here / "model")
    adapter = read_adapter(load_adapter(base, tmp_path / "one" / "adapter"))
    saved = load_file(files[0])
    assert adapter.keys() == saved.keys()
    assert any(float(each.abs().max()) > 0 for name, each in adapter.items() if "lora_B" in name)
    assert all(torch.equal(adapter[name], each) for name, each in saved.items())


def test_a_shorter_training_goes_on_to_the_same_end(here, capsys, tmp_path):
    """The checkpoint of a federation is gone on from; other settings are refused."""
    asked = ["train", *SMALL, "--codec", "top-k", "-o", tmp_path / "t", "--rounds", "2"]
    verb(capsys, *asked)
    first = (tmp_path / "t" / "adapter" / "adapter_model.safetensors").read_bytes()
    verb(capsys, *asked)
    assert (tmp_path / "t" / "adapter" / "adapter_model.safetensors").read_bytes() == first
    _, told = verb(capsys, *asked, "--set", "learning_rate=0.1", code=2)
    assert "was begun with learning_rate=0.001, not 0.1" in told


def test_private_training_tells_its_budget_and_draws_noise_that_does_not_repeat(
    fitted, here, capsys, tmp_path
):
    files = []
    for name in ("one", "two"):
        asked = ["train", *SMALL, "--codec", "int8", "--rounds", "1", "--epsilon", "8"]
        out, _ = verb(capsys, *asked, "--json", "-o", tmp_path / name)
        privacy = json.loads(out)["privacy"]
        assert privacy["epsilon_gdp"] == pytest.approx(8, abs=1e-6)
        assert privacy["covers_codec"]
        files.append((tmp_path / name / "adapter" / "adapter_model.safetensors").read_bytes())
    assert files[0] != files[1]
    asked = ["train", *SMALL, "--codec", "ae.safetensors", "--rounds", "1", "--epsilon", "8"]
    _, told = verb(capsys, *asked, "-o", tmp_path / "ae")
    assert "does not cover the codec" in told


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--codec", "intt8"], "did you mean 'int8'?"),
        (["--codec", "pca"], "run collect and fit-codec"),
        (["--set", "clients=none"], "--set clients=none: clients should be a valid integer"),
        (["--data", "missing.csv"], "missing.csv"),
        (["--text", "note"], "note"),
        (["--set", "heldout_blocks=100000"], "100000 were asked for"),
    ],
)
def test_a_mistake_gets_one_line_and_leaves_nothing(here, capsys, tmp_path, arguments, line):
    _, told = verb(capsys, "train", *SMALL, "-o", tmp_path / "t", *arguments, code=2)
    assert told.startswith("burnish: ")
    assert line in told
    assert not (tmp_path / "t").exists()


def test_an_app_is_written_once(here, capsys, tmp_path):
    app = tmp_path / "app"
    verb(capsys, "serve-app", app, "--model", "model", "--codec", "sign", "--rounds", "5")
    text = (app / "pyproject.toml").read_text()
    assert 'codec = "sign"' in text
    assert "rounds = 5" in text
    _, told = verb(capsys, "serve-app", app, "--model", "model", code=2)
    assert "new folder" in told
    _, told = verb(capsys, "serve-app", tmp_path / "b", "--model", "m", "--codec", "pca", code=2)
    assert "give file, or one of" in told


def test_comparing_leaves_a_run_with_points_certificates_and_charts(here, capsys, tmp_path):
    asked = [
        "compare", *SMALL, "--codec", "int8", "--codec", "pca", "--codec", "autoencoder",
        "--rounds", "2", "--set", "collect_rounds=3", "--set", "codec_steps=2",
        "--set", "hostile_payloads=200", "--set", "certify_states=true", "--set", "inits=2",
        "--set", "private_codec=int8", "--set", "epsilons=[8]", "--set", "workers=1",
        "-o", tmp_path / "run", "--json",
    ]  # fmt: skip
    out, _ = verb(capsys, *asked)
    rows = {row["codec"]: row for row in json.loads(out)["rows"]}
    assert set(rows) == {
        "fp32 (plain)", "int8", "pca", "autoencoder", "int8 (epsilon 8)",
    }  # fmt: skip
    assert rows["fp32 (plain)"]["recovered"] in (None, 1.0)
    assert rows["int8"]["payload_bytes"] < rows["fp32 (plain)"]["payload_bytes"] / 3
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    verdicts = {claim["id"]: claim["verdict"] for claim in manifest["claims"]}
    assert verdicts["withstands"] == "holds"
    assert verdicts["refuses"] == "holds"
    assert verdicts["viable-on-changes"] == "fails"
    assert verdicts["accuracy"] == "not_tested"
    figures = " ".join(manifest["figures"])
    assert "held-out-loss-against-bytes-sent" in figures
    assert "codec-certificates" in figures
    points = (tmp_path / "run" / "points.jsonl").read_bytes()
    again = [part for part in asked if part != "--json"]
    verb(capsys, *again, "--resume")
    assert (tmp_path / "run" / "points.jsonl").read_bytes() == points
