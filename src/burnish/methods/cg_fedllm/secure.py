"""Sums that hide their parts: linear codecs behind Flower's SecAgg+.

A server that sees only the sum of codes must decode the sum, so decoding must be linear. What an
AutoEncoder makes of a sum of latents is not the sum of what it makes of them.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from flwr.app import ArrayRecord, ConfigRecord, Message, MessageType, RecordDict
from flwr.app import Context as FlowerContext
from flwr.app.message import make_message
from flwr.client.mod import secaggplus_mod
from flwr.clientapp import ClientApp
from flwr.clientapp.typing import ClientAppCallable, Mod
from flwr.common import (
    Code,
    FitIns,
    FitRes,
    Status,
    ndarrays_to_parameters,
    parameters_to_ndarrays,
)
from flwr.compat.common.recorddict_compat import fitres_to_recorddict, parameters_to_arrayrecord
from flwr.server.client_manager import SimpleClientManager
from flwr.server.client_proxy import ClientProxy
from flwr.server.compat.grid_client_proxy import GridClientProxy
from flwr.server.compat.legacy_context import LegacyContext
from flwr.server.strategy import Strategy as LegacyStrategy
from flwr.server.workflow import SecAggPlusWorkflow
from flwr.server.workflow.constant import MAIN_CONFIGS_RECORD, MAIN_PARAMS_RECORD
from flwr.server.workflow.constant import Key as WorkflowKey
from flwr.serverapp import Grid
from torch import Tensor

from burnish.codecs.errors import IncompatibleCodec
from burnish.codecs.protocol import Codec, Context, Payload
from burnish.codecs.wire import sealed
from burnish.errors import ConfigError
from burnish.methods.cg_fedllm import records
from burnish.methods.cg_fedllm.client import LocalTask, client_app
from burnish.methods.cg_fedllm.compressing import CompressMod
from burnish.methods.cg_fedllm.grid import Traffic, traffic
from burnish.methods.cg_fedllm.history import Federated, Round
from burnish.methods.cg_fedllm.strategy import CompressedFedAvg

logger = logging.getLogger(__name__)
_CLIP = 8.0
_LEVELS = 2**22


@dataclass(frozen=True, kw_only=True)
class SecureSum:
    """How codes are fitted into the whole numbers that SecAgg+ adds.

    Attributes:
        largest: size of the largest number expected in a code; what is larger is clipped. The
            smaller it is, the finer the sum.
        most_examples: of any client. Weights are shares of it, and codes are multiplied by them
            before they are rounded.
        shares: part of a round's clients that hold a share of each one's keys.
        threshold: part of the shares that brings a lost client's keys back.
        timeout: seconds for the replies of each of the four stages; None to wait for all.

    One of `levels` steps is 2 `largest` / 2**22, divided by the client's share of examples.
    """

    largest: float
    most_examples: int
    shares: float = 1.0
    threshold: float = 0.5
    timeout: float | None = None

    def __post_init__(self) -> None:
        if not 0 < self.largest < float("inf"):
            raise ConfigError(f"largest is a positive number, got {self.largest}")
        if self.most_examples < 1:
            raise ConfigError(f"most_examples is from 1, got {self.most_examples}")

    @property
    def step(self) -> float:
        """Between two sums that a client with most_examples can tell apart."""
        return 2 * self.largest / _LEVELS

    def workflow(self) -> SecAggPlusWorkflow:
        """Flower's, with these settings."""
        return SecAggPlusWorkflow(
            self.shares,
            self.threshold,
            max_weight=float(self.most_examples),
            clipping_range=_CLIP,
            quantization_range=_LEVELS,
            timeout=self.timeout,
        )


def require_linear(codec: Codec) -> None:
    """Refuse a codec whose payloads cannot be added before they are decoded.

    Raises:
        IncompatibleCodec: it is not linear, or sends other numbers than float32.
    """
    parts = codec.template(1).values()
    if not codec.linear or any(part.dtype != torch.float32 for part in parts):
        raise IncompatibleCodec(
            f"secure aggregation shows the server a sum of codes, and {codec.name} cannot decode "
            "sums; use a linear codec: fp32, pca, srht or kseed"
        )


