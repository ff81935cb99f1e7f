"""The convolutional AutoEncoder of CG-FedLLM, and one without its known flaws.

Knows nothing of updates, codecs or training.

Convolutions of one, two and four channels leave a processor's vector units idle, and most of the
paper's full-resolution work is of that kind. Here the outer layers run on folded images: fold x
fold neighbouring pixels of a channel lie side by side as channels of a coarser image (a pixel
unshuffle), and a small kernel becomes a larger one with zeros in it. The function, its parameters
and their gradients are the same.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from burnish.codecs.errors import LayoutMismatch
from burnish.errors import ConfigError

Variant = Literal["paper", "wide"]
LATENT_CHANNELS = 64
SHRINK = 64
"""Rows of an image for each row of its latent; columns likewise."""
_LEAST = 128  # reflection padding needs a latent grid of two at least
_CHANNELS = (1, 2, 4, 8, 16, 32, 64)
_PAPER_FOLD = 4  # of 2, 4 and 8 the fastest at 576 x 1600
_WIDE_FOLD = 8
_WIDE = 64  # channels
_GROUPS = 8
_VECTOR = 8  # channels from which torch normalises as fast
_MOMENTUM = 0.1  # of batch normalisation, torch's default


class ResNetAutoEncoder(nn.Module):
    """One-channel images to latents with 1/64 of the numbers, and back.

    Args:
        variant: "paper": "ResNet-3" as published. A stem of one channel, six halvings while the
            channels double, three residual blocks; mirrored, with one 7 x 7 kernel and tanh at
            the end. The stem rectifies its only channel and no output leaves [-1, 1]. "wide": an
            8 x 8 pixel unshuffle for a stem, 64 channels throughout, GroupNorm and SiLU, a linear
            head; the same latent and as many residual blocks.

    Source: CG-FedLLM, arXiv 2405.13746, the ResNet AutoEncoder, with what the printed parameter and
    MAC counts imply. "wide" is not in the paper.
    """

    def __init__(self, variant: Variant = "paper") -> None:
        super().__init__()
        if variant not in get_args(Variant):
            raise ConfigError(
                f"variant must be one of {', '.join(get_args(Variant))}, got {variant!r}"
            )
        self.encoder, self.decoder = _paper() if variant == "paper" else _wide()
        self.fold = _PAPER_FOLD if variant == "paper" else _WIDE_FOLD
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def encode(self, images: Tensor) -> Tensor:
        """(n, height, width) to (n, 64, height / 64, width / 64).

        Raises:
            LayoutMismatch: height or width is no multiple of 64, or is below 128.
        """
        latents: Tensor = self.encoder(self._folded(images))
        return latents

    def decode(self, latents: Tensor) -> Tensor:
        """(n, 64, h, w) to (n, 64 h, 64 w)."""
        return functional.pixel_shuffle(self._cells(latents), self.fold).squeeze(1)

    def forward(self, images: Tensor) -> Tensor:
        """What the latents keep of images, (n, height, width)."""
        return self.decode(self.encode(images))

    def loss(self, images: Tensor) -> Tensor:
        """Mean squared error between `images` and `forward`, a scalar; shapes as for `encode`."""
        folded = self._folded(images)
        # a mean does not ask for the order of the pixels, so nothing is unfolded
        return functional.mse_loss(self._cells(self.encoder(folded)).to(folded.dtype), folded)

    def _cells(self, latents: Tensor) -> Tensor:
        folded: Tensor = self.decoder(latents.contiguous(memory_format=torch.channels_last))
        return folded

    def _folded(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        if height % SHRINK or width % SHRINK or min(height, width) < _LEAST:
            raise LayoutMismatch(
                f"height and width must be multiples of {SHRINK} and at least {_LEAST}, got "
                f"{height} x {width}; pad the image with zeros"
            )
        folded = functional.pixel_unshuffle(images.unsqueeze(1), self.fold)
        return folded.contiguous(memory_format=torch.channels_last)


def macs(variant: Variant, height: int, width: int) -> tuple[int, int]:
    """Multiplications of the encoder and of the decoder for one image.

    Counted over the layers of a run without data: the numbers of a kernel times the positions of
    its output, for transposed convolutions too, as the paper's figures are. Zeros that folding adds
    are not counted.
    """
    with torch.device("meta"):
        model = ResNetAutoEncoder(variant).eval()
        example = torch.empty(1, height, width)
    counted = {"encoder": 0, "decoder": 0}

    def hook(part: str) -> Callable[[_Convolution, object, Tensor], None]:
        def count(layer: _Convolution, _: object, output: Tensor) -> None:
            conv = layer.conv
            counted[part] += conv.weight.numel() * output.numel() // conv.out_channels

        return count

    for name, layer in model.named_modules():
        if isinstance(layer, _Convolution):
            layer.register_forward_hook(hook(name.partition(".")[0]))
    with torch.no_grad():
        model(example)
    return counted["encoder"], counted["decoder"]


def _paper() -> tuple[nn.Sequential, nn.Sequential]:
    fold = _PAPER_FOLD
    stem = nn.Conv2d(1, 1, 3, bias=False)
    encoder = [_Reflection(fold), _Convolution(stem, fold, fold), _NormRelu(1, fold)]
    head = nn.Conv2d(1, 1, 7)
    decoder = [_Reflection(fold), _Convolution(head, fold, fold), nn.Tanh()]
    for few, many in itertools.pairwise(_CHANNELS):
        half = max(fold // 2, 1)
        encoder += [_Convolution(_halving(few, many), fold, half), _NormRelu(many, half)]
        decoder = [_Convolution(_doubling(many, few), half, fold), _NormRelu(few, fold), *decoder]
        fold = half
    encoder += [_Residual(*_paper_half(), nn.ReLU(), *_paper_half()) for _ in range(3)]
    blocks = [_Residual(*_paper_half(), nn.ReLU(), *_paper_half()) for _ in range(3)]
    return nn.Sequential(*encoder), nn.Sequential(*blocks, *decoder)


def _paper_half() -> list[nn.Module]:
    conv = nn.Conv2d(LATENT_CHANNELS, LATENT_CHANNELS, 3, bias=False)
    return [nn.ReflectionPad2d(1), _Convolution(conv), nn.BatchNorm2d(LATENT_CHANNELS)]


def _wide() -> tuple[nn.Sequential, nn.Sequential]:
    encoder: list[nn.Module] = []
    decoder: list[nn.Module] = []
    for _ in range(3):
        encoder += [_Convolution(_halving(_WIDE, _WIDE)), nn.GroupNorm(_GROUPS, _WIDE), nn.SiLU()]
        decoder += [_Convolution(_doubling(_WIDE, _WIDE)), nn.GroupNorm(_GROUPS, _WIDE), nn.SiLU()]
    encoder += [_Residual(*_wide_half(), *_wide_half()) for _ in range(3)]
    blocks = [_Residual(*_wide_half(), *_wide_half()) for _ in range(3)]
    head = _Convolution(nn.Conv2d(_WIDE, _WIDE_FOLD**2, 1))
    return nn.Sequential(*encoder), nn.Sequential(*blocks, *decoder, head)


def _wide_half() -> list[nn.Module]:
    conv = nn.Conv2d(_WIDE, _WIDE, 3, padding=1, bias=False)
    return [nn.GroupNorm(_GROUPS, _WIDE), nn.SiLU(), _Convolution(conv)]


def _halving(inner: int, outer: int) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, 3, stride=2, padding=1, bias=False)


def _doubling(inner: int, outer: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inner, outer, 3, 2, padding=1, output_padding=1, bias=False)


class _Residual(nn.Sequential):
    """What its layers make of an input, added to it."""

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = x + super().forward(x)  # type: ignore[no-untyped-call]
        return added


class _Convolution(nn.Module):
    """A convolution, plain or transposed, of folded images.

    Args:
        conv: has the parameters and says what is computed.
        inner, outer: folds of input and output, such that both have one grid. With both at 1
            `conv` itself runs. If `conv` has no padding, its input comes with a border of a cell.
    """

    taps: Tensor

    def __init__(
        self, conv: nn.Conv2d | nn.ConvTranspose2d, inner: int = 1, outer: int = 1
    ) -> None:
        super().__init__()
        self.conv = conv
        self.folded = inner > 1 or outer > 1
        self.register_buffer("taps", _taps(conv, inner, outer), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        if not self.folded:
            plain: Tensor = self.conv(x)
            return plain
        weight = self.conv.weight
        if isinstance(self.conv, nn.ConvTranspose2d):
            weight = weight.transpose(0, 1)
        outer, inner = self.taps.shape[:2]
        kernel = torch.einsum("oiyx,abcy,defx->oadibecf", weight, self.taps, self.taps)
        kernel = kernel.reshape(weight.shape[0] * outer**2, weight.shape[1] * inner**2, 3, 3)
        bias = self.conv.bias
        return functional.conv2d(
            x,
            kernel.contiguous(memory_format=torch.channels_last),
            None if bias is None else bias.repeat_interleave(outer**2),
            padding=1 if any(self.conv.padding) else 0,
        )


def _taps(conv: nn.Conv2d | nn.ConvTranspose2d, inner: int, outer: int) -> Tensor:
    """(outer, inner, 3, taps): 1 where a tap of the kernel joins two pixels of a row.

    Those are pixel `a` of a cell of the output, and pixel `b` of the cell of the input before it,
    at its place or behind it.
    """
    size, stride = conv.kernel_size[0], conv.stride[0]
    pad = size // 2
    rows = [[[[0.0] * size for _ in range(3)] for _ in range(inner)] for _ in range(outer)]
    for a, b, cell in itertools.product(range(outer), range(inner), range(3)):
        at, to = b + (cell - 1) * inner, a
        if isinstance(conv, nn.ConvTranspose2d):
            tap = to - stride * at + pad
        else:
            tap = at - stride * to + pad
        if 0 <= tap < size:
            rows[a][b][cell][tap] = 1.0
    return torch.tensor(rows)


class _Reflection(nn.Module):
    """A border of one cell, whose pixels mirror those inside."""

    def __init__(self, fold: int) -> None:
        super().__init__()
        self.fold = fold

    def forward(self, x: Tensor) -> Tensor:
        return _reflect(x, self.fold)


class _Reflect(torch.autograd.Function):
    """Reflection padding by `fold` pixels of a folded image, with one pass over memory."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, fold: int) -> Tensor:
        ctx.fold = fold
        n, channels, height, width = x.shape
        padded = x.new_empty(n, height + 2, width + 2, channels).permute(0, 3, 1, 2)
        padded[:, :, 1:-1, 1:-1] = x
        for dim, border, inside, start in _sides(padded, fold):
            border.copy_(_mirrored(inside, dim, start, fold))
        return padded

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        gradient = gradient.clone(memory_format=torch.channels_last)
        for dim, border, inside, start in reversed(_sides(gradient, ctx.fold)):
            pixels = functional.pixel_shuffle(border, ctx.fold).flip(dim)
            room = [start, ctx.fold - start]
            room = [0, 0, *room] if dim == 2 else room
            inside += functional.pixel_unshuffle(functional.pad(pixels, room), ctx.fold)
        return gradient[:, :, 1:-1, 1:-1], None


