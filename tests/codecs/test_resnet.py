"""The AutoEncoder's layers, against the published ones written out."""

import itertools

import pytest
import torch
from torch import nn

from burnish.codecs import LayoutMismatch, ResNetAutoEncoder
from burnish.codecs.resnet import macs
from burnish.errors import ConfigError
from burnish.training import seeded


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        halves = [
            [nn.ReflectionPad2d(1), nn.Conv2d(64, 64, 3, bias=False), nn.BatchNorm2d(64)]
            for _ in range(2)
        ]
        self.layers = nn.Sequential(*halves[0], nn.ReLU(), *halves[1])

    def forward(self, x):
        return x + self.layers(x)


def published():
    """The table of layers, without folding."""
    channels = (1, 2, 4, 8, 16, 32, 64)
    encoder = [nn.ReflectionPad2d(1), nn.Conv2d(1, 1, 3, bias=False), nn.BatchNorm2d(1), nn.ReLU()]
    for few, many in itertools.pairwise(channels):
        conv = nn.Conv2d(few, many, 3, stride=2, padding=1, bias=False)
        encoder += [conv, nn.BatchNorm2d(many), nn.ReLU()]
    decoder = []
    for many, few in itertools.pairwise(channels[::-1]):
        conv = nn.ConvTranspose2d(many, few, 3, 2, padding=1, output_padding=1, bias=False)
        decoder += [conv, nn.BatchNorm2d(few), nn.ReLU()]
    head = [nn.ReflectionPad2d(3), nn.Conv2d(1, 1, 7), nn.Tanh()]
    blocks = [Block() for _ in range(6)]
    return nn.Sequential(*encoder, *blocks, *decoder, *head)


def both():
    """The published layers and ours, with the same weights, in float64."""
    with seeded(0):
        plain, ours = published().double(), ResNetAutoEncoder("paper").double()
    state = ours.state_dict()
    ours.load_state_dict(dict(zip(state, plain.state_dict().values(), strict=True)))
    return plain, ours


def images(*shape):
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_the_paper_variant_has_the_published_numbers_of_parameters():
    model = ResNetAutoEncoder("paper")
    assert (count(model.encoder), count(model.decoder)) == (246_785, 246_698)


def test_the_paper_variant_has_the_published_numbers_of_multiplications():
    encoder, decoder = macs("paper", 4096, 2048)
    assert encoder == pytest.approx(0.755e9, rel=1e-3)
    assert decoder == pytest.approx(1.77e9, rel=1e-3)


def test_multiplications_grow_with_the_image_alone():
    small, large = macs("wide", 128, 128), macs("wide", 256, 128)
    assert [2 * each for each in small] == list(large)


@pytest.mark.parametrize("variant", ["paper", "wide"])
@pytest.mark.parametrize(("height", "width"), [(128, 128), (192, 320)])
def test_a_latent_has_a_sixty_fourth_of_the_numbers(variant, height, width):
    model = ResNetAutoEncoder(variant).eval()
    given = torch.randn(2, height, width)
    latents = model.encode(given)
    assert latents.shape == (2, 64, height // 64, width // 64)
    assert 64 * latents.numel() == given.numel()
    assert model.decode(latents).shape == given.shape


def test_folded_layers_compute_what_the_published_ones_do():
    plain, ours = both()
    given = images(2, 128, 192)
    expected = plain(given[:, None])[:, 0]
    assert torch.allclose(ours(given), expected, atol=1e-10)
    plain.eval(), ours.eval()
    assert torch.allclose(ours(given), plain(given[:, None])[:, 0], atol=1e-10)


def test_folded_layers_remember_the_statistics_that_the_published_ones_do():
    plain, ours = both()
    given = images(2, 128, 128)
    plain(given[:, None]), ours(given)
    state = ours.state_dict().values()
    for mine, theirs in zip(state, plain.state_dict().values(), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-12)


def test_folded_layers_have_the_gradients_of_the_published_ones():
    plain, ours = both()
    given = images(2, 128, 128)
    expected = (plain(given[:, None])[:, 0] - given).square().mean()
    found = ours.loss(given)
    expected.backward(), found.backward()
    assert torch.allclose(found, expected, atol=1e-12)
    for mine, theirs in zip(ours.parameters(), plain.parameters(), strict=True):
        assert torch.allclose(mine.grad, theirs.grad, atol=1e-10)


@pytest.mark.parametrize("variant", ["paper", "wide"])
def test_the_loss_is_the_mean_squared_error_in_any_precision(variant):
    with seeded(2):
        model = ResNetAutoEncoder(variant).eval()
    given = images(2, 128, 128).float()
    expected = float((model(given).detach() - given).square().mean())
    with torch.no_grad():
        assert float(model.loss(given)) == pytest.approx(expected, rel=1e-5)
        with torch.autocast("cpu", torch.bfloat16):
            assert float(model.loss(given)) == pytest.approx(expected, rel=0.02)


def test_the_paper_variant_cannot_leave_the_range_of_tanh_and_the_wide_one_can():
    given = 100 * images(1, 128, 128).float()
    with seeded(3):
        paper, wide = ResNetAutoEncoder("paper"), ResNetAutoEncoder("wide")
    for parameter in [*paper.decoder[-2].parameters(), *wide.decoder[-1].parameters()]:
        parameter.data *= 100
    assert float(paper(given).detach().abs().max()) <= 1
    assert float(wide(given).detach().abs().max()) > 1


@pytest.mark.parametrize("shape", [(100, 128), (128, 64), (64, 64)])
def test_other_sizes_are_refused(shape):
    with pytest.raises(LayoutMismatch, match=r"multiples of 64 and at least 128, got .* pad"):
        ResNetAutoEncoder("paper").encode(torch.zeros(1, *shape))


def test_an_unknown_variant_is_refused():
    with pytest.raises(ConfigError, match="must be one of paper, wide, got 'deep'"):
        ResNetAutoEncoder("deep")
