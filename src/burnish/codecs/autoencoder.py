"""The learned codec of CG-FedLLM: a convolutional AutoEncoder trained on past updates."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, Self, final

import torch
from torch import Tensor

from burnish.codecs.base import VectorCodec
from burnish.codecs.checking import check_made_for
from burnish.codecs.errors import LayoutMismatch
from burnish.codecs.image import Image
from burnish.codecs.protocol import Context, Part, Payload, Setting
from burnish.codecs.resnet import LATENT_CHANNELS, SHRINK, ResNetAutoEncoder, Variant
from burnish.codecs.wire import fingerprint
from burnish.errors import BurnishError, ConfigError, UsageError
from burnish.training.checkpoint import Checkpoint
from burnish.training.loop import Precision
from burnish.training.randomness import derive, seeded

if TYPE_CHECKING:
    from burnish.codecs.certificate import Certificate
    from burnish.codecs.snapshots import Records, Snapshots

Scaling = Literal["factor", "none"]
_MODEL = "model."


@dataclass(frozen=True, eq=False)
class Learned:
    """What training gives an AutoEncoder codec.

    Attributes:
        model: in evaluation mode.
        scale: (factors,), what the numbers of each factor are divided by.
    """

    model: ResNetAutoEncoder
    scale: Tensor


@final
@dataclass(frozen=True, eq=False)
class ResNetCodec(VectorCodec):
    """Latents of an AutoEncoder, 1/64 of the padded image's numbers.

    Attributes:
        size: of the image, may be left out.
        image: how vectors fold, and which numbers belong to which factor.
        variant: of `ResNetAutoEncoder`.
        seed: of its first weights and of the batches it is trained on.
        half: latents travel in float16, two bytes a number instead of four.
        scaling: "factor" divides the numbers of each factor by their root mean square over the
            training vectors; "none" leaves them as they are.
        layout, init: of the vectors it was trained on, "" before; others' are refused.
        learned: weights and scales; None for weights drawn from the seed.
        certificate: what it loses of held-out updates; see `certified`.

    Source: CG-FedLLM, arXiv 2405.13746, algorithm 1 and section "ResNet AutoEncoder". Departures:
    scaling, since A and B differ in energy by orders of magnitude, where the paper tells of none;
    the tie to an initialisation, since factors of another one span other directions.
    """

    name: ClassVar[str] = "autoencoder"

    size: int = field(init=False)
    image: Image
    variant: Variant = "paper"
    seed: int = 0
    half: bool = False
    scaling: Scaling = "factor"
    layout: str = ""
    init: str = ""
    learned: Learned | None = field(default=None, repr=False)
    certificate: Certificate | None = field(default=None, repr=False)
    _own: Learned = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", self.image.size)
        super().__post_init__()
        if self.image.factor.shape != (self.size,):
            raise LayoutMismatch(
                f"the image has a factor for each of {self.size} numbers, got shape "
                f"{tuple(self.image.factor.shape)}; make the image from the layout"
            )
        if self.scaling not in ("factor", "none"):
            raise ConfigError(f"scaling must be 'factor' or 'none', got {self.scaling!r}")
        own = self.learned or _untaught(self.variant, self.seed, len(self.image.factors))
        object.__setattr__(self, "_own", own)

    @property
    def model(self) -> ResNetAutoEncoder:
        """The AutoEncoder, in evaluation mode."""
        return self._own.model

    @property
    def scale(self) -> Tensor:
        """(factors,): what the numbers of each factor are divided by."""
        return self._own.scale

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The image by its height and width, and what training is told and tells."""
        return {
            "height": self.image.height,
            "width": self.image.width,
            "variant": self.variant,
            "seed": self.seed,
            "half": self.half,
            "scaling": self.scaling,
            "layout": self.layout,
            "init": self.init,
        }

    def state_dict(self) -> dict[str, Tensor]:
        """The factor of each number, the scale of each factor, and the weights."""
        weights = {_MODEL + name: each for name, each in self.model.state_dict().items()}
        return {"factor": self.image.factor, "scale": self.scale, **weights}

    def with_state(self, state: Mapping[str, Tensor]) -> Self:
        """The same codec with the state of another that has its settings.

        Raises:
            LayoutMismatch: the state is not one of such a codec.
        """
        own = self.state_dict()
        scale = state.get("scale", torch.empty(0))
        wanted = {**_shapes(own), "scale": (torch.float32, (max(1, scale.numel()),))}
        got = _shapes(state)
        differing = [name for name in {**wanted, **got} if wanted.get(name) != got.get(name)]
        if not differing and not int(state["factor"].max()) < scale.numel():
            differing = ["factor"]
        if not differing and not bool((scale.isfinite() & (scale > 0)).all()):
            differing = ["scale"]
        if differing:
            raise LayoutMismatch(
                f"wanted the state of a {self.variant} AutoEncoder for images of "
                f"{self.image.height} x {self.image.width}, which differs in "
                f"{', '.join(differing[:3])}; load it with the settings it was saved with"
            )
        model = _made(self.variant, self.seed)
        model.load_state_dict(
            {name.removeprefix(_MODEL): state[name] for name in own if name.startswith(_MODEL)}
        )
        image = replace(self.image, factor=state["factor"])
        return replace(self, image=image, learned=Learned(model, scale))

    def certified(self, certificate: Certificate) -> Self:
        """The same codec with its certificate.

        Raises:
            UsageError: the certificate is another codec's.
        """
        if certificate.fingerprint != fingerprint(self):
            raise UsageError(
                f"the certificate is of codec {certificate.fingerprint[:12]}, this one is "
                f"{fingerprint(self)[:12]}; certify it anew"
            )
        return replace(self, certificate=certificate)

    def template(self, round: int) -> dict[str, Part]:
        """The latent."""
        height, width = self.image.padded
        shape = (LATENT_CHANNELS, height // SHRINK, width // SHRINK)
        return {"latent": Part(torch.float16 if self.half else torch.float32, shape)}

    def fit(
        self,
        snapshots: Snapshots,
        *,
        steps: int = 3000,
        batch_size: int = 4,
        learning_rate: float = 2e-4,
        precision: Precision = "float32",
        on_step: Callable[[int, float], None] | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> Self:
        """A codec trained from scratch on the `train` part of snapshots; this one stays as it is.

        Minimises the mean squared error of the scaled images with Adam. The same snapshots and
        settings give the same weights, also when the training was killed and went on.

        Args:
            snapshots: of this image.
            steps: of Adam.
            batch_size: vectors in a step, or all of them if there are not so many.
            learning_rate: of Adam, constant.
            precision: of convolutions; weights and optimiser stay in float32.
            on_step: told the step, from 1, and its loss.
            checkpoint: where to save, and what to go on from.

        Raises:
            LayoutMismatch: the snapshots are of another image, or, if this codec was trained or
                made for a layout and initialisation, of others.
            DataError: there are no vectors.
            BurnishError: the loss became NaN or infinite, or the checkpoint is of another training.

        Source: CG-FedLLM, arXiv 2405.13746: MSE, Adam, 2e-4. Steps and batch are ours.
        """
        self._check_source(snapshots)
        records = snapshots.train
        scale = _scales(records) if self.scaling == "factor" else torch.ones_like(self.scale)
        fitted = replace(
            self,
            layout=snapshots.source.layout,
            init=snapshots.source.init,
            learned=Learned(_made(self.variant, self.seed), scale),
            certificate=None,
        )
        training = _Training(fitted, records, batch_size, learning_rate, precision)
        training.run(steps, on_step, checkpoint)
        return fitted

    def scaled(self, vectors: Tensor) -> Tensor:
        """(n, size) to what the AutoEncoder is given, (n, padded height, padded width)."""
        return self.image.fold(vectors / self._divisors)

    def _compress(self, vector: Tensor, context: Context) -> dict[str, Tensor]:
        check_made_for(self.name, self, context)
        with torch.no_grad():
            latent = self.model.encode(self.scaled(vector[None]))[0].contiguous()
        if self.half:
            most = torch.finfo(torch.float16).max
            latent = latent.clamp(-most, most).half()
        return {"latent": latent}

    def _expand(self, payload: Payload) -> Tensor:
        with torch.no_grad():
            images = self.model.decode(payload.tensors["latent"].float()[None])
        return self.image.unfold(images)[0] * self._divisors

    @cached_property
    def _divisors(self) -> Tensor:
        return self.scale[self.image.factor.long()]

    def _check_source(self, snapshots: Snapshots) -> None:
        source = snapshots.source
        check_made_for(self.name, self, source)
        mine, theirs = self.image, source.image
        same = (mine.height, mine.width) == (theirs.height, theirs.width)
        if not same or not torch.equal(mine.factor, theirs.factor):
            raise LayoutMismatch(
                f"this autoencoder is for images of {mine.height} x {mine.width}, the snapshots "
                f"are of {theirs.height} x {theirs.width} or place A and B otherwise; make a codec "
                "for these"
            )


@dataclass
class _Training:
    """Batches, and steps of Adam."""

    codec: ResNetCodec
    records: Records
    batch_size: int
    learning_rate: float
    precision: Precision

    def __post_init__(self) -> None:
        self.model = self.codec.model
        self.optimizer = torch.optim.Adam(
            self.model.parameters(), lr=self.learning_rate, fused=True
        )

    def run(
        self,
        steps: int,
        on_step: Callable[[int, float], None] | None,
        checkpoint: Checkpoint | None,
    ) -> None:
        begin = self._resumed(checkpoint)
        self.model.train()
        for step in range(begin + 1, steps + 1):
            value = self._step(step)
            if on_step:
                on_step(step, value)
            if checkpoint and checkpoint.due:
                checkpoint.save(self._state(step))
        self.model.eval()

    def _step(self, step: int) -> float:
        draw = torch.Generator().manual_seed(derive(self.codec.seed, "batch", step))
        images = self.codec.scaled(self.records.draw(self.batch_size, draw))
        with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bfloat16"):
            loss = self.model.loss(images)
        value = float(loss.detach())
        if not value < float("inf"):
            raise BurnishError(
                f"the autoencoder's loss became {value} at step {step}; lower the learning rate"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return value

    def _identity(self) -> str:
        """Of this training: what another may not go on with."""
        told = [
            dict(self.codec.settings),
            [self.batch_size, self.learning_rate, self.precision],
            [len(self.records), self.records.rounds, self.codec.scale.tolist()],
        ]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()

    def _state(self, step: int) -> dict[str, object]:
        return {
            "identity": self._identity(),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": step,
        }

    def _resumed(self, checkpoint: Checkpoint | None) -> int:
        """The step that was done last."""
        state = checkpoint.load() if checkpoint else None
        if checkpoint is None or state is None:
            return 0
        if state.get("identity") != self._identity():
            raise BurnishError(
                f"{checkpoint.path} is of a training with other settings or snapshots; delete it "
                "to train from the beginning"
            )
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        return int(state["step"])


def _made(variant: Variant, seed: int) -> ResNetAutoEncoder:
    with seeded(derive(seed, "weights")):
        return ResNetAutoEncoder(variant).eval()


def _shapes(state: Mapping[str, Tensor]) -> dict[str, tuple[torch.dtype, tuple[int, ...]]]:
    return {name: (each.dtype, tuple(each.shape)) for name, each in state.items()}


def _untaught(variant: Variant, seed: int, factors: int) -> Learned:
    return Learned(_made(variant, seed), torch.ones(factors))


def _scales(records: Records) -> Tensor:
    """(factors,): root mean square of each factor's numbers; 1 where all are zero."""
    image = records.source.image
    energies = torch.zeros(len(image.factors), dtype=torch.float64)
    members = [(image.factor == index).nonzero()[:, 0] for index in range(len(energies))]
    for vector in records.vectors:
        for index, places in enumerate(members):
            energies[index] += vector[places].double().square().sum()
    counts = torch.tensor([len(places) for places in members]) * len(records)
    scales = (energies / counts.clamp(min=1)).sqrt().float()
    return torch.where(scales > 0, scales, 1.0)