_reflect: Callable[[Tensor, int], Tensor] = _Reflect.apply


def _sides(padded: Tensor, fold: int) -> list[tuple[int, Tensor, Tensor, int]]:
    """Borders of a padded image, in the order in which they are filled.

    Each with its dimension, the two cells inside it, and the first of the pixels of those that it
    mirrors.
    """
    rows = padded[:, :, :, 1:-1]  # the corners come with the columns
    return [
        (2, rows[:, :, :1], rows[:, :, 1:3], 1),
        (2, rows[:, :, -1:], rows[:, :, -3:-1], fold - 1),
        (3, padded[..., :1], padded[..., 1:3], 1),
        (3, padded[..., -1:], padded[..., -3:-1], fold - 1),
    ]


def _mirrored(cells: Tensor, dim: int, start: int, fold: int) -> Tensor:
    pixels = functional.pixel_shuffle(cells, fold).narrow(dim, start, fold)
    return functional.pixel_unshuffle(pixels.flip(dim), fold)


class _NormRelu(nn.Module):
    """Batch normalisation of the channels of a folded image, and ReLU."""

    def __init__(self, channels: int, fold: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.cell = fold**2

    def forward(self, x: Tensor) -> Tensor:
        n, channels, height, width = x.shape
        if self.norm.num_features >= _VECTOR:
            plain: Tensor = self.norm(x)
            return plain.relu()
        # rows as they lie in memory: a sum over them goes through it once
        rows = x.permute(0, 2, 3, 1).reshape(n * height, width * channels)
        norm = self.norm
        if self.training:
            found, mean, variance = _normalise(rows, norm.weight, norm.bias, self.cell, norm.eps)
            self._remember(mean, variance, rows.numel() // norm.num_features)
        else:
            mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
            scale = norm.weight * (variance + norm.eps).rsqrt()
            found = _affine(rows, scale, norm.bias - mean * scale, self.cell).relu_()
        return found.view(n, height, width, channels).permute(0, 3, 1, 2)

    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        share = 1 - _MOMENTUM
        unbiased = variance * (count / (count - 1))
        self.norm.get_buffer("num_batches_tracked").add_(1)
        self.norm.get_buffer("running_mean").mul_(share).add_(mean, alpha=_MOMENTUM)
        self.norm.get_buffer("running_var").mul_(share).add_(unbiased, alpha=_MOMENTUM)


def _affine(rows: Tensor, scale: Tensor, shift: Tensor, cell: int) -> Tensor:
    return torch.addcmul(_columns(shift, rows, cell), rows, _columns(scale, rows, cell))


def _columns(numbers: Tensor, rows: Tensor, cell: int) -> Tensor:
    """One number a channel to one a column, in the type of the rows."""
    each = numbers.repeat_interleave(cell)
    return each.repeat(rows.shape[1] // each.numel()).to(rows.dtype)


def _channels(columns: Tensor, channels: int, cell: int) -> Tensor:
    """The sum of each channel's columns, in float64."""
    return columns.double().view(-1, channels, cell).sum((0, 2))


class _Normalise(torch.autograd.Function):
    """Batch normalisation with the batch's statistics, and ReLU, with few passes over memory."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor, cell: int, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        count = rows.numel() // weight.numel()
        total = rows.sum(0)
        squares = torch.linalg.vecdot(rows, rows, dim=0)
        mean = _channels(total, weight.numel(), cell) / count
        variance = _channels(squares, weight.numel(), cell) / count - mean**2
        variance.clamp_(min=0)
        deviation = (variance + eps).rsqrt()
        scale, shift = weight * deviation, bias - mean * weight * deviation
        found = _affine(rows, scale, shift, cell).relu_()
        ctx.save_for_backward(rows, found, weight, mean, deviation)
        ctx.cell = cell
        ctx.mark_non_differentiable(mean, variance)
        return found, mean, variance

    @staticmethod
    def backward(ctx: Any, gradient: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        rows, found, weight, mean, deviation = ctx.saved_tensors
        channels, cell = weight.numel(), ctx.cell
        count = rows.numel() // channels
        passed = torch.ops.aten.threshold_backward(gradient, found, 0)
        total = _channels(passed.sum(0), channels, cell)
        moment = _channels(torch.linalg.vecdot(passed, rows, dim=0), channels, cell)
        along = (moment - mean * total) * deviation
        scale = weight * deviation
        slope = -scale * along * deviation / count
        level = -scale * total / count - slope * mean
        inner = _affine(rows, slope, level, cell)
        inner.addcmul_(passed, _columns(scale, rows, cell))
        return inner, along.to(weight.dtype), total.to(weight.dtype), None, None


_normalise: Callable[..., tuple[Tensor, Tensor, Tensor]] = _Normalise.apply
