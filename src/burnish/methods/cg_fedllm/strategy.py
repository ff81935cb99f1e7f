"""Federated averaging of encoded LoRA updates, as a Flower strategy that no reply can break."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, MetricRecord, RecordDict
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy
from torch import Tensor

from burnish.codecs.errors import CorruptPayload, IncompatibleCodec, LayoutMismatch
from burnish.codecs.protocol import Codec, Context, Joining, Payload
from burnish.codecs.wire import fingerprint, from_bytes, members, to_bytes
from burnish.errors import ConfigError
from burnish.methods.cg_fedllm import records
from burnish.methods.cg_fedllm.aggregating import exact_product
from burnish.methods.cg_fedllm.config import Aggregate, Represent
from burnish.methods.cg_fedllm.layout import LoraLayout
from burnish.training import derive

logger = logging.getLogger(__name__)
_MOST_EXAMPLES = 10**9  # a client's own claim, and its weight
_LARGEST = 1e6  # no number of an adapter is near it; sums of such still fit float32


@dataclass(frozen=True)
class Reply:
    """What a client sent, checked but not decoded."""

    client: int
    payload: Payload
    examples: int
    loss: float | None


class CompressedFedAvg(Strategy):
    """Sample clients, send them the adapter, decode and join what they send back.

    Whatever a reply is, an error, garbage, NaN, another round's, a bomb, it costs its sender the
    share of the round and nothing else: one line in the log, and one more in "lost". Replies are
    joined in the order of the clients' numbers. Nothing that was sent is unpickled or evaluated,
    and only one decoded update is in memory at a time (with "exact_product", all of a round).

    Source: CG-FedLLM, arXiv 2405.13746, section on FAF and algorithm 1. Departures: the weighted
    mean of Shepherd in the place of the plain sum, which "literal_sum" keeps.
    """

    def __init__(
        self,
        codec: Codec,
        layout: LoraLayout,
        initial: Mapping[str, Tensor],
        *,
        init: str,
        fraction: float = 1.0,
        represent: Represent = "delta",
        aggregate: Aggregate = "weighted_mean",
        rate: float = 1.0,
        downlink: bool = False,
        seed: int = 0,
    ) -> None:
        """Set up a server for one codec.

        Args:
            codec: of what clients send; theirs must be the same.
            layout: of the adapter.
            initial: the adapter all start from.
            init: its hash.
            fraction: f; max(int(f N), 1) of N clients are asked in a round.
            represent: what clients send: their adapter, its change, or their mean gradient.
            aggregate: "weighted_mean" by examples; "literal_sum" is the paper's sum of A and of B,
                times `rate` (with "state", B alone takes the rate, so that B A does); of
                "exact_product" see `aggregating`.
            rate: eta of "literal_sum", and of the step against a mean gradient ("grad").
            downlink: also encode what clients are sent: the adapter minus the initial one. No
                error feedback: a sum of states means nothing.
            seed: of who is asked.

        Raises:
            ConfigError: fraction or rate is out of range.
            IncompatibleCodec: a codec that joins by itself, with another aggregation than the
                mean; or one that needs every client in every round, with a fraction of them.
            LayoutMismatch: the codec is for vectors of another size.
        """
        if not 0 < fraction <= 1:
            raise ConfigError(f"fraction is above 0, at most 1, got {fraction}")
        if not (math.isfinite(rate) and rate > 0):
            raise ConfigError(f"rate is a positive number, got {rate}")
        if isinstance(codec, Joining) and aggregate != "weighted_mean":
            raise IncompatibleCodec(
                f"{codec.name} joins updates by itself and knows no {aggregate}; use weighted_mean"
            )
        if fraction < 1 and getattr(codec, "needs_all", False):
            raise IncompatibleCodec(
                f"{codec.name} needs every client in every round, got fraction={fraction}; set it "
                "to 1 or take another codec"
            )
        if codec.size != layout.size:
            raise LayoutMismatch(
                f"the codec is for {codec.size} numbers, the adapter has {layout.size}; make the "
                "codec for this layout"
            )
        self.codec, self.layout, self.init = codec, layout, init
        self.fraction, self.represent, self.aggregate = fraction, represent, aggregate
        self.rate, self.downlink, self.seed = rate, downlink, seed
        self.memory: dict[str, Tensor] = {}
        self.numbers: dict[int, int] = {}
        self._initial = layout.to_vector(initial)
        self._global = self._initial
        self._asked: dict[int, int] = {}

    @property
    def identity(self) -> dict[str, str | int | float | bool]:
        """What two runs must share for one to go on where the other stopped."""
        return {
            "codec": " ".join(fingerprint(each) for each in members(self.codec)),
            "layout": self.layout.hash,
            "init": self.init,
            "fraction": self.fraction,
            "represent": self.represent,
            "aggregate": self.aggregate,
            "rate": self.rate,
            "downlink": self.downlink,
            "seed": self.seed,
        }

    def configure_train(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> list[Message]:
        """The adapter, dense or encoded, for the clients of a round.

        Who is asked depends on the seed, the round and which nodes are there alone.
        """
        self._global = self.layout.to_vector(records.tensors_of(arrays))
        nodes = self.sampled(server_round, grid)
        self._asked = {node: self.numbers[node] for node in nodes}
        shown = records.payload_record(self._encoded(server_round)) if self.downlink else arrays
        messages = []
        for node, client in self._asked.items():
            told = {
                **config,
                records.ROUND: server_round,
                records.CLIENT: client,
                records.REPRESENT: self.represent,
            }
            content = RecordDict({records.ARRAYS: shown, records.CONFIG: ConfigRecord(told)})
            messages.append(Message(content, node, MessageType.TRAIN, group_id=str(server_round)))
        return messages

    def aggregate_train(
        self, server_round: int, replies: Iterable[Message]
    ) -> tuple[ArrayRecord | None, MetricRecord | None]:
        """The next adapter; None, with a warning, if no reply is of use."""
        taken = self._taken(server_round, replies)
        joined, used = self._joined(server_round, taken)
        if joined is None:
            warnings.warn(
                f"round {server_round}: none of {len(self._asked)} clients sent an update of use; "
                "the adapter stays as it was, see the log",
                stacklevel=2,
            )
            return None, None
        metrics: dict[str, int | float | list[int] | list[float]] = {
            records.EXAMPLES: sum(reply.examples for reply in used),
            "clients": len(used),
            "lost": len(self._asked) - len(used),
        }
        if losses := [(reply.loss, reply.examples) for reply in used if reply.loss is not None]:
            weight = sum(examples for _, examples in losses)
            metrics[records.LOSS] = sum(loss * (each / weight) for loss, each in losses)
        self._global = joined
        return records.record_of(self.layout.to_tensors(joined)), MetricRecord(metrics)

    def configure_evaluate(
        self, server_round: int, arrays: ArrayRecord, config: ConfigRecord, grid: Grid
    ) -> list[Message]:
        """Nobody is asked: the server scores the adapter on its held-out texts."""
        return []

    def aggregate_evaluate(
        self, server_round: int, replies: Iterable[Message]
    ) -> MetricRecord | None:
        """Nothing was asked."""
        return None

    def summary(self) -> None:
        """Log what is about to be done."""
        logger.info(
            "%s, %s of each update, %s of %s bytes a client and round",
            self.aggregate,
            self.represent,
            self.codec.name,
            self.codec.nbytes(),
        )

    # ------------------------------------------------------------------------------ whom to ask

    def sampled(self, server_round: int, grid: Grid) -> list[int]:
        """Ids of the nodes to ask in a round, by client number; newcomers are numbered first."""
        there = list(grid.get_node_ids())
        for node in there:
            self.numbers.setdefault(node, len(self.numbers))
        there.sort(key=self.numbers.__getitem__)
        if not there:
            return []
        count = max(int(self.fraction * len(there)), 1)
        generator = np.random.default_rng(derive(self.seed, "clients", server_round))
        chosen = np.sort(generator.choice(len(there), count, replace=False))
        return [there[place] for place in chosen]

    def _encoded(self, server_round: int) -> bytes:
        context = Context(server_round, records.SERVER, self.layout.hash, self.init)
        return to_bytes(self.codec.encode(self._global - self._initial, context))

    # --------------------------------------------------------------------------- what came back

    def _taken(self, server_round: int, replies: Iterable[Message]) -> list[Reply]:
        """Replies that are what was asked for, by client number."""
        taken: dict[int, Reply] = {}
        silent = dict(self._asked)
        for message in replies:
            client = self._asked.get(message.metadata.src_node_id)
            silent.pop(message.metadata.src_node_id, None)
            try:
                reply = self._read(server_round, client, message)
                if reply.client in taken:
                    raise CorruptPayload("it has answered before; the first reply counts")
            except Exception as error:  # whatever a stranger's bytes trip over, the round goes on
                _lost(server_round, client, error)
            else:
                taken[reply.client] = reply
        for client in silent.values():
            _lost(server_round, client, CorruptPayload("no reply came in time"))
        return [taken[client] for client in sorted(taken)]

    def _read(self, server_round: int, client: int | None, message: Message) -> Reply:
        if client is None:
            raise CorruptPayload("it was not asked in this round")
        if message.has_error():
            raise CorruptPayload(f"it reports an error: {message.error.reason}")
        payload = from_bytes(
            records.payload_of(message.content),
            self.codec,
            layout=self.layout.hash,
            init=self.init,
            round=server_round,
            client=client,
        )
        _check_magnitudes(payload)
        examples = records.metric(message.content, records.EXAMPLES)
        if type(examples) is not int or not 1 <= examples <= _MOST_EXAMPLES:
            raise CorruptPayload(
                f'"{records.EXAMPLES}" is a whole number from 1 to {_MOST_EXAMPLES}, got '
                f"{examples!r}"
            )
        loss = records.metric(message.content, records.LOSS)
        finite = isinstance(loss, (int, float)) and math.isfinite(loss) and abs(loss) < _LARGEST
        return Reply(client, payload, examples, float(loss) if finite else None)

    # -------------------------------------------------------------------------------- joining

    def _joined(
        self, server_round: int, taken: Sequence[Reply]
    ) -> tuple[Tensor | None, Sequence[Reply]]:
        """The next adapter as a vector, and whose updates are in it."""
        while taken:
            bad: list[Reply] = []
            updates = self._updates(server_round, taken, bad)
            joined = self._join(taken, updates)
            if not bad:
                return joined, taken
            # decoding showed more losses: the others' weights change, so they are joined anew
            lost = {reply.client for reply in bad}
            taken = [reply for reply in taken if reply.client not in lost]
        return None, []

    def _updates(
        self, server_round: int, taken: Sequence[Reply], bad: list[Reply]
    ) -> Iterator[tuple[Reply, Tensor]]:
        """Decoded updates, one by one; replies that cannot be decoded go to `bad`."""
        for reply in taken:
            try:
                update = self.codec.decode(reply.payload)
                if float(update.abs().max()) > _LARGEST:
                    raise CorruptPayload(f"it holds numbers beyond {_LARGEST:g}")
            except Exception as error:  # as above: payloads of the right shape may still be traps
                _lost(server_round, reply.client, error)
                bad.append(reply)
            else:
                yield reply, update

    def _join(self, taken: Sequence[Reply], updates: Iterator[tuple[Reply, Tensor]]) -> Tensor:
        """The next adapter from what `updates` yields; of no use if it found a bad one."""
        total = sum(reply.examples for reply in taken)
        weights = {reply.client: reply.examples / total for reply in taken}
        if isinstance(self.codec, Joining):
            if sum(1 for _ in updates) < len(taken):
                return self._global
            payloads = [reply.payload for reply in taken]
            joint = self.codec.join(payloads, list(weights.values()), self.memory)
            return self.moved(joint, start=self._global)
        if self.aggregate == "exact_product":
            ends = [self.moved(update, start=self._global) for _, update in updates]
            if len(ends) < len(taken):
                return self._global
            adapters = [self.layout.to_tensors(end) for end in ends]
            joined = exact_product(adapters, list(weights.values()), self.layout.pairs)
            return self.layout.to_vector(joined)
        joint = torch.zeros(self.layout.size)
        if self.aggregate == "literal_sum":
            for _, update in updates:
                joint += update
            return self.moved(joint, start=self._global, eta=self.rate)
        for reply, update in updates:
            joint += update * weights[reply.client]
        return self.moved(joint, start=self._global)

    def moved(self, joint: Tensor, *, start: Tensor, eta: float = 1.0) -> Tensor:
        """The adapter that a joint state, change or gradient leads to.

        Args:
            joint: (size,), in the coordinates of what is sent.
            start: the adapter of the round, (size,).
            eta: of the paper's sum; B alone takes it where states are summed.
        """
        if self.represent == "grad":
            return start - self.rate * joint
        if self.represent == "delta":
            return start + eta * joint
        if eta == 1.0:
            return joint
        return torch.where(self.layout.image.factor == 1, eta * joint, joint)


def _check_magnitudes(payload: Payload) -> None:
    """Sums of what passes do not overflow in a receiver's memory."""
    for name, part in payload.tensors.items():
        if part.is_floating_point() and part.numel() and float(part.abs().max()) > _LARGEST**2:
            raise CorruptPayload(f"{name} holds numbers beyond {_LARGEST**2:g}")


def _lost(server_round: int, client: int | None, error: Exception) -> None:
    who = "a stranger" if client is None else f"client {client}"
    told = " ".join(str(error).split()) or type(error).__name__
    # what a stranger wrote must not look like lines of our own
    shown = told.encode("ascii", "backslashreplace").decode()[:200]
    shown = "".join(each if each.isprintable() else "?" for each in shown)
    logger.warning("round %d: %s loses its share: %s", server_round, who, shown)