def secure_client_app(
    task: LocalTask, compress: CompressMod, secure: SecureSum, mods: Sequence[Mod] = ()
) -> ClientApp:
    """A client whose codes the server sees only summed.

    Args:
        task: as in `client_app`.
        compress: of a linear codec; it is asked, not put into the chain.
        secure: the server's.
        mods: further ones, outermost first; those that clip or add noise act before encoding.

    Raises:
        IncompatibleCodec: the codec is not linear.

    The number of examples is not hidden: SecAgg+ sends it beside the masked code.
    """
    return client_app(task, [secaggplus_mod, SecureMod(compress, secure), *mods])


class SecureMod:
    """Between SecAgg+ and the other mods: speaks the former's old records, sends linear codes."""

    def __init__(self, compress: CompressMod, secure: SecureSum) -> None:
        require_linear(compress.codec)
        self._compress, self._secure = compress, secure

    def __call__(
        self, message: Message, context: FlowerContext, call_next: ClientAppCallable
    ) -> Message:
        """Answer SecAgg+'s request for the vector to mask.

        Raises:
            ConfigError: the client has more examples than `most_examples`.
        """
        if message.metadata.message_type != MessageType.TRAIN:
            return call_next(message, context)
        names = self._compress.layout.names
        arrays = message.content.array_records["fitins.parameters"]
        config = message.content.config_records["fitins.config"]
        adapter = ArrayRecord(dict(zip(names, arrays.values(), strict=True)))
        start = records.tensors_of(adapter)
        dense = RecordDict({records.ARRAYS: adapter, records.CONFIG: config})
        inner = make_message(message.metadata, content=dense)
        reply = call_next(inner, context)
        if reply.has_error():
            return reply
        examples = records.metric(reply.content, records.EXAMPLES)
        if examples > self._secure.most_examples:
            raise ConfigError(
                f"a client has {examples} examples, SecureSum says at most "
                f"{self._secure.most_examples}; raise most_examples on all sides"
            )
        payload = self._compress.encoded(inner, context, start, reply)
        fitres = FitRes(
            status=Status(Code.OK, ""),
            parameters=ndarrays_to_parameters(self._scaled(payload)),
            num_examples=examples,
            metrics={},
        )
        return Message(fitres_to_recorddict(fitres, keep_input=False), reply_to=message)

    def _scaled(self, payload: Payload) -> list[np.ndarray[Any, Any]]:
        largest = self._secure.largest
        scaled = []
        for name, part in sorted(payload.tensors.items()):
            if (reached := float(part.abs().max())) > largest:
                logger.warning(
                    "%s reaches %.3g and is clipped to %.3g; raise `largest` on all sides",
                    name,
                    reached,
                    largest,
                )
            scaled.append((part.clamp(-largest, largest).double() * (_CLIP / largest)).numpy())
        return scaled


def federate_securely(
    strategy: CompressedFedAvg, grid: Grid, task: LocalTask, secure: SecureSum, *, rounds: int
) -> Federated:
    """`federate` for clients of `secure_client_app`: sums are decoded, never one client's code.

    A round that SecAgg+ gives up (too few clients, a client that breaks the protocol) leaves the
    adapter as it was, with a warning: what is hidden from the server cannot be checked by it. Keys
    are new each time, and rounding is random: two runs differ by rounding.

    Args:
        strategy: says whom to ask and what updates lead to; with a linear codec, the weighted mean
            and a dense downlink.
        grid: what reaches the clients, at least two of them.
        task: scores adapters.
        secure: the clients'.
        rounds: how many.

    Raises:
        IncompatibleCodec: the codec is not linear, or the strategy needs single updates.
    """
    require_linear(strategy.codec)
    if strategy.aggregate != "weighted_mean" or strategy.downlink:
        raise IncompatibleCodec(
            f"secure aggregation gives weighted means of dense starts, not {strategy.aggregate} "
            f"with downlink={strategy.downlink}; use weighted_mean and downlink=False"
        )
    initial = task.initial()
    done = Federated(initial, task.evaluate(initial))
    for number in range(1, rounds + 1):
        began = time.perf_counter()
        counting = _CountingGrid(grid)
        asking = _Asking(strategy, counting, secure, number, done.adapter)
        _run(secure.workflow(), counting, asking)
        adapter = asking.joined or done.adapter
        if asking.joined is None:
            warnings.warn(
                f"round {number}: secure aggregation gave no sum; the adapter stays as it was, see "
                "the log",
                stacklevel=2,
            )
        seconds = time.perf_counter() - began
        this = Round(
            round=number,
            asked=asking.asked,
            used=asking.used,
            loss=None,
            heldout=task.evaluate(adapter),
            traffic=counting.traffic,
            seconds=seconds,
        )
        done = Federated(adapter, done.start, (*done.rounds, this))
    return done


