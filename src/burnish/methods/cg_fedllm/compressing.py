"""The client's side of the wire: a Flower mod that encodes what the app and other mods reply."""

from __future__ import annotations

from collections.abc import Mapping

from flwr.app import ConfigRecord, Context, Message, MessageType
from flwr.clientapp.typing import ClientAppCallable
from torch import Tensor

from burnish.codecs.certificate import require_viable
from burnish.codecs.errors import LayoutMismatch
from burnish.codecs.guarded import Guarded
from burnish.codecs.protocol import Codec, Joining, Payload
from burnish.codecs.protocol import Context as Encoding
from burnish.codecs.wire import from_bytes, members, to_bytes
from burnish.errors import ConfigError
from burnish.methods.cg_fedllm import records
from burnish.methods.cg_fedllm.client import trace_of
from burnish.methods.cg_fedllm.config import Represent
from burnish.methods.cg_fedllm.layout import LoraLayout


class CompressMod:
    """Encode the update a client replies; the outermost of its mods.

    The app and the mods inside see what they would see without it: the dense adapter under
    "arrays", and the same names in the reply. So what is sent is clipped, then noised, then
    encoded. What codec and safeguards remember stays in the node's `context.state`, as arrays.

    Source: CG-FedLLM, arXiv 2405.13746, section on FAF, and the safeguards of `Guarded`.
    """

    def __init__(
        self,
        codec: Codec,
        layout: LoraLayout,
        initial: Mapping[str, Tensor],
        *,
        init: str,
        represent: Represent = "delta",
        error_feedback: bool = True,
        gain: bool = True,
        fallback: Codec | None = None,
        allow_unviable: bool = False,
    ) -> None:
        """Set up a client for one codec.

        Args:
            codec: the server's; one that is guarded already is taken as it is.
            layout: of the adapter.
            initial: the adapter all start from, which encoded downlinks are relative to.
            init: its hash.
            represent: what is sent: the adapter, its change, or the mean gradient.
            error_feedback: as in `Guarded`; off for codecs that feed back by themselves.
            gain: likewise. `Joining` codecs have no safeguards.
            fallback: likewise; the server must know of it.
            allow_unviable: also use a learned codec whose certificate says that it loses updates,
                or that has none, without both error feedback and gain.

        Raises:
            UnviableCodec: such a codec without them.
            ConfigError: another thing than those three shall be sent.
            IncompatibleCodec, LayoutMismatch: the codec cannot be guarded, or not for this layout.
        """
        if represent not in ("state", "delta", "grad"):
            raise ConfigError(f"represent is state, delta or grad, got {represent!r}")
        if codec.size != layout.size:
            raise LayoutMismatch(
                f"the codec is for {codec.size} numbers, the adapter has {layout.size}; make the "
                "codec for this layout"
            )
        self.codec = _guarded(codec, error_feedback, gain, fallback)
        if not (isinstance(self.codec, Guarded) and self.codec.error_feedback and self.codec.gain):
            for each in members(self.codec):
                require_viable(each, allow_unviable=allow_unviable)
        self.layout, self.init, self.represent = layout, init, represent
        self._initial = layout.to_vector(initial)

    def __call__(self, message: Message, context: Context, call_next: ClientAppCallable) -> Message:
        """Encode the reply to a message that asks for training; let others pass.

        Raises:
            CorruptPayload, LayoutMismatch, NotFinite: the message is no server's of this codec,
                or the reply cannot be encoded. Flower tells the server so.
        """
        if message.metadata.message_type.partition(".")[0] != MessageType.TRAIN:
            return call_next(message, context)
        start = self._opened(message)
        reply = call_next(message, context)
        if not reply.has_error():
            payload = self.encoded(message, context, start, reply)
            reply.content[records.ARRAYS] = records.payload_record(to_bytes(payload))
        return reply

    def encoded(
        self, message: Message, context: Context, start: Mapping[str, Tensor], reply: Message
    ) -> Payload:
        """What stands for the dense arrays of a reply; codec and safeguards remember it.

        Args:
            message: whose config record says round and client.
            context: of the node, which keeps the memory.
            start: the adapter that the message brought.
            reply: with dense arrays, after every other mod.

        Raises:
            CorruptPayload, LayoutMismatch, NotFinite: the reply cannot be encoded.
        """
        encoding = Encoding(
            round=records.whole(message.content, records.ROUND),
            client=records.whole(message.content, records.CLIENT),
            layout=self.layout.hash,
            init=self.init,
            memory=records.memory_of(context),
            trace=trace_of(reply.content),
        )
        end = records.tensors_of(records.array_record(reply.content))
        payload = self.codec.encode(self._represented(start, end), encoding)
        records.keep_memory(context, encoding.memory)
        return payload

    def _opened(self, message: Message) -> dict[str, Tensor]:
        """The adapter that training starts from; the message has it as dense arrays afterwards."""
        content = message.content
        config = content.get(records.CONFIG)
        told = isinstance(config, ConfigRecord) and config.get(records.REPRESENT)
        wanted = told or self.represent
        if wanted != self.represent:
            raise LayoutMismatch(
                f"the server wants {str(wanted)[:20]!r} of updates, this client sends "
                f"{self.represent!r}; give both the same represent"
            )
        if not records.has_payload(content):
            return records.tensors_of(records.array_record(content))
        payload = from_bytes(
            records.payload_of(content),
            self.codec,
            layout=self.layout.hash,
            init=self.init,
            round=records.whole(content, records.ROUND),
            client=records.SERVER,
        )
        start = self.layout.to_tensors(self._initial + self.codec.decode(payload))
        content[records.ARRAYS] = records.record_of(start)
        return start

    def _represented(self, start: Mapping[str, Tensor], end: Mapping[str, Tensor]) -> Tensor:
        """What is sent, (size,)."""
        if self.represent == "state":
            return self.layout.to_vector(end)
        if start.keys() != end.keys():
            raise LayoutMismatch("the reply must have the arrays that the message had, by name")
        sign = -1.0 if self.represent == "grad" else 1.0  # the app replies start minus gradient
        # in float64 the gradient comes back from between two states as it was
        return self.layout.to_vector(
            {name: sign * (end[name].double() - start[name].double()) for name in start}
        )


def _guarded(codec: Codec, error_feedback: bool, gain: bool, fallback: Codec | None) -> Codec:
    plain = not (error_feedback or gain or fallback)
    if plain or isinstance(codec, (Joining, Guarded)):
        return codec
    feeds_back = bool(getattr(codec, "feeds_back", False))
    return Guarded(
        codec, error_feedback=error_feedback and not feeds_back, gain=gain, fallback=fallback
    )
