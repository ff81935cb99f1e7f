"""Codecs are made from collected updates, with the same result after a kill."""

from __future__ import annotations

import pytest
import torch

from burnish.codecs import Image, LayoutMismatch, Snapshots, load_codec
from burnish.codecs.protocol import Context
from burnish.codecs.snapshots import Source
from burnish.methods.cg_fedllm import fitting
from burnish.methods.cg_fedllm.config import CgFedllmConfig

CONFIG = CgFedllmConfig(codec_steps=6, codec_batch=2, precision="float32")
SIDE = 128


@pytest.fixture
def snapshots(tmp_path):
    draw = torch.Generator().manual_seed(0)
    factor = torch.arange(SIDE * SIDE).remainder(2).to(torch.uint8)
    source = Source(Image(SIDE, SIDE, factor), "delta", "layout", "init")
    found = Snapshots.create(tmp_path / "updates", source)
    for number in range(1, 4):
        clients = {client: torch.randn(SIDE * SIDE, generator=draw) for client in range(2)}
        found.append(number, torch.zeros(SIDE * SIDE), clients)
    return found


def fit(snapshots, name, target, on_step=lambda _: None):
    losses = []
    codec, certificate = fitting.fit_codec(CONFIG, 3, name, snapshots, target, losses, on_step)
    return codec, certificate, losses


def test_killed_and_gone_on_with_it_is_the_same_codec_with_the_same_curve(
    snapshots, tmp_path, monkeypatch
):
    monkeypatch.setattr(fitting, "_CHECKPOINT_SECONDS", 0.0)
    _, _, losses = fit(snapshots, "autoencoder", tmp_path / "whole.safetensors")
    assert len(losses) == CONFIG.codec_steps

    def killed(step):
        if step == 4:
            raise KeyboardInterrupt

    target = tmp_path / "parts.safetensors"
    with pytest.raises(KeyboardInterrupt):
        fit(snapshots, "autoencoder", target, killed)
    assert not target.exists()
    steps = []
    _, _, again = fit(snapshots, "autoencoder", target, steps.append)
    assert steps[0] > 1
    assert again == losses
    assert target.read_bytes() == (tmp_path / "whole.safetensors").read_bytes()
    assert not list(tmp_path.glob("*.checkpoint"))


@pytest.mark.parametrize("name", ["pca", "autoencoder-wide"])
def test_a_fitted_codec_is_for_its_own_initialisation(snapshots, tmp_path, name):
    fit(snapshots, name, tmp_path / "codec.safetensors")
    codec = load_codec(tmp_path / "codec.safetensors")
    update = snapshots.heldout[0].update
    codec.encode(update, Context(1, 0, "layout", "init"))
    with pytest.raises(LayoutMismatch, match="whose init is init, got other"):
        codec.encode(update, Context(1, 0, "layout", "other"))
