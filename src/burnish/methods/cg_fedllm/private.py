"""Clipping and noise as a Flower mod, for use inside `CompressMod` or `secure_client_app`."""

from __future__ import annotations

import secrets

import torch
from flwr.app import Context, Message, MessageType, MetricRecord
from flwr.clientapp.typing import ClientAppCallable

from burnish.methods.cg_fedllm import records
from burnish.methods.cg_fedllm.layout import LoraLayout
from burnish.methods.cg_fedllm.privacy import clip_and_noise
from burnish.training import derive


class ClipAndNoiseMod:
    """Clip what a client's training changed, add noise to it, and keep its loss back.

    What leaves the client is then a function of the noisy change, and of the number of examples,
    which is sent as it is. What `CompressMod`, outside, remembers is made of noisy changes, too.
    """

    def __init__(
        self, layout: LoraLayout, *, clip: float, sigma: float, seed: int | None = None
    ) -> None:
        """Set up the noise.

        Args:
            layout: of the adapter.
            clip: largest norm of a change, or with represent="grad" of a mean gradient.
            sigma: of the noise, in units of `clip`.
            seed: for experiments that shall repeat; None draws noise nobody can guess, and only
                that is private.
        """
        self._layout, self._clip, self._sigma, self._seed = layout, clip, sigma, seed

    def __call__(self, message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        """Make the reply private.

        Raises:
            LayoutMismatch, NotFinite: the reply is of another layout, or has diverged.
        """
        if message.metadata.message_type.partition(".")[0] != MessageType.TRAIN:
            return call_next(message, context)
        start = records.tensors_of(records.array_record(message.content))
        generator = torch.Generator().manual_seed(self._drawn(message, context))
        reply = call_next(message, context)
        if reply.has_error():
            return reply
        end = records.tensors_of(records.array_record(reply.content))
        change = self._layout.to_vector(
            {name: end[name].double() - start[name].double() for name in start}
        )
        noisy = self._layout.to_tensors(
            clip_and_noise(change, clip=self._clip, sigma=self._sigma, generator=generator)
        )
        # in float64, so that the difference outside is the very change that was clipped
        sent = {name: start[name].double() + noisy[name].double() for name in start}
        reply.content[records.ARRAYS] = records.record_of(sent)
        examples = records.metric(reply.content, records.EXAMPLES)
        reply.content[records.METRICS] = MetricRecord({records.EXAMPLES: examples})
        return reply

    def _drawn(self, message: Message, context: Context) -> int:
        if self._seed is None:
            return secrets.randbits(63)
        number = records.whole(message.content, records.ROUND)
        return derive(self._seed, "noise", number, records.partition(context))