def _run(workflow: SecAggPlusWorkflow, grid: Grid, asking: _Asking) -> None:
    state = RecordDict(
        {
            MAIN_CONFIGS_RECORD: ConfigRecord({WorkflowKey.CURRENT_ROUND: asking.round}),
            MAIN_PARAMS_RECORD: parameters_to_arrayrecord(asking.parameters, keep_input=True),
        }
    )
    plain = FlowerContext(grid.run.run_id, 0, {}, state, {})
    try:
        workflow(grid, LegacyContext(plain, strategy=asking, client_manager=SimpleClientManager()))
    except Exception as error:  # the workflow trusts clients' replies to be of its own protocol
        why = " ".join(str(error).split())[:200].encode("ascii", "backslashreplace").decode()
        logger.warning("round %d: secure aggregation broke off: %s", asking.round, why)


class _Asking(LegacyStrategy):
    """A round as SecAgg+'s workflow asks for it: who gets what, and what a mean is for."""

    def __init__(
        self,
        strategy: CompressedFedAvg,
        grid: Grid,
        secure: SecureSum,
        number: int,
        adapter: Mapping[str, Tensor],
    ) -> None:
        self.round, self.asked, self.used = number, 0, 0
        self.joined: dict[str, Tensor] | None = None
        self._strategy, self._grid, self._secure = strategy, grid, secure
        self._start = strategy.layout.to_vector(adapter)
        arrays = [adapter[name].numpy() for name in strategy.layout.names]
        self.parameters = ndarrays_to_parameters(arrays)

    def configure_fit(
        self, server_round: int, parameters: Any, client_manager: Any
    ) -> list[tuple[ClientProxy, FitIns]]:
        nodes = self._strategy.sampled(server_round, self._grid)
        self.asked = len(nodes)
        config: dict[str, Any] = {
            records.ROUND: server_round,
            records.CLIENT: records.SERVER,  # codes that are added must be drawn alike
            records.REPRESENT: self._strategy.represent,
        }
        run = self._grid.run.run_id
        return [
            (GridClientProxy(node, self._grid, run), FitIns(self.parameters, config))
            for node in nodes
        ]

    def aggregate_fit(
        self, server_round: int, results: list[tuple[ClientProxy, FitRes]], failures: Any
    ) -> tuple[None, dict[str, Any]]:
        if results:
            self.used = len(results)
            means = parameters_to_ndarrays(results[0][1].parameters)
            self.joined = self._decoded(means)
        return None, {}

    def _decoded(self, means: list[np.ndarray[Any, Any]]) -> dict[str, Tensor]:
        strategy, largest = self._strategy, self._secure.largest
        template = sorted(strategy.codec.template(self.round).items())
        tensors = {
            name: torch.from_numpy(mean * (largest / _CLIP)).float().view(part.shape)
            for (name, part), mean in zip(template, means, strict=True)
        }
        context = Context(self.round, records.SERVER, strategy.layout.hash, strategy.init)
        joint = strategy.codec.decode(sealed(strategy.codec, tensors, context))
        return strategy.layout.to_tensors(strategy.moved(joint, start=self._start))

    def initialize_parameters(self, client_manager: Any) -> None:
        return None

    def configure_evaluate(
        self, server_round: int, parameters: Any, client_manager: Any
    ) -> list[Any]:
        return []

    def aggregate_evaluate(
        self, server_round: int, results: Any, failures: Any
    ) -> tuple[None, dict[str, Any]]:
        return None, {}

    def evaluate(self, server_round: int, parameters: Any) -> None:
        return None


class _CountingGrid(Grid):
    """Another grid, and what its messages weigh."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self.traffic = Traffic()

    def set_run(self, run: Any) -> None:
        self._grid.set_run(run)

    @property
    def run(self) -> Any:
        return self._grid.run

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        return self._grid.create_message(content, message_type, dst_node_id, group_id, ttl)

    def get_node_ids(self) -> Iterable[int]:
        return self._grid.get_node_ids()

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        return self._grid.push_messages(messages)

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        return self._grid.pull_messages(message_ids)

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> list[Message]:
        sent = list(messages)
        received = list(self._grid.send_and_receive(sent, timeout=timeout))
        self.traffic += traffic(sent, received)
        return received
