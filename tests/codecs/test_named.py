from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from burnish.codecs import NAMES, Image, codec_named
from burnish.errors import ConfigError, UsageError

IMAGES = {"SmolLM2-135M": (576, 1600), "LLaMA-7B": (4096, 2048)}
BUDGET = ["top-k", "masked-sign", "powersgd", "srht", "sketch", "shifted"]


def image(height, width):
    return Image(height, width, torch.zeros(1, dtype=torch.uint8).expand(height * width))


@pytest.mark.parametrize("sides", IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("name", BUDGET)
def test_budget_matched_defaults_have_the_autoencoders_bytes(name, sides):
    height, width = sides
    share = codec_named(name, image(*sides)).nbytes() / (4 * height * width)
    assert 0.85 / 64 < share <= 1.001 / 64


@pytest.mark.parametrize(
    ("name", "nbytes"),
    [
        ("fp32", 33_554_432),
        ("fp16", 16_777_216 + 4),
        ("int8", 8_388_608 + 32_768),
        ("nf4", 4_194_304 + 524_288),  # 14.06 %
        ("top-k", 524_288),
        ("sign", 1_048_576 + 4),
        ("majority-sign", 1_048_576 + 4),
        ("masked-sign", 524_292),
        ("powersgd", 24_576 * 21),
        ("srht", 524_288),
        ("sketch", 524_160),
        ("kseed", 16_384),
        ("qsgd", 2_097_152 + 65_536),
        ("autoencoder", 524_288),
    ],
)
def test_bytes_for_llama_7b_are_the_published_ones(name, nbytes):
    factor = torch.zeros(4096 * 2048, dtype=torch.uint8)
    assert codec_named(name, Image(4096, 2048, factor)).nbytes() == nbytes


@pytest.mark.parametrize("name", [name for name in NAMES if name != "pca"])
def test_a_codec_of_a_name_has_that_name_and_its_defaults(name):
    codec = codec_named(name, image(24, 40))
    assert codec.name == name.removesuffix("-wide")
    assert codec.size == 960
    told = NAMES[name].defaults(24, 40)
    assert {key: codec.settings[key] for key in told} == told


@pytest.mark.parametrize("sides", [(1, 1), (1, 8), (3, 5), (2, 64)])
@pytest.mark.parametrize("name", [name for name, offer in NAMES.items() if not offer.learned])
def test_defaults_fit_the_smallest_images(name, sides):
    assert codec_named(name, image(*sides)).nbytes() > 0


def test_settings_of_the_codec_inside_are_set_by_its_prefix():
    asked = {"codec": "top-k", "codec.k": 3, "gamma": 0.25}
    codec = codec_named("shifted", image(4, 8), settings=asked)
    assert codec.nbytes() == 24
    assert codec.settings == {"codec": "top-k", "codec.k": 3, "gamma": 0.25}


@pytest.mark.parametrize(
    ("name", "settings", "kind", "said"),
    [
        ("int9", {}, ConfigError, "no codec is named 'int9'.*int8"),
        ("int8", {"blok": 8}, ConfigError, "takes the settings block, got blok"),
        ("fp32", {"block": 8}, ConfigError, "takes the settings none, got block"),
        ("top-k", {"k": 1.5}, ConfigError, "k is of type int, got 1.5"),
        ("top-k", {"k": True}, ConfigError, "k is of type int, got True"),
        ("top-k", {"k": 10**6}, ConfigError, "from 1 to the size 960"),
        ("autoencoder", {"learned": "x"}, ConfigError, "got learned"),
        ("autoencoder", {"variant": "narrow"}, ConfigError, "narrow"),
        ("pca", {}, UsageError, r"Pca\.fit\(vectors\)"),
    ],
)
def test_what_cannot_be_made_is_refused(name, settings, kind, said):
    with pytest.raises(kind, match=said):
        codec_named(name, image(24, 40), settings=settings)


def test_names_and_their_help_load_no_torch():
    told = "import sys, burnish.codecs.named as n; print('torch' in sys.modules, len(n.NAMES))"
    out = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["False", str(len(NAMES))]
    assert all(offer.help and "\n" not in offer.help for offer in NAMES.values())
