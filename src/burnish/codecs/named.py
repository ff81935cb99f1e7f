"""Every codec by its name, with settings that fit a budget. Loads no codec until one is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any

from burnish.errors import ConfigError, UsageError, nearest

if TYPE_CHECKING:
    from torch import Tensor

    from burnish.codecs.image import Image
    from burnish.codecs.protocol import Codec, Setting


@dataclass(frozen=True)
class Named:
    """A codec that can be asked for by name.

    Attributes:
        help: one line.
        home: module in this package and class, apart by a colon.
        defaults: settings for an image of a height and a width, such that a message has 1/64 of
            the vector's bytes where the codec can be set to that.
        folds: whether it is made for an image, not for a number of numbers.
        learned: whether it must be fitted before it can encode.
    """

    help: str
    home: str
    defaults: Callable[[int, int], dict[str, Setting]] = lambda height, width: {}
    folds: bool = False
    learned: bool = False

    def load(self) -> Any:
        """The class."""
        module, name = self.home.split(":")
        return getattr(import_module(f"burnish.codecs.{module}"), name)


_KINDS: dict[str, tuple[type, ...]] = {
    "bool": (bool,),
    "float": (float, int),
    "int": (int,),
}
"""What a setting may be, by the type its codec declares; others are words. True is no number."""


def _share(height: int, width: int) -> int:
    """A sixty-fourth of the numbers."""
    return max(1, height * width // 64)


def _columns(height: int, width: int) -> int:
    """Of a sketch with five rows."""
    return max(8, _share(height, width) // 5 // 8 * 8)


NAMES: dict[str, Named] = {
    "fp32": Named("float32 as it is", "casting:Identity"),
    "fp16": Named("float16 at a scale of its own, 1/2", "casting:Half"),
    "int8": Named("8 bits a number, 1/4", "blockwise:Int8", lambda *_: {"block": 1024}),
    "int4": Named("4 bits a number, 1/7", "blockwise:Int4", lambda *_: {"block": 64}),
    "nf4": Named("4-bit normal quantiles, 1/7", "blockwise:Nf4", lambda *_: {"block": 64}),
    "top-k": Named(
        "the largest numbers and their places, 1/64",
        "topk:TopK",
        lambda *sides: {"k": max(1, _share(*sides) // 2)},
    ),
    "dgc": Named(
        "top-k with momentum and warm-up, 1/2 in round 1 to 1/500 from round 5",
        "dgc:Dgc",
        lambda *_: {"density": 0.001, "momentum": 0.9},
    ),
    "qsgd": Named(
        "randomly rounded to 2 bits, unbiased, 1/16",
        "qsgd:Qsgd",
        lambda *_: {"levels": 1, "bucket": 512, "seed": 0},
    ),
    "sign": Named("signs and one magnitude, 1/32", "sign:SignMean"),
    "majority-sign": Named("signs, of which the majority counts, 1/32", "sign:MajoritySign"),
    "masked-sign": Named(
        "signs of half of the numbers in turn, 1/64",
        "masked_sign:MaskedSign",
        lambda *_: {"share": 0.5, "seed": 0},
    ),
    "powersgd": Named(
        "a matrix of low rank, 1/64",
        "powersgd:PowerSgd",
        lambda *sides: {"rank": _rank(*sides), "seed": 0},
        folds=True,
    ),
    "pca": Named("coordinates in the directions of past updates, linear", "pca:Pca", learned=True),
    "srht": Named(
        "random projection, linear, 1/64",
        "srht:Srht",
        lambda *sides: {"k": _share(*sides), "seed": 0},
    ),
    "sketch": Named(
        "FetchSGD's count sketch, joined by the server, 1/64",
        "count_sketch:CountSketch",
        lambda *sides: {
            "columns": _columns(*sides),
            "k": max(1, _share(*sides) // 10),
            "rows": 5,
            "momentum": 0.9,
            "seed": 0,
        },
    ),
    "kseed": Named(
        "FedKSeed's amounts of 4,096 seeded directions, linear, 16 KB",
        "kseed:KSeed",
        lambda *_: {"seeds": 4096, "seed": 0},
    ),
    "shifted": Named(
        "SoteriaFL: differences from the updates before, by another codec",
        "shifted:Shifted",
        lambda *_: {"codec": "masked-sign", "gamma": 0.5},
    ),
    "autoencoder": Named(
        "CG-FedLLM's ResNet AutoEncoder, 1/64",
        "autoencoder:ResNetCodec",
        lambda *_: {"variant": "paper"},
        folds=True,
        learned=True,
    ),
    "autoencoder-wide": Named(
        "the AutoEncoder with more channels and a linear end, 1/64",
        "autoencoder:ResNetCodec",
        lambda *_: {"variant": "wide"},
        folds=True,
        learned=True,
    ),
}


def _rank(height: int, width: int) -> int:
    return min(height, width, max(1, _share(height, width) // (height + width)))


def codec_named(name: str, image: Image, *, settings: Mapping[str, Setting] | None = None) -> Codec:
    """A codec for vectors of an image's size, with its budget's settings or others.

    Args:
        name: one of `NAMES`.
        image: how the vectors fold.
        settings: replace defaults; those of the codec inside "shifted" begin with "codec.".

    Raises:
        ConfigError: the name or a setting is unknown or out of range.
        UsageError: the codec is made from past updates.
    """
    offer = _offer(name)
    if offer.learned and not offer.folds:
        raise UsageError(
            f"{name} is made from past updates; call {offer.home.split(':')[1]}.fit(vectors) or "
            "load_codec(path)"
        )
    asked = {**offer.defaults(image.height, image.width), **(settings or {})}
    if name == "shifted":
        return _shifted(asked, lambda inner, own: codec_named(inner, image, settings=own))
    return _made(name, offer, {"image": image} if offer.folds else {"size": image.size}, asked)


def restored(
    name: str, size: int, settings: Mapping[str, Setting], state: Mapping[str, Tensor]
) -> Codec:
    """The codec that told these settings and this state.

    Raises:
        ConfigError: the name or a setting is unknown or out of range.
    """
    offer, asked = _offer(name), dict(settings)
    if name == "shifted":
        return _shifted(asked, lambda inner, own: restored(inner, size, own, state))
    if name == "pca":
        ties = {tie: str(asked.get(tie, "")) for tie in ("layout", "init")}
        codec: Codec = offer.load()(state["basis"], **ties)
        if codec.size != size:
            raise ConfigError(f"the basis is of {codec.size} numbers, the codec of {size}")
        return codec
    if not offer.folds:
        return _made(name, offer, {"size": size}, asked)
    image = _image(size, asked.pop("height", None), asked.pop("width", None), state.get("factor"))
    made: Any = _made(name, offer, {"image": image}, asked)
    folded: Codec = made.with_state(state) if offer.learned else made
    return folded


def _image(size: int, height: object, width: object, factor: Tensor | None) -> Image:
    import torch

    from burnish.codecs.image import Image

    if type(height) is not int or type(width) is not int or min(height, width) < 1:
        raise ConfigError(f"height and width are numbers from 1, got {height!r} and {width!r}")
    if height * width != size:
        raise ConfigError(f"{height} x {width} is not the size {size} of the codec")
    if factor is None:
        factor = torch.zeros(1, dtype=torch.uint8).expand(size)  # takes no memory
    return Image(height, width, factor)


def _offer(name: str) -> Named:
    if name not in NAMES:
        raise ConfigError(f"no codec is named {name!r}; {nearest(name, NAMES)}")
    return NAMES[name]


def _made(
    name: str, offer: Named, base: Mapping[str, Any], settings: Mapping[str, Setting]
) -> Codec:
    kinds = {
        field.name: str(field.type)
        for field in fields(offer.load())
        # what is learned is None at first, and no setting
        if field.init and field.name not in {"size", *base} and field.default is not None
    }
    for setting, value in settings.items():
        if setting not in kinds:
            raise ConfigError(
                f"{name} takes the settings {', '.join(kinds) or 'none'}, got {setting}"
            )
        if type(value) not in _KINDS.get(kinds[setting], (str,)):
            raise ConfigError(f"{name}'s {setting} is of type {kinds[setting]}, got {value!r}")
    codec: Codec = offer.load()(**base, **settings)
    return codec


def _shifted(
    settings: dict[str, Setting], make: Callable[[str, dict[str, Setting]], Codec]
) -> Codec:
    inner = {
        key.removeprefix("codec."): settings.pop(key)
        for key in list(settings)
        if key.startswith("codec.")
    }
    codec = make(str(settings.pop("codec")), inner)
    return _made("shifted", NAMES["shifted"], {"codec": codec}, settings)
